//! DuckDB's static constructors, where they run before `main` as those of any C++ program.

/// Runs the constructors: they have run.
pub(super) fn construct() {}
