//! The rules of the house: which room may use which, and what each must not do.
//!
//! The table of rooms is the one in `src/lib.rs`. Code is read as text, without comments: rough,
//! and enough to notice an arrow that points the wrong way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest a file may be.
const LONGEST_FILE: usize = 450;

/// What only `commands` does.
const OUTWARD: [&str; 9] = [
    "print!(",
    "println!(",
    "eprint!(",
    "eprintln!(",
    "io::stdout()",
    "io::stderr()",
    "env::var",
    "env::current_dir",
    "process::exit",
];

/// The exceptions: the steps of test builds, the environment that a process inherits, and the
/// width of the terminal.
const OUTWARD_TOO: [&str; 6] = [
    "src/platform/step.rs",
    "src/platform/unix/spawn.rs",
    "src/platform/unix/host.rs",
    "src/platform/windows/detach.rs",
    "src/platform/windows/spawn.rs",
    "src/platform/windows/host.rs",
];

/// What only the platform may name: the interfaces of one system.
const OF_ONE_SYSTEM: [&str; 6] =
    ["std::os::", "libc::", "rustix::", "xattr::", "windows_sys::", "use libc"];

struct Source {
    /// Relative to the package.
    name: String,
    text: String,
}

impl Source {
    /// Returns the room it belongs to: the first directory below `src`, or its own name.
    fn room(&self) -> &str {
        let inside = self.name.trim_start_matches("src/");
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// Returns the lines of code with their numbers, comments left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or(line)))
    }

    /// Returns the lines of code before the tests at the end of the file; none of a file that
    /// holds nothing but tests.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let only_tests = self.name.ends_with("/tests.rs") || self.name.contains("/tests/");
        self.code().take_while(move |(_, line)| !only_tests && !line.contains("#[cfg(test)]"))
    }

    fn at(&self, number: usize, line: &str) -> String {
        format!("{}:{number}: {}", self.name, line.trim())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    if directory.is_file() {
        found.push(directory.to_path_buf());
        return;
    }
    for entry in fs::read_dir(directory).expect("the package can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns the path below the package, with `/` on every system.
fn name_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("below it");
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the texts below some directories of the package.
fn sources(directories: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for directory in directories {
        files(&root().join(directory), &mut found);
    }
    found.sort();
    let source = |path: PathBuf| Source {
        name: name_of(&path),
        text: fs::read_to_string(&path).expect("source is text"),
    };
    found.into_iter().map(source).collect()
}

/// Returns the names in backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns what each room may use, as `src/lib.rs` says.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("there is a library");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let mut table: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let (room, rest) = row.split_once('`').expect("a room is quoted");
            let (_, uses) = rest.trim_end_matches(" |").rsplit_once('|').expect("three columns");
            (room.to_owned(), quoted(uses))
        })
        .collect();
    let all = table.keys().cloned().collect();
    table.insert("commands".to_owned(), all);
    table
}

/// Returns the rooms that a line of code names after `crate::`.
fn named(line: &str) -> Vec<String> {
    let parts = line.split("crate::").skip(1);
    let ident = |text: &str| -> String {
        text.trim().chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect()
    };
    parts
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => {
                group.trim_end_matches("};").split(',').map(ident).collect::<Vec<String>>()
            }
            None => vec![ident(rest)],
        })
        .collect()
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let table = table();
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources(&["src"]) {
        let room = source.room();
        if matches!(room, "main" | "lib") {
            continue;
        }
        let allowed = table.get(room).unwrap_or_else(|| panic!("`{room}` is not in the table"));
        for (number, line) in source.code() {
            for other in named(line).into_iter().filter(|other| other != room) {
                // A name that is no room is a macro of the crate.
                if table.contains_key(&other) && !allowed.contains(&other) {
                    wrong.push(source.at(number, line));
                }
                used.entry(room.to_owned()).or_default().insert(other);
            }
        }
    }
    assert_none("imports against the table in src/lib.rs", &wrong);
    for (room, allowed) in table.iter().filter(|(room, _)| *room != "commands") {
        let unused: Vec<String> =
            allowed.iter().filter(|other| !used[room].contains(*other)).cloned().collect();
        assert_none(&format!("`{room}` may use what it does not use"), &unused);
    }
}

#[test]
fn arrows_between_rooms_point_one_way() {
    let mut table = table();
    while !table.is_empty() {
        let free = |uses: &BTreeSet<String>, room: &String| {
            uses.iter().all(|other| other == room || !table.contains_key(other))
        };
        let done: Vec<String> = table
            .iter()
            .filter(|(room, uses)| free(uses, room))
            .map(|(room, _)| room)
            .cloned()
            .collect();
        assert!(!done.is_empty(), "a circle among {:?}", table.keys());
        for room in done {
            table.remove(&room);
        }
    }
}

#[test]
fn the_table_lists_every_room() {
    let rooms: BTreeSet<String> = sources(&["src"])
        .iter()
        .map(|source| source.room().to_owned())
        .filter(|room| room != "main" && room != "lib")
        .collect();
    assert_eq!(rooms, table().into_keys().collect());
}

#[test]
fn only_commands_print_read_the_environment_and_exit() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        if source.room() == "commands" || OUTWARD_TOO.contains(&source.name.as_str()) {
            continue;
        }
        let outward = |line: &str| OUTWARD.iter().any(|call| line.contains(call));
        wrong.extend(
            source
                .shipped()
                .filter(|(_, line)| outward(line))
                .map(|(number, line)| source.at(number, line)),
        );
    }
    assert_none("what only `commands` may do", &wrong);
}

