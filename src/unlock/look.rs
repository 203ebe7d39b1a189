//! Everybody who has a lock, as far as the kernel tells.

use std::path::{Path, PathBuf};

use super::{Grant, Holder, Obstacle, Role, Standing};
use crate::error::Party;
use crate::info::NativeLock;
use crate::lock::{self, Keeper, Kept, LockError, Resource};
use crate::native::decode::Blocks;
use crate::platform::held_locks::{HeldLock, NamedFile, locks_of_everybody, may_look_into};
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::portrait::portrait;
use crate::platform::{FileId, holders, host, process};
use crate::probe::{Wish, survey};

/// Which holders are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those of dbguard's own lock.
    Guard,
    /// Those of the engine's locks.
    Native,
    /// All of them.
    Any,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The database.
    pub resource: &'a Resource,
    /// How it is called in front of people.
    pub shown: &'a str,
    /// The part of it, if not all of it.
    pub key: Option<&'a str>,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<&'a Path>,
    /// Which holders are meant.
    pub side: Side,
}

/// Looks who has the locks. Changes nothing.
///
/// # Errors
/// The lock's directory may not be read, or the kernel's table of locks.
pub fn look(question: &Question<'_>) -> Result<Standing, LockError> {
    let mut standing = Standing::default();
    if question.side != Side::Native {
        standing.add_guard(question)?;
    }
    if question.side != Side::Guard {
        standing.add_native(question);
    }
    standing.find_runners();
    standing.sort_out();
    Ok(standing)
}

impl Standing {
    fn add_guard(&mut self, question: &Question<'_>) -> Result<(), LockError> {
        let kept = lock::keepers(question.resource, question.key)?;
        let files = kept.locks.iter().map(|lock| (&lock.path, lock.file));
        let claims = kept.keepers.iter().map(|keeper| (&keeper.path, keeper.file));
        let named: Vec<NamedFile<'_>> =
            files.chain(claims).map(|(path, file)| NamedFile { path, id: Some(file) }).collect();
        let rows = locks_of_everybody(&named).map_err(|source| LockError::Io {
            verb: "look who locks",
            path: question.resource.path.clone(),
            source,
        })?;
        let flocks = |row: &HeldLock| row.lock.kind == LockKind::Flock && !row.lock.waiting;
        let rows: Vec<HeldLock> = rows.into_iter().filter(flocks).collect();
        self.waiters = kept.waiters;
        let first_claim = kept.locks.len();
        for (index, keeper) in kept.keepers.iter().enumerate() {
            // A claim is locked exclusively: whoever shares it only looks whether it lives.
            let is_kept = |row: &&HeldLock| row.lock.mode == LockMode::Write;
            let of_it = rows.iter().filter(|row| row.file == first_claim + index).filter(is_kept);
            let mut pids: Vec<u32> = of_it.flat_map(|row| row.holders.iter().copied()).collect();
            // Where no locks are listed, who has one may show it himself.
            if pids.is_empty() && keeper.is_live && holders::holds(keeper.claimant, keeper.file) {
                pids.push(keeper.claimant);
            }
            self.add_claim(keeper, &pids);
        }
        let of_locks = rows.iter().filter(|row| row.file < first_claim);
        of_locks.for_each(|row| self.add_flock(row, &kept));
        if let Some(lock) = kept.locks.iter().find(|lock| lock.is_locked)
            && self.is_free()
        {
            self.refuse(Obstacle::Unseen(lock.path.to_string_lossy().into_owned()));
        }
        let claimants: Vec<(u32, Option<u64>)> =
            kept.keepers.iter().map(|keeper| (keeper.claimant, keeper.claimant_start)).collect();
        let pids: Vec<u32> = rows.iter().flat_map(|row| row.holders.iter().copied()).collect();
        self.veil(&pids, &claimants);
        Ok(())
    }

