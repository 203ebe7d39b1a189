//! `dbguard unlock`: ends those who hold a database, all of them or nobody, and nobody else.

use std::fs;

use serde_json::Value;

use crate::process::{Ended, Process, lives};
use crate::scene::{Run, Scene, is_root};
use crate::sql_crew::document;
#[cfg(target_os = "linux")]
use {
    crate::info_crew::{CONNECT, Client},
    crate::process::{signal_while, until},
    crate::scene::{have, skip},
    crate::sql_crew::database,
    crate::system::Signal,
    std::os::unix::fs::MetadataExt,
};

/// A command that ignores TERM.
#[cfg(target_os = "linux")]
const DEAF: &str = "trap '' TERM; echo $$ >up; while :; do read word <tick; done";

/// A command that hears TERM, says so, and ends in order.
#[cfg(target_os = "linux")]
const POLITE: &str =
    "trap 'echo term >>heard; exit 3' TERM; echo $$ >up; while :; do read word <tick; done";

/// A command that would hear TERM, were there signals.
#[cfg(windows)]
const POLITE: &str = "echo $$ >up; sleep 600";

fn unlock(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["unlock"]).words(words)
}

/// Returns the numbers in a list of the document.
#[track_caller]
fn pids(document: &Value, list: &str) -> Vec<u64> {
    let processes = document[list].as_array().unwrap_or_else(|| panic!("{list}: {document:#}"));
    processes.iter().map(|one| one["pid"].as_u64().expect("a number")).collect()
}

/// Starts `dbguard exec OPTIONS a.db -- sh -c SCRIPT`, and returns it with the number of its
/// command once the claim tells of that.
fn hold(scene: &Scene, options: &[&str], script: &str) -> (Process, u32) {
    let _old = fs::remove_file(scene.path("up"));
    scene.file("tick", "\n");
    let run = scene.dbguard(["exec"]).words(options).words(["a.db", "--", "sh", "-c", script]);
    let mut dbguard = run.spawn();
    dbguard.until("its command runs", || scene.read("up").ends_with('\n'));
    let command = scene.read("up").trim().parse().expect("a number");
    let told = format!("\"child\":{command}");
    let claims =
        || scene.held("a.db").into_iter().map(|name| scene.state("a.db", "held").join(name));
    dbguard
        .until("its claim tells of it", || claims().any(|path| scene.read(path).contains(&told)));
    (dbguard, command)
}

/// Proves that a run ended everybody, and that the lock can be had again.
#[track_caller]
fn assert_freed(scene: &Scene, ended: Ended) -> Ended {
    let ended = ended.expect(0);
    assert!(ended.stdout.ends_with("a.db is free\n"), "{}", ended.describe());
    scene.assert_free("a.db");
    ended
}

#[test]
fn without_a_terminal_and_without_yes_everybody_is_shown_and_nobody_is_ended() {
    let scene = Scene::new();
    let (dbguard, command) = hold(&scene, &[], POLITE);
    let ended = unlock(&scene, &["a.db"]).run().expect(64).answers("");
    // Windows does not say whose processes others are, and Wine not what they were given.
    let line = format!("sh -c {} ", POLITE.split(' ').next().expect("a word"));
    let user = if is_root() { "user root" } else { "user " };
    let (of_command, of_dbguard, user) = match cfg!(windows) {
        true => ("", "", ""),
        false => (line.as_str(), "dbguard exec a.db", user),
    };
    let ended = ended
        .says(&format!("This ENDS process {command} ({of_command}"))
        .says(user)
        .says("holding for ")
        .says(&format!("This ENDS process {} ({of_dbguard}", dbguard.pid()))
        .says("which runs it.\n")
        .says("\nhint: to end them, type: dbguard unlock --yes a.db\n");
    assert!(dbguard.runs() && lives(command), "{}", ended.describe());
    let ended = unlock(&scene, &["--json", "a.db"]).run().expect(64);
    assert_eq!(ended.error_document()["holder"]["child_pid"], command);
    assert!(dbguard.runs() && !scene.path("heard").exists());
}

