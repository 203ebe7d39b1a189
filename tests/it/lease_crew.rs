//! A lock that `dbguard acquire` took, for the tests of it.

use serde_json::Value;

use crate::process::{lives_since, signal_while, until};
use crate::scene::{Run, Scene};
use crate::system::Signal;
pub use crate::system::start_of;

/// A lock that `dbguard acquire` took; its keeper goes with the value.
pub struct Lease {
    /// Where it is.
    pub scene: Scene,
    /// What ends it.
    pub token: String,
    /// What commands join it by.
    pub held: String,
    /// The process that keeps it.
    pub keeper: u32,
    /// When that one started; nothing if its time was up before these tests looked.
    pub start: Option<u64>,
}

impl Lease {
    /// Acquires with these words.
    #[track_caller]
    pub fn take(scene: &Scene, words: &[&str]) -> Self {
        let ended = scene.dbguard(["acquire", "--json"]).words(words).run().expect(0).silent();
        let document: Value = serde_json::from_str(&ended.stdout).expect("a document");
        let text = |name: &str| document[name].as_str().expect("a text").to_owned();
        let keeper = document["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let keeper = keeper.expect("a process");
        let start = start_of(keeper);
        assert!(start.is_some() || words.contains(&"--ttl"), "it keeps the lock");
        Self { scene: scene.clone(), token: text("token"), held: text("held"), keeper, start }
    }

    /// Prepares a call that joins the lock.
    pub fn step<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Run {
        self.scene.dbguard(words).env("DBGUARD_HELD", &self.held)
    }

    /// Prepares the release.
    pub fn release(&self) -> Run {
        self.scene.dbguard(["release", "a.db", "--token", &self.token])
    }

    /// Sends a signal to the keeper.
    pub fn signal(&self, signal: Signal) {
        assert!(signal_while(self.keeper, || lives_since(self.keeper, self.start), signal));
    }

    /// Waits until the keeper has ended.
    pub fn until_ended(&self) {
        until("the keeper ends", || !lives_since(self.keeper, self.start));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        signal_while(self.keeper, || lives_since(self.keeper, self.start), Signal::KILL);
    }
}

/// Asks for the lock without waiting.
pub fn try_lock(scene: &Scene) -> Run {
    scene.dbguard(["exec", "-n", "a.db", "--", "true"])
}
