//! `dbguard unlock` ends nobody whom it has not seen to hold the very lock that was asked about.

use std::fs;
use std::path::PathBuf;

use crate::scene::{Run, Scene, wine_lacks};
#[cfg(target_os = "linux")]
use {
    crate::info_crew::{CONNECT, Client},
    crate::process::{Contender, lives, signal_while, until},
    crate::scene::{have, have_namespaces, is_root},
    crate::sql_crew::database,
    crate::system::Signal,
    std::fs::Permissions,
    std::io::Write,
    std::os::unix::fs::PermissionsExt,
};

fn unlock(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["unlock"]).words(words)
}

/// Returns where the only claim on a.db is.
fn claim(scene: &Scene) -> PathBuf {
    let name = scene.held("a.db").into_iter().next().expect("a claim");
    scene.state("a.db", "held").join(name)
}

/// Leaves the claim of a killed dbguard whose command has none of its descriptors and runs on.
#[cfg(target_os = "linux")]
fn left_behind(scene: &Scene) -> Contender {
    let holder = scene.hold(["--close", "a.db"]);
    holder.until_recorded(scene, "a.db");
    holder.process.kill();
    until("the dbguard is dead", || !holder.process.runs());
    holder
}

/// Advice that forgot an option ended those whom it had spared, or killed whom it had not.
#[test]
fn the_advice_ends_no_more_than_was_shown_and_in_no_harder_way() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let words = ["--holder", "guard", "--continue", "--kill-after", "inf", "-w", "90", "a.db"];
    unlock(&scene, &words).run().expect(64).says(
        "type: dbguard unlock --yes --holder guard --continue --kill-after inf -w 1m30s a.db\n",
    );
    unlock(&scene, &["a.db"]).run().expect(64).says("type: dbguard unlock --yes a.db\n");
    assert!(holder.process.runs());
    holder.end().expect(0);
}

/// An engine locks the whole database: one who works at another part was ended with the key's holder.
#[test]
#[cfg(target_os = "linux")]
fn with_a_key_holders_of_the_engines_locks_are_ended_only_if_asked_for() {
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let writer = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin immediate')"));
    let mine = scene.hold(["--native", "ignore", "-k", "mine", "a.db"]);
    let ended = unlock(&scene, &["--yes", "-k", "mine", "a.db"]).run().expect(0);
    let free = "dbguard's lock on key mine of a.db is free\n";
    assert!(ended.stdout.ends_with(free), "{}", ended.describe());
    assert!(!mine.process.runs() && lives(writer.pid()));
    let ended = unlock(&scene, &["-k", "mine", "--holder", "any", "a.db"]).run().expect(64);
    ended.says("type: dbguard unlock --yes --holder any -k mine a.db\n");
    unlock(&scene, &["--yes", "-k", "mine", "--holder", "any", "a.db"]).run().expect(0);
    assert!(!lives(writer.pid()));
}

/// To see whether a claim lives it is locked shared for an instant. Whoever did so, and was stopped
/// or preempted in it, was taken for an heir of the dead holder.
#[test]
#[cfg(target_os = "linux")]
fn whoever_only_looks_whether_a_claim_lives_is_not_ended() {
    if !have(&["flock"]) {
        return;
    }
    let scene = Scene::new();
    let holder = left_behind(&scene);
    let script = "exec flock -s \"$1\" sh -c 'echo >looks; read end'";
    let mut prober = scene.run("sh", ["-c", script, "sh"]).words([claim(&scene)]).spawn_fed();
    prober.until("it looks", || scene.path("looks").exists());
    let ended = unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run().expect(0);
    assert!(!lives(holder.command_pid()), "{}", ended.describe());
    assert!(prober.runs(), "{}", ended.describe());
    prober.close_input();
    prober.wait().expect(1);
}

/// The kernel tells who took a flock, and goes on to when only an heir has it.
#[test]
#[cfg(target_os = "linux")]
fn whoever_took_the_lock_and_may_not_be_looked_into_is_not_ended_for_it() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    scene.make_state("a.db");
    let code = "import ctypes, fcntl, os, sys\n\
        DUMPABLE = 4\n\
        lock = os.open(sys.argv[1], os.O_RDONLY)\n\
        fcntl.flock(lock, fcntl.LOCK_EX)\n\
        if os.getuid() == 0:\n\
        \x20   os.setgid(65534)\n\
        \x20   os.setuid(65534)\n\
        heir = os.fork()\n\
        ctypes.CDLL(None).prctl(DUMPABLE, 1 if heir == 0 else 0)\n\
        if heir:\n\
        \x20   os.close(lock)\n\
        \x20   print(heir, flush=True)\n\
        sys.stdin.read()\n";
    let words = ["-c".into(), code.into(), scene.state("a.db", "lock")];
    let mut taker = scene.run("python3", words).spawn_fed();
    let told = taker.stdout_path();
    taker.until("only the heir has it", || scene.read(&told).ends_with('\n'));
    let heir: u32 = scene.read(&told).trim().parse().expect("a number");
    let ended = unlock(&scene, &["--yes", "a.db"]).ordinary().run().expect(77);
    ended.says("may not be looked into").says("type: sudo dbguard unlock a.db\n");
    assert!(taker.runs() && lives(heir));
    if is_root() {
        unlock(&scene, &["--yes", "a.db"]).run().expect(0);
        assert!(taker.runs() && !lives(heir), "root sees that it has passed the lock on");
    }
    taker.close_input();
    taker.wait().expect(0);
}

