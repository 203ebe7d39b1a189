//! What a name is to the file system.
//!
//! Two names that a file system takes for one have to be one lock. Windows ignores the case of
//! names, and finds a file by a short name (`LONGNA~1.DB`) as well. And it takes some names for
//! devices wherever they are, and what follows a colon for a stream in a file: `a.db::$DATA` is
//! `a.db`, and opening `COM1` can wait for ever.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf, Prefix};

use windows_sys::Wdk::System::SystemServices::RtlUpcaseUnicodeChar;

use super::file::canonical;

const COLON: u16 = b':' as u16;

/// Whether an absolute path can be that of a file: it leads to a drive or a share, and its last name
/// is no stream's.
///
/// Nothing is opened. Which names are devices depends on the version of Windows, which puts `\\.\`
/// before them when it makes a path absolute.
pub fn is_of_file(path: &Path) -> bool {
    let is_device = match path.components().next() {
        Some(Component::Prefix(prefix)) => matches!(prefix.kind(), Prefix::DeviceNS(_)),
        _ => false,
    };
    let has_stream =
        path.file_name().is_some_and(|name| name.encode_wide().any(|one| one == COLON));
    !is_device && !has_stream
}

/// Returns a path, whose directory is canonical, with its last name as it is stored; as it was
/// given where there is no file. The file is opened to be asked for its name and nothing else, which
/// no share mode of anybody hinders.
pub fn as_stored(path: PathBuf) -> PathBuf {
    canonical(&path).unwrap_or(path)
}

/// Returns a name in the form that stands for all names that may be the same to the file system:
/// without regard to case, as the kernel compares, and with ASCII in lower case.
pub fn folded(name: &OsStr) -> Cow<'_, OsStr> {
    // SAFETY: a function of numbers.
    let upper = |unit| unsafe { RtlUpcaseUnicodeChar(unit) };
    let lower = |unit| u8::try_from(unit).map_or(unit, |byte| byte.to_ascii_lowercase().into());
    let units: Vec<u16> = name.encode_wide().map(|unit| lower(upper(unit))).collect();
    Cow::Owned(OsString::from_wide(&units))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_of_file;

    #[test]
    fn a_device_and_a_stream_are_no_files() {
        for file in [r"C:\a.db", r"\\?\C:\a.db", r"\\server\share\a.db", r"C:\x:y\a.db"] {
            assert!(is_of_file(Path::new(file)), "{file}");
        }
        for other in [r"\\.\NUL", r"\\.\pipe\a", r"C:\a.db:x", r"C:\a.db::$DATA"] {
            assert!(!is_of_file(Path::new(other)), "{other}");
        }
    }
}