#[test]
fn unsafe_code_and_systems_are_behind_the_platform() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| source.room() != "platform") {
        let is_word = |line: &str| {
            line.split(|one: char| !one.is_alphanumeric() && one != '_')
                .any(|word| word == "unsafe")
        };
        let of_a_system = |line: &str| {
            let condition =
                line.contains("cfg(") || line.contains("cfg!(") || line.contains("cfg_attr(");
            condition && ["target_os", "unix", "windows"].iter().any(|name| line.contains(name))
        };
        let unsafe_lines = source.code().filter(|(_, line)| is_word(line));
        let system_lines = source.shipped().filter(|(_, line)| of_a_system(line));
        wrong
            .extend(unsafe_lines.chain(system_lines).map(|(number, line)| source.at(number, line)));
    }
    assert_none("`unsafe` or a system's name outside `platform`", &wrong);
}

#[test]
fn a_system_is_named_only_where_the_platform_chooses_its_files() {
    let mut wrong = Vec::new();
    for source in sources(&["src/platform"]).iter().filter(|one| !one.name.ends_with("/mod.rs")) {
        let names_one = |line: &str| {
            let condition = line.contains("cfg(") || line.contains("cfg!(");
            condition && ["target_os", "unix", "windows"].iter().any(|name| line.contains(name))
        };
        let lines = source.code().filter(|(_, line)| names_one(line));
        wrong.extend(lines.map(|(number, line)| source.at(number, line)));
    }
    assert_none("conditions on a system outside a `mod.rs`", &wrong);
}

/// Returns the words of the code below some directories.
fn words_below(directories: &[&str]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for source in sources(directories) {
        for (_, line) in source.code() {
            let parts = line.split(|one: char| !one.is_alphanumeric() && one != '_');
            words.extend(parts.map(str::to_owned));
        }
    }
    words
}

/// The functions of Windows are the contract: it shares no file with the others.
#[test]
fn every_function_of_the_platform_is_on_every_system_and_in_a_contract_test() {
    // What only whole programs can do, as each test of `main` and those of `acquire` see to.
    const OF_PROGRAMS: [&str; 6] =
        ["arguments", "until_ready", "confirm", "dismiss", "is_confirmed", "has_locks_too"];
    let tested = words_below(&["src/platform/tests"]);
    let linux = words_below(&["src/platform/unix", "src/platform/linux"]);
    let macos = words_below(&["src/platform/unix", "src/platform/macos"]);
    let mut wrong = Vec::new();
    for source in sources(&["src/platform/windows", "src/platform/step.rs"]) {
        for (number, line) in source.shipped() {
            let Some(rest) = line.trim_start().strip_prefix("pub fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            let is_everywhere = [&linux, &macos].iter().all(|words| words.contains(name));
            let is_shared = source.name.ends_with("/step.rs");
            if !(is_everywhere || is_shared)
                || !(tested.contains(name) || OF_PROGRAMS.contains(&name))
            {
                wrong.push(source.at(number, line));
            }
        }
    }
    assert_none("not everywhere, or in no contract test", &wrong);
}

#[test]
fn only_the_files_of_linux_read_its_table_of_processes() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]).iter().filter(|one| !one.name.contains("/linux/")) {
        let lines = source.code().filter(|(_, line)| line.contains("/proc/"));
        wrong.extend(lines.map(|(number, line)| source.at(number, line)));
    }
    assert_none("`/proc` outside `src/platform/linux`", &wrong);
}

/// On macOS a flock on a database would lock its own engine out, and a question about its locks
/// would find ours.
#[test]
fn nothing_but_the_lock_rooms_own_files_is_flocked() {
    let mut wrong = Vec::new();
    // The directory in which an update works is its own as well.
    let is_own = |source: &&Source| source.name.ends_with("commands/update/stage.rs");
    let others =
        |source: &&Source| !matches!(source.room(), "lock" | "platform") && !is_own(source);
    for source in sources(&["src"]).iter().filter(others) {
        let calls = ["lock_shared", "lock_exclusive", "FileExt", "fs::flock", "libc::flock"];
        let takes = |line: &str| calls.iter().any(|call| line.contains(call));
        let lines = source.shipped().filter(|(_, line)| takes(line));
        wrong.extend(lines.map(|(number, line)| source.at(number, line)));
    }
    assert_none("whole-file locks outside `lock`", &wrong);
}

#[test]
fn the_interfaces_of_a_system_are_used_by_the_platform_alone() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| source.room() != "platform") {
        let of_a_system = |line: &str| OF_ONE_SYSTEM.iter().any(|name| line.contains(name));
        let lines = source.code().filter(|(_, line)| of_a_system(line));
        wrong.extend(lines.map(|(number, line)| source.at(number, line)));
    }
    assert_none("interfaces of one system outside `platform`", &wrong);
}

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "tests"]).iter().filter(|source| source.name.ends_with(".rs")) {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{}: {lines} lines, {LONGEST_FILE} are allowed", source.name));
        }
    }
    assert_none("files that are too long", &wrong);
}

#[test]
fn the_house_is_written_in_ascii() {
    let mut wrong = Vec::new();
    let pages = ["README.md", "CHANGELOG.md", "Cargo.toml"].map(|name| Source {
        name: name.to_owned(),
        text: fs::read_to_string(root().join(name)).expect("it is there"),
    });
    for source in sources(&["src", "tests", "examples", "man", "completions"]).iter().chain(&pages)
    {
        let lines = source.text.lines().enumerate();
        let foreign = lines.filter(|(_, line)| !line.is_ascii());
        wrong.extend(foreign.map(|(index, line)| source.at(index + 1, line)));
    }
    assert_none("lines that are not ASCII", &wrong);
}
