//! What the README says and shows is so: its tables are those of the program, its recipes run, and
//! what it prints as output has the shape of real output.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dbguard::cli::flock::FLOCK_DIFFERENCES;
use dbguard::cli::manual::{COMMAND_VARIABLES, sections};
use dbguard::cli::settings::VARIABLES;
use dbguard::outcome::Outcome;

use crate::info_crew::as_told_here;
use crate::scene::{Scene, have};

const README: &str = include_str!("../../README.md");

/// The source of the claim's fields, whose documentation is the README's table.
const CLAIM: &str = include_str!("../../src/lock/claim.rs");

/// Returns the fenced blocks in a language.
pub fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    let blocks = README.split(opening.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

/// Returns the block that begins with a text.
#[track_caller]
pub fn block(language: &str, beginning: &str) -> &'static str {
    let found = blocks(language).into_iter().find(|block| block.starts_with(beginning));
    found.unwrap_or_else(|| panic!("the README has no {language} block with `{beginning}`"))
}

fn table<C: AsRef<str>>(head: &[&str], rows: impl IntoIterator<Item = Vec<C>>) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.to_vec());
    text.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        text.push_str(&line(row.iter().map(AsRef::as_ref).collect()));
    }
    text
}

#[track_caller]
fn assert_shown(text: &str) {
    assert!(README.contains(text), "the README lacks or changes this:\n\n{text}");
}

#[test]
fn the_table_of_exit_codes_is_the_programs() {
    let entries = sections("exec").into_iter().find(|section| section.title == "Exit status");
    let name = |code: &str| {
        let outcome = Outcome::ALL.into_iter().find(|one| one.code().to_string() == code);
        match (outcome, code) {
            (Some(outcome), _) => outcome.name(),
            (None, "128+n") => Outcome::Signaled(0).name(),
            (None, _) => Outcome::Exited(0).name(),
        }
    };
    let rows = entries.expect("exec has exit codes").entries;
    let rows = rows.into_iter().map(|(code, meaning)| {
        let name = name(&code).to_owned();
        vec![code, name, meaning]
    });
    assert_shown(&table(&["code", "name", "meaning"], rows));
}

#[test]
fn the_differences_from_flock_are_the_programs() {
    let rows = FLOCK_DIFFERENCES.iter().map(|(what, how)| vec![*what, *how]);
    assert_shown(&table(&["what", "in dbguard"], rows));
}

#[test]
fn the_variables_are_the_programs() {
    for variables in [VARIABLES, COMMAND_VARIABLES] {
        let rows = variables.iter().map(|(name, what)| vec![format!("`{name}`"), what.to_string()]);
        assert_shown(&table(&["variable", "meaning"], rows));
    }
}

/// Returns the fields of a struct in the source of the claim, and what their comments say.
fn fields(name: &str) -> Vec<(String, String)> {
    let (_, body) = CLAIM.split_once(&format!("pub struct {name} {{\n")).expect("it is there");
    let (body, _) = body.split_once("\n}").expect("it ends");
    let mut fields = Vec::new();
    let mut comment = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.trim());
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(':')) {
            fields.push((field.to_owned(), comment.join(" ")));
            comment.clear();
        }
    }
    fields
}

#[test]
fn the_fields_of_a_claim_are_the_programs() {
    let rows = fields("Record");
    let shown = rows.iter().map(|(name, what)| vec![format!("`{name}`"), what.clone()]);
    assert_shown(&table(&["field", "meaning"], shown));
    let scene = Scene::new();
    let holder = scene.hold(["--label", "nightly", "a.db"]);
    let name = scene.held("a.db").into_iter().next().expect("a holder has a claim");
    let claim = fs::read_to_string(scene.state("a.db", "held").join(name)).expect("a claim");
    for line in claim.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        for name in line.as_object().expect("an object").keys() {
            assert!(rows.iter().any(|(field, _)| field == name), "`{name}` is not in the README");
        }
    }
    holder.end().expect(0);
}

/// Every name in the picture of `.dbguard` exists after use, and there is no other.
#[test]
fn the_files_on_disk_are_those_in_the_picture() {
    let scene = Scene::new();
    scene.dbguard(["exec", "app.db", "--", "true"]).run().expect(0);
    let script = "\"$DBGUARD\" release app.db --token \"$(\"$DBGUARD\" acquire app.db)\"";
    scene.shell(script).run().expect(0);
    let holder = scene.hold(["-k", "tenant-7", "app.db"]);
    let waiter = scene.queue_up("app.db", &[]);
    let names = |directory: &Path| -> BTreeSet<String> { crate::scene::names(directory) };
    let state = scene.state("app.db", "");
    let root = state.parent().expect("the state is in .dbguard");
    let mut pictured = BTreeSet::new();
    for line in block("text", ".dbguard/").lines().skip(1) {
        let depth = line.len() - line.trim_start().len();
        let name = line.split_whitespace().next().expect("a name").trim_end_matches('/');
        let path = if depth == 2 { root.join(name) } else { state.join(name) };
        assert!(path.exists(), "{} is in the README only\n{}", path.display(), scene.describe());
        pictured.insert(name.split('/').next().unwrap_or(name).to_owned());
    }
    for name in names(root).union(&names(&state)) {
        assert!(pictured.contains(name), "{name} is not in the README\n{}", scene.describe());
    }
    holder.end().expect(0);
    waiter.end().expect(0);
}

