//! `dbguard fix` on databases that a crash left unfinished: nothing committed is lost, nobody who
//! uses one is disturbed, and what cannot be proved is left alone.

use std::fs;
use std::path::Path;

use crate::fix_crew::{assert_done, fix, fixed, item, last, leave_journal, leave_log};
use crate::scene::{Scene, have, have_hooks, wine_lacks};
use crate::sql_crew::{Shell, ask, assert_sound, database};
#[cfg(target_os = "linux")]
use {
    crate::info_crew::{Client, first},
    crate::process::until,
    crate::scene::{is_root, skip},
    crate::sql_crew::have_duckdb,
    std::fs::Permissions,
    std::io::Write,
    std::os::unix::fs::{MetadataExt, PermissionsExt},
};

fn have_sqlite() -> bool {
    have(&["sqlite3"])
}

#[test]
fn a_hot_journal_is_rolled_back() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_journal(&scene);
    let (looked, code) = fixed(&scene, &["--dry-run"]);
    assert_done(&looked, "a.db", "stale", "would_recover");
    assert_eq!((code, scene.path("a.db-journal").exists()), (Some(1), true));
    let ended = fix(&scene, &[]).run().expect(0).silent();
    assert!(last(&ended).ends_with("nothing lost; a.db-journal is gone"), "{}", ended.describe());
    assert_sound(&scene, "a.db");
    assert_eq!(ask(&scene, "a.db", "SELECT count(*) FROM t"), "1");
    assert!(!scene.path(".dbguard").exists(), "there was none before");
    fix(&scene, &[]).run().expect(0).silent().answers("nothing was left behind");
}

#[test]
fn a_log_is_moved_to_its_database_with_every_row() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let ended = fix(&scene, &["a.db"]).run().expect(0).silent();
    assert!(last(&ended).starts_with("recovered ") && last(&ended).ends_with("a.db-wal is gone"));
    assert!(!scene.path("a.db-wal").exists() && !scene.path("a.db-shm").exists());
    assert_eq!(ask(&scene, "a.db", "SELECT count(*) FROM t"), "100");
    assert_sound(&scene, "a.db");
    assert!(!scene.path(".dbguard").exists());
}

/// `--backup` keeps what the engine will delete, for the owner alone, and under names that make it
/// the log of no other database.
#[test]
fn the_files_are_copied_aside_before() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let log = fs::read(scene.path("a.db-wal")).expect("it is there");
    fs::create_dir(scene.path("aside")).expect("mkdir");
    database(&scene, "aside/a.db", "wal", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    fix(&scene, &["--backup", "aside", "a.db"]).run().expect(0);
    assert_eq!(ask(&scene, "aside/a.db", "SELECT count(*) FROM t"), "1");
    let copies: Vec<_> = crate::scene::names(&scene.path("aside"))
        .into_iter()
        .filter(|name| name.starts_with("a.db-wal.") && name.ends_with(".backup"))
        .collect();
    let copy = scene.path("aside").join(copies.first().expect("a copy"));
    assert_eq!(fs::read(&copy).expect("it is there"), log);
    assert_for_the_owner_alone(&copy);
}

#[cfg(target_os = "linux")]
fn assert_for_the_owner_alone(copy: &Path) {
    assert_eq!(fs::metadata(copy).expect("stat").mode() & 0o777, 0o600);
}

/// Who may read it is what its directory hands down.
#[cfg(windows)]
fn assert_for_the_owner_alone(_copy: &Path) {}

/// Two names of one database with a log each: to recover one destroys the other.
#[test]
fn a_database_with_several_names_is_left_alone() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    fs::hard_link(scene.path("a.db"), scene.path("b.db")).expect("link");
    let (document, code) = fixed(&scene, &["."]);
    assert_done(&document, "a.db", "unknown", "kept");
    assert_eq!((code, scene.path("a.db-wal").exists()), (Some(0), true));
}

