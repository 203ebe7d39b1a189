//! DuckDB's static constructors, kept off every start that does not use it.
//!
//! They cost a program's start about as much as everything else together. So the linker script
//! `src/platform/duckdb/constructors.ld`, which `build.rs` hands to the linker, collects those of
//! DuckDB and of the C++ library in a section of their own instead of the one that the C runtime
//! goes through before `main`. Where the script is not used (another system, another linker),
//! this section has only the placeholder below, and the constructors ran before `main` as usual.

use std::sync::Once;

/// A static constructor of a C++ program.
type Constructor = extern "C" fn();

/// Makes the section exist without the script, too.
#[used]
#[unsafe(link_section = "duckdb_constructors")]
static PLACEHOLDER: Constructor = nothing;

extern "C" fn nothing() {}

unsafe extern "C" {
    // The linker defines both for a section with a name like this.
    #[link_name = "__start_duckdb_constructors"]
    static START: Constructor;
    #[link_name = "__stop_duckdb_constructors"]
    static STOP: Constructor;
}

/// Runs the constructors, once in the life of the process.
pub(super) fn construct() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for constructor in constructors() {
            constructor();
        }
    });
}

/// Returns the constructors in their order.
fn constructors() -> &'static [Constructor] {
    let (start, stop) = (&raw const START, &raw const STOP);
    let count = (stop.addr() - start.addr()) / size_of::<Constructor>();
    // SAFETY: the two symbols are the ends of one section, which holds nothing but pointers to
    // constructors: those of C++ objects, which their compiler put there, and ours.
    unsafe { std::slice::from_raw_parts(start, count) }
}

#[cfg(test)]
mod tests {
    use super::constructors;

    /// `build.rs` tells whether it used the script. A linker that ignored it, or a name in it
    /// that no file has any more, would leave the placeholder alone.
    #[test]
    fn the_constructors_of_duckdb_are_collected() {
        let is_collected = option_env!("DUCKDB_CONSTRUCTORS") == Some("collected");
        assert_eq!(constructors().len() > 1, is_collected);
    }
}
