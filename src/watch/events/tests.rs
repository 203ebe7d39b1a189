//! What is told of two looks, and that whoever only hears the events knows what the looks saw.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Event, Kind, events};
use crate::error::Party;
use crate::lock::{Claimant, Stage};
use crate::native::decode::Blocks;
use crate::watch::{NativeHold, Sample};

fn claimant(id: &str, stage: Stage) -> Claimant {
    Claimant {
        id: id.to_owned(),
        key: None,
        stage,
        since_ms: Some(1_000),
        acquired_ms: (stage != Stage::Waiting).then_some(4_000),
        cleared: Vec::new(),
        is_orphaned: false,
        party: Party { pid: 7, mode: "exclusive", ..Party::default() },
    }
}

fn at(at_ms: u64, claimants: Vec<Claimant>) -> Sample {
    Sample { path: "/d/a.db".into(), at_ms, claimants, ..Sample::default() }
}

fn told(before: Option<&Sample>, after: &Sample) -> Vec<(Kind, Option<u64>, Option<u64>)> {
    let events = events(before, after).into_iter();
    events.map(|event| (event.event, event.waited_ms, event.held_ms)).collect()
}

#[test]
fn a_wait_a_hold_and_a_release_are_told_with_their_times() {
    let nobody = at(0, Vec::new());
    let waits = at(2_000, vec![claimant("1", Stage::Waiting)]);
    let holds = at(5_000, vec![claimant("1", Stage::Holding)]);
    let free = at(9_000, Vec::new());
    assert_eq!(told(Some(&nobody), &waits), [(Kind::Waiting, None, None)]);
    assert_eq!(told(Some(&waits), &holds), [(Kind::Acquired, Some(3_000), None)]);
    assert_eq!(told(Some(&holds), &holds), []);
    assert_eq!(told(Some(&holds), &free), [(Kind::Released, None, Some(5_000))]);
    assert_eq!(told(Some(&waits), &free), [(Kind::GaveUp, Some(8_000), None)]);
}

#[test]
fn what_is_there_at_first_is_told_as_such() {
    let holds = at(5_000, vec![claimant("1", Stage::Holding)]);
    let first = events(None, &holds);
    assert_eq!(first[0].event, Kind::Watching);
    assert_eq!((first[0].state, first[1].event), (Some("held"), Kind::Acquired));
    assert!(first.iter().all(|event| event.initial));
}

/// A waiter who had the lock between two looks says so in his claim: he did not give up.
#[test]
fn a_grant_between_two_looks_is_told_if_its_waiter_was_seen() {
    let waits = at(2_000, vec![claimant("1", Stage::Waiting)]);
    let left = vec![Claimant { acquired_ms: Some(3_000), ..claimant("1", Stage::Waiting) }];
    let after = Sample { left, ..at(5_000, Vec::new()) };
    let expected = [(Kind::Acquired, Some(2_000), None), (Kind::Released, None, Some(2_000))];
    assert_eq!(told(Some(&waits), &after), expected);
}

#[test]
fn whose_claim_is_left_behind_is_dead_and_told_once() {
    let holds = at(5_000, vec![claimant("1", Stage::Holding)]);
    let dead = at(6_000, vec![claimant("1", Stage::Dead)]);
    assert_eq!(told(Some(&holds), &dead), [(Kind::Died, None, Some(2_000))]);
    assert_eq!(events(Some(&holds), &dead)[0].was, Some("holding"));
    assert_eq!(told(Some(&dead), &dead), []);
    assert_eq!(told(Some(&dead), &at(7_000, Vec::new())), []);
    let waits = at(5_000, vec![claimant("2", Stage::Waiting)]);
    let one = Claimant { acquired_ms: None, ..claimant("2", Stage::Dead) };
    let events = events(Some(&waits), &at(6_000, vec![one]));
    assert_eq!((events[0].event, events[0].was), (Kind::Died, Some("waiting")));
}

/// Who comes next clears the claim of a dead holder, often before anybody looks, and says so.
#[test]
fn a_holder_whose_claim_the_next_one_cleared_has_died() {
    let next = claimant("2", Stage::Waiting);
    let before = at(5_000, vec![claimant("1", Stage::Holding), next]);
    let cleared = vec!["1".to_owned()];
    let next = Claimant { cleared, ..claimant("2", Stage::Holding) };
    let told = told(Some(&before), &at(6_000, vec![next.clone()]));
    assert_eq!(told[0].0, Kind::Died);
    assert_eq!(told[1].0, Kind::Acquired);
    let gone = Sample { left: vec![next], ..at(6_000, Vec::new()) };
    assert_eq!(events(Some(&before), &gone)[0].event, Kind::Died);
}

#[test]
fn a_command_that_outlived_its_dbguard_has_not_released() {
    let orphan = Claimant { is_orphaned: true, ..claimant("1", Stage::Holding) };
    let before = at(5_000, vec![orphan]);
    assert_eq!(told(Some(&before), &at(6_000, Vec::new()))[0].0, Kind::Died);
}

#[test]
fn who_goes_on_from_the_whole_to_a_key_is_told_with_the_key_only() {
    let whole = at(5_000, vec![claimant("1", Stage::Holding)]);
    let keyed = Claimant { key: Some("k".to_owned()), ..claimant("1", Stage::Holding) };
    let events = events(Some(&whole), &at(6_000, vec![keyed]));
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].event, events[0].key.as_deref()), (Kind::Acquired, Some("k")));
}