/// The database was restored from a copy, and the log of the lost one still lies there.
#[test]
fn the_log_of_another_database_is_not_written_over_this_one() {
    if !have_sqlite() {
        return;
    }
    for pragma in ["journal_mode=delete", "page_size=8192; PRAGMA journal_mode=wal"] {
        let scene = Scene::new();
        leave_log(&scene);
        let log = fs::read(scene.path("a.db-wal")).expect("it is there");
        let make = format!("PRAGMA {pragma}; CREATE TABLE other(n); INSERT INTO other VALUES(7);");
        scene.run("sqlite3", ["-bail", "copy.db", &make]).run().expect(0);
        fs::copy(scene.path("copy.db"), scene.path("a.db")).expect("restore");
        let (document, _) = fixed(&scene, &["."]);
        assert_done(&document, "a.db", "unknown", "kept");
        assert_eq!(fs::read(scene.path("a.db-wal")).expect("it stays"), log, "{pragma}");
    }
}

/// SQLite passes over all that follows a damaged frame; that is not called recovered.
#[test]
fn a_log_that_is_damaged_in_the_middle_is_kept() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let mut log = fs::read(scene.path("a.db-wal")).expect("it is there");
    let middle = log.len() / 2;
    log[middle] ^= 0xff;
    fs::write(scene.path("a.db-wal"), &log).expect("it is ours");
    let (document, code) = fixed(&scene, &["."]);
    assert_done(&document, "a.db", "unknown", "kept");
    assert_eq!((code, fs::read(scene.path("a.db-wal")).expect("it stays")), (Some(0), log));
}

/// Who uses a file through an overlay has other locks than who looks at its layer.
#[test]
#[cfg(target_os = "linux")]
fn a_layer_of_an_overlay_is_left_to_those_who_mounted_it() {
    if !have_sqlite() || !is_root() || !have(&["unshare"]) {
        skip("needs root, to mount an overlay");
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("upper")).expect("mkdir");
    let mount = "mkdir lower work mnt && mount -t overlay overlay -o \
                 lowerdir=$PWD/lower,upperdir=$PWD/upper,workdir=$PWD/work mnt || exit 99; \
                 : >up; read line";
    let mut holder = scene.run("unshare", ["-m", "sh", "-c", mount]).spawn_fed();
    until("it is mounted", || scene.path("up").exists() || !holder.runs());
    if !scene.path("up").exists() {
        skip("overlayfs cannot be mounted here");
        return;
    }
    leave_log(&scene);
    for end in ["", "-wal", "-shm"] {
        let name = format!("a.db{end}");
        fs::rename(scene.path(&name), scene.path(format!("upper/{name}"))).expect("rename");
    }
    let (document, _) = fixed(&scene, &["upper"]);
    assert_done(&document, "a.db", "unknown", "kept");
    holder.close_input();
    holder.wait();
    let (document, _) = fixed(&scene, &["upper"]);
    assert_done(&document, "a.db", "stale", "recovered");
}

/// A name need not be text, and is no reason to fail after the work is done.
#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_text_are_told_as_well_as_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    let directory = scene.path(std::ffi::OsStr::from_bytes(b"d\xff"));
    fs::create_dir(&directory).expect("mkdir");
    let mut dead = scene.run("true", [""; 0]).spawn();
    dead.wait().expect(0);
    fs::write(directory.join("a.pid"), format!("{}\n", dead.pid())).expect("write");
    let (document, code) = fixed(&scene, &["."]);
    assert_eq!((&document["removed"], code), (&1.into(), Some(0)), "{document:#}");
}

#[test]
fn databases_are_left_alone_if_that_is_wanted() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let before = fs::read(scene.path("a.db-wal")).expect("it is there");
    let (document, code) = fixed(&scene, &["--no-recover"]);
    assert_done(&document, "a.db", "stale", "kept");
    assert_eq!(code, Some(0));
    assert_eq!(fs::read(scene.path("a.db-wal")).expect("it stays"), before);
}

