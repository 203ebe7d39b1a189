//! Records of the macOS kernel, as bytes: pure, so that they are tested wherever dbguard is built.
//!
//! The places are those of 64-bit processes in `bsd/sys/proc.h`, `bsd/sys/sysctl.h` and
//! `bsd/sys/proc_info.h` of xnu, which have been the same for all of them. Nothing here trusts the
//! bytes: what is too short or makes no sense is no record.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The size of `struct kinfo_proc`.
pub const PROCESS_BYTES: usize = 648;

/// The size of `struct vnode_fdinfowithpath`.
pub const OPEN_FILE_BYTES: usize = 1200;

/// The longest name of a process, `MAXCOMLEN`.
const NAME_BYTES: usize = 16;

/// A command line longer than this is cut: it is only shown.
const COMMAND_LINE_BYTES: usize = 4096;

const PATH_BYTES: usize = 1024;

/// What `struct kinfo_proc` says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// What it does.
    pub state: State,
    /// When it started, microseconds since 1970, as the clock was then.
    pub start: u64,
    /// The number of its effective user.
    pub user: u32,
    /// The device of its controlling terminal, if it has one.
    pub terminal: Option<i32>,
    /// Its name, cut at sixteen bytes.
    pub name: String,
}

/// The state of a process. Whether one that runs is asleep is not in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs or sleeps.
    Running,
    /// It is stopped.
    Stopped,
    /// It has ended, and nobody has waited for it.
    Zombie,
}

impl ProcessRecord {
    /// Reads one record.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let seconds = u64::try_from(i64::from_le_bytes(at(bytes, 0)?)).ok()?;
        let micros = u64::try_from(i32::from_le_bytes(at(bytes, 8)?)).ok()?;
        let [state] = at(bytes, 36)?;
        let name: [u8; NAME_BYTES] = at(bytes, 243)?;
        let terminal = i32::from_le_bytes(at(bytes, 572)?);
        Some(Self {
            pid: u32::try_from(i32::from_le_bytes(at(bytes, 40)?)).ok()?,
            parent: u32::try_from(i32::from_le_bytes(at(bytes, 560)?)).unwrap_or(0),
            state: match state {
                4 => State::Stopped,
                5 => State::Zombie,
                _ => State::Running,
            },
            start: seconds.checked_mul(1_000_000)?.checked_add(micros)?,
            user: u32::from_le_bytes(at(bytes, 420)?),
            terminal: (terminal != -1).then_some(terminal),
            name: String::from_utf8_lossy(until_nul(&name)).into_owned(),
        })
    }

    /// Reads a table of records.
    pub fn parse_all(table: &[u8]) -> Vec<Self> {
        table.chunks_exact(PROCESS_BYTES).filter_map(Self::parse).collect()
    }
}

/// What `struct vnode_fdinfowithpath` says of a descriptor that leads to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Whether it can write (`FWRITE`).
    pub writes: bool,
    /// Whether it has, or once had, a flock or an open-file-description lock (`FWASLOCKED`).
    pub was_locked: bool,
    /// The device, as `stat` gives it, in 32 bits.
    pub device: u32,
    /// The inode.
    pub inode: u64,
    /// How many names it has; 0 once it is unlinked.
    pub links: u16,
    /// The path it has, or had.
    pub path: PathBuf,
}

impl OpenFile {
    /// Reads a record.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        const FWRITE: u32 = 0x2;
        const FWASLOCKED: u32 = 0x4000;
        let flags = u32::from_le_bytes(at(bytes, 0)?);
        let path: [u8; PATH_BYTES] = at(bytes, 176)?;
        Some(Self {
            writes: flags & FWRITE != 0,
            was_locked: flags & FWASLOCKED != 0,
            device: u32::from_le_bytes(at(bytes, 24)?),
            links: u16::from_le_bytes(at(bytes, 30)?),
            inode: u64::from_le_bytes(at(bytes, 32)?),
            path: OsStr::from_bytes(until_nul(&path)).into(),
        })
    }
}

