//! The door: process start, and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    dbguard::run()
}
