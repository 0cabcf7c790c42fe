//! The worker's decisions, free of clocks, disks and sockets.
//!
//! A [`Worker`] takes what happened and the time, and answers with what is to be done. Its shell connects, starts
//! processes, keeps files and reads the clock. Sessions are `link.rs`, attempts are `attempts.rs`, saving the state of an
//! attempt that runs is `standstill.rs`.

mod attempts;
pub mod backoff;
mod link;
mod note;
mod outbox;
mod slots;
mod standstill;

pub use note::{Note, Stop};
pub use outbox::{LOG_FIRST_MAX, LogCursor, TRAIL_MAX};
pub use slots::{Found, Held, Reason, can_save};

use backoff::Backoff;
use link::Link;
use outbox::Outbox;
use shared::hardware::{Inventory, Load};
use shared::id::{Attempt, BootNonce, ClusterId, Digest, Epoch, WorkerId};
use shared::outcome::{Outcome, TestResult};
use shared::planted;
use shared::protocol::{CheckpointRef, Envelope, FromCoordinator, FromWorker, Start};
use shared::time::Time;
use slots::Slots;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an attempt that is ended by this worker itself may take to end, before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long a daemon that was told to stop waits for its last results to be acknowledged.
pub const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Results of tests kept of one attempt, to be told again after a reconnect; a chunk has fewer.
pub const TESTS_KEPT_MAX: usize = 100_000;

/// Who this worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its work directory's identity.
    pub worker: WorkerId,
    /// What people call it.
    pub name: String,
    /// This life of the daemon.
    pub boot: BootNonce,
    /// The cluster it has joined, if it has joined one.
    pub cluster: Option<ClusterId>,
    /// The highest epoch it has obeyed.
    pub epoch_seen: Epoch,
    /// Its version, for people.
    pub version: String,
}