/// Reads what `KERN_PROCARGS2` tells: the number of arguments, the path of the program, zeros, and
/// then the arguments and the environment, each with a zero after it. `None` if there is none.
pub fn parse_arguments(bytes: &[u8]) -> Option<Vec<String>> {
    let count = usize::try_from(i32::from_le_bytes(at(bytes, 0)?)).ok()?;
    let after_count = bytes.get(4..)?;
    let program = after_count.iter().position(|byte| *byte == 0)?;
    let after_program = &after_count[program..];
    let first = after_program.iter().position(|byte| *byte != 0)?;
    let mut left = COMMAND_LINE_BYTES;
    let mut words = Vec::new();
    for word in after_program[first..].split(|byte| *byte == 0).take(count) {
        if left == 0 {
            break;
        }
        let word = &word[..word.len().min(left)];
        left -= word.len();
        words.push(String::from_utf8_lossy(word).into_owned());
    }
    words.first().is_some_and(|word| !word.is_empty()).then_some(words)
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
    bytes.get(place..place + N)?.try_into().ok()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{OPEN_FILE_BYTES, OpenFile, PROCESS_BYTES, ProcessRecord, State, parse_arguments};
    use proptest::prelude::{any, proptest};
    use std::path::PathBuf;

    fn process() -> Vec<u8> {
        let mut bytes = vec![0; PROCESS_BYTES];
        let mut put = |place: usize, value: &[u8]| {
            bytes[place..place + value.len()].copy_from_slice(value);
        };
        put(0, &1_700_000_000_i64.to_le_bytes());
        put(8, &250_000_i32.to_le_bytes());
        put(36, &[2]);
        put(40, &4711_i32.to_le_bytes());
        put(243, b"python3.12");
        put(420, &501_u32.to_le_bytes());
        put(560, &17_i32.to_le_bytes());
        put(572, &(-1_i32).to_le_bytes());
        bytes
    }

    #[test]
    fn a_process_is_read() {
        let record = ProcessRecord {
            pid: 4711,
            parent: 17,
            state: State::Running,
            start: 1_700_000_000_250_000,
            user: 501,
            terminal: None,
            name: "python3.12".into(),
        };
        assert_eq!(ProcessRecord::parse(&process()), Some(record.clone()));
        let mut stopped = process();
        stopped[36] = 4;
        stopped[572..576].copy_from_slice(&0x1000_0003_i32.to_le_bytes());
        let stopped_record =
            ProcessRecord { state: State::Stopped, terminal: Some(0x1000_0003), ..record };
        assert_eq!(
            ProcessRecord::parse_all(&[process(), stopped, vec![0; 100]].concat())[1],
            stopped_record
        );
        assert_eq!(ProcessRecord::parse(&process()[..570]), None);
    }

    #[test]
    fn an_open_file_is_read() {
        let mut bytes = vec![0; OPEN_FILE_BYTES];
        bytes[0..4].copy_from_slice(&0x4003_u32.to_le_bytes());
        bytes[24..28].copy_from_slice(&0x0100_0004_u32.to_le_bytes());
        bytes[30..32].copy_from_slice(&1_u16.to_le_bytes());
        bytes[32..40].copy_from_slice(&99_u64.to_le_bytes());
        bytes[176..182].copy_from_slice(b"/tmp/a");
        let path = PathBuf::from("/tmp/a");
        let file = OpenFile {
            writes: true,
            was_locked: true,
            device: 0x0100_0004,
            inode: 99,
            links: 1,
            path,
        };
        assert_eq!(OpenFile::parse(&bytes), Some(file));
        assert_eq!(OpenFile::parse(&bytes[..1199]), None);
    }

    #[test]
    fn the_arguments_end_where_the_environment_begins() {
        let bytes = |count: i32, rest: &[u8]| [&count.to_le_bytes()[..], rest].concat();
        let whole = bytes(3, b"/bin/sh\0\0\0\0sh\0-c\0a b\0HOME=/\0");
        assert_eq!(parse_arguments(&whole), Some(vec!["sh".into(), "-c".into(), "a b".into()]));
        assert_eq!(parse_arguments(&bytes(1, b"/bin/sh\0\0")), None);
        assert_eq!(parse_arguments(&bytes(-1, b"/bin/sh\0sh\0")), None);
        assert_eq!(parse_arguments(b"\x01"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            let _arguments = parse_arguments(&bytes);
            let _processes = ProcessRecord::parse_all(&bytes);
            let _process = ProcessRecord::parse(&bytes);
            let _file = OpenFile::parse(&bytes);
        }
    }
}
