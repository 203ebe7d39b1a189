//! Which file a command is, and the one string that Windows makes of its arguments.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;

/// The variable that names the command processor.
pub const SHELL_VARIABLE: &str = "ComSpec";

/// The variable that lists how the names of programs end.
pub const EXTENSIONS_VARIABLE: &str = "PATHEXT";

/// Where programs are if `PATH` does not say.
pub const USUAL_PATH: &str = "C:\\Windows\\System32;C:\\Windows";

/// What the system starts; anything else that `PATHEXT` lists is for a shell to open.
const EXTENSIONS: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SPACE: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;

/// What the command processor would read as more than a word, quoted or not.
const UNSAFE_IN_BATCH: &str = "\"%!\r\n";

/// Returns the command that runs a line of shell.
pub fn shell(shell: Option<OsString>, line: OsString) -> Vec<OsString> {
    let shell = shell.unwrap_or_else(|| "cmd.exe".into());
    vec![shell, "/D".into(), "/S".into(), "/C".into(), line]
}

/// Whether a file's name ends as those of programs do.
pub(super) fn has_executable_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    EXTENSIONS.iter().any(|extension| name.ends_with(extension))
}

/// Returns the names under which a program may be found that is asked for by this one: the name
/// itself if it is one of a program, and with each extension in the order of `PATHEXT`.
pub fn candidates(name: &Path, extensions: Option<&OsStr>) -> Vec<PathBuf> {
    let listed = extensions.map(|list| list.to_string_lossy().to_ascii_lowercase());
    let listed = listed.unwrap_or_else(|| EXTENSIONS.join(";"));
    let listed = listed.split(';').filter(|one| EXTENSIONS.contains(one));
    let with = |extension: &str| {
        let mut whole = name.as_os_str().to_owned();
        whole.push(extension);
        PathBuf::from(whole)
    };
    let itself = has_executable_name(name).then(|| name.to_path_buf());
    itself.into_iter().chain(listed.map(with)).collect()
}

/// Whether it is a script of the command processor.
pub(super) fn is_batch(program: &Path) -> bool {
    let extension = program.extension().unwrap_or_default();
    ["bat", "cmd"].iter().any(|batch| extension.eq_ignore_ascii_case(batch))
}

/// Returns the command line from which a program reads these arguments.
///
/// # Errors
/// One of them has a NUL, or cannot be handed to a batch file unchanged (`InvalidInput`).
pub(super) fn command_line(program: &Path, arguments: &[OsString]) -> io::Result<Vec<u16>> {
    let shell = |word: &OsString| {
        let name = word.to_string_lossy().to_ascii_lowercase();
        name.ends_with("cmd.exe") || name == "cmd"
    };
    let mut line = Vec::new();
    match arguments {
        // `cmd /C` takes what follows as it is, and not as words.
        [name, flags @ .., command] if shell(name) && flags.last().is_some_and(|f| f == "/C") => {
            quote(name, &mut line);
            for flag in flags {
                line.push(SPACE);
                line.extend(flag.encode_wide());
            }
            line.extend([SPACE, QUOTE]);
            line.extend(command.encode_wide());
            line.push(QUOTE);
        }
        _ if is_batch(program) => batch(program, arguments, &mut line)?,
        _ => {
            for (place, argument) in arguments.iter().enumerate() {
                if place > 0 {
                    line.push(SPACE);
                }
                quote(argument, &mut line);
            }
        }
    }
    if line.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL in an argument"));
    }
    line.push(0);
    Ok(line)
}

/// Returns what runs batch files: that of the system, whatever lies in the working directory.
pub(super) fn interpreter() -> io::Result<PathBuf> {
    let mut buffer = [0_u16; 512];
    // SAFETY: the buffer is as long as is said.
    let length = unsafe { GetSystemDirectoryW(buffer.as_mut_ptr(), 512) };
    match buffer.get(..length as usize).filter(|path| !path.is_empty()) {
        Some(path) => Ok(PathBuf::from(OsString::from_wide(path)).join("cmd.exe")),
        None => Err(io::Error::last_os_error()),
    }
}

