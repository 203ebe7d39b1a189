//! The names in an open directory.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_NO_MORE_FILES};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FileFullDirectoryInfo, FileFullDirectoryRestartInfo,
    GetFileInformationByHandleEx,
};

/// Big enough that one call lists some 800 claims.
const BUFFER_WORDS: usize = 16 * 1024;

/// Where things are in `FILE_FULL_DIR_INFO`.
const NEXT: usize = 0;
const ATTRIBUTES: usize = 56;
const NAME_LENGTH: usize = 60;
const NAME: usize = 68;

/// Calls `each` with every name, but `.` and `..`, and whether it is a directory.
pub(super) fn each(directory: &OwnedHandle, mut each: impl FnMut(&[u16], bool)) -> io::Result<()> {
    let mut buffer = vec![0_u64; BUFFER_WORDS];
    let mut class = FileFullDirectoryRestartInfo;
    loop {
        let length = u32::try_from(buffer.len() * 8).expect("128 KiB");
        // SAFETY: the handle is open, and the buffer is as long as is said and aligned.
        let listed = unsafe {
            GetFileInformationByHandleEx(
                directory.as_raw_handle(),
                class,
                buffer.as_mut_ptr().cast(),
                length,
            )
        };
        if listed == 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error().map(i32::cast_unsigned) {
                Some(ERROR_NO_MORE_FILES | ERROR_FILE_NOT_FOUND) => Ok(()),
                _ => Err(error),
            };
        }
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        read(&bytes, &mut each);
        class = FileFullDirectoryInfo;
    }
}

/// Reads a buffer of entries. What does not fit is the end of it.
fn read(bytes: &[u8], each: &mut impl FnMut(&[u16], bool)) {
    let mut entry = bytes;
    loop {
        let (Some(next), Some(attributes), Some(length)) =
            (number(entry, NEXT), number(entry, ATTRIBUTES), number(entry, NAME_LENGTH))
        else {
            return;
        };
        let Some(name) = entry.get(NAME..NAME + length as usize) else { return };
        let units = name.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
        let name: Vec<u16> = units.collect();
        if name != [DOT] && name != [DOT, DOT] && !name.is_empty() {
            each(&name, attributes & FILE_ATTRIBUTE_DIRECTORY != 0);
        }
        match entry.get(next as usize..) {
            Some(rest) if next != 0 => entry = rest,
            _ => return,
        }
    }
}

const DOT: u16 = b'.' as u16;

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