/// A connection that lives, idle or not, makes it no leftover; nor does one with the guard lock.
#[test]
fn a_database_in_use_is_left_to_its_users() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let mut shell = Shell::doing(&scene, "a.db", "SELECT count(*) FROM t;");
    let (document, code) = fixed(&scene, &["a.db"]);
    assert_eq!(document["recovered"], 0, "{document:#}");
    assert_eq!(code, Some(0));
    shell.run("INSERT INTO t VALUES(100);");
    shell.kill();
    let holder = scene.hold(["-s", "a.db"]);
    let (document, code) = fixed(&scene, &["."]);
    assert_done(&document, "a.db", "live", "kept");
    let reason = item(&document, "a.db")["reason"].to_string();
    assert!(reason.contains(&holder.command_pid().to_string()), "{reason}");
    assert_eq!(code, Some(0));
    assert!(scene.path("a.db-wal").exists());
    drop(holder);
    fix(&scene, &[]).run().expect(0);
    assert_eq!(ask(&scene, "a.db", "SELECT count(*) FROM t"), "101");
}

/// Who has the log open without any lock is seen by his descriptor.
#[test]
fn a_user_without_locks_is_seen() {
    if wine_lacks("nobody is told who has a file open") || !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let _opener = scene.opener(scene.path("a.db-wal"));
    let (document, _) = fixed(&scene, &["a.db"]);
    assert_done(&document, "a.db", "live", "kept");
    assert!(scene.path("a.db-wal").exists());
}

/// What SQLite itself would destroy: the log of a database that was emptied, and one whose database
/// is gone.
#[test]
fn a_log_without_its_database_is_kept() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let log = fs::read(scene.path("a.db-wal")).expect("it is there");
    for prepare in
        [(|scene: &Scene| drop(scene.file("a.db", ""))) as fn(&Scene), |scene: &Scene| {
            fs::remove_file(scene.path("a.db")).expect("it is ours")
        }]
    {
        prepare(&scene);
        let (document, code) = fixed(&scene, &["."]);
        assert_done(&document, "a.db", "unknown", "kept");
        assert_eq!(code, Some(0));
        assert_eq!(fixed(&scene, &["--strict", "."]).1, Some(1));
        assert_eq!(fs::read(scene.path("a.db-wal")).expect("it stays"), log);
    }
}

/// Damage that was there before is not called recovered.
#[test]
fn a_damaged_database_is_told_loudly() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    let rows = "CREATE TABLE t(n); CREATE INDEX i ON t(n); WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT \
                n + 1 FROM r WHERE n < 5000) INSERT INTO t SELECT n FROM r;";
    database(&scene, "a.db", "wal", rows);
    Shell::doing(&scene, "a.db", "INSERT INTO t VALUES(5001);").kill();
    let mut bytes = fs::read(scene.path("a.db")).expect("it is there");
    // The beginning of a page in the middle, which the log does not write anew.
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 16].fill(0xee);
    fs::write(scene.path("a.db"), bytes).expect("it is ours");
    let ended = fix(&scene, &["a.db"]).run().expect(1);
    assert!(
        last(&ended).starts_with("DAMAGED: a.db: database disk image is malformed"),
        "{}",
        ended.describe()
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_may_not_be_written_is_said() {
    if !have_sqlite() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        fs::set_permissions(scene.path(name), Permissions::from_mode(0o444)).expect("chmod");
    }
    fs::set_permissions(scene.path(""), Permissions::from_mode(0o555)).expect("chmod");
    let ended = fix(&scene, &["a.db"]).ordinary().run().expect(1);
    assert!(ended.stdout.contains("failed "), "{}", ended.describe());
    assert!(scene.path("a.db-wal").exists());
}

/// The state and the files belong to whom they belonged, whoever runs it.
#[test]
#[cfg(target_os = "linux")]
fn root_leaves_the_owner_as_he_was() {
    if !have_sqlite() || !is_root() {
        skip("needs root");
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    let (user, group) = (65534, 65534);
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        std::os::unix::fs::chown(scene.path(name), Some(user), Some(group)).expect("chown");
    }
    std::os::unix::fs::chown(scene.path(""), Some(user), Some(group)).expect("chown");
    fix(&scene, &["a.db"]).run().expect(0);
    let facts = fs::metadata(scene.path("a.db")).expect("stat");
    assert_eq!((facts.uid(), facts.gid()), (user, group));
}