/// `cmd /e:ON /v:OFF /d /c "..."`, which is what Windows makes of a batch file anyway, but with
/// every argument in quotes. What quotes do not protect is refused.
fn batch(program: &Path, arguments: &[OsString], line: &mut Vec<u16>) -> io::Result<()> {
    line.extend("cmd.exe /e:ON /v:OFF /d /c \"".encode_utf16());
    let words = std::iter::once(program.as_os_str())
        .chain(arguments.iter().skip(1).map(OsString::as_os_str));
    for (place, word) in words.enumerate() {
        let text = word.to_string_lossy();
        if text.contains(|one| UNSAFE_IN_BATCH.contains(one)) || text.ends_with('\\') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a batch file cannot be given an argument with \", % or !, or with \\ at its end",
            ));
        }
        if place > 0 {
            line.push(SPACE);
        }
        line.push(QUOTE);
        line.extend(word.encode_wide());
        line.push(QUOTE);
    }
    line.push(QUOTE);
    Ok(())
}

/// Adds a word in quotes, by the rules that `CommandLineToArgvW` and the C runtime read: of
/// backslashes before a quote each counts once when doubled.
fn quote(word: &OsStr, line: &mut Vec<u16>) {
    let units: Vec<u16> = word.encode_wide().collect();
    let needs = units.is_empty() || units.iter().any(|unit| [SPACE, TAB, QUOTE].contains(unit));
    if !needs {
        line.extend(units);
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in units {
        match unit {
            BACKSLASH => backslashes += 1,
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// Reads a command line as the C runtime does, for people.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']);
    while !rest.is_empty() {
        let (word, after) = word(rest);
        words.push(word);
        rest = after.trim_start_matches([' ', '\t']);
    }
    words
}

/// Reads one word, and returns what comes after it.
fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut is_quoted = false;
    let mut backslashes = 0;
    for (at, one) in text.char_indices() {
        match one {
            '\\' => {
                backslashes += 1;
                continue;
            }
            '"' => {
                word.extend(std::iter::repeat_n('\\', backslashes / 2));
                if backslashes % 2 == 1 {
                    word.push('"');
                } else {
                    is_quoted = !is_quoted;
                }
            }
            _ => {
                word.extend(std::iter::repeat_n('\\', backslashes));
                if !is_quoted && matches!(one, ' ' | '\t') {
                    return (word, &text[at..]);
                }
                word.push(one);
            }
        }
        backslashes = 0;
    }
    word.extend(std::iter::repeat_n('\\', backslashes));
    (word, "")
}

#[cfg(test)]
mod tests {
    use std::ffi::{OsStr, OsString};
    use std::path::Path;

    use proptest::prelude::*;

    use super::{candidates, command_line, has_executable_name, quote, words};

    fn quoted(arguments: &[&str]) -> String {
        let mut line = Vec::new();
        for argument in arguments {
            quote(OsStr::new(argument), &mut line);
            line.push(super::SPACE);
        }
        String::from_utf16(&line).expect("text")
    }

    #[test]
    fn what_the_command_processor_runs_is_handed_on_as_it_is() {
        let arguments = ["cmd", "/D", "/C", "echo \"a b\" & exit 3"].map(OsString::from);
        let line = command_line(Path::new("cmd.exe"), &arguments).expect("no NUL");
        let line = String::from_utf16(&line).expect("text");
        assert_eq!(line, "cmd /D /C \"echo \"a b\" & exit 3\"\0");
    }

    #[test]
    fn a_batch_file_is_not_given_what_it_would_run() {
        for evil in ["a\"&calc", "%PATH%", "a\\", "!x!", "a\nb"] {
            let arguments = ["x".into(), OsString::from(evil)];
            assert!(command_line(Path::new("x.bat"), &arguments).is_err(), "{evil}");
        }
        let line = command_line(Path::new("x.cmd"), &["x".into(), "a&b c".into()]);
        let line = String::from_utf16(&line.expect("harmless")).expect("text");
        assert_eq!(line, "cmd.exe /e:ON /v:OFF /d /c \"\"x.cmd\" \"a&b c\"\"\0");
    }

    #[test]
    fn programs_are_known_by_their_names() {
        assert!(has_executable_name(Path::new("a.EXE")));
        assert!(!has_executable_name(Path::new("a.txt")));
        let found = candidates(Path::new("tool"), Some(".CMD;.PY;.EXE".as_ref()));
        assert_eq!(found, [Path::new("tool.cmd"), Path::new("tool.exe")]);
    }

    proptest! {
        #[test]
        fn arguments_are_read_back(arguments in proptest::collection::vec("[ab \t\"\\\\]{0,6}", 1..5)) {
            let asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
            prop_assert_eq!(words(&quoted(&asked)), arguments);
        }
    }
}
