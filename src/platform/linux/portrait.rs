//! One process as people want to know it: who it is, since when, from where, at what cost.
//!
//! A few small files of one process are read and no others: `stat`, `status`, `cmdline`, `cgroup`
//! and four links. That is why the sysinfo crate is not used: these thirty lines of parsing answer
//! for one process without a walk over all of `/proc`, keep what cannot be read apart from what is
//! empty, and know of controlling terminals and PID namespaces, which that crate does not.
//!
//! Every text comes from the process itself and is as hostile as it likes: nothing here panics,
//! sizes are capped, and nothing is made fit for a terminal. Knows nothing of locks.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::openers::without_deleted;
use super::process;
use crate::platform::answers::state_word;

pub use crate::platform::answers::{Ancestor, Container, Executable, Portrait};

/// More than the fields of `stat` that are read ever take.
const STAT_BYTES: usize = 1024;

/// Room for `status` with a thousand groups, and for any sane `cgroup`.
const TEXT_BYTES: usize = 16 * 1024;

/// The kernel cuts the name of a process at this length (`TASK_COMM_LEN` less its final 0).
const NAME_BYTES: usize = 15;

/// How many ancestors are told at most; nobody reads more.
const MOST_ANCESTORS: usize = 20;

/// The digits that people know a container by.
const SHORT_ID_DIGITS: usize = 12;

/// Returns what is known of a process, `None` if there is none, it is hidden, or it ends meanwhile.
///
/// Does not block, unless the process keeps its own memory map locked (the command line).
///
/// # Platforms
///
/// Of other users' processes an ordinary user sees neither the executable nor the directory, and
/// with `hidepid` nothing at all.
pub fn portrait(pid: u32) -> Option<Portrait> {
    let stat = Stat::of(pid)?;
    let status = Status::of(pid);
    let executable = executable(pid);
    let age = process::since(stat.start_ticks);
    let portrait = Portrait {
        pid,
        parent: stat.parent,
        name: full_name(&stat.name, executable.as_ref()),
        command_line: process::command_line(pid),
        user: status.user,
        started: SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
        age,
        state: state_word(stat.state),
        terminal: terminal_name(stat.terminal),
        orphaned: stat.parent == 1,
        executable,
        other_namespace: is_in_other_namespace(pid, &status.namespace_pids),
        namespace_pids: status.namespace_pids,
        container: read(pid, "cgroup", TEXT_BYTES).and_then(|text| parse_container(&text)),
        resident_bytes: status.resident_bytes,
        cpu_time: process::ticks(stat.cpu_ticks),
        directory: fs::read_link(format!("/proc/{pid}/cwd")).ok(),
    };
    // Otherwise the number was given to another process in between.
    (process::start_time(pid) == Some(stat.start_ticks)).then_some(portrait)
}

/// Returns the ancestors of a process, nearest first, up to process 1 or the beginning of this PID
/// namespace, and at most twenty.
///
/// Empty if there is no such process. Processes that end meanwhile end the list.
pub fn ancestry(pid: u32) -> Vec<Ancestor> {
    let mut ancestors: Vec<Ancestor> = Vec::new();
    let Some(mut child) = Stat::of(pid) else { return ancestors };
    while ancestors.len() < MOST_ANCESTORS && child.parent != 0 {
        let pid = child.parent;
        let Some(stat) = Stat::of(pid) else { break };
        // A parent is older than its child; otherwise its number has been given away. That also
        // ends most loops, which only numbers given away could make.
        if stat.start_ticks > child.start_ticks || ancestors.iter().any(|one| one.pid == pid) {
            break;
        }
        let executable = executable(pid);
        let name = full_name(&stat.name, executable.as_ref());
        let executable = executable.as_ref().and_then(file_name);
        ancestors.push(Ancestor { pid, name, executable });
        child = stat;
    }
    ancestors
}

/// The fields of `/proc/<pid>/stat` that a portrait shows.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: char,
    parent: u32,
    terminal: u32,
    cpu_ticks: u64,
    start_ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let mut line = [0; STAT_BYTES];
        Self::parse(process::read_once(&format!("/proc/{pid}/stat"), &mut line)?)
    }

    /// Parses a line. The numbers in the comments are those of proc_pid_stat(5).
    fn parse(line: &[u8]) -> Option<Self> {
        let (name, mut fields) = process::split_stat(line)?;
        let state = fields.next()?.chars().next()?; // 3
        let parent = fields.next()?.parse().ok()?; // 4
        let terminal: i32 = fields.nth(2)?.parse().ok()?; // 7
        let user_ticks: u64 = fields.nth(6)?.parse().ok()?; // 14
        let system_ticks = fields.next()?.parse().ok()?; // 15
        let start_ticks = fields.nth(6)?.parse().ok()?; // 22
        Some(Self {
            name: String::from_utf8_lossy(name).into_owned(),
            state,
            parent,
            terminal: terminal.cast_unsigned(),
            cpu_ticks: user_ticks.saturating_add(system_ticks),
            start_ticks,
        })
    }
}

