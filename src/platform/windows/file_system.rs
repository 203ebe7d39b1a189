//! What kind of file system a path is on, and whether locks on it reach other machines.

use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    GetDiskFreeSpaceExW, GetDriveTypeW, GetVolumeInformationW, GetVolumePathNameW,
};
use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

use super::spawn::wide;

pub use crate::platform::answers::FileSystem;

/// Room for the path of a volume.
const PATH_UNITS: usize = 1024;

/// Returns the file system a path is on, or will be: a path that does not exist yet is on that of
/// the nearest directory above it. `None` where nothing on the way can be looked up.
///
/// # Platforms
/// On Windows a share or a mapped drive of another machine is a network, whatever is behind it.
pub fn of(path: &Path) -> Option<FileSystem> {
    let mount_point = volume(path)?;
    Some(FileSystem {
        type_name: type_name(&mount_point).unwrap_or_default(),
        network: is_remote(&mount_point),
        mount_point,
        is_overlay: false,
    })
}

fn text(units: &[u16]) -> Option<String> {
    let end = units.iter().position(|unit| *unit == 0)?;
    (end > 0).then(|| String::from_utf16_lossy(&units[..end]))
}

/// Returns where the volume of a path is mounted, with a backslash at the end.
fn volume(path: &Path) -> Option<PathBuf> {
    let path = wide(&std::path::absolute(path).ok()?);
    let mut found = [0_u16; PATH_UNITS];
    let room = u32::try_from(PATH_UNITS).expect("a thousand");
    // SAFETY: the path ends with 0, the buffer is as long as is said.
    let told = unsafe { GetVolumePathNameW(path.as_ptr(), found.as_mut_ptr(), room) };
    text(&found).filter(|_| told != 0).map(PathBuf::from)
}

/// Returns what the file system is called: `NTFS`, `ReFS`, `FAT32`.
fn type_name(volume: &Path) -> Option<String> {
    let volume = wide(volume);
    let mut name = [0_u16; 64];
    let nothing = std::ptr::null_mut();
    // SAFETY: the path ends with 0; of what could be told only the name is wanted, into a buffer
    // as long as is said.
    let told = unsafe {
        GetVolumeInformationW(
            volume.as_ptr(),
            nothing,
            0,
            nothing.cast(),
            nothing.cast(),
            nothing.cast(),
            name.as_mut_ptr(),
            64,
        )
    };
    text(&name).filter(|_| told != 0)
}

fn is_remote(volume: &Path) -> bool {
    let volume = wide(volume);
    // SAFETY: the path ends with 0.
    unsafe { GetDriveTypeW(volume.as_ptr()) == DRIVE_REMOTE }
}

/// Returns the directories that overlay file systems lay over one another: Windows has none.
pub fn overlay_layers() -> Vec<PathBuf> {
    Vec::new()
}

/// Returns how much a user may still write where a path is, `None` if that cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let volume = wide(&volume(path)?);
    let mut free = 0;
    let nothing = std::ptr::null_mut();
    // SAFETY: the path ends with 0; the number is ours.
    let told = unsafe { GetDiskFreeSpaceExW(volume.as_ptr(), &raw mut free, nothing, nothing) };
    (told != 0).then_some(free)
}

/// Returns a name for the network file system a path is on; `None` for a local one.
pub fn network_name(path: &Path) -> Option<&'static str> {
    let volume = volume(path)?;
    is_remote(&volume).then_some("a network drive")
}
