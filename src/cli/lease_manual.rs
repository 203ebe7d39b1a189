//! The parts of the manual of `dbguard acquire` that are lists.

/// What it prints, form by form.
pub const PRINTED: &[(&str, &str)] = &[
    (
        "TOKEN",
        "The token alone, in one line. Commands join with DBGUARD_HELD=TOKEN, and `dbguard release \
         FILE --token TOKEN` ends it.",
    ),
    (
        "--export sh",
        "A line for eval that exports DBGUARD_HELD and DBGUARD_TOKEN. DBGUARD_HELD also keeps what \
         it had before.",
    ),
    (
        "--export github",
        "The token, and the two variables go to the file that GITHUB_ENV names, so that all steps \
         that follow in the job have them.",
    ),
    (
        "--json",
        "One document: schema, token, held (the value for DBGUARD_HELD), files, mode, pid (of the \
         process that keeps the locks), expires (or null).",
    ),
];