/// Replaces what differs between two runs: numbers, and the name of the user.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            '.' if shape.ends_with('#') => {}
            other => shape.push(other),
        }
    }
    let Some((before, after)) = shape.split_once("(pid #, ") else {
        return shape;
    };
    let (who, after) = after.split_once(')').unwrap_or((after, ""));
    let who = if who.starts_with("user ") { "user ana" } else { "ana" };
    format!("{before}(pid #, {who}){}", crate::readme::shape(after))
}

/// The waiting line and the message of a lock that is still held are those of a real run.
#[test]
fn what_a_waiting_user_sees_has_the_shape_of_the_readme() {
    let scene = Scene::new();
    scene.file("nightly.sh", "echo up >up; read word; exit 0\n");
    scene.file("analytics.db", "");
    let mut holder = scene.dbguard(["exec", "analytics.db", "--", "sh", "nightly.sh"]).spawn_fed();
    holder.until("it holds", || !scene.read("up").is_empty());
    let other = scene.queue_up("analytics.db", &["-w", "inf"]);
    let words = ["exec", "-w", "3", "analytics.db", "--", "true"];
    let ended = scene.dbguard(words).run().expect(124);
    let shown = block("text", "dbguard: waiting").to_owned() + block("text", "dbguard: analytics");
    let told = as_told_here(&ended.stderr, &[]);
    let shown = as_told_here(&shown, &["sh nightly.sh"]);
    assert_eq!(shape(&told), shape(&shown), "{}", ended.describe());
    holder.close_input();
    holder.wait().expect(0);
    other.end().expect(0);
}

/// What `dbguard unlock` shows before it asks is that of a real run.
#[test]
fn who_would_be_ended_is_shown_as_in_the_readme() {
    let scene = Scene::new();
    scene.file("nightly.sh", "echo up >up; read word; exit 0\n");
    let run = scene.dbguard(["exec", "app.db", "--", "sh", "nightly.sh"]);
    let mut holder = run.spawn_fed();
    let claims =
        || scene.held("app.db").into_iter().map(|name| scene.state("app.db", "held").join(name));
    holder.until("it holds, and its claim tells what runs", || {
        !scene.read("up").is_empty()
            && claims().any(|claim| scene.read(claim).contains("\"child\""))
    });
    let ended = scene.dbguard(["unlock", "app.db"]).run().expect(64);
    let plain = |text: &str| {
        // Windows does not say whose processes others are.
        let user = if cfg!(windows) { ", user ana" } else { "nobody's" };
        let text = shape(text).replace("user root", "user ana").replace(user, "");
        ["holding for ", "running for "].iter().fold(text, |text, word| {
            ["s", "m"].iter().fold(text, |text, unit| text.replace(&format!("{word}#{unit}"), word))
        })
    };
    let (shown, question) =
        block("text", "app.db is held").trim_end().rsplit_once('\n').expect("lines");
    let told = as_told_here(&ended.stderr, &[]);
    let shown = as_told_here(shown, &["dbguard exec app.db -- sh nightly.sh", "sh nightly.sh"]);
    assert!(plain(&told).contains(&plain(&shown)), "{shown}\n{}", ended.describe());
    assert_eq!(question, "End these 2 processes? [y/N]");
    holder.close_input();
    holder.wait().expect(0);
}

/// The main job: the script of the README loses nothing under dbguard, which its exit code says.
/// What it loses bare is chance; the numbers are printed.
#[test]
fn the_example_loses_no_update_under_dbguard() {
    if !have(&["mktemp"]) || (!have(&["sqlite3"]) && !have(&["python3"])) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/counter.sh");
    let ended = Scene::new().run("sh", [script]).run().expect(0);
    println!("{}", ended.stdout);
    assert_eq!(shape(&ended.stdout), shape(block("text", "bare:")), "{}", ended.describe());
    assert!(block("sh", "sh examples/counter.sh").lines().count() == 1);
}

#[test]
fn the_version_of_rust_is_that_of_the_package() {
    let manifest = include_str!("../../Cargo.toml");
    let version =
        manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    assert_shown(&format!("Rust {} or newer", version.expect("the package has one")));
}

/// Every field that programs are promised is there, and none is missing from the list.
#[test]
fn the_fields_for_programs_are_the_programs() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let words = ["exec", "--json", "-n", "--status-file", "status", "a.db", "--", "true"];
    let ended = scene.dbguard(words).run().expect(75);
    holder.end().expect(0);
    let status = serde_json::from_str(&scene.read("status")).expect("JSON");
    let (_, text) = README.split_once("### For programs\n").expect("the section is there");
    let (text, _) = text.split_once("\n#").expect("another follows");
    let (error, state) = text.split_once("`--status-file PATH`").expect("both are told");
    for (text, document) in [(error, ended.error_document()), (state, status)] {
        let words = text.split('`').skip(1).step_by(2).filter(|word| !word.starts_with("--"));
        let told: BTreeSet<&str> = words.collect();
        let document: &serde_json::Value = &document;
        let real = document.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(told, real, "{}", ended.describe());
    }
}
