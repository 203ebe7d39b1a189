//! The screen in windows of all sizes.

use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop, proptest};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::board::{Board, Wish};
use super::draw;
use crate::error::Party;
use crate::lock::{Claimant, Stage};
use crate::native::decode::Blocks;
use crate::watch::{NativeHold, Sample};

fn claimant(stage: Stage, pid: u32, for_ms: u64) -> Claimant {
    Claimant {
        id: pid.to_string(),
        key: None,
        stage,
        since_ms: None,
        acquired_ms: None,
        cleared: Vec::new(),
        is_orphaned: false,
        party: Party {
            pid,
            command: Some(vec!["python".to_owned(), "etl.py\x1b[2J".to_owned()]),
            user: Some("ana".to_owned()),
            mode: "exclusive",
            for_ms: Some(for_ms),
            process_state: "sleeping",
            via: "claim",
            ..Party::default()
        },
    }
}

fn sample(path: &str, claimants: Vec<Claimant>) -> Sample {
    Sample { path: path.into(), claimants, ..Sample::default() }
}

/// Three databases: one held and waited for, one free, one used by its engine.
fn board() -> Board {
    let lock = NativeHold {
        party: claimant(Stage::Holding, 9, 90_000).party,
        meaning: "has a write transaction open (RESERVED)",
        blocks: Blocks::Writers,
        ..NativeHold::default()
    };
    let waited = vec![claimant(Stage::Waiting, 8, 500), claimant(Stage::Holding, 7, 5_000)];
    let samples = [
        sample("/d/b.db", waited),
        sample("/d/a.db", Vec::new()),
        Sample { native: vec![lock], ..sample("/d/c.db", Vec::new()) },
    ];
    let mut board = Board::new(Duration::from_secs(1), true);
    board.update(samples.iter(), |path| path.file_name().unwrap_or_default().display().to_string());
    board
}

fn drawn(board: &Board, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
    terminal.draw(|frame| draw(frame, board)).expect("it is in memory");
    let buffer = terminal.backend().buffer();
    let line = |row: u16| (0..width).map(|column| buffer[(column, row)].symbol()).collect();
    (0..height).map(line).collect()
}

fn press(board: &mut Board, codes: &[KeyCode]) -> Option<Wish> {
    let press = |code: &KeyCode| board.press(KeyEvent::new(*code, KeyModifiers::NONE));
    codes.iter().map(press).last().flatten()
}

/// Returns the names of the rows, from top to bottom.
fn names(board: &Board) -> Vec<&str> {
    board.rows().into_iter().map(|entry| entry.shown.as_str()).collect()
}

#[test]
fn an_ordinary_window_shows_who_has_what_and_who_waits() {
    let lines = drawn(&board(), 100, 24);
    assert!(lines[0].starts_with("dbguard watch: 3 databases, 2 held, 1 waiting; by name"));
    assert!(lines[2].starts_with("a.db free"), "{lines:#?}");
    assert!(lines[3].starts_with("b.db exclusive 1     7 python etl.py"), "{lines:#?}");
    assert!(lines[3].trim_end().ends_with('X'), "{lines:#?}");
    assert!(lines[4].starts_with("c.db engine"), "{lines:#?}");
    assert!(lines[4].trim_end().ends_with('n'), "{lines:#?}");
    assert!(lines[23].starts_with("q quit"), "{lines:#?}");
    assert!(lines.concat().contains("nobody has it, and nobody waits"), "{lines:#?}");
}

#[test]
fn the_chosen_database_is_told_in_full() {
    let mut board = board();
    press(&mut board, &[KeyCode::Down]);
    let text = drawn(&board, 100, 24).concat();
    assert!(text.contains("  has it  7, ana, 5s, exclusive: python etl.py"), "{text}");
    assert!(text.contains("  waits   8, ana, 0.5s, exclusive: python etl.py"), "{text}");
    press(&mut board, &[KeyCode::Down, KeyCode::Down, KeyCode::Down]);
    let text = drawn(&board, 120, 24).concat();
    assert!(text.contains("(RESERVED), blocks writers: python"), "{text}");
    assert_eq!(board.holder(), Some(9));
}

