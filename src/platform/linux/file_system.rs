//! What kind of file system a path is on, and whether locks on it reach other machines.
//!
//! Two answers that need not agree: the magic number of statfs(2), which is there without `/proc`,
//! and the word in `/proc/self/mountinfo`, which tells sshfs from a portal where the number says
//! only FUSE. Opens nothing but `O_PATH` descriptors, so no lock of this process is lost, and
//! decides nothing: what a network means for a lock is for others to say.

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

pub use crate::platform::answers::FileSystem;

/// Magic numbers of file systems whose locks may end at this machine, or be made elsewhere
/// (`linux/magic.h` and the file systems' own headers).
const NETWORK: [(u64, &str); 14] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x786F_4256, "a VirtualBox shared folder"),
    (0x6B41_4653, "AFS"),
    (0x0116_1970, "GFS2"),
];

/// What mountinfo calls file systems whose locks may end at this machine, or be made elsewhere.
/// The likes of `fuse.sshfs` are known by their first half.
const NETWORK_WORDS: [&str; 23] = [
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "gfs2", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs",
    "vmhgfs", "wekafs",
];

/// The file systems that lay one directory over another. The same file below has another inode, so
/// locks taken there and here do not meet.
const OVERLAY_WORDS: [&str; 3] = ["overlay", "aufs", "fuse.fuse-overlayfs"];

/// A line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Major and minor number of the superblock's device, under which the kernel lists locks.
    pub(super) device: (u32, u32),
    mount_point: PathBuf,
    type_name: String,
}

/// Returns the file system a path is on, or will be: a path that does not exist yet is on that of
/// the nearest directory above it.
///
/// `None` where `/proc` cannot be read, or nothing on the way can be looked up. Opens nothing for
/// reading; blocks where looking up the path does, as on a server that does not answer.
pub fn of(path: &Path) -> Option<FileSystem> {
    let nearest = |path: &Path| {
        // The directory of a bare name.
        mount_of(if path.as_os_str().is_empty() { Path::new(".") } else { path })
    };
    let Mount { mount_point, type_name, .. } = path.ancestors().find_map(nearest)?;
    let is_overlay = OVERLAY_WORDS.contains(&type_name.as_str());
    let network = !is_overlay && is_network(&type_name);
    Some(FileSystem { type_name, network, mount_point, is_overlay })
}

