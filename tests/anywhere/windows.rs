//! What is promised on Windows alone.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::windows::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use crate::scene::{Holder, Scene};
use crate::skipping::{skip, wine_lacks};

#[test]
fn exit_codes_above_255_are_not_harmed() {
    let scene = Scene::new();
    for code in [256, 65_536, -1_073_741_510] {
        scene.play(&["exec", "a.db"], &["exit", &code.to_string()]).is(code);
    }
}

#[test]
fn the_command_ends_with_a_dbguard_that_is_killed() {
    let scene = Scene::new();
    let mut holder = scene.hold(&["exec", "a.db"]);
    let command = scene.info("a.db")["guard"]["holders"][0]["child_pid"].as_u64().expect("a pid");
    holder.kill();
    // Its input is still open, so it does not end by itself.
    scene.play(&["exec", "-w", "60", "a.db"], &["exit", "0"]).is(0);
    let filter = format!("PID eq {command}");
    if !wine_lacks("in part: Wine's tasklist knows no filters") {
        let listed = scene.run(&["exec", "b.db", "--", "tasklist", "/FI", &filter]).output;
        assert!(!listed.contains(&command.to_string()), "{listed}");
    }
}

#[test]
fn what_a_command_left_running_lives_on_without_the_lock() {
    let scene = Scene::new();
    let mark = scene.path("mark");
    // The one that stays waits for its input, which nobody closes before the end of the test.
    let line = format!("start /B cmd /C \"set /P x= & echo x> {}\"", mark.display());
    let mut command = scene.dbguard(&["exec", "a.db", "-c", &line]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("dbguard starts");
    let input = child.stdin.take();
    assert!(child.wait().expect("it ends").success());
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
    drop(input);
    crate::scene::until("what stayed goes on", || mark.exists());
}

#[test]
fn descriptors_and_becoming_a_command_are_refused_with_a_reason() {
    let scene = Scene::new();
    let fd = scene.run(&["exec", "--fd", "9", "a.db"]);
    assert!(fd.code != 0 && fd.errors.contains("Windows"), "{fd:?}");
    let fork = scene.play(&["exec", "-F", "a.db"], &["exit", "0"]);
    assert!(fork.code != 0 && fork.errors.contains("Windows"), "{fork:?}");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_program_is_found_without_its_extension_and_a_script_is_run() {
    let scene = Scene::new();
    scene.run(&["exec", "a.db", "--", "cmd", "/C", "exit 6"]).is(6);
    fs::write(scene.path("job.cmd"), "@exit /b 8\r\n").expect("written");
    // What lies beside the data is not taken for what runs scripts.
    fs::write(scene.path("cmd.exe"), "no program").expect("written");
    let job = scene.path("job");
    scene.run(&["exec", "a.db", "--", job.to_str().expect("text")]).is(8);
    let evil = scene.run(&["exec", "a.db", "--", job.to_str().expect("text"), "a\" & calc"]);
    assert_eq!(evil.code, 126, "{evil:?}");
}

#[test]
fn a_file_that_nobody_else_may_open_is_busy() {
    let scene = Scene::new();
    let file = scene.path("a.duckdb");
    fs::write(&file, "content").expect("written");
    let alone =
        File::options().read(true).write(true).share_mode(0).open(&file).expect("it is free");
    let done = scene.play(&["exec", "-n", "a.duckdb"], &["exit", "0"]).is(75);
    assert!(done.errors.contains("keeping everybody else from opening it"), "{done:?}");
    let seen = scene.info("a.duckdb");
    assert_eq!((&seen["native"]["state"], &seen["blocks"]), (&"held".into(), &"all".into()));
    drop(alone);
    scene.play(&["exec", "-n", "a.duckdb"], &["exit", "0"]).is(0);
}

/// Opens a database in DuckDB's own shell, which has it open until the value goes.
fn duckdb(scene: &Scene, words: &[&str]) -> Holder {
    let mut shell = Command::new("duckdb");
    shell.args(["-list", "-noheader"]).args(words).args(["a.duckdb", "-cmd", "SELECT 'held'"]);
    shell.current_dir(scene.directory());
    Scene::started(shell)
}

/// DuckDB locks nothing on Windows: it says how others may open the file.
#[test]
fn a_real_duckdb_keeps_others_out_as_far_as_it_says() {
    if Command::new("duckdb").arg("--version").output().is_err() {
        return skip("there is no duckdb in PATH");
    }
    let scene = Scene::new();
    drop(duckdb(&scene, &["-cmd", "CREATE TABLE t(n INT)"]));
    assert_eq!(scene.info("a.duckdb")["engine"], "duckdb");
    let meets = |blocks: &str, shared: i32, alone: i32| {
        let seen = scene.info("a.duckdb");
        assert_eq!(seen["blocks"], blocks, "{seen:#}");
        scene.play(&["exec", "-n", "-s", "a.duckdb"], &["exit", "0"]).is(shared);
        scene.play(&["exec", "-n", "a.duckdb"], &["exit", "0"]).is(alone);
    };
    meets("none", 0, 0);
    let writer = duckdb(&scene, &[]);
    meets("all", 75, 75);
    drop(writer);
    let reader = duckdb(&scene, &["-readonly"]);
    meets("writers", 0, 75);
    let mut waiting = scene.start(&["exec", "a.duckdb"], &["exit", "7"]);
    let mut told = BufReader::new(waiting.stderr.take().expect("a pipe")).lines();
    let line = told.next().expect("it waits").expect("text");
    assert!(line.contains("keeping everybody else from writing it"), "{line}");
    drop(reader);
    assert_eq!(waiting.wait().expect("it ends").code(), Some(7));
    meets("none", 0, 0);
}

#[test]
fn a_write_transaction_of_sqlite_is_seen() {
    if wine_lacks("Wine lets everybody read what is locked, which is how it is seen") {
        return;
    }
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    let file = File::options().read(true).write(true).open(scene.path("a.db")).expect("there");
    // As long as SQLite is in a write transaction it has locked the byte at 1 GiB and one.
    let locked = lock_byte(&file, 0x4000_0001);
    assert!(locked, "nobody else has it");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    let seen = scene.info("a.db");
    assert_eq!((&seen["native"]["state"], &seen["blocks"]), (&"held".into(), &"writers".into()));
}

fn lock_byte(file: &File, offset: u64) -> bool {
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::Storage::FileSystem::LockFile;
    let (low, high) = (offset as u32, (offset >> 32) as u32);
    // SAFETY: the handle is open.
    unsafe { LockFile(file.as_raw_handle(), low, high, 1, 0) != 0 }
}
