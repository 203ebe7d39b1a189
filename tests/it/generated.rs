//! The checked-in completions and manual pages are those that dbguard generates.
//!
//! After a change of the command line, run `DBGUARD_BLESS=1 cargo test --test it generated`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::ValueEnum;
use clap_complete::Shell;
use dbguard::cli::documents::{completions, manual_pages};

#[test]
fn completions_are_those_of_this_version() {
    let scripts = Shell::value_variants().iter().map(|shell| completions(*shell)).collect();
    compare("completions", scripts);
}

#[test]
fn manual_pages_are_those_of_this_version() {
    compare("man", manual_pages().into_iter().collect());
}

fn compare(directory: &str, generated: BTreeMap<String, Vec<u8>>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os("DBGUARD_BLESS").is_some() {
        replace(&directory, &generated);
    }
    let checked_in = read(&directory);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&checked_in), names(&generated), "in {}", directory.display());
    for (name, text) in &generated {
        assert!(
            checked_in[name] == *text,
            "{name} is out of date: run `DBGUARD_BLESS=1 cargo test --test it generated`",
        );
    }
}

fn read(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| {
            let path = entry.expect("the directory can be listed").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("the file can be read"))
        })
        .collect()
}

fn replace(directory: &Path, generated: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir_all(directory).expect("the directory can be made");
    for name in read(directory).into_keys().filter(|name| !generated.contains_key(name)) {
        fs::remove_file(directory.join(name)).expect("an old file can be removed");
    }
    for (name, text) in generated {
        fs::write(directory.join(name), text).expect("the file can be written");
    }
}
