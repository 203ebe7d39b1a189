//! Finds the command before anybody waits: nobody wants to learn of a typing error after five
//! minutes in a line.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::cli::exec_args::Program as Wanted;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::programs::{EXTENSIONS_VARIABLE, SHELL_VARIABLE, USUAL_PATH};
use crate::platform::{self, programs};
use crate::report;

/// An executable file and its arguments.
#[derive(Debug)]
pub struct Program {
    /// The file.
    pub file: PathBuf,
    /// `argv`, its own name first.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// Finds what was asked for, in `PATH` if it is a bare name. A shell command is given to
    /// `$SHELL`, or to `/bin/sh`.
    pub fn find(wanted: Wanted) -> Result<Self, Failure> {
        let arguments = match wanted {
            Wanted::Words(words) => words,
            Wanted::Shell(command) => {
                let shell = env::var_os(SHELL_VARIABLE).filter(|shell| !shell.is_empty());
                programs::shell(shell, command)
            }
        };
        let name = arguments.first().cloned().unwrap_or_default();
        Ok(Self { file: find(&name)?, arguments })
    }

    /// Returns the name that others see.
    pub fn name(&self) -> String {
        let name = self.arguments.first().map(Path::new).and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    let shown = report::escaped(&name.to_string_lossy());
    if Path::new(name).components().count() != 1 || name.as_encoded_bytes().contains(&b'/') {
        return match judge(Path::new(name)) {
            Found::Yes(file) => Ok(file),
            Found::NotExecutable | Found::Hidden => Err(not_executable(&shown)),
            Found::No => Err(not_found(&shown)),
        };
    }
    let path = env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    let mut refused = false;
    for directory in env::split_paths(&path) {
        match judge(&directory.join(name)) {
            Found::Yes(file) => return Ok(file),
            Found::NotExecutable => refused = true,
            // A directory of PATH that we may not enter has nothing for us.
            Found::Hidden | Found::No => {}
        }
    }
    Err(if refused { not_executable(&shown) } else { not_found(&shown) })
}

enum Found {
    /// Its name may be longer than the one it was asked for by.
    Yes(PathBuf),
    NotExecutable,
    /// Its directory may not be entered.
    Hidden,
    No,
}

fn judge(name: &Path) -> Found {
    let extensions = env::var_os(EXTENSIONS_VARIABLE);
    let candidates = programs::candidates(name, extensions.as_deref());
    let mut found = candidates.into_iter().map(judge_file);
    let first = found.next().unwrap_or(Found::No);
    let others = found.find(|found| matches!(found, Found::Yes(_)));
    others.filter(|_| matches!(first, Found::No)).unwrap_or(first)
}

fn judge_file(file: PathBuf) -> Found {
    match platform::facts_at(&file) {
        Ok(facts) if facts.directory => Found::NotExecutable,
        Ok(_) if platform::is_executable(&file) => Found::Yes(file),
        Ok(_) => Found::NotExecutable,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Found::Hidden,
        Err(_) => Found::No,
    }
}

fn not_found(name: &str) -> Failure {
    Failure::new(Outcome::CommandNotFound, format!("command not found: `{name}`"))
        .hint("nothing was locked; check the spelling and PATH")
}

fn not_executable(name: &str) -> Failure {
    Failure::new(Outcome::NotExecutable, format!("cannot execute `{name}`"))
        .hint("nothing was locked; is it a program, and may you run it?")
}
