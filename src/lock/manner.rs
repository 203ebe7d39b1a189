//! What the files of the state are like: whose, and who may open them.

use std::io;

use super::resource::Resource;
use crate::platform::{self, Dir, Facts, host};

/// Permissions and owner of what is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) file: u32,
    pub(super) dir: u32,
    /// Set only for root, whose state belongs to the database's owner.
    pub(super) owner: Option<(u32, u32)>,
    /// Users whose directories are trusted, besides root and us.
    trusted: [u32; 2],
}

impl Manner {
    pub(super) fn of(resource: &Resource, parent: &Dir) -> io::Result<Self> {
        Self::like(resource.facts, parent)
    }

    /// Like a database, or like the directory it would be in.
    pub(super) fn like(database: Option<Facts>, parent: &Dir) -> io::Result<Self> {
        let parent = parent.facts()?;
        let like = database.unwrap_or(parent);
        let file = if like.directory { parent.mode & 0o666 } else { like.mode & 0o666 };
        let owner = (host::user() == 0).then_some((like.user, like.group));
        Ok(Self { file, dir: parent.mode, owner, trusted: [like.user, parent.user] })
    }

    pub(super) fn trusts(&self, user: u32) -> bool {
        user == 0 || user == host::user() || self.trusted.contains(&user)
    }
}

/// Keeps the state out of everybody's repositories. Only a comfort, so failing is silent.
pub(super) fn ignore_in_git(state: &Dir, manner: &Manner) {
    use std::io::Write;
    if let Ok(mut file) = state.make_file(".gitignore", manner.file) {
        drop(file.write_all(b"*\n"));
        drop(platform::own(&file, manner.file, manner.owner));
    }
}
