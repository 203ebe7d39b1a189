//! Signals as events. All of them are sent to one thread, as `raise` does: other tests run beside.

use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::PATIENCE;
use crate::platform::signals::{
    self, Arrival, Origin, SIGUSR1, SIGUSR2, Shield, SignalMask, Sleeper, Watch,
};

/// What a signal does is the same for all threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_signal_is_fetched_once_and_time_runs_out_without_one() {
    let _alone = alone();
    let watch = Watch::new(&[SIGUSR1, SIGUSR2]);
    assert_eq!(watch.wait(Some(Duration::ZERO)), None);
    signals::raise(SIGUSR1);
    signals::raise(SIGUSR1);
    let arrival = Arrival { signal: SIGUSR1, origin: Origin::Process };
    assert_eq!(watch.wait(Some(PATIENCE)), Some(arrival));
    assert_eq!(watch.wait(Some(Duration::from_millis(1))), None);
    assert!(!arrival.is_wake());
}

#[test]
fn one_signal_is_taken_and_the_others_stay() {
    let _alone = alone();
    let watch = Watch::new(&[SIGUSR1, SIGUSR2]);
    assert!(!watch.try_take(SIGUSR2));
    signals::raise(SIGUSR1);
    signals::raise(SIGUSR2);
    assert!(watch.try_take(SIGUSR2));
    assert!(!watch.try_take(SIGUSR2));
    assert_eq!(watch.wait(None).map(|arrival| arrival.signal), Some(SIGUSR1));
}

#[test]
fn a_watch_within_another_one_fetches_and_leaves_it_as_it_was() {
    let _alone = alone();
    let outer = Watch::new(&[SIGUSR1]);
    {
        let inner = Watch::new(&[SIGUSR1]);
        signals::raise(SIGUSR1);
        assert!(inner.try_take(SIGUSR1));
    }
    assert!(!outer.try_take(SIGUSR1), "it was fetched");
    signals::raise(SIGUSR1);
    assert!(outer.try_take(SIGUSR1), "it is still held off");
}

#[test]
fn a_helper_is_woken_even_before_it_waits() {
    let _alone = alone();
    let shield = Shield::new();
    let mask: SignalMask = shield.mask_before();
    let (tell, told) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let helper = thread::spawn(move || {
        let watch = Watch::in_helper(&[SIGUSR1], mask);
        tell.send(Sleeper::current()).expect("somebody listens");
        gone.recv().expect("somebody says so");
        let woken = watch.wait(Some(PATIENCE));
        (woken, watch.wait(Some(Duration::ZERO)))
    });
    told.recv().expect("the thread begins").wake();
    go.send(()).expect("somebody listens");
    let (woken, then) = helper.join().expect("the thread ends");
    assert!(woken.is_some_and(Arrival::is_wake));
    assert_eq!(then, None);
}

#[test]
fn a_signal_to_nobody_is_told() {
    assert!(!signals::send(i32::MAX.unsigned_abs(), SIGUSR1));
    assert!(!signals::send(0, SIGUSR1), "not to our own group");
}
