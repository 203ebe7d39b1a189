//! How dbguard's own lock on a database stands, or on one key of it.

use crate::info::{Guard, Key};
use crate::lock::{self, LockError, Mode, Resource, View};

/// Looks at the lock of a resource, or of one key of it.
pub(super) fn guard(resource: &Resource, key: Option<&str>) -> Guard {
    let seen: Result<Option<View>, LockError> = lock::view(resource);
    match seen {
        Ok(None) => Guard { state: "free", ..Guard::default() },
        Err(error) => {
            Guard { state: "unknown", error: Some(error.to_string()), ..Guard::default() }
        }
        Ok(Some(view)) => told(match key {
            Some(key) => of_key(view, &lock::encode(key.as_bytes())),
            None => view,
        }),
    }
}

/// Returns what stands in the way of one key: those who have it, and whoever has the whole
/// database exclusively. Readers of the whole and users of other keys do not.
fn of_key(whole: View, name: &str) -> View {
    let mut view = View { stale: whole.stale, ..View::default() };
    view.lock_file = whole.lock_file.with_file_name("keys").join(name).join("lock");
    let in_the_way = |party: &crate::error::Party| party.mode == Mode::Exclusive.word();
    view.holders = whole.holders.into_iter().filter(in_the_way).collect();
    view.waiters = whole.waiters;
    let of_key = whole.keys.into_iter().find(|(other, _)| other == name);
    if let Some((_, of_key)) = of_key {
        view.holders.extend(of_key.holders);
        view.waiters.extend(of_key.waiters);
        for (waiter, position) in view.waiters.iter_mut().zip(1..) {
            waiter.position = Some(position);
        }
    }
    view
}

fn told(view: View) -> Guard {
    let key =
        |(key, view): (String, View)| Key { key, holders: view.holders, waiters: view.waiters };
    Guard {
        state: if view.holders.is_empty() { "free" } else { "held" },
        mode: lock::mode_of(&view.holders).map(Mode::word),
        lock_file: Some(view.lock_file.to_string_lossy().into_owned()),
        stale: view.stale.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        keys: view.keys.into_iter().map(key).collect(),
        holders: view.holders,
        waiters: view.waiters,
        error: None,
    }
}
