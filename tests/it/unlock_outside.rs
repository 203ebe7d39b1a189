//! `dbguard unlock` at a terminal, and holders that it may not end: other users', and those in
//! other PID namespaces.

use crate::info_crew::{CONNECT, Client, holder_in_a_namespace};
use crate::process::{lives, until};
use crate::pty::Terminal;
use crate::scene::{Scene, have, have_namespaces, is_root, skip};
use crate::sql_crew::database;

#[test]
fn at_a_terminal_it_asks_and_only_yes_ends_anybody() {
    let scene = Scene::new();
    for (keys, code) in
        [("n\n", 1), ("\n", 1), ("\x04", 1), ("yes please\n", 1), ("y\n", 0), ("YES\n", 0)]
    {
        let holder = scene.hold(["a.db"]);
        holder.until_recorded(&scene, "a.db");
        let script = "$DBGUARD unlock a.db >answer; echo ended=$? =";
        let mut terminal = Terminal::open(&scene, script);
        terminal.until_shown("processes? [y/N] ");
        let shown = terminal.screen();
        let line = format!("This ENDS process {} (sh -c ", holder.command_pid());
        let ends = shown.find(&line).expect("the holder is shown");
        assert!(ends < shown.find("[y/N]").expect("it asks"), "{shown}");
        assert!(holder.process.runs(), "nobody is ended before the answer");
        terminal.press(keys);
        terminal.until_shown(&format!("ended={code} ="));
        match code {
            0 => {
                until("it is ended", || !lives(holder.command_pid()));
                assert!(scene.read("answer").ends_with("a.db is free\n"));
            }
            _ => {
                assert!(terminal.screen().contains("nothing was ended"));
                assert!(holder.process.runs());
                holder.end().expect(0);
            }
        }
    }
    scene.assert_free("a.db");
}

/// Ctrl-C at the question is no yes.
#[test]
fn ctrl_c_at_the_question_ends_only_the_question() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut terminal = Terminal::open(&scene, "$DBGUARD unlock a.db; echo ended=$? =");
    terminal.until_shown("[y/N] ");
    terminal.press("\x03");
    terminal.until_shown("ended=130 =");
    assert!(holder.process.runs());
    holder.end().expect(0);
}

/// Pasted lines answered a question that nobody had read.
#[test]
fn what_was_typed_before_the_question_is_no_answer() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let script = "echo ready; until [ -e go ]; do :; done; $DBGUARD unlock a.db; echo ended=$? =";
    let mut terminal = Terminal::open(&scene, script);
    terminal.until_shown("ready");
    terminal.press("y\n");
    // The echo proves that the terminal has it.
    terminal.until_shown("y\r\n");
    scene.file("go", "");
    terminal.until_shown("a.db is held.");
    terminal.until_shown("[y/N] ");
    assert!(holder.process.runs());
    terminal.press("n\n");
    terminal.until_shown("ended=1 =");
    assert!(holder.process.runs());
    holder.end().expect(0);
}

/// What is called like a title of a terminal is shown harmless.
#[test]
fn a_hostile_command_line_does_not_reach_the_terminal_raw() {
    let scene = Scene::new();
    let holder = scene.hold(["--label", "evil\x1b]0;owned\x07", "a.db"]);
    let mut terminal = Terminal::open(&scene, "$DBGUARD unlock a.db; echo ended=$? =");
    terminal.until_shown("[y/N] ");
    assert!(!terminal.screen().contains("\x1b]0;owned"), "{:?}", terminal.screen());
    terminal.press("n\n");
    terminal.until_shown("ended=1 =");
    holder.end().expect(0);
}

#[test]
fn another_users_holder_is_refused_and_root_is_named() {
    if !is_root() {
        skip("needs root, to be asked by an ordinary user");
        return;
    }
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let run = scene.dbguard(["unlock", "--yes", "a.db"]).ordinary();
    let ended = run.run().expect(77).answers("").says("is another user's");
    ended.says("hint: type: sudo dbguard unlock a.db\n");
    assert!(holder.process.runs());
    holder.end().expect(0);
    if have(&["python3", "sqlite3"]) {
        database(&scene, "b.db", "delete", "CREATE TABLE t(n);");
        let code = CONNECT.replace("a.db", "b.db") + "\ndb.execute('begin exclusive')";
        let writer = Client::doing(&scene, &code);
        let run = scene.dbguard(["unlock", "--yes", "b.db"]).ordinary();
        run.run().expect(77).says(&format!("process {} (python3 ", writer.pid()));
        assert!(lives(writer.pid()));
    }
}

