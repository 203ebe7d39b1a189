//! `dbguard watch` on a terminal: what is shown, what keys do, and that the terminal is given back.

use crate::system::Signal;

use crate::process::{comes_true, process_state, until};
use crate::pty::Terminal;
use crate::scene::Scene;

/// What a screen program switches to, and back from.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// Returns what the window shows, line by line: the program writes only what changes.
///
/// Understands what a screen program of ours sends: the cursor is moved, the screen erased, text
/// written; colours and modes are passed over.
fn window(terminal: &Terminal) -> String {
    let sent: Vec<char> = terminal.screen().chars().collect();
    let mut lines = vec![vec![' '; 250]; 60];
    let (mut row, mut column, mut place) = (0_usize, 0_usize, 0);
    while let Some(letter) = sent.get(place).copied() {
        place += 1;
        if letter == '\x1b' && sent.get(place) == Some(&'[') {
            let end = (place + 1..sent.len()).find(|at| sent[*at].is_ascii_alphabetic());
            let Some(end) = end else { break };
            let numbers: String = sent[place + 1..end].iter().collect();
            let mut numbers = numbers.split(';').map(|number| number.parse().unwrap_or(1));
            match sent[end] {
                'H' => {
                    row = numbers.next().unwrap_or(1).max(1) - 1;
                    column = numbers.next().unwrap_or(1).max(1) - 1;
                }
                'J' => lines.iter_mut().for_each(|line| line.fill(' ')),
                _ => {}
            }
            place = end + 1;
        } else if letter == '\n' {
            (row, column) = (row + 1, 0);
        } else if !letter.is_control() {
            if let Some(cell) = lines.get_mut(row).and_then(|line| line.get_mut(column)) {
                *cell = letter;
            }
            column += 1;
        }
    }
    let text = |line: Vec<char>| line.into_iter().collect::<String>().trim_end().to_owned();
    lines.into_iter().map(text).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Waits until the window shows a text.
#[track_caller]
fn until_seen(terminal: &Terminal, text: &str) {
    let seen = comes_true(|| window(terminal).contains(text));
    assert!(seen, "never seen: `{text}`\n--- window\n{}", window(terminal));
}

/// Opens a terminal on which `dbguard watch WORDS` runs, and which tells then what it is like.
fn watching(scene: &Scene, words: &str) -> Terminal {
    let script = format!(
        "stty -g >before; \"$DBGUARD\" watch --interval 0.05 {words}; echo ended=$? =; \
         stty -g >after; echo settled="
    );
    Terminal::open(scene, &script)
}

fn with_file() -> Scene {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene
}

/// Proves that the terminal is as it was before, on its ordinary screen.
#[track_caller]
fn assert_given_back(scene: &Scene, terminal: &Terminal) {
    terminal.until_shown("settled=");
    assert_eq!(scene.read("before"), scene.read("after"), "the modes of the terminal");
    let screen = terminal.screen();
    assert_eq!(screen.matches(ENTER).count(), screen.matches(LEAVE).count(), "{screen:?}");
    assert!(screen.rfind(LEAVE) > screen.rfind(ENTER), "{screen:?}");
    let cursor = (screen.rfind("\x1b[?25h"), screen.rfind("\x1b[?25l"));
    assert!(cursor.0 > cursor.1, "the cursor is shown again: {screen:?}");
}

/// Returns the process of the watch, a child of the terminal's shell.
fn watch_of(terminal: &Terminal) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", terminal.shell.pid());
    let read = || std::fs::read_to_string(&children).unwrap_or_default();
    until("the watch runs", || !read().trim().is_empty());
    read().split_whitespace().next().expect("a child").parse().expect("a number")
}

#[test]
fn q_ends_it_with_0_and_the_terminal_as_it_was() {
    let scene = with_file();
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, "q quit");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    assert_given_back(&scene, &terminal);
}

#[test]
fn a_holder_and_a_waiter_are_shown_as_they_come() {
    let scene = with_file();
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, "free");
    let holder = scene.hold(["a.db"]);
    until_seen(&terminal, "exclusive");
    until_seen(&terminal, &format!("{} sh -c", holder.command_pid()));
    let waiter = scene.queue_up("a.db", &["-s"]);
    until_seen(&terminal, "waits");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    drop((waiter, holder));
}

#[test]
fn p_shows_the_processes_around_the_holder() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, &format!("{} sh -c", holder.command_pid()));
    terminal.press("p");
    let pid = std::process::id();
    until_seen(&terminal, &format!("{pid} "));
    terminal.press("pq");
    terminal.until_shown("ended=0 =");
    drop(holder);
}