    /// Adds those who keep a claim.
    fn add_claim(&mut self, keeper: &Keeper, pids: &[u32]) {
        if keeper.has_other_names {
            self.refuse(Obstacle::Ambiguous(keeper.path.to_string_lossy().into_owned()));
        }
        if keeper.is_elsewhere {
            let container = pids.iter().find_map(|pid| container(*pid));
            return self.refuse(Obstacle::Elsewhere(keeper.party.clone(), container));
        }
        let command = keeper.command.map(|(pid, _)| pid);
        let proven = command.filter(|pid| pids.contains(pid) || is_proven(*pid, keeper, pids));
        if !keeper.is_live
            && proven.is_none()
            && let Some(pid) = command
        {
            return self.refuse(Obstacle::Unproven(party(pid, keeper.party.mode)));
        }
        let claimant = Some(keeper.claimant).filter(|pid| pids.contains(pid));
        let Some(holder) = proven.or(claimant).or(pids.first().copied()) else {
            return self.refuse(Obstacle::Unseen(keeper.path.to_string_lossy().into_owned()));
        };
        let grant = Grant(keeper.file, 0);
        let told = Party {
            child_pid: Some(holder).filter(|pid| *pid != keeper.party.pid),
            command: process::command_line(holder),
            user: process::user_of(holder).map(host::user_name),
            process_state: process::state(holder),
            ..keeper.party.clone()
        };
        self.add(holder, told, Role::Holder, grant);
        if let Some(runner) = claimant.filter(|pid| *pid != holder) {
            self.add(runner, party(runner, keeper.party.mode), Role::Runner, grant);
        }
        pids.iter()
            .for_each(|pid| self.add(*pid, party(*pid, keeper.party.mode), Role::Heir, grant));
    }

    /// Adds those who have the kernel's lock and no claim: users of flock(1), shells, heirs.
    fn add_flock(&mut self, row: &HeldLock, kept: &Kept) {
        let lock = &kept.locks[row.file];
        if lock.has_other_names {
            self.refuse(Obstacle::Ambiguous(lock.path.to_string_lossy().into_owned()));
        }
        let mode = match row.lock.mode {
            LockMode::Write => "exclusive",
            LockMode::Read if lock.may_be_shared => return,
            LockMode::Read => "shared",
        };
        if row.holders.is_empty() && self.obstacles.is_empty() {
            self.refuse(Obstacle::Unseen(lock.path.to_string_lossy().into_owned()));
        }
        // Whoever shares it with one who has a claim has it by that grant.
        let of = |pid: &u32| self.holders.iter().find(|one| one.pid == *pid).map(|one| one.grant);
        let known = row.holders.iter().find_map(of);
        let grant = known.unwrap_or(Grant(lock.file, row.lock.raw_pid));
        let taker = row.lock.pid().filter(|pid| row.holders.contains(pid));
        let first = taker.or(row.holders.first().copied()).filter(|_| known.is_none());
        first.iter().for_each(|pid| self.add(*pid, party(*pid, mode), Role::Holder, grant));
        row.holders.iter().for_each(|pid| self.add(*pid, party(*pid, mode), Role::Heir, grant));
    }

    /// Adds those whose locks of the engine keep others out.
    fn add_native(&mut self, question: &Question<'_>) {
        let wish = Wish { openers: false, key: question.key, lock_dir: question.lock_dir };
        let seen = survey(question.resource, question.shown, wish);
        self.unknown = seen.native.error;
        for lock in seen.native.locks.iter().filter(|lock| lock.blocks > Blocks::None) {
            let pid = lock.who.pid;
            if pid == 0 {
                self.refuse(Obstacle::Unseen(lock.file.clone()));
                continue;
            }
            let grant = Grant(FileId::default(), i64::from(pid));
            self.add(pid, lock.who.clone(), Role::Holder, grant);
            let known = self.holders.iter_mut().find(|one| one.pid == pid);
            known.into_iter().for_each(|one| one.engine = Some(lock.meaning));
            let heirs = heirs(lock);
            for heir in &heirs {
                self.add(*heir, party(*heir, lock.who.mode), Role::Heir, grant);
            }
            self.veil(&heirs, &[]);
        }
    }

    /// Notes those among the holders of flocks of whom only the number is on record: a lock that was
    /// inherited outlives the one who took it, or stays when he closes it. Who made a claim is known
    /// by his start as well.
    fn veil(&mut self, pids: &[u32], claimants: &[(u32, Option<u64>)]) {
        for holder in self.holders.iter_mut().filter(|one| pids.contains(&one.pid)) {
            let is_claimant = claimants.contains(&(holder.pid, Some(holder.start)));
            holder.is_veiled = !is_claimant && !may_look_into(holder.pid);
        }
    }

    fn refuse(&mut self, obstacle: Obstacle) {
        // A claim tells more of where somebody is than each of his processes.
        let is_elsewhere = |one: &Obstacle| matches!(one, Obstacle::Elsewhere(..));
        let is_known = is_elsewhere(&obstacle) && self.obstacles.iter().any(is_elsewhere);
        if !is_known && !self.obstacles.contains(&obstacle) {
            self.obstacles.push(obstacle);
        }
    }