fn lock(pid: u32, meaning: &'static str, blocks: Blocks) -> NativeHold {
    let party = Party { pid, ..Party::default() };
    NativeHold { party, meaning, blocks, ..NativeHold::default() }
}

fn natively(at_ms: u64, native: Vec<NativeHold>) -> Sample {
    Sample { native, ..at(at_ms, Vec::new()) }
}

#[test]
fn locks_of_the_engine_are_told_while_they_keep_somebody_out() {
    let idle = natively(1_000, vec![lock(7, "is connected", Blocks::None)]);
    let begun = NativeHold { seen_ms: Some(2_000), ..lock(7, "writes", Blocks::Writers) };
    let writes = natively(2_000, vec![begun]);
    let commits = natively(3_000, vec![lock(7, "commits", Blocks::All)]);
    assert_eq!(told(Some(&natively(0, vec![])), &idle), []);
    assert_eq!(told(Some(&idle), &writes), [(Kind::NativeLocked, None, None)]);
    assert_eq!(told(Some(&writes), &writes), []);
    assert_eq!(told(Some(&writes), &commits), [(Kind::NativeLocked, None, None)]);
    assert_eq!(told(Some(&commits), &idle), [(Kind::NativeReleased, None, None)]);
    let idle = natively(5_000, vec![]);
    assert_eq!(told(Some(&writes), &idle), [(Kind::NativeReleased, None, Some(3_000))]);
}

#[test]
fn a_line_is_one_object_with_the_names_that_are_promised() {
    let holds = at(5_000, vec![claimant("1", Stage::Holding)]);
    let line = events(Some(&at(0, Vec::new())), &holds)[0].line();
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(event["schema"], 1);
    assert_eq!(event["time"], "1970-01-01T00:00:05.000Z");
    assert_eq!(event["event"], "acquired");
    assert_eq!(event["pid"], 7);
    assert_eq!(event["for_ms"], 1_000);
    assert_eq!(event["key"], serde_json::Value::Null);
    assert!(!line.contains('\n') && !line.contains("meaning"), "{line}");
}

/// What somebody knows who hears the events only.
#[derive(Debug, Default, PartialEq)]
struct Heard(BTreeMap<(Option<String>, Option<String>), Stage>);

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Waiting), Just(Stage::Holding), Just(Stage::Dead)]
}

prop_compose! {
    fn anybody()(
        id in "[a-c]",
        key in proptest::option::of("k"),
        stage in stage(),
        since_ms in any::<Option<u64>>(),
        acquired_ms in any::<Option<u64>>(),
        cleared in proptest::collection::vec("[a-c]", 0..2),
        is_orphaned in any::<bool>(),
    ) -> Claimant {
        // The label carries the id, so that the events tell whose they are.
        let party = Party { label: Some(id.clone()), mode: "shared", ..Party::default() };
        Claimant { id, key, stage, since_ms, acquired_ms, cleared, is_orphaned, party }
    }
}

prop_compose! {
    fn look()(
        at_ms in any::<u64>(),
        mut claimants in proptest::collection::vec(anybody(), 0..5),
        left in proptest::collection::vec(anybody(), 0..3),
    ) -> Sample {
        let mut seen = std::collections::HashSet::new();
        claimants.retain(|one| seen.insert((one.id.clone(), one.key.clone())));
        Sample { left, ..at(at_ms, claimants) }
    }
}

impl Heard {
    fn hear(&mut self, event: &Event) {
        let label = event.party.as_ref().and_then(|party| party.label.clone());
        let who = (label, event.key.clone());
        match event.event {
            Kind::Waiting => {
                assert_ne!(self.0.insert(who, Stage::Waiting), Some(Stage::Holding), "{event:?}");
            }
            Kind::Acquired => {
                assert_ne!(self.0.insert(who, Stage::Holding), Some(Stage::Holding), "{event:?}");
            }
            Kind::Released => assert_eq!(self.0.remove(&who), Some(Stage::Holding), "{event:?}"),
            Kind::GaveUp => assert_eq!(self.0.remove(&who), Some(Stage::Waiting), "{event:?}"),
            // One may be dead when it is seen first.
            Kind::Died => drop(self.0.remove(&who)),
            _ => {}
        }
    }

    fn of(sample: &Sample) -> Self {
        let live = sample.claimants.iter().filter(|one| one.stage != Stage::Dead);
        Self(live.map(|one| ((Some(one.id.clone()), one.key.clone()), one.stage)).collect())
    }
}

proptest! {
    /// Whatever the looks saw, nobody releases what he does not have, and in the end those are
    /// known who are there; except who went on from the whole to a key of it.
    #[test]
    fn the_events_tell_what_the_looks_saw(looks in proptest::collection::vec(look(), 1..6)) {
        let mut heard = Heard::default();
        let mut before: Option<&Sample> = None;
        for look in &looks {
            events(before, look).iter().for_each(|event| heard.hear(event));
            let ids: Vec<_> = look.claimants.iter().map(|one| Some(one.id.clone())).collect();
            let seen = Heard::of(look);
            heard.0.retain(|who, _| seen.0.contains_key(who) || who.1.is_some() || !ids.contains(&who.0));
            prop_assert_eq!(&heard, &seen);
            before = Some(look);
        }
    }
}