/// What arrives.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The socket is open.
    Connected,
    /// It is closed, or could not be opened.
    Disconnected,
    /// A frame arrived.
    Received(Envelope<FromCoordinator>),
    /// The proof that was asked for; absent without a token.
    Proven {
        /// The code over the challenge.
        mac: Option<Digest>,
    },
    /// How busy the machine is.
    Measured(Load),
    /// The process of an attempt runs.
    Started {
        /// Which.
        attempt: Attempt,
    },
    /// Tests of an attempt have ended.
    Tests {
        /// Which attempt.
        attempt: Attempt,
        /// Their results.
        results: Vec<TestResult>,
    },
    /// An attempt printed something.
    OutputGrew {
        /// Which.
        attempt: Attempt,
        /// Bytes it has printed and that can be read.
        total: u64,
    },
    /// Output was handed to the session, or could not be read.
    LogSent {
        /// Of which attempt.
        attempt: Attempt,
        /// The first byte not handed over: later than what was asked for where a gap was skipped.
        until: u64,
    },
    /// An attempt that was told to save its state has stopped.
    Stopped {
        /// Which.
        attempt: Attempt,
        /// Whether it said that its state is saved; else it was ended by the order, and begins again from what there is.
        is_saved: bool,
    },
    /// The state of an attempt is with the coordinator, or cannot be brought there, and why.
    Stored {
        /// Of which attempt.
        attempt: Attempt,
        /// The state.
        state: Result<CheckpointRef, String>,
    },
    /// An attempt has ended, and that it did is on the disk.
    Ended {
        /// Which.
        attempt: Attempt,
        /// How, as its exit tells it.
        outcome: Outcome,
        /// Bytes of output that can be read.
        log_bytes: u64,
        /// Whether all its processes are gone.
        is_clean: bool,
        /// Why it was ended, where it did not end by itself.
        by: Option<Reason>,
    },
    /// The daemon was told to stop.
    ShutDown,
    /// The time of [`Worker::next_wakeup`] has come.
    Woke,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open a socket to the coordinator.
    Connect,
    /// Close it.
    Close,
    /// Answer a challenge: `Proven`.
    Prove {
        /// What to prove over.
        nonce: BootNonce,
        /// And in which epoch.
        epoch: Epoch,
    },
    /// Make durable which cluster and epoch are obeyed, before anything else is done: where they are not yet, and where that
    /// fails, `Disconnected`.
    Pin {
        /// The cluster.
        cluster: ClusterId,
        /// The highest epoch obeyed.
        epoch: Epoch,
    },
    /// Say this. `Log` and `Finished` keep their order in the bulk lane; the control lane goes before it.
    Send(FromWorker),
    /// Say output of this attempt, in the bulk lane, then `LogSent`.
    SendLog {
        /// Which attempt.
        attempt: Attempt,
        /// From where.
        from: u64,
        /// Not more than this.
        bytes_max: u64,
    },
    /// Attempts may run until then, whatever becomes of this daemon; replaces what was said before.
    Lease {
        /// Until when.
        until: Time,
    },
    /// Fetch the files of an attempt and start it.
    Run(Start),
    /// Tell an attempt to save its state and stop: `Stopped`, or `Ended` where it ended otherwise.
    Save {
        /// Which.
        attempt: Attempt,
        /// Until when that is wanted.
        until: Time,
    },
    /// Bring the state that an attempt has saved to the coordinator: `Stored`.
    Store {
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Start an attempt again that has stopped, from its state; one that was told to save and has not stopped goes on.
    Resume {
        /// Which.
        attempt: Attempt,
    },
    /// End an attempt: SIGTERM, and after `grace` SIGKILL to everything. A shorter grace may follow a longer one.
    End {
        /// Which.
        attempt: Attempt,
        /// How long it may take to end by itself.
        grace: Duration,
        /// Why, to be told with its end, also to a later life of this daemon.
        reason: Reason,
    },
    /// The end of an attempt is known where it counts: remove it from the disk.
    Forget {
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Remove the folder of an attempt, its output included.
    Discard {
        /// Which.
        attempt: Attempt,
    },
    /// Write this into the daemon's log.
    Note(Note),
    /// End the daemon.
    Stop(Stop),
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    identity: Identity,
    machine: Inventory,
    link: Link,
    backoff: Backoff,
    slots: Slots,
    outbox: Outbox,
    load: Load,
    /// Until when its attempts may run without another acknowledged heartbeat.
    lease_until: Option<Time>,
    /// Set once it was told to stop: until when it waits for acknowledgements, once its attempts have ended.
    leaving: Option<Leaving>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Ending,
    Flushing { until: Time },
    Gone,
}

impl Worker {
    /// A worker that has not connected yet; its first wakeup is at once. It goes on with what `held` says an earlier life
    /// left; what of it has stopped or ended is told by an event. `seed` decides its waits between reconnects.
    pub fn new(identity: Identity, machine: Inventory, held: Vec<Held>, seed: u64) -> Self {
        Self {
            identity,
            machine,
            link: Link::Down { retry_at: Time::ZERO },
            backoff: Backoff::new(seed),
            slots: Slots::new(held),
            outbox: Outbox::default(),
            load: Load::default(),
            lease_until: None,
            leaving: None,
        }
    }

    /// Takes what happened at `now` and adds what is to be done to `effects`.
    pub fn step(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        // A machine that was asleep learns of it here: what is overdue comes before what has just arrived.
        self.due(now, effects);
        match event {
            Event::Connected => self.connected(now, effects),
            Event::Disconnected => self.disconnected(now),
            Event::Received(envelope) => self.received(now, envelope, effects),
            Event::Proven { mac } => self.proven(now, mac, effects),
            Event::Measured(load) => self.load = load,
            Event::Started { attempt } => self.started(now, attempt, effects),
            Event::Tests { attempt, results } => self.tests(attempt, results, effects),
            Event::OutputGrew { attempt, total } => self.output_grew(now, attempt, total),
            Event::LogSent { attempt, until } => self.log_sent(attempt, until),
            Event::Stopped { attempt, is_saved } => self.stopped(now, attempt, is_saved, effects),
            Event::Stored { attempt, state } => self.stored(now, attempt, state, effects),
            Event::Ended { attempt, outcome, log_bytes, is_clean, by } => {
                let slot = self.slots.remove(attempt);
                if let Some(slot) = slot {
                    let outcome = slot.judge(outcome, is_clean, by);
                    self.ended(now, attempt, slot, outcome, log_bytes, effects);
                }
            }
            Event::ShutDown => self.shut_down(now, effects),
            Event::Woke => {}
        }
        self.tell(now, effects);
        self.leave_when_done(now, effects);
    }

    /// When [`Event::Woke`] is due.
    pub fn next_wakeup(&self) -> Option<Time> {
        let lease = self.lease_until.filter(|_| !self.slots.is_empty());
        let flush = match self.leaving {
            Some(Leaving::Flushing { until }) => Some(until),
            Some(Leaving::Ending | Leaving::Gone) | None => None,
        };
        // A daemon that has said its last word must not be woken for reconnecting.
        let link = if self.leaving == Some(Leaving::Gone) { None } else { self.link.next_wakeup() };
        let outbox = self.outbox.next_wakeup();
        [link, lease, flush, self.slots.next_wakeup(), outbox].into_iter().flatten().min()
    }

    /// The highest number seen from the coordinator in this session: what an envelope acknowledges.
    pub fn seen(&self) -> u64 {
        self.link.seen()
    }

    /// The attempts held, for the shell to end when the daemon stops for good.
    pub fn held(&self) -> Vec<Attempt> {
        self.slots.attempts()
    }

    fn due(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.link_due(now, effects);
        self.attempts_due(now, effects);
    }

    /// Hands over output as far as there is credit, and results whose output is out.
    fn tell(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for attempt in self.outbox.take_told(now) {
            effects.push(Effect::Discard { attempt });
        }
        if !self.link.is_open() {
            return;
        }
        if self.link.takes_output() {
            self.tell_output(effects);
        }
        for result in self.outbox.release(now) {
            if planted::bug(22) {
                self.outbox.acknowledge(result.attempt, now, false);
                effects.push(Effect::Forget { attempt: result.attempt });
            }
            effects.push(Effect::Send(FromWorker::Finished { attempt: result.attempt, outcome: result.outcome }));
        }
    }

    fn tell_output(&mut self, effects: &mut Vec<Effect>) {
        for attempt in self.slots.attempts().into_iter().chain(self.outbox.with_output()) {
            let log = match self.slots.get_mut(attempt) {
                Some(slot) => Some(&mut slot.log),
                None => self.outbox.log_mut(attempt),
            };
            let Some(log) = log.filter(|log| log.credit() > 0) else { continue };
            let (from, bytes_max) = (log.sent, log.credit());
            let from = if planted::bug(34) { from.max(1) } else { from };
            // Counted as sent at once, so that no later step asks for the same bytes; `LogSent` corrects it for a gap.
            log.sent += bytes_max;
            effects.push(Effect::SendLog { attempt, from, bytes_max });
        }
    }

    fn leave_when_done(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.leaving == Some(Leaving::Ending) && self.slots.is_empty() {
            self.leaving = Some(Leaving::Flushing { until: now + FLUSH_MAX });
        }
        if let Some(Leaving::Flushing { until }) = self.leaving
            && (until <= now || self.outbox.is_empty() || !self.link.is_open())
        {
            self.leaving = Some(Leaving::Gone);
            effects.push(Effect::Close);
            effects.push(Effect::Stop(Stop::Left));
        }
    }
}

/// Heartbeats that were sent and not acknowledged, by number, with when each was sent.
type Heartbeats = BTreeMap<u64, Time>;

#[cfg(test)]
mod tests;