/// The fields of `/proc/<pid>/status` that a portrait shows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    user: Option<u32>,
    namespace_pids: Vec<u32>,
    resident_bytes: u64,
}

impl Status {
    fn of(pid: u32) -> Self {
        read(pid, "status", TEXT_BYTES).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let words = |label| {
            let line = text.lines().find_map(|line| line.strip_prefix(label));
            line.unwrap_or_default().split_ascii_whitespace()
        };
        // Real, effective, saved, file system.
        let user = words("Uid:").nth(1).and_then(|word| word.parse().ok());
        let namespace_pids = words("NSpid:").map_while(|word| word.parse().ok()).collect();
        let kibibytes: Option<u64> = words("VmRSS:").next().and_then(|word| word.parse().ok());
        let resident_bytes = kibibytes.unwrap_or(0).saturating_mul(1024);
        Self { user, namespace_pids, resident_bytes }
    }
}

/// Returns the number of a process in each PID namespace from that of `/proc` inwards, `None` if it
/// is gone or hidden.
pub fn namespace_pids(pid: u32) -> Option<Vec<u32>> {
    Some(Status::of(pid).namespace_pids).filter(|pids| !pids.is_empty())
}

/// Reads the beginning of a text about a process.
fn read(pid: u32, name: &str, most_bytes: usize) -> Option<String> {
    let mut text = vec![0; most_bytes];
    let text = process::read_once(&format!("/proc/{pid}/{name}"), &mut text)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Returns the program of a process. One whose name truly ends in `(deleted)` is misjudged; to
/// look closer could wait for a network file system.
fn executable(pid: u32) -> Option<Executable> {
    let link = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let former = without_deleted(&link).map(Path::to_owned);
    Some(Executable { deleted: former.is_some(), path: former.unwrap_or(link) })
}

fn file_name(executable: &Executable) -> Option<String> {
    Some(executable.path.file_name()?.to_string_lossy().into_owned())
}

/// Returns the name of the executable where the kernel's is its beginning, cut off.
fn full_name(name: &str, executable: Option<&Executable>) -> String {
    let whole = executable.and_then(file_name);
    let is_cut = |whole: &String| name.len() >= NAME_BYTES && whole.starts_with(name);
    whole.filter(is_cut).unwrap_or_else(|| name.to_owned())
}

/// Returns the name of a terminal by its device number, `None` for 0.
fn terminal_name(device: u32) -> Option<String> {
    if device == 0 {
        return None;
    }
    // The numbers are packed as the kernel's `new_encode_dev` does; 136 and the seven after it are
    // the pseudo terminals (`Documentation/admin-guide/devices.txt`).
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    if let Some(part @ 0..8) = major.checked_sub(136) {
        return Some(format!("pts/{}", part * 256 + minor));
    }
    let link = fs::read_link(format!("/sys/dev/char/{major}:{minor}")).ok();
    let name = link.as_deref().and_then(Path::file_name);
    Some(
        name.map_or_else(|| format!("{major}:{minor}"), |name| name.to_string_lossy().into_owned()),
    )
}

/// Tells whether a process is in another PID namespace, by the link that only its user may read, or
/// else by the numbers it has, which everybody may.
fn is_in_other_namespace(pid: u32, namespace_pids: &[u32]) -> Option<bool> {
    if let Ok(theirs) = fs::read_link(format!("/proc/{pid}/ns/pid")) {
        return Some(theirs != fs::read_link("/proc/self/ns/pid").ok()?);
    }
    match (namespace_pids.len(), Status::of(std::process::id()).namespace_pids.len()) {
        (0, _) | (_, 0) => None,
        // Both are in the namespace of this `/proc`.
        (1, 1) => Some(false),
        // As deep as we are, and perhaps elsewhere.
        (theirs, ours) if theirs == ours => None,
        _ => Some(true),
    }
}

/// Finds a container in the text of `/proc/<pid>/cgroup`: lines like
///
/// ```text
/// 0::/system.slice/docker-<64 hexadecimal digits>.scope
/// 5:memory:/kubepods/besteffort/pod<...>/<64 hexadecimal digits>
/// ```
///
/// The innermost container wins.
fn parse_container(text: &str) -> Option<Container> {
    text.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let id = path.rsplit('/').find_map(container_id)?;
        let engine = match path {
            _ if path.contains("kubepods") => "kubernetes",
            _ if path.contains("libpod") => "podman",
            _ if path.contains("docker") => "docker",
            _ => "container",
        };
        Some(Container { engine, id: id.get(..SHORT_ID_DIGITS)?.to_owned() })
    })
}

/// Returns the id in `docker-<id>.scope`, `crio-<id>`, `...:cri-containerd:<id>` or `<id>`.
fn container_id(part: &str) -> Option<&str> {
    let id = part.strip_suffix(".scope").unwrap_or(part).rsplit(['-', ':']).next()?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests;