/// Killed right before the engine opens the file, it leaves what was there; run again, it is done.
#[test]
fn a_recovery_that_is_killed_is_done_again() {
    if !have_sqlite() || !have_hooks() {
        return;
    }
    let scene = Scene::new();
    leave_log(&scene);
    scene.make_state("a.db");
    let mut first = fix(&scene, &["a.db"]).env("DBGUARD_TEST_STOP_AT", "recover").spawn();
    first.until_stopped();
    // A second one does not come in its way.
    let (document, code) = fixed(&scene, &["a.db"]);
    assert_done(&document, "a.db", "live", "kept");
    assert_eq!(code, Some(0));
    first.kill();
    fix(&scene, &["a.db"]).env("DBGUARD_TEST_FAIL_AT", "recover=EIO").run().expect(1);
    fix(&scene, &["a.db"]).run().expect(0);
    assert_eq!(ask(&scene, "a.db", "SELECT count(*) FROM t"), "100");
    assert!(!scene.path("a.db-wal").exists());
}

/// The log that a killed DuckDB left, of this version and of an older one, whose file that older
/// one can still open afterwards.
#[test]
#[cfg(target_os = "linux")]
fn a_log_of_duckdb_is_replayed() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let sql = "CREATE TABLE t AS SELECT range AS n FROM range(1000)";
    let new = format!(
        "import duckdb\ndb = duckdb.connect('new.duckdb')\ndb.execute(\"{sql}\")\n\
         db.execute('set checkpoint_threshold=\\'1TB\\'')\ndb.execute('insert into t values(-1)')"
    );
    Client::doing(&scene, &new).process().kill();
    let mut old = scene.run("duckdb", ["old.duckdb"]).spawn_fed();
    writeln!(old.input(), "{sql};\nINSERT INTO t VALUES(-1);\n.shell touch up").expect("it reads");
    old.until("it has written", || scene.path("up").exists());
    // The command may be a script that starts the shell, which goes with its group.
    let group = rustix::process::Pid::from_raw(old.pid().cast_signed()).expect("not 0");
    rustix::process::kill_process_group(group, crate::system::Signal::KILL).expect("it lives");
    until("nobody has it", || first(&scene, "old.duckdb") == "free");
    for name in ["new.duckdb", "old.duckdb"] {
        assert!(scene.path(format!("{name}.wal")).exists(), "{}", scene.describe());
    }
    let (document, code) = fixed(&scene, &["."]);
    for name in ["new.duckdb", "old.duckdb"] {
        assert_done(&document, name, "stale", "recovered");
        assert!(!scene.path(format!("{name}.wal")).exists());
    }
    assert_eq!(code, Some(0));
    let count = |file: &str| {
        crate::sql_crew::answer(&scene, &["--no-header", file, "select count(*) from t"])
    };
    assert_eq!((count("new.duckdb"), count("old.duckdb")), ("1001\n".into(), "1001\n".into()));
    let words = ["-csv", "-noheader", "old.duckdb", "-c", "SELECT count(*) FROM t"];
    scene.run("duckdb", words).run().expect(0).answers("1001");
}

/// A redb that was not closed is repaired by its next writer, and by nobody else.
#[test]
#[cfg(target_os = "linux")]
fn a_redb_that_was_not_closed_is_told() {
    let scene = Scene::new();
    let mut file = b"redb\x1a\x0a\xa9\x0d\x0a\x07".to_vec();
    file.resize(4096, 0);
    scene.file("a.redb", file);
    let (document, code) = fixed(&scene, &["."]);
    assert_done(&document, "a.redb", "reported", "kept");
    assert_eq!(code, Some(0));
}