/// Returns the directories that overlay file systems of any process lay over one another: what is in
/// them is the same file as above, with other locks (`upperdir` and `lowerdir` in mountinfo).
///
/// Only of processes that may be looked into, so only root knows them all.
pub fn overlay_layers() -> Vec<PathBuf> {
    let mut seen = std::collections::HashSet::new();
    let mut layers = Vec::new();
    for (pid, _) in super::process::all() {
        // One look at each mount namespace.
        let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/mnt")) else { continue };
        if !seen.insert(namespace) {
            continue;
        }
        let mounts = fs::read(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        layers.extend(mounts.split(|byte| *byte == b'\n').flat_map(layers_of));
    }
    layers.sort();
    layers.dedup();
    layers
}

/// Returns the layers in a line of mountinfo.
fn layers_of(line: &[u8]) -> Vec<PathBuf> {
    let is_overlay = words(line).skip_while(|word| *word != "-").nth(1) == Some("overlay");
    let options = line.split(|byte| *byte == b' ').next_back().filter(|_| is_overlay);
    let of = |option: &[u8]| -> Vec<PathBuf> {
        let value =
            ["upperdir=", "lowerdir="].iter().find_map(|name| option.strip_prefix(name.as_bytes()));
        let parts = value.unwrap_or_default().split(|byte| *byte == b':');
        parts.filter(|part| !part.is_empty()).map(unescape).collect()
    };
    options.into_iter().flat_map(|all| all.split(|byte| *byte == b',').flat_map(of)).collect()
}

/// Returns how much a user may still write where a path is, `None` if that cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(path).ok()?;
    Some(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Returns the mount that an existing path is on.
pub(super) fn mount_of(path: &Path) -> Option<Mount> {
    // An O_PATH descriptor opens nothing: closing it leaves this process's locks alone.
    let flags = OFlags::PATH.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let fdinfo = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let id = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()?;
    parse_mount(&fs::read("/proc/self/mountinfo").ok()?, id)
}

fn is_network(type_name: &str) -> bool {
    let (family, _) = type_name.split_once('.').unwrap_or((type_name, ""));
    NETWORK_WORDS.contains(&family)
}

/// Finds a mount by its number. The last line with that number wins, which is the mount on top.
///
/// A line is, by proc_pid_mountinfo(5), with any number of optional fields before the hyphen:
///
/// ```text
/// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
/// ```
fn parse_mount(mountinfo: &[u8], id: u64) -> Option<Mount> {
    let wanted = |line: &&[u8]| words(line).next().and_then(|word| word.parse().ok()) == Some(id);
    let line = mountinfo.rsplit(|byte| *byte == b'\n').find(wanted)?;
    let (major, minor) = words(line).nth(2)?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let mount_point = unescape(line.split(|byte| *byte == b' ').nth(4)?);
    let type_name = words(line).skip(6).skip_while(|word| *word != "-").nth(1)?.to_owned();
    Some(Mount { device, mount_point, type_name })
}

/// Returns the words of a line; one that is no text becomes a question mark.
fn words(line: &[u8]) -> impl Iterator<Item = &str> {
    line.split(|byte| *byte == b' ').map(|word| std::str::from_utf8(word).unwrap_or("?"))
}

/// Puts back the spaces, tabs, newlines and backslashes that the kernel wrote as `\040` and so on.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let code = (*first == b'\\').then(|| after.get(..3).and_then(octal)).flatten();
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Returns the name of the network file system a path is on; `None` for a local one, or one
/// that cannot be asked.
pub fn network_name(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type as u64 & 0xFFFF_FFFF;
    NETWORK.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::{Mount, is_network, network_name, of, parse_mount, unescape};
    use proptest::prelude::{any, proptest};
    use std::path::{Path, PathBuf};

    const MOUNTS: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        27 1 259:16 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
        28 27 0:30 / /srv/two\\040words rw - nfs4 server:/x rw\n\
        28 27 0:31 / /srv/on\\134top rw shared:2 master:3 - fuse.sshfs ana@host:/ rw\n\
        29 27 here / / rw - ext4 /dev/root rw\n\
        30 27 0:1 / /\nshort\n";

    #[test]
    fn the_process_table_is_not_on_a_network() {
        assert_eq!(network_name("/proc".as_ref()), None);
        let found = of(Path::new("/proc/self/stat")).expect("/proc is mounted");
        assert_eq!(
            (found.type_name.as_str(), found.network, found.is_overlay),
            ("proc", false, false)
        );
        assert_eq!(found.mount_point, Path::new("/proc"));
    }

    #[test]
    fn a_mount_is_read_and_the_one_on_top_wins() {
        let mount = |device, at: &str, type_name: &str| {
            Some(Mount { device, mount_point: at.into(), type_name: type_name.into() })
        };
        assert_eq!(parse_mount(MOUNTS, 27), mount((259, 16), "/", "ext4"));
        assert_eq!(parse_mount(MOUNTS, 28), mount((0, 31), "/srv/on\\top", "fuse.sshfs"));
        for absent in [29, 30, 31] {
            assert_eq!(parse_mount(MOUNTS, absent), None);
        }
    }

    #[test]
    fn names_are_unescaped_and_what_is_no_escape_is_kept() {
        assert_eq!(unescape(b"/two\\040words\\011\\134"), PathBuf::from("/two words\t\\"));
        assert_eq!(unescape(b"\\999\\04"), PathBuf::from("\\999\\04"));
    }

    #[test]
    fn a_network_is_told_by_its_word() {
        for word in ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "virtiofs", "ceph"]
        {
            assert!(is_network(word), "{word}");
        }
        for word in ["ext4", "btrfs", "tmpfs", "overlay", "fuseblk", "nfsd", "", "."] {
            assert!(!is_network(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), id: u8) {
            let _mount = parse_mount(&bytes, u64::from(id));
            let _name = unescape(&bytes);
        }

        #[test]
        fn no_damaged_table_panics(cut in 0..MOUNTS.len(), junk in any::<u8>(), id in 20u64..32) {
            let mut text = MOUNTS.to_vec();
            text[cut] = junk;
            let _mount = parse_mount(&text, id);
            let _mount = parse_mount(&text[..cut], id);
        }
    }
}
