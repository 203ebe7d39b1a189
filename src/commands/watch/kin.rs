//! The processes around the holder of a database, in words.

use crate::escape::harmless;
use crate::platform::{host, portrait::portrait, process};
use crate::report::duration;
use crate::watch::{Branch, family};

/// A line longer than this does not fit any window.
const LONGEST: usize = 300;

/// Returns one line for each ancestor of a process, itself, and each descendant.
pub(super) fn kin(pid: u32) -> Vec<String> {
    family(pid, &process::all()).into_iter().map(|branch| line(branch, pid)).collect()
}

fn line(Branch { pid, depth }: Branch, holder: u32) -> String {
    let mark = if pid == holder { "> " } else { "  " };
    let indent = " ".repeat(2 * depth.min(20));
    let Some(seen) = portrait(pid) else { return format!("{mark}{indent}{pid} is gone") };
    let command = seen.command_line.map(|words| words.join(" ")).unwrap_or(seen.name);
    let user = seen.user.map(host::user_name).unwrap_or_default();
    let facts = format!("{user}, {}, {}", seen.state, duration(seen.age));
    harmless(&format!("{mark}{indent}{pid} {command} ({facts})"), LONGEST)
}