/// After `cp -al` the copy's lock is the database's own: to unlock the copy ended who works.
#[test]
fn a_lock_with_a_second_name_is_not_unlocked() {
    if wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let second = scene.path("second");
    // Windows names nobody by the lock, only by his claim.
    let lock = Some(scene.state("a.db", "lock")).filter(|_| cfg!(unix));
    for path in lock.into_iter().chain([claim(&scene)]) {
        fs::hard_link(&path, &second).expect("link");
        let ended = unlock(&scene, &["--yes", "a.db"]).run().expect(1).answers("");
        ended.says("there is a hard link to ").says("hint: see who has it with dbguard info");
        assert!(holder.process.runs());
        fs::remove_file(&second).expect("it is ours");
    }
    unlock(&scene, &["--yes", "a.db"]).run().expect(0);
    assert!(!holder.process.runs());
}

/// Whoever may write to a claim can aim it at any process of its owner.
#[test]
#[cfg(target_os = "linux")]
fn a_dead_claim_that_others_may_write_to_proves_nothing() {
    let scene = Scene::new();
    let holder = left_behind(&scene);
    let command = holder.command_pid();
    for mode in [0o666, 0o664] {
        fs::set_permissions(claim(&scene), Permissions::from_mode(mode)).expect("chmod");
        let ended = unlock(&scene, &["--yes", "a.db"]).run().expect(1).answers("");
        ended.says("nothing proves that it is meant").says(&format!("type: kill {command}\n"));
        assert!(lives(command));
    }
    fs::set_permissions(claim(&scene), Permissions::from_mode(0o644)).expect("chmod");
    unlock(&scene, &["--yes", "a.db"]).run().expect(0);
    assert!(!lives(command));
}

/// A dbguard that was killed while it waited for a call inside its own leaves no claim, and that call
/// keeps others out. The database was called free.
#[test]
#[cfg(target_os = "linux")]
fn a_call_inside_a_killed_one_is_ended_though_no_claim_is_left() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    scene.file(
        "outer.py",
        "import os, subprocess\n\
         inner = ['sh', '-c', 'echo $$ >inner; exec sleep 600']\n\
         inner = [os.environ['DBGUARD'], 'exec', 'a.db', '--', *inner]\n\
         subprocess.Popen(inner, start_new_session=True)\n\
         while not os.path.exists('inner') or not open('inner').read():\n\
         \x20   pass\n",
    );
    let mut outer = scene.dbguard(["exec", "a.db", "--", "python3", "outer.py"]).spawn();
    let claims = || scene.held("a.db").into_iter().filter(|name| name.ends_with(".x")).count();
    outer.until("it is on its way out", || !scene.read("inner").is_empty() && claims() == 0);
    outer.kill();
    outer.wait();
    let inner: u32 = scene.read("inner").trim().parse().expect("a number");
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    let ended = unlock(&scene, &["--yes", "a.db"]).run().expect(0);
    assert!(!lives(inner), "{}", ended.describe());
    scene.assert_free("a.db");
}

/// A daemon has the lock only until the dbguard that started it gives that back.
#[test]
#[cfg(target_os = "linux")]
fn a_daemon_that_the_command_started_is_ended_only_if_it_keeps_the_lock() {
    for (last, survives) in [("exit 3", true), ("trap - TERM; kill -TERM $$", false)] {
        let scene = Scene::new();
        scene.file("tick", "\n");
        let script = format!(
            "trap '{last}' TERM; (sleep 600 & echo $! >daemon); echo up >up; \
             while :; do read word <tick; done"
        );
        let mut run = scene.dbguard(["exec", "a.db", "--", "sh", "-c", &script]).spawn();
        run.until("its command runs", || !scene.read("up").is_empty());
        let daemon: u32 = scene.read("daemon").trim().parse().expect("a number");
        let told = || scene.read(claim(&scene)).contains("\"child\":");
        run.until("its claim tells of it", told);
        let line = format!("This ENDS process {daemon} (sleep 600");
        unlock(&scene, &["a.db"]).run().expect(64).says(&line);
        let ended = unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run().expect(0);
        assert_eq!(lives(daemon), survives, "{}", ended.describe());
        assert!(!run.runs());
        scene.assert_free("a.db");
        if survives {
            signal_while(daemon, || lives(daemon), Signal::KILL);
        }
    }
}

/// Of whoever runs elsewhere only the claim is seen: the database was called free although it was
/// next in line.
#[test]
#[cfg(target_os = "linux")]
fn the_next_in_line_who_cannot_be_seen_is_told() {
    let scene = Scene::new();
    if !have_namespaces() {
        return;
    }
    let script = "\"$DBGUARD\" exec a.db -- sh -c 'echo >up; exec sleep 600' & \
                  read go; \"$DBGUARD\" unlock --yes --json a.db; echo unlock=$?";
    let words = ["-pf", "--mount-proc", "--kill-child", "sh", "-c", script];
    let mut inside = scene.run("unshare", words).spawn_fed();
    inside.until("it holds", || scene.path("up").exists());
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    inside.input().write_all(b"go\n").expect("it reads");
    let ended = inside.wait().expect(0).says("is held by somebody new");
    assert!(ended.stdout.contains("\"state\":\"held\""), "{}", ended.describe());
    assert!(ended.stdout.ends_with("unlock=1\n"), "{}", ended.describe());
    waiter.until_holding();
    waiter.end().expect(0);
}
