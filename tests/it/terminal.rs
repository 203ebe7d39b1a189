//! A person at a keyboard: Ctrl-C, Ctrl-Z, `fg`, the size of the window, the waiting line.
//!
//! The shell on the terminal has job control, so `dbguard` is a foreground job of its own, as
//! under any interactive shell.

use crate::process::{process_state, until};
use crate::pty::Terminal;
use crate::scene::Scene;

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// Returns the first number in a file, once a whole line is there.
fn pid_in(scene: &Scene, name: &str) -> u32 {
    until("a process wrote its number", || scene.read(name).ends_with('\n'));
    scene.read(name).trim().parse().expect("a number")
}

/// Ctrl-C goes to the whole foreground group: the command has it from the terminal, and must not
/// get it twice. A command that handles it decides how the run ends.
#[test]
fn ctrl_c_reaches_the_command_once() {
    let scene = Scene::new();
    let command = "trap \"echo int >>ints\" INT; echo $$ >up; read one; read two; \
                   echo counted >>ints; exit 3";
    let script = format!("$DBGUARD exec a.db -- sh -c '{command}'; echo ended=$? =");
    let mut terminal = Terminal::open(&scene, &script);
    pid_in(&scene, "up");
    terminal.press(CTRL_C);
    terminal.shell.until("the command has it", || scene.read("ints").contains("int"));
    terminal.press("\n");
    terminal.press("\n");
    terminal.until_shown("ended=3 =");
    assert_eq!(scene.read("ints"), "int\ncounted\n");
    terminal.shell.wait().expect(0);
    scene.assert_free("a.db");
}

#[test]
fn ctrl_c_ends_a_command_that_does_not_mind_and_the_run_is_130() {
    let scene = Scene::new();
    let command = "echo $$ >up; read word";
    let script = format!("$DBGUARD exec a.db -- sh -c '{command}'; echo ended=$? =");
    let mut terminal = Terminal::open(&scene, &script);
    pid_in(&scene, "up");
    terminal.press(CTRL_C);
    terminal.until_shown("ended=130 =");
    scene.assert_free("a.db");
}

/// Ctrl-C while waiting: 130 at once, no live claim.
#[test]
fn ctrl_c_while_waiting_gives_up_at_once() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let script = "$DBGUARD exec -w inf a.db -- touch ran; echo ended=$? =";
    let mut terminal = Terminal::open(&scene, script);
    terminal.shell.until("queued", || scene.queue("a.db").len() == 1);
    terminal.press(CTRL_C);
    terminal.until_shown("ended=130 =");
    assert!(scene.queue("a.db").is_empty(), "{}", scene.describe());
    holder.end().expect(0);
    assert!(!scene.path("ran").exists());
    scene.assert_free("a.db");
}

/// Ctrl-Z stops dbguard and its command together, `fg` continues both; the lock stays held.
#[test]
fn ctrl_z_stops_the_command_and_fg_continues_it() {
    let scene = Scene::new();
    let command = "echo $$ >up; read word; exit 4";
    let script = format!(
        "$DBGUARD exec a.db -- sh -c '{command}'; echo stopped >stopped; \
         until test -e go; do read w <tick; done; fg; echo ended=$? ="
    );
    scene.file("tick", "\n");
    let mut terminal = Terminal::open(&scene, &script);
    let command = pid_in(&scene, "up");
    terminal.press(CTRL_Z);
    terminal.shell.until("the shell has its prompt back", || !scene.read("stopped").is_empty());
    until("the command is stopped", || process_state(command) == Some('T'));
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    scene.file("go", "");
    until("the command goes on", || process_state(command) == Some('S'));
    terminal.press("\n");
    terminal.until_shown("ended=4 =");
    scene.assert_free("a.db");
}

/// L1: Ctrl-Z on a waiter withdraws its claim; after `fg` it queues anew, at the back.
#[test]
fn l1_ctrl_z_while_waiting_withdraws_and_fg_queues_at_the_back() {
    let scene = Scene::new();
    scene.file("tick", "\n");
    let holder = scene.hold(["a.db"]);
    let script = "$DBGUARD exec -w inf a.db -- sh -c 'echo terminal >>order'; \
                  echo stopped >stopped; until test -e go; do read w <tick; done; \
                  fg; echo ended=$? =";
    let mut terminal = Terminal::open(&scene, script);
    terminal.shell.until("queued", || scene.queue("a.db").len() == 1);
    terminal.press(CTRL_Z);
    terminal.shell.until("stopped", || !scene.read("stopped").is_empty());
    assert!(scene.queue("a.db").is_empty(), "{}", scene.describe());
    let before = scene.queue("a.db");
    let run = scene.dbguard(["exec", "-w", "inf", "a.db", "--", "sh", "-c", "echo other >>order"]);
    let mut other = run.spawn();
    other.until("queued", || scene.queue("a.db") != before);
    scene.file("go", "");
    terminal.shell.until("queued anew", || scene.queue("a.db").len() == 2);
    holder.end().expect(0);
    other.wait().expect(0);
    terminal.until_shown("ended=0 =");
    assert_eq!(scene.read("order"), "other\nterminal\n");
}

