//! The part of the page about `dbguard update` that is a list.

/// What an update promises, and what it does not.
pub const PROMISES: &[(&str, &str)] = &[
    (
        "No update is lost",
        "among those who use `dbguard update`, or any other verb, for the file. Who writes to it \
         without dbguard while COMMAND runs is noticed: then nothing is replaced, and the exit \
         status is 74. In the moment of the rename it goes unnoticed.",
    ),
    (
        "Whole or not at all",
        "Whatever crashes, FILE has its old content or its new one, also after a power failure on \
         a file system that keeps what it is told to. With --batch that holds for each file by \
         itself: a crash in the moment of the renames can leave some of them new and some old.",
    ),
    (
        "Kept",
        "Mode, owner and group, and extended attributes with access control lists, as far as the \
         system permits; a warning tells what could not be kept. If the group cannot be kept, it \
         gets no more permissions than everybody. Flags of chattr(1) are not kept.",
    ),
    (
        "Complete",
        "The output is complete when everything that COMMAND started has closed it. An output that \
         cannot be written (a full disk) replaces nothing, whatever COMMAND makes of it.",
    ),
    (
        "Left over",
        "A temporary file is called .dbguard-update- and six letters. SIGKILL or a power failure \
         can leave one beside FILE; it is in nobody's way and can be removed when no update runs.",
    ),
];
