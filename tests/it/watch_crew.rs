//! What the tests of `dbguard watch` share: one that runs, and its events.

use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Ended, PATIENCE, Process};
use crate::scene::{Run, Scene};

/// Prepares `dbguard watch WORDS` that looks every 50 ms.
pub fn watch(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["watch", "--interval", "0.05"]).words(words)
}

/// A watch that runs, whose events are read as they come.
pub struct Watcher {
    pub process: Process,
    path: PathBuf,
}

impl Watcher {
    /// Starts one, and waits until it watches `file`.
    #[track_caller]
    pub fn of(scene: &Scene, words: &[&str], file: &str) -> Self {
        let process = watch(scene, words).spawn();
        // With this system's separators.
        let path = scene.path(file).components().collect();
        let mut watcher = Self { process, path };
        watcher.until("watching", |_| true);
        watcher
    }

    /// Returns what was told of the file so far.
    pub fn events(&self) -> Vec<Value> {
        let text = self.process.stdout();
        // The last line may not be whole yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events = whole.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
        events.filter(|event: &Value| event["path"] == self.path.to_str().expect("text")).collect()
    }

    /// Returns the names of the events, in their order.
    pub fn names(&self) -> Vec<String> {
        let name = |event: &Value| event["event"].as_str().expect("a name").to_owned();
        self.events().iter().map(name).collect()
    }

    /// Waits for an event that is such, and returns it.
    #[track_caller]
    pub fn until(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let find = |events: Vec<Value>| {
            events.into_iter().find(|event| event["event"] == name && is_it(event))
        };
        let (output, path) = (self.process.stdout_path(), self.path.clone());
        let mut found = None;
        self.process.until(name, || {
            let text = std::fs::read_to_string(&output).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let of_it = lines.filter(|event| event["path"] == path.to_str().expect("text"));
            found = find(of_it.collect());
            found.is_some()
        });
        found.expect("it was just found")
    }

    /// Waits for an event of a process.
    #[track_caller]
    pub fn until_of(&mut self, name: &str, pid: u32) -> Value {
        self.until(name, |event| event["pid"] == pid)
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> Ended {
        assert!(self.process.ends_within(PATIENCE), "it goes on: {}", self.process.stdout());
        self.process.wait()
    }
}
