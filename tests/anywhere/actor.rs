//! The parts this very test binary plays when it is started as a command.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;

/// Names the part to play: words with a newline between them.
pub const PART: &str = "ACTOR_PART";

/// Returns the command line that plays the part given in the environment.
pub fn words() -> Vec<String> {
    let me = env::current_exe().expect("this binary has a path");
    let me = me.to_str().expect("the build directory's path is text").to_owned();
    let this_test = "actor::plays_the_part_in_its_environment";
    vec![me, "--exact".into(), this_test.into(), "--nocapture".into(), "--test-threads=1".into()]
}

#[test]
fn plays_the_part_in_its_environment() {
    let Ok(part) = env::var(PART) else { return };
    let words: Vec<&str> = part.split('\n').collect();
    match words[..] {
        ["exit", code] => process::exit(code.parse().expect("a number")),
        ["hold"] => hold(),
        ["lock", file] => {
            let file = fs::File::options().read(true).write(true).open(file).expect("it is there");
            file.lock().expect("it is free");
            hold();
        }
        ["tell", name] => say(&env::var(name).unwrap_or_default()),
        ["arguments", file] => tell_arguments(Path::new(file)),
        ["count", file] => count(Path::new(file)),
        ["note", file, text] => note(Path::new(file), text),
        ["note-and-exit", file, text, code] => {
            note(Path::new(file), text);
            process::exit(code.parse().expect("a number"));
        }
        ["upper"] => upper(),
        _ => panic!("no such part: {part}"),
    }
    process::exit(0);
}

fn say(text: &str) {
    let mut output = io::stdout();
    // The harness has begun a line of its own.
    writeln!(output, "\n{text}").and_then(|()| output.flush()).expect("somebody listens");
}

/// Says that it runs, and ends when its input does.
fn hold() {
    say("held");
    io::stdin().read_to_end(&mut Vec::new()).expect("an input that ends");
}

/// Writes down every argument after the harness's own, one a line.
fn tell_arguments(file: &Path) {
    let all: Vec<String> = env::args().skip(words().len()).collect();
    fs::write(file, all.join("\n")).expect("a file");
}

/// Adds one to a number in a file, as those do who must be alone.
fn count(file: &Path) {
    let text = fs::read_to_string(file).unwrap_or_default();
    let number: u64 = text.trim().parse().unwrap_or(0);
    std::thread::yield_now();
    fs::write(file, (number + 1).to_string()).expect("a file");
}

fn note(file: &Path, text: &str) {
    let mut log = fs::File::options().create(true).append(true).open(file).expect("a log");
    log.write_all(text.as_bytes()).expect("room");
}

/// Puts its input in capitals, without what the harness says.
fn upper() {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).expect("text");
    print!("{}", text.to_uppercase());
}