#[test]
fn what_there_is_no_room_for_is_counted_and_the_holder_of_a_deep_tree_stays() {
    let waiting = (1..=40).map(|pid| claimant(Stage::Waiting, pid, 1)).collect();
    let mut board = board();
    board.update([sample("/d/a.db", waiting)].iter(), |_| "a.db".to_owned());
    let lines = drawn(&board, 100, 24);
    assert!(lines[22].starts_with("  30 more"), "{lines:#?}");
    let kin = (1..30).map(|pid| format!("{} {pid}", if pid == 20 { '>' } else { ' ' }));
    board.kin = Some(kin.collect());
    let lines = drawn(&board, 100, 24);
    assert!(lines.iter().any(|line| line.starts_with("> 20")), "{lines:#?}");
    assert!(lines[22].starts_with("  18 more"), "{lines:#?}");
}

#[test]
fn text_of_other_processes_is_harmless() {
    let text = drawn(&board(), 100, 24).concat();
    assert!(text.contains("\\u{1b}[2J") && !text.contains('\x1b'), "{text}");
}

#[test]
fn rows_are_sorted_by_name_by_wait_and_by_the_age_of_the_hold() {
    let mut board = board();
    assert_eq!(names(&board), ["a.db", "b.db", "c.db"]);
    press(&mut board, &[KeyCode::Char('s')]);
    assert_eq!(names(&board), ["b.db", "a.db", "c.db"]);
    press(&mut board, &[KeyCode::Char('s')]);
    assert_eq!(names(&board), ["c.db", "b.db", "a.db"]);
    press(&mut board, &[KeyCode::Char('s')]);
    assert_eq!(names(&board), ["a.db", "b.db", "c.db"]);
}

#[test]
fn a_filter_that_is_typed_hides_the_others() {
    let mut board = board();
    let keys = ['/', 'q', 'B', '.'].map(KeyCode::Char);
    assert_eq!(press(&mut board, &keys), Some(Wish::Redraw));
    assert!(names(&board).is_empty(), "`q` is a letter like any other here");
    assert!(drawn(&board, 60, 10)[9].starts_with("/qB._"));
    press(&mut board, &[KeyCode::Backspace; 3]);
    press(&mut board, &[KeyCode::Char('B'), KeyCode::Char('.'), KeyCode::Enter]);
    assert_eq!(names(&board), ["b.db"]);
    assert!(drawn(&board, 60, 10)[0].contains("1 of 3 databases"));
    press(&mut board, &[KeyCode::Esc]);
    assert_eq!(names(&board).len(), 3);
    assert_eq!(press(&mut board, &[KeyCode::Char('q')]), Some(Wish::Quit));
}

#[test]
fn the_choice_stays_with_its_database_when_the_order_changes() {
    let mut board = board();
    press(&mut board, &[KeyCode::Down, KeyCode::Char('s'), KeyCode::Char('s')]);
    let rows = board.rows();
    assert_eq!(rows[board.place(&rows).expect("one is chosen")].shown, "b.db");
}

#[test]
fn a_small_window_still_names_the_databases() {
    let lines = drawn(&board(), 20, 5);
    assert!(lines[2].starts_with("a.db free"), "{lines:#?}");
    assert!(lines[4].starts_with("q quit"), "{lines:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_window_is_too_small_and_no_name_too_strange(
        width in 1u16..140,
        height in 1u16..50,
        names in prop::collection::vec(any::<String>(), 0..30),
        kin in prop::option::of(prop::collection::vec("\\PC{0,40}", 0..60)),
        keys in prop::collection::vec("[a-zA-Z/ ]", 0..10),
    ) {
        let mut board = board();
        let samples: Vec<Sample> = names
            .iter()
            .map(|name| sample(name, vec![claimant(Stage::Holding, 7, 1)]))
            .collect();
        for _ in 0..3 {
            board.update(samples.iter(), |path| path.display().to_string());
        }
        for key in keys {
            press(&mut board, &[KeyCode::Char(key.chars().next().unwrap_or('s')), KeyCode::Down]);
        }
        board.kin = kin;
        drawn(&board, width, height);
    }
}