/// TERM reaches the command once, by its dbguard, which gives the lock back and counts the grant.
#[test]
#[cfg(target_os = "linux")]
fn the_holder_hears_term_once_and_the_lock_is_given_back_in_order() {
    let scene = Scene::new();
    let (mut dbguard, command) = hold(&scene, &[], POLITE);
    let lock = fs::metadata(scene.state("a.db", "lock")).expect("it is there").ino();
    let ended = unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run();
    let ended = assert_freed(&scene, ended);
    assert!(ended.stdout.contains(&format!("ended: process {command} ")), "{}", ended.describe());
    dbguard.wait().expect(3);
    assert_eq!(scene.read("heard"), "term\n");
    let now = fs::metadata(scene.state("a.db", "lock")).expect("it is never removed").ino();
    assert_eq!(lock, now);
    assert!(scene.read(scene.state("a.db", "stats.log")).lines().count() >= 1, "it was counted");
}

#[test]
fn where_nobody_holds_it_nobody_is_asked() {
    let scene = Scene::new();
    scene.file("a.db", "");
    unlock(&scene, &["a.db"]).run().expect(0).answers("a.db is free; there is nobody to end");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    let free = document(&unlock(&scene, &["--json", "a.db"]).run().expect(0).silent());
    assert_eq!((&free["schema"], &free["state"]), (&1.into(), &"free".into()));
    assert!(pids(&free, "ended").is_empty() && pids(&free, "survivors").is_empty());
    unlock(&scene, &["missing.db"]).run().expect(66).says("there is no `missing.db`");
    assert!(!scene.path(".dbguard/missing.db").exists(), "nothing is made");
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_does_not_hear_term_is_killed_with_his_dbguard_later_and_not_before() {
    let scene = Scene::new();
    let (mut dbguard, command) = hold(&scene, &[], DEAF);
    let words = ["--yes", "--json", "--kill-after", "inf", "-w", "0.3", "a.db"];
    let ended = unlock(&scene, &words).run().expect(1).says("is still held by what does not end");
    let told = document(&ended);
    assert!(pids(&told, "survivors").contains(&command.into()), "{told:#}");
    assert_eq!(told["state"], "held");
    assert!(dbguard.runs() && lives(command), "without KILL he goes on");
    let ended = unlock(&scene, &["--yes", "--kill-after", "0.3", "a.db"]).run();
    let ended = assert_freed(&scene, ended);
    let killed = format!("ended by KILL: process {command} (");
    assert!(ended.stdout.contains(&killed), "{}", ended.describe());
    // It was spared: it ended by itself, and told how its command did.
    dbguard.wait().expect(137);
    assert!(!lives(command));
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_holder_is_killed_or_let_go_on_first() {
    for (options, script) in [(&[][..], POLITE), (&["-F"][..], POLITE)] {
        let scene = Scene::new();
        let (mut dbguard, command) = hold(&scene, options, script);
        dbguard.stop();
        signal_while(command, || lives(command), Signal::STOP);
        until("both are stopped", || crate::process::process_state(command) == Some('T'));
        let ended = unlock(&scene, &["a.db"]).run().expect(64);
        let ended = ended.says("stopped").says("is killed after 10s; --continue");
        assert!(lives(command), "{}", ended.describe());
        let ended = unlock(&scene, &["--yes", "--continue", "--kill-after", "inf", "a.db"]).run();
        assert_freed(&scene, ended.never_says("does not hear"));
        assert_eq!(scene.read("heard"), "term\n");
        dbguard.wait().expect(3);

        let (mut dbguard, command) = hold(&scene, options, script);
        dbguard.stop();
        signal_while(command, || lives(command), Signal::STOP);
        until("both are stopped", || crate::process::process_state(command) == Some('T'));
        let ended = unlock(&scene, &["--yes", "--kill-after", "0.2", "a.db"]).run();
        assert_freed(&scene, ended);
        assert!(!lives(command) && !dbguard.runs());
        assert_eq!(scene.read("heard"), "term\n", "he heard nothing the second time");
        dbguard.wait();
    }
}

/// With the dbguard dead its command keeps the lock, and what that started, too.
#[test]
#[cfg(target_os = "linux")]
fn what_a_killed_dbguard_left_is_ended() {
    // A command that closes the descriptors holds nothing; still nobody may run beside it.
    for options in [&[][..], &["--close"]] {
        let scene = Scene::new();
        let script = "sleep 600 & echo $! >child; echo $$ >up; wait";
        let (dbguard, command) = hold(&scene, options, script);
        let child: u32 = scene.read("child").trim().parse().expect("a number");
        dbguard.kill();
        scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
        let ended = unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run();
        let ended = assert_freed(&scene, ended);
        assert!(!lives(command), "{}", ended.describe());
        assert_eq!(lives(child), !options.is_empty(), "only if it has the lock");
    }
}

/// The shell dies of TERM, and what it started keeps the lock: it was shown, and it is ended.
#[test]
#[cfg(target_os = "linux")]
fn heirs_of_the_command_are_shown_and_ended() {
    let scene = Scene::new();
    let script = "sleep 600 & echo $! >child; echo $$ >up; wait";
    let (mut dbguard, _) = hold(&scene, &[], script);
    let child: u32 = scene.read("child").trim().parse().expect("a number");
    let ended = unlock(&scene, &["a.db"]).run().expect(64);
    let line = format!("This ENDS process {child} (sleep 600");
    ended.says(&line).says("which has the lock from it.\n");
    assert_freed(&scene, unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run());
    assert!(!lives(child));
    dbguard.wait().expect(143);
}

/// Who was started between the look and the end was not shown, so he is told and not ended.
#[test]
#[cfg(target_os = "linux")]
fn whoever_is_started_meanwhile_is_told_and_not_ended() {
    let scene = Scene::new();
    let script = "trap 'sleep 600 & echo $! >child; trap - TERM; kill -TERM $$' TERM; \
                  echo $$ >up; while :; do read word <tick; done";
    let (_dbguard, _) = hold(&scene, &[], script);
    let ended = unlock(&scene, &["--yes", "--json", "--kill-after", "inf", "a.db"]).run().expect(1);
    let child: u32 = scene.read("child").trim().parse().expect("a number");
    let ended = ended.says("who was not shown");
    let told = document(&ended);
    assert_eq!(pids(&told, "unshown"), [u64::from(child)], "{told:#}");
    assert!(pids(&told, "survivors").is_empty() && lives(child));
    assert_freed(&scene, unlock(&scene, &["--yes", "a.db"]).run());
    assert!(!lives(child));
}

#[test]
fn readers_are_all_ended_and_the_next_in_line_is_a_newcomer() {
    let scene = Scene::new();
    let readers: Vec<_> = (0..5).map(|_| scene.hold(["-s", "a.db"])).collect();
    readers.iter().for_each(|one| one.until_recorded(&scene, "a.db"));
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    let ended = unlock(&scene, &["--yes", "--json", "a.db"]).run().expect(1);
    let told = document(&ended);
    for reader in &readers {
        assert!(!reader.process.runs() && !lives(reader.command_pid()));
        assert!(pids(&told, "ended").contains(&reader.command_pid().into()), "{told:#}");
    }
    waiter.until_holding();
    assert!(pids(&told, "newcomers").contains(&waiter.process.pid().into()), "{told:#}");
    ended.says("is held by somebody new");
    waiter.end().expect(0);
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn plain_flock_users_and_shells_with_a_descriptor_are_ended() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let mut plain = scene.plain_flock(scene.state("a.db", "lock"));
    assert_freed(&scene, unlock(&scene, &["--yes", "a.db"]).run());
    assert_eq!(plain.wait().signal, Some(15));
    let script = "exec 9<>\"$(\"$DBGUARD\" path a.db)\"; \"$DBGUARD\" exec --fd 9 a.db; \
                  echo up >up; while :; do read word <tick; done";
    scene.file("tick", "\n");
    let mut shell = scene.shell(script).spawn();
    shell.until("it holds", || !scene.read("up").is_empty());
    assert_freed(&scene, unlock(&scene, &["--yes", "a.db"]).run());
    assert_eq!(shell.wait().signal, Some(15));
    if have(&["flock"]) {
        let script = "flock \"$(\"$DBGUARD\" path a.db)\" sh -c 'echo $$ >flocked; exec sleep 600'";
        let mut flock = scene.shell(script).spawn();
        flock.until("it holds", || scene.read("flocked").ends_with('\n'));
        let command = scene.read("flocked").trim().parse().expect("a number");
        assert_freed(&scene, unlock(&scene, &["--yes", "a.db"]).run());
        assert!(!lives(command));
    }
}

#[test]
fn calls_inside_calls_are_ended_with_the_one_around_them() {
    let scene = Scene::new();
    // Without the descriptors only the inner lock keeps others out.
    let inner = "import os, subprocess\n\
        inner = ['sh', '-c', 'echo $$ >inner; exec sleep 600']\n\
        subprocess.run([os.environ['DBGUARD'], 'exec', 'a.db', '--', *inner])";
    scene.file("outer.py", inner);
    let programs =
        ["\"$DBGUARD\" exec a.db -- sh -c 'echo $$ >inner; sleep 600'", "python3 outer.py"];
    // Locks of Windows are not inherited, so there is no other way.
    let count = if cfg!(windows) { 1 } else { 2 };
    for program in &programs[..count] {
        #[cfg(target_os = "linux")]
        if program.starts_with("python3") && !have(&["python3"]) {
            continue;
        }
        let _old = fs::remove_file(scene.path("inner"));
        let (mut dbguard, _) = hold(&scene, &[], &format!("echo $$ >up; {program}; true"));
        dbguard.until("the inner one runs", || scene.read("inner").ends_with('\n'));
        let inner = scene.read("inner").trim().parse().expect("a number");
        let ended = unlock(&scene, &["--yes", "--kill-after", "inf", "a.db"]).run();
        let ended = assert_freed(&scene, ended);
        assert!(!lives(inner) && !dbguard.runs(), "{}", ended.describe());
    }
}

#[test]
fn a_key_is_freed_without_those_of_other_keys_and_the_lock_dir_is_looked_at() {
    let scene = Scene::new();
    let mine = scene.hold(["-k", "mine", "a.db"]);
    let other = scene.hold(["-k", "other", "a.db"]);
    let words = ["--yes", "-k", "mine", "a.db"];
    unlock(&scene, &words).run().expect(0);
    assert!(!mine.process.runs() && other.process.runs());
    other.end().expect(0);
    fs::create_dir(scene.path("locks")).expect("mkdir");
    let away = scene.hold(["--lock-dir", "locks", "a.db"]);
    unlock(&scene, &["--yes", "a.db"]).run().expect(0);
    assert!(away.process.runs(), "beside the database there is another lock");
    let ended = unlock(&scene, &["--lock-dir", "locks", "a.db"]).run().expect(64);
    ended.says("type: dbguard unlock --yes --lock-dir locks a.db\n");
    unlock(&scene, &["--yes", "--lock-dir", "locks", "a.db"]).run().expect(0);
    assert!(!away.process.runs());
}

#[test]
#[cfg(target_os = "linux")]
fn holders_of_the_engines_locks_are_ended_if_they_keep_others_out() {
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let idle = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('select * from t')"));
    let writer = "db.execute('begin immediate')\ndb.execute('insert into t values(1)')";
    let mut writer = Client::doing(&scene, &format!("{CONNECT}\n{writer}"));
    let mut guard = scene.hold(["--native", "ignore", "a.db"]);
    let ended = unlock(&scene, &["--holder", "native", "a.db"]).run().expect(64);
    let line = format!("This ENDS process {} (python3 ", writer.pid());
    ended.says(&line).says("(RESERVED).\n").says("What is not committed is lost.");
    unlock(&scene, &["--holder", "native", "--yes", "a.db"]).run().expect(0);
    assert_eq!(writer.process().wait().signal, Some(15));
    assert!(guard.process.runs() && lives(idle.pid()), "only those in the way");
    let writer = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin exclusive')"));
    unlock(&scene, &["--holder", "guard", "--yes", "a.db"]).run().expect(0);
    assert!(!guard.process.runs() && lives(writer.pid()));
    guard = scene.hold(["--native", "ignore", "a.db"]);
    unlock(&scene, &["--yes", "a.db"]).run().expect(0);
    assert!(!guard.process.runs() && !lives(writer.pid()) && lives(idle.pid()));
    scene.run("sqlite3", ["a.db", "select count(*) from t"]).run().expect(0).answers("0");
}

/// A server that gives the database back when it hears TERM, and serves on, is not killed for it.
#[test]
#[cfg(target_os = "linux")]
fn whoever_lets_go_without_ending_is_spared() {
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let code = format!(
        "{CONNECT}\nimport signal\ndb.execute('begin exclusive')\n\
         signal.signal(signal.SIGTERM, lambda *_: db.execute('rollback'))"
    );
    let server = Client::doing(&scene, &code);
    let ended = unlock(&scene, &["--yes", "--kill-after", "20s", "--json", "a.db"]).run().expect(0);
    let told = document(&ended);
    assert_eq!(pids(&told, "let_go"), [u64::from(server.pid())], "{told:#}");
    assert!(lives(server.pid()) && told["state"] == "free");
}

#[test]
fn whoever_started_the_call_is_never_ended() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" unlock --yes a.db; echo unlock=$?";
    let ended = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]).run().expect(0);
    let ended = ended.answers("unlock=1").says("a.db stays locked: nothing was ended");
    let ended = ended.says("started this dbguard, and would end with it");
    assert!(ended.stderr.contains("run it from another terminal"), "{}", ended.describe());
    if cfg!(windows) {
        return;
    }
    // Here the one who has it is this very process, too.
    let script = "exec 9<>\"$(\"$DBGUARD\" path a.db)\"; \"$DBGUARD\" exec --fd 9 a.db; \
                  \"$DBGUARD\" unlock --yes a.db; echo unlock=$?";
    scene.shell(script).run().expect(0).answers("unlock=1").says("dbguard exec -u --fd N FILE");
}

