//! The documents made from the grammar: completions and the pages of the manual.
//!
//! They are the same on every machine and every day, so that the checked-in copies can be
//! compared with them.

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{VERBS, command, manual};

/// How clap's script for bash ends a verb.
const ONLY_OPTIONS: &str = "\n            COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )";

/// Returns the verbs that are about files: all but those about dbguard itself.
fn verbs_of_files() -> impl Iterator<Item = &'static str> {
    VERBS.into_iter().filter(|verb| !matches!(*verb, "completions" | "man"))
}

/// A page of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// About dbguard as a whole
    Dbguard,
    /// About `dbguard exec`
    Exec,
    /// About `dbguard sql`
    Sql,
    /// About `dbguard info`
    Info,
    /// About `dbguard fix`
    Fix,
    /// About `dbguard test`
    Test,
    /// About `dbguard watch`
    Watch,
    /// About `dbguard stats`
    Stats,
    /// About `dbguard wait`
    Wait,
    /// About `dbguard acquire`
    Acquire,
    /// About `dbguard release`
    Release,
    /// About `dbguard unlock`
    Unlock,
    /// About `dbguard update`
    Update,
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
            Self::Sql => Some("sql"),
            Self::Info => Some("info"),
            Self::Fix => Some("fix"),
            Self::Test => Some("test"),
            Self::Watch => Some("watch"),
            Self::Stats => Some("stats"),
            Self::Wait => Some("wait"),
            Self::Acquire => Some("acquire"),
            Self::Release => Some("release"),
            Self::Unlock => Some("unlock"),
            Self::Update => Some("update"),
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
    if shell == Shell::Bash {
        let text = String::from_utf8(script).expect("clap writes UTF-8");
        script = with_file_names(text).into_bytes();
    }
    (clap_complete::Generator::file_name(&shell, "dbguard"), script)
}

/// Lets bash complete file names after the verbs that take them: clap's script offers options
/// only, whatever the hint of the argument. What offers nothing leaves it to bash itself.
fn with_file_names(mut script: String) -> String {
    for verb in verbs_of_files() {
        let opening = format!("        dbguard__subcmd__{verb})\n            opts=");
        let start = script.find(&opening).expect("clap has a part for each verb");
        let length = script[start..].find("\n            ;;").expect("the part ends");
        let part = script[start..start + length]
            .replace(" || ${COMP_CWORD} -eq 2 ]]", " ]]")
            .replace(ONLY_OPTIONS, "\n            COMPREPLY=()");
        script.replace_range(start..start + length, &part);
    }
    script
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
        let mut verbs = Vec::new();
        man.render_subcommands_section(&mut verbs)?;
        let verbs = String::from_utf8_lossy(&verbs).replace(".SH Verbs", ".SH VERBS");
        text.extend_from_slice(verbs.as_bytes());
    }
    let mut sections = Roff::new();
    for section in manual::sections(verb).iter().chain(&manual::more_sections(verb)) {
        section.write_to(&mut sections);
    }
    sections.control("SH", ["SEE ALSO"]);
    sections.text([roman(see_also(verb))]);
    sections.to_writer(text)
}

fn see_also(verb: &str) -> String {
    let own = std::iter::once("dbguard").chain(verbs_of_files()).filter(|page| *page != verb);
    let name = |page| match page {
        "dbguard" => "dbguard(1)".to_owned(),
        verb => format!("dbguard-{verb}(1)"),
    };
    let others = ["flock(1)", "sqlite3(1)"].map(str::to_owned);
    own.map(name).chain(others).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Page;
    use crate::cli::VERBS;

    #[test]
    fn every_verb_has_a_page() {
        let pages: Vec<_> = Page::value_variants().iter().filter_map(|page| page.verb()).collect();
        assert_eq!(pages, VERBS);
    }
}
