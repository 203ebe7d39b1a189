//! What kind of file system a path is on, and whether locks on it reach other machines.
//!
//! From statfs(2). Opens nothing, so no lock of this process is lost, and decides nothing: what a
//! network means for a lock is for others to say.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use crate::platform::answers::FileSystem;

/// File systems whose locks may end at this machine, or be made elsewhere, and what people call
/// them. FUSE does not tell, and a virtual machine's folder is the host's as well.
const NETWORK: [(&str, &str); 12] = [
    ("nfs", "NFS"),
    ("smbfs", "SMB"),
    ("afpfs", "AFP"),
    ("webdav", "WebDAV"),
    ("ftp", "FTP"),
    ("macfuse", "FUSE"),
    ("osxfuse", "FUSE"),
    ("fusefs", "FUSE"),
    ("fuse-t", "FUSE"),
    ("virtio-fs", "a shared folder of a virtual machine"),
    ("AppleVirtIOFS", "a shared folder of a virtual machine"),
    ("vmhgfs", "a shared folder of a virtual machine"),
];

/// What a file system that is not local is called if its type is not known.
const SOME_NETWORK: &str = "a network file system";

/// `MNT_UNION` of `sys/mount.h`: a directory is laid over another.
const UNION: u32 = 0x20;

/// Returns the file system a path is on, or will be: a path that does not exist yet is on that of
/// the nearest directory above it.
///
/// `None` where nothing on the way can be looked up. Opens nothing; blocks where looking up the path
/// does, as on a server that does not answer.
///
/// # Platforms
/// The words are those of mount(8): `apfs`, `hfs`, `smbfs`. What is not marked as local is taken for
/// a network.
pub fn of(path: &Path) -> Option<FileSystem> {
    let nearest = |path: &Path| {
        // The directory of a bare name.
        rustix::fs::statfs(if path.as_os_str().is_empty() { Path::new(".") } else { path }).ok()
    };
    let facts = path.ancestors().find_map(nearest)?;
    let type_name = String::from_utf8_lossy(text(&facts.f_fstypename)).into_owned();
    let mount_point = PathBuf::from(OsStr::from_bytes(text(&facts.f_mntonname)));
    let network = name_of(&type_name, facts.f_flags).is_some();
    let is_overlay = facts.f_flags & UNION != 0;
    Some(FileSystem { type_name, network, mount_point, is_overlay })
}

/// Returns the directories that file systems lay over one another: none that is told.
pub fn overlay_layers() -> Vec<PathBuf> {
    Vec::new()
}

/// Returns how much a user may still write where a path is, `None` if that cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(path).ok()?;
    Some(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Returns the name of the network file system a path is on; `None` for a local one, or one
/// that cannot be asked.
pub fn network_name(path: &Path) -> Option<&'static str> {
    let facts = rustix::fs::statfs(path).ok()?;
    name_of(&String::from_utf8_lossy(text(&facts.f_fstypename)), facts.f_flags)
}

fn name_of(type_name: &str, flags: u32) -> Option<&'static str> {
    let is_local = flags & libc::MNT_LOCAL.cast_unsigned() != 0;
    let known = NETWORK.iter().find(|(word, _)| *word == type_name).map(|(_, name)| *name);
    known.or_else(|| (!is_local).then_some(SOME_NETWORK))
}

/// Returns the text in an array of characters, up to its zero.
fn text(characters: &[c_char]) -> &[u8] {
    // SAFETY: characters are bytes; the length is the same.
    let bytes = unsafe { &*(std::ptr::from_ref(characters) as *const [u8]) };
    CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes)
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_network_is_told_by_its_word_or_by_not_being_local() {
        let local = libc::MNT_LOCAL.cast_unsigned();
        assert_eq!(name_of("apfs", local), None);
        assert_eq!(name_of("smbfs", 0), Some("SMB"));
        assert_eq!(name_of("macfuse", local), Some("FUSE"));
        assert!(name_of("later", 0).is_some());
    }
}
