//! What is not asked on other systems than Linux: the table "Not asked under Wine" of README.md.
//!
//! Its rows have a reason and the names of tests, `module` or `module::test`. Tests that do not
//! compile elsewhere are left out there by `cfg`, others say by `skip` why they stop; `.ci/run`
//! holds against the table what was skipped, and says how many are run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::skipping::skip_test;

const HEAD: &str = "| not asked under Wine | tests |";

/// Returns the rows: a reason, and names.
fn table() -> Vec<(String, Vec<String>)> {
    let readme = include_str!("../../README.md");
    let rows = readme.lines().skip_while(|line| *line != HEAD).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let (reason, names) = row.trim_matches('|').rsplit_once('|').expect("two columns");
        // What stands between two backquotes.
        let names = names.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (reason.trim().to_owned(), names)
    })
    .collect()
}

/// A test of this crate, and whether it is compiled on Linux alone.
struct Test {
    module: String,
    name: String,
    is_of_linux: bool,
}

fn full(test: &Test) -> String {
    format!("{}::{}", test.module, test.name)
}

fn tests() -> Vec<Test> {
    const GATE: &str = "#[cfg(target_os = \"linux\")]";
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(directory.join("main.rs")).expect("it is there");
    let mut found = Vec::new();
    let lines: Vec<&str> = main.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let module = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        let Some(module) = module else { continue };
        let is_gated = index > 0 && lines[index - 1] == GATE;
        // `system` is a directory without tests.
        let Ok(text) = fs::read_to_string(directory.join(format!("{module}.rs"))) else { continue };
        let mut attributes: Vec<&str> = Vec::new();
        for line in text.lines() {
            if line.starts_with("#[") {
                attributes.push(line);
            } else if let Some(rest) = line.strip_prefix("fn ") {
                if attributes.contains(&"#[test]") {
                    let name = rest.split('(').next().expect("a name").to_owned();
                    let is_of_linux = is_gated || attributes.contains(&GATE);
                    found.push(Test { module: module.to_owned(), name, is_of_linux });
                }
                attributes.clear();
            } else if !line.starts_with("///") {
                attributes.clear();
            }
        }
    }
    found
}

#[test]
fn what_is_not_asked_here_is_said() {
    if cfg!(target_os = "linux") {
        return;
    }
    let table = table();
    for test in tests().iter().filter(|test| test.is_of_linux) {
        let full = full(test);
        let names =
            |names: &[String]| names.iter().any(|name| *name == full || *name == test.module);
        let row = table.iter().find(|(_, tests)| names(tests));
        skip_test(&full, row.map_or("no reason is given", |(reason, _)| reason));
    }
}

#[test]
fn the_table_names_every_test_of_linux_alone_and_no_other_one() {
    let named: Vec<String> = table().into_iter().flat_map(|(_, names)| names).collect();
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a name stands twice in the table");
    let tests = tests();
    assert!(tests.len() > 500, "the sources were not read: {}", tests.len());
    for test in tests.iter().filter(|test| test.is_of_linux) {
        let is_named = once.contains(&test.module) || once.contains(&full(test));
        assert!(is_named, "{} is of Linux alone, and not in the table", full(test));
    }
    for name in &named {
        let is_there = tests.iter().any(|test| test.module == *name || full(test) == *name);
        // Those of `tests/anywhere` that only Windows has stand there as well.
        assert!(is_there || name.starts_with("windows"), "there is no test `{name}`");
    }
}