/// What a claim says aims at nobody: the innocent one that it names is not ended, its keeper is.
#[test]
#[cfg(target_os = "linux")]
fn a_lying_claim_ends_nobody_but_its_keeper() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let innocent = scene.run("sleep", ["600"]).spawn();
    let start = crate::system::start_of(innocent.pid()).expect("it runs");
    let space = fs::metadata("/proc/self/ns/pid").expect("/proc is mounted").ino();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("it is Linux");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("it is Linux");
    let id = format!("{}.00000000000000ab", innocent.pid());
    let claim = serde_json::json!({
        "id": id, "host": host.trim(), "boot": boot.trim(), "namespace": space,
        "start": start, "child": innocent.pid(), "child_start": start, "program": "sleep",
    });
    let path = scene.state("a.db", "held").join(format!("{id}.x"));
    fs::write(&path, format!("{claim}\n")).expect("plant");
    let mut liar = scene.plain_flock(&path);
    // Now it is the claim of a dead dbguard whose command runs on, to everybody who comes.
    let ended = unlock(&scene, &["--yes", "--json", "a.db"]).run().expect(1);
    let told = document(&ended);
    assert_eq!(pids(&told, "ended"), [u64::from(liar.pid())], "{told:#}");
    assert_eq!(pids(&told, "unshown"), [u64::from(innocent.pid())], "{told:#}");
    assert!(innocent.runs());
    assert_eq!(liar.wait().signal, Some(15));
    if !is_root() {
        skip("needs root, to plant a claim of another user");
        return;
    }
    // Whose claim it is may say so of his own processes, and of nobody else's.
    std::os::unix::fs::chown(&path, Some(65534), None).expect("root may");
    let ended = unlock(&scene, &["--yes", "a.db"]).run().expect(1).answers("");
    ended.says("nothing proves that it is meant").says(&format!("type: kill {}\n", innocent.pid()));
    assert!(innocent.runs());
}