    /// Adds a process, unless it is known or has ended.
    fn add(&mut self, pid: u32, party: Party, role: Role, grant: Grant) {
        if self.holders.iter().any(|one| one.pid == pid) {
            return;
        }
        let Some(stat) = process::stat(pid) else {
            if process::state(pid) != "gone" {
                self.refuse(Obstacle::Stranger(party));
            }
            return;
        };
        let is_stopped = process::state(pid) == "stopped";
        let (start, engine, runner) = (stat.start, None, None);
        let is_veiled = false;
        let holder =
            Holder { pid, start, party, role, engine, grant, runner, is_stopped, is_veiled };
        self.holders.push(holder);
    }

    /// Finds the dbguard that will tell each process to end: the one above it. Whoever has left its
    /// family, as daemons do, is not told; but he has the lock no more if that dbguard gives it back.
    fn find_runners(&mut self) {
        let is_runner = |one: &&Holder| one.role == Role::Runner;
        let of = |one: &Holder| (one.pid, one.grant);
        let runners: Vec<_> = self.holders.iter().filter(is_runner).map(of).collect();
        let is_one = |pid: &u32| runners.iter().any(|(runner, _)| runner == pid);
        for holder in &mut self.holders {
            let mut above = lock::ancestors(holder.pid).into_iter().map(|(pid, _)| pid);
            let of_grant = runners.iter().find(|(_, grant)| *grant == holder.grant);
            let of_grant = of_grant.map(|(pid, _)| *pid).filter(|_| holder.role == Role::Heir);
            holder.runner = above.find(is_one).or(of_grant);
        }
    }

    /// Notes those who must not be ended.
    fn sort_out(&mut self) {
        let me = std::process::id();
        let mut obstacles = Vec::new();
        for Holder { pid, party, .. } in self.holders.iter().filter(|one| one.pid != me) {
            let party = party.clone();
            if *pid == 1 {
                obstacles.push(Obstacle::First(party));
            } else if lock::own_ancestor(*pid) {
                obstacles.push(Obstacle::Asker(party));
            } else if portrait(*pid).is_some_and(|seen| seen.other_namespace == Some(true)) {
                obstacles.push(Obstacle::Elsewhere(party, container(*pid)));
            }
        }
        obstacles.into_iter().for_each(|obstacle| self.refuse(obstacle));
        if self.obstacles.is_empty() && self.holders.iter().any(|one| one.pid == me) {
            self.refuse(Obstacle::Ourselves);
        }
    }
}

/// Whether a command that has no descriptor of the lock is the one that a claim names: it was
/// started by the one who keeps the claim; or, if that one is dead, it belongs to the only user who
/// may write to the claim, so that nobody can aim at others.
fn is_proven(pid: u32, keeper: &Keeper, pids: &[u32]) -> bool {
    match keeper.is_live {
        true => {
            let above = lock::ancestors(pid);
            above.iter().any(|(pid, _)| *pid == keeper.claimant && pids.contains(pid))
        }
        false => keeper.only_writer.is_some() && process::user_of(pid) == keeper.only_writer,
    }
}

/// Returns those who share a lock of an engine by inheritance: record locks are never inherited.
fn heirs(lock: &NativeLock) -> Vec<u32> {
    let kind = match lock.kind {
        "flock" => LockKind::Flock,
        "ofd" => LockKind::Ofd,
        _ => return Vec::new(),
    };
    let path = PathBuf::from(&lock.file);
    // Who cannot be seen is met again as a survivor.
    let rows = locks_of_everybody(&[NamedFile::at(&path)]).unwrap_or_default();
    let same = rows.into_iter().filter(|row| row.lock.kind == kind && !row.lock.waiting);
    let shared = same.filter(|row| row.holders.contains(&lock.who.pid));
    shared.flat_map(|row| row.holders).collect()
}

fn container(pid: u32) -> Option<String> {
    let seen = portrait(pid).filter(|seen| seen.other_namespace == Some(true))?;
    seen.container.map(|one| format!("{} {}", one.engine, one.id))
}

fn party(pid: u32, mode: &'static str) -> Party {
    Party {
        pid,
        command: process::command_line(pid),
        user: process::user_of(pid).map(host::user_name),
        mode,
        for_ms: process::age(pid).and_then(|age| u64::try_from(age.as_millis()).ok()),
        process_state: process::state(pid),
        via: "kernel",
        ..Party::default()
    }
}