#[test]
fn the_command_sees_the_terminal_and_its_size() {
    let scene = Scene::new();
    let command = "trap \"stty size; exit 0\" WINCH; stty size; test -t 0 && echo tty; \
                   echo $$ >up; while :; do read word; done";
    let script = format!("$DBGUARD exec a.db -- sh -c '{command}'; echo ended=$? =");
    let mut terminal = Terminal::open(&scene, &script);
    terminal.until_shown("24 80");
    terminal.until_shown("tty");
    pid_in(&scene, "up");
    terminal.resize(40, 132);
    // A `read` that a trap interrupts goes on in some shells until there is a line.
    terminal.press("\n");
    terminal.until_shown("40 132");
    terminal.until_shown("ended=0 =");
}

/// On a terminal there is one live line after 100 ms, and nothing of it stays when the turn comes.
#[test]
fn the_waiting_line_on_a_terminal_names_the_holder_and_is_wiped() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let script = "$DBGUARD exec -w inf a.db -- echo running; echo ended=$? =";
    let terminal = Terminal::open(&scene, script);
    terminal.until_shown("waiting");
    terminal.until_shown(&format!("pid {}", holder.command_pid()));
    terminal.until_shown("in line");
    holder.end().expect(0);
    terminal.until_shown("ended=0 =");
    let screen = terminal.screen();
    let last = screen.rfind("waiting").expect("it was shown");
    let running = screen.rfind("running").expect("the command ran");
    let between = &screen[last..running];
    assert!(between.contains("\x1b[") || between.contains('\r'), "{screen:?}");
}

/// Text from other processes is escaped before it meets a terminal.
#[test]
fn a_hostile_label_does_not_reach_the_terminal_raw() {
    let scene = Scene::new();
    let label = "evil\x1b]0;owned\x07\x1b[2J";
    let holder = scene.hold(["--label", label, "a.db"]);
    let script = "$DBGUARD exec -w inf a.db -- true; echo ended=$? =";
    let terminal = Terminal::open(&scene, script);
    terminal.until_shown("waiting");
    holder.end().expect(0);
    terminal.until_shown("ended=0 =");
    let screen = terminal.screen();
    assert!(!screen.contains("\x1b]0;owned") && !screen.contains("\x1b[2J"), "{screen:?}");
}

/// An interactive command keeps the terminal: it reads lines and is the foreground group.
#[test]
fn an_interactive_command_reads_the_keyboard() {
    let scene = Scene::new();
    let command = "echo ready; read word; echo said $word";
    let script = format!("$DBGUARD exec a.db -- sh -c '{command}'; echo ended=$? =");
    let mut terminal = Terminal::open(&scene, &script);
    terminal.until_shown("ready");
    terminal.press("hello\n");
    terminal.until_shown("said hello");
    terminal.until_shown("ended=0 =");
}

/// The kernel tells only the leader of the session that the terminal is gone: a command under
/// `ssh -t ... dbguard exec` ran on for ever, with the lock.
#[test]
fn a_terminal_that_hangs_up_reaches_the_command_of_a_session_leader() {
    let scene = Scene::new();
    let command =
        "trap \"kill \\$!; echo hup >hups; exit 3\" HUP; sleep 600 & echo $$ >up; wait; exit 6";
    let script = format!("exec $DBGUARD exec a.db -- sh -c '{command}'");
    let mut terminal = Terminal::open(&scene, &script);
    pid_in(&scene, "up");
    terminal.hang_up();
    until("the command has it", || scene.read("hups").contains("hup"));
    terminal.shell.wait().expect(3);
    scene.assert_free("a.db");
}

/// Eighty columns are what most terminals have: user and age belong to what is seen there.
#[test]
fn the_waiting_line_of_eighty_columns_has_the_user() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let script = "$DBGUARD exec -w inf a.db -- true; echo ended=$? =";
    let terminal = Terminal::open(&scene, script);
    let user = if crate::scene::is_root() { ", root, " } else { ", " };
    terminal.until_shown(&format!("(pid {}{user}", holder.command_pid()));
    holder.end().expect(0);
    terminal.until_shown("ended=0 =");
}