#[test]
fn holders_in_other_pid_namespaces_are_refused_both_ways() {
    let scene = Scene::new();
    if !have_namespaces() {
        return;
    }
    let dbguard = env!("CARGO_BIN_EXE_dbguard");
    let inside = ["-pf", "--mount-proc", "--kill-child"];
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let run = scene.run("unshare", inside).words([dbguard, "unlock", "--yes", "a.db"]);
    let ended = run.run().expect(1).says("held in another PID namespace by sh");
    ended.says("on the host, type: dbguard unlock a.db");
    assert!(holder.process.runs());
    holder.end().expect(0);
    let command = "echo $$ >up; read word; exit 0";
    let words = [dbguard, "exec", "a.db", "--", "sh", "-c", command];
    let mut holder = scene.run("unshare", inside).words(words).spawn_fed();
    holder.until("it holds", || scene.read("up").ends_with('\n'));
    let claim = || {
        let name = scene.held("a.db").into_iter().next().unwrap_or_default();
        scene.read(scene.state("a.db", "held").join(name))
    };
    holder.until("its claim tells of it", || claim().contains("\"child\""));
    let ended = scene.dbguard(["unlock", "--yes", "a.db"]).run().expect(1);
    ended.says("held in another PID namespace by ");
    assert!(holder.runs());
    holder.close_input();
    holder.wait().expect(0);
}

/// The kernel names it here, and it is still another container's to end.
#[test]
fn an_engines_holder_inside_another_pid_namespace_is_refused() {
    let scene = Scene::new();
    if !have(&["python3", "sqlite3"]) || !have_namespaces() {
        return;
    }
    let mut holder = holder_in_a_namespace(&scene);
    let ended = scene.dbguard(["unlock", "--yes", "a.db"]).run().expect(1);
    ended.says("held in another PID namespace by python3 holder.py (pid ");
    assert!(holder.runs());
    holder.close_input();
    holder.wait().expect(0);
}

/// With the first process everything in its container ends.
#[test]
fn the_first_process_of_a_container_is_never_ended() {
    let scene = Scene::new();
    if !have_namespaces() || !have(&["nsenter"]) {
        return;
    }
    let dbguard = env!("CARGO_BIN_EXE_dbguard");
    let words = ["-pf", "--mount-proc", "--kill-child", dbguard, "exec", "a.db", "--", "sh", "-c"];
    let run = scene.run("unshare", words).words(["echo $$ >up; read word; exit 0"]);
    let mut holder = run.spawn_fed();
    holder.until("it holds", || scene.read("up").ends_with('\n'));
    let children = format!("/proc/{0}/task/{0}/children", holder.pid());
    let first = std::fs::read_to_string(children).expect("unshare has a child");
    let inside = ["-p", "-m", "-t", first.trim()];
    let run = scene.run("nsenter", inside).words([dbguard, "unlock", "--yes"]);
    let ended = run.words([scene.path("a.db")]).run().expect(1);
    ended.says("process 1 (dbguard exec").says("all others end with it").says("the container");
    assert!(holder.runs());
    holder.close_input();
    holder.wait().expect(0);
}

/// Engines' locks are named by the kernel outside, and by nobody in there.
#[test]
fn an_engines_holder_outside_the_pid_namespace_is_refused() {
    let scene = Scene::new();
    if !have(&["python3", "sqlite3"]) || !have_namespaces() {
        return;
    }
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let writer = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin immediate')"));
    let words = ["-pf", "--mount-proc", env!("CARGO_BIN_EXE_dbguard"), "unlock", "--yes", "a.db"];
    let ended = scene.run("unshare", words).run().expect(1);
    ended.says("held by a process that cannot be seen").says("outside this PID namespace");
    assert!(lives(writer.pid()));
}