/// They stayed as they were when the key was pressed.
#[test]
fn the_processes_shown_are_those_of_now() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, &format!("{} sh -c", holder.command_pid()));
    terminal.press("p");
    until_seen(&terminal, &format!("{} ", std::process::id()));
    holder.end().expect(0);
    until_seen(&terminal, "nobody has it, and nobody waits");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
}

#[test]
fn a_filter_can_be_typed() {
    let scene = with_file();
    scene.file("other.db", "");
    let mut terminal = watching(&scene, "a.db other.db");
    until_seen(&terminal, "2 databases");
    terminal.press("/oth");
    until_seen(&terminal, "/oth_");
    terminal.press("\r");
    until_seen(&terminal, "of 2 databases");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
}

#[test]
fn ctrl_c_and_signals_end_it_with_the_terminal_as_it_was() {
    for (signal, code) in [(None, 130), (Some(Signal::TERM), 143), (Some(Signal::INT), 130)] {
        let scene = with_file();
        let mut terminal = watching(&scene, "a.db");
        until_seen(&terminal, "q quit");
        match signal {
            None => terminal.press("\x03"),
            Some(signal) => {
                let pid = watch_of(&terminal);
                crate::process::signal_while(pid, || true, signal);
            }
        }
        terminal.until_shown(&format!("ended={code} ="));
        assert_given_back(&scene, &terminal);
    }
}

/// Ctrl-Z gives the terminal back to the shell, `fg` takes it again and draws anew.
#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let scene = with_file();
    scene.file("tick", "\n");
    let script = "stty -g >before; \"$DBGUARD\" watch --interval 0.05 a.db; stty -g >between; \
                  echo stopped >stopped; until test -e go; do read w <tick; done; fg; \
                  echo ended=$? =; stty -g >after; echo settled=";
    let mut terminal = Terminal::open(&scene, script);
    until_seen(&terminal, "q quit");
    let watch = watch_of(&terminal);
    terminal.press("\x1a");
    terminal.shell.until("the shell has its prompt back", || !scene.read("stopped").is_empty());
    until("it is stopped", || process_state(watch) == Some('T'));
    assert_eq!(scene.read("before"), scene.read("between"), "the modes of the terminal");
    let entered = terminal.screen().matches(ENTER).count();
    scene.file("go", "");
    until("it takes the screen again", || terminal.screen().matches(ENTER).count() > entered);
    until_seen(&terminal, "q quit");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    assert_given_back(&scene, &terminal);
}

#[test]
fn a_window_that_changes_its_size_is_redrawn_however_small() {
    let scene = with_file();
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, "q quit");
    for (rows, columns) in [(5, 20), (1, 1), (50, 200), (24, 80)] {
        let erased = terminal.screen().matches("\x1b[2J").count();
        terminal.resize(rows, columns);
        until("it is redrawn", || terminal.screen().matches("\x1b[2J").count() > erased);
    }
    until_seen(&terminal, "a.db free");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    assert_given_back(&scene, &terminal);
}

#[test]
fn until_ends_the_screen_too_and_what_is_said_comes_after_it() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let terminal = watching(&scene, "--until free -w 0.3 a.db");
    terminal.until_shown("is still held after");
    terminal.until_shown("ended=124 =");
    assert_given_back(&scene, &terminal);
    let screen = terminal.screen();
    assert!(screen.rfind("is still held") > screen.rfind(LEAVE), "{screen:?}");
    holder.end().expect(0);
    let terminal = watching(&scene, "--until free a.db");
    terminal.until_shown("ended=0 =");
}

#[test]
fn with_json_there_is_no_screen() {
    let scene = with_file();
    let terminal = watching(&scene, "--json --until free a.db");
    terminal.until_shown("\"event\":\"watching\"");
    terminal.until_shown("ended=0 =");
    assert!(!terminal.screen().contains(ENTER));
}

/// What the command of `--exec` prints would stand in the middle of the screen.
#[test]
fn the_command_of_exec_does_not_spoil_the_screen() {
    let scene = with_file();
    let words = "--exec 'echo spoiled; echo spoiled >&2; echo ran >>ran; exit 7' a.db";
    let mut terminal = watching(&scene, words);
    until_seen(&terminal, "q quit");
    let holder = scene.hold(["a.db"]);
    until_seen(&terminal, "exited with 7");
    assert!(scene.read("ran").contains("ran"));
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    assert!(!terminal.screen().contains("spoiled"));
    drop(holder);
}

#[test]
fn hostile_text_never_reaches_the_terminal_raw() {
    let scene = with_file();
    let holder = scene.hold(["--label", "evil\x1b]0;owned\x07", "a.db"]);
    let mut terminal = watching(&scene, "a.db");
    until_seen(&terminal, "evil");
    terminal.press("q");
    terminal.until_shown("ended=0 =");
    assert!(!terminal.screen().contains("\x1b]0;owned"), "{:?}", terminal.screen());
    drop(holder);
}
