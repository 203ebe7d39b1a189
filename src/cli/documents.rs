//! The documents made from the grammar: completions and the pages of the manual.
//!
//! They are the same on every machine and every day, so that the checked-in copies can be
//! compared with them.

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold};

use crate::cli::{command, manual};

/// A page of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// About dbguard as a whole
    Dbguard,
    /// About `dbguard exec`
    Exec,
    /// About `dbguard wait`
    Wait,
    /// About `dbguard path`
    Path,
    /// About `dbguard completions`
    Completions,
    /// About `dbguard man`
    Man,
}

impl Page {
    /// Returns the name of the page's file.
    pub fn file_name(self) -> String {
        match self.verb() {
            Some(verb) => format!("dbguard-{verb}.1"),
            None => "dbguard.1".to_owned(),
        }
    }

    fn verb(self) -> Option<&'static str> {
        match self {
            Self::Dbguard => None,
            Self::Exec => Some("exec"),
            Self::Wait => Some("wait"),
            Self::Path => Some("path"),
            Self::Completions => Some("completions"),
            Self::Man => Some("man"),
        }
    }
}

/// Returns the completions for a shell, and the name that their file has there.
pub fn completions(shell: Shell) -> (String, Vec<u8>) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "dbguard", &mut script);
    (clap_complete::Generator::file_name(&shell, "dbguard"), script)
}

/// Returns a page of the manual as roff.
pub fn manual_page(page: Page) -> Vec<u8> {
    let mut whole = command().disable_help_subcommand(true);
    whole.build();
    let verb = page.verb();
    let command = verb.and_then(|verb| whole.find_subcommand(verb)).unwrap_or(&whole).clone();
    let mut text = Vec::new();
    write_page(&mut text, verb.unwrap_or("dbguard"), command)
        .expect("writing to memory does not fail");
    text
}

/// Returns every page of the manual with the name of its file.
pub fn manual_pages() -> Vec<(String, Vec<u8>)> {
    Page::value_variants().iter().map(|page| (page.file_name(), manual_page(*page))).collect()
}

fn write_page(text: &mut Vec<u8>, verb: &str, mut command: Command) -> std::io::Result<()> {
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    for line in command.render_usage().to_string().lines() {
        synopsis.text([bold(line.trim_start_matches("Usage:").trim())]);
        synopsis.control("br", []);
    }
    let has_verbs = command.has_subcommands();
    let version = concat!("dbguard ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).source(version).manual("dbguard manual");
    man.render_title(text)?;
    man.render_name_section(text)?;
    synopsis.to_writer(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    if has_verbs {
        man.render_subcommands_section(text)?;
    }
    let mut sections = Roff::new();
    for section in manual::sections(verb) {
        section.write_to(&mut sections);
    }
    sections.to_writer(text)
}
