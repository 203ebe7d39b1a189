//! DuckDB's static constructors, where nothing keeps them off the start of the program: they ran
//! before `main`.

/// Runs the constructors: nothing is left to do.
pub(super) fn construct() {}
