//! Hands the linker a script that keeps DuckDB's static constructors off the start of the program
//! (`src/platform/duckdb/startup.rs`), where that is known to work.

use std::env;

const SCRIPT: &str = "src/platform/duckdb/constructors.ld";

fn main() {
    println!("cargo::rerun-if-changed={SCRIPT}");
    if env::var_os("CARGO_FEATURE_DUCKDB").is_some() && is_linker_known() {
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo::rustc-link-arg=-Wl,-T,{root}/{SCRIPT}");
        println!("cargo::rustc-env=DUCKDB_CONSTRUCTORS=collected");
    }
}

/// Whether the linker is one that reads such scripts: what rustc and the C compiler use on Linux
/// unless they are told otherwise. Some of the others fail on a script.
fn is_linker_known() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_chosen = flags.contains("fuse-ld=") || flags.contains("linker=");
    is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && !is_chosen
}