#[test]
fn a_claim_of_another_host_is_refused_with_the_place_to_go_to() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let id = "4711.00000000000000ab";
    let claim = serde_json::json!({ "id": id, "host": "db-17", "program": "etl.py" });
    let path = scene.state("a.db", "held").join(format!("{id}.x"));
    fs::write(&path, format!("{claim}\n")).expect("plant");
    let keeper = scene.plain_flock(&path);
    let ended = unlock(&scene, &["--yes", "a.db"]).run().expect(1).answers("");
    ended
        .says("held on another host by etl.py (pid 4711, host db-17)")
        .says("hint: on host db-17, type: dbguard unlock a.db\n");
    assert!(keeper.runs() && path.exists());
    let told = unlock(&scene, &["--yes", "--json", "a.db"]).run().expect(1).error_document();
    assert_eq!((&told["code"], &told["holder"]["host"]), (&"negative".into(), &"db-17".into()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_lease_is_told_with_what_gives_it_back() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let id = "4711.00000000000000ab";
    let claim = serde_json::json!({ "id": id, "lease": true, "expires_ms": 4_000_000_000_000_u64 });
    let path = scene.state("a.db", "held").join(format!("{id}.x"));
    fs::write(&path, format!("{claim}\n")).expect("plant");
    let keeper = scene.plain_flock(&path);
    let ended = unlock(&scene, &["a.db"]).run().expect(64);
    ended.says("dbguard release a.db --token TOKEN").says("by itself at 2096-10-02T07:06:40.000Z");
    assert!(keeper.runs());
}
