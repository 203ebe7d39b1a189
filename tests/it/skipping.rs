//! What a test says of itself that it is not run, for both crates of integration tests.
//!
//! Whoever counts those names a file in `DBGUARD_SKIPPED`, which gets a line for each: its name and
//! the reason. Whoever starts the tests under Wine says so in `DBGUARD_UNDER_WINE`.

use std::env;
use std::fs::File;
use std::io::Write;

/// Says why a test, or a part of one, is not run; it then counts as passed.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    skip_test(thread.name().unwrap_or("?"), reason);
}

/// Says of a test why it is not run.
pub fn skip_test(name: &str, reason: &str) {
    eprintln!("skipped: {reason}");
    let Some(list) = env::var_os("DBGUARD_SKIPPED") else { return };
    let mut list = File::options().create(true).append(true).open(list).expect("a list");
    let line = format!("{name}\t{reason}\n");
    list.write_all(line.as_bytes()).expect("room in the list");
}

/// Whether Wine plays Windows here, and cannot do what the test asks; says so if it is so.
pub fn wine_lacks(reason: &str) -> bool {
    if is_wine() {
        skip(reason);
    }
    is_wine()
}

/// Whether Wine plays Windows here.
pub fn is_wine() -> bool {
    env::var_os("DBGUARD_UNDER_WINE").is_some()
}
