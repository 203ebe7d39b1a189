//! What kind of file system a path is on.

use std::path::Path;

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

/// Returns the name of the network file system a path is on; `None` for a local one, or one
/// that cannot be asked.
pub fn network_name(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type as u64 & 0xFFFF_FFFF;
    NETWORK.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::network_name;

    #[test]
    fn the_process_table_is_not_on_a_network() {
        assert_eq!(network_name("/proc".as_ref()), None);
    }
}
