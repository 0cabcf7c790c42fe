//! Who sees all: what was promised to whom, what is on disk, what runs where. Each thing that must hold (section 4.8 of the
//! reliability design) is one small function that names its number; the first that does not hold ends the run.
//!
//! `history.rs` reads the facts as they become durable, `floor.rs` follows workers and processes, `seen.rs` says what a fact shows was reached. None asks the code under
//! test what is true.

mod floor;
mod history;
mod seen;
mod story;
mod told;

pub use history::{History, Moves};

use super::center::CLUSTER;
use super::clients::Request;
use super::network::WireId;
use super::sights::{Sight, Sights};
use coordinator_core::state::State;
use coordinator_core::{Coordinator, Effect, Event, invariants};
use floor::Floor;
use seen::sight_of;
use shared::fact::{Admission, Fact, What};
use shared::id::{Attempt, Epoch, TaskId};
use shared::outcome::{Outcome, TestResult, Verdict};
use shared::protocol::{Envelope, FromCoordinator};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The state is held against a replay of the log once in this many steps; it costs a look at every task.
const REPLAYED_EVERY: u64 = 1024;
/// The invariants of the core's own state are checked after every step that decided something, and once in this many others.
const CHECKED_EVERY: u64 = 64;

/// A worker is not given up before the coordinator has listened for so long. A standstill counts from the next thing that was
/// due, which the balancer's looks and the watch over each worker make half a minute at the most.
const SILENT_MIN: Duration = Duration::from_secs(10);
/// An attempt that nobody wants is gone when its worker has had a session for so long since.
const UNWANTED_MAX: Duration = Duration::from_secs(60);

/// Something that must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number.
    pub invariant: &'static str,
    /// What happened instead, in a sentence.
    pub what: String,
    /// When, in true time.
    pub at: Time,
}

/// What one step of the coordinator began with.
#[derive(Debug)]
pub struct Before {
    wire: Option<WireId>,
    is_join: bool,
    is_stale: bool,
    is_end: bool,
    /// How long ago it was read from its socket.
    lag: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Witness {
    /// The first thing that did not hold.
    pub violation: Option<Violation>,
    /// What is on disk.
    pub history: History,
    /// A coordinator from an old backup is at work: nothing it says may be obeyed, and nothing it decides counts.
    pub is_impostor: bool,
    floor: Floor,
    /// A replay of what is on disk.
    shadow: State,
    /// Facts decided and not yet on disk.
    ahead: u64,
    /// The session that counts, by worker, and since when.
    sessions: BTreeMap<Arc<str>, (WireId, Time)>,
    /// When each worker was last heard, by a clock that stands still whenever the coordinator reads no socket.
    heard: BTreeMap<Arc<str>, Time>,
    /// Since when a task is cancelled or has its verdict, on disk.
    over: BTreeMap<TaskId, Time>,
    answers: BTreeMap<Request, Vec<TaskId>>,
    /// How far the output of each attempt is stored.
    stored: BTreeMap<Attempt, u64>,
    suspected: BTreeSet<Arc<str>>,
    steps: u64,
    has_decided: bool,
}

impl Witness {
    /// Something does not hold.
    pub fn accuse(&mut self, at: Time, invariant: &'static str, what: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, what, at });
        }
    }

    /// A coordinator has replayed its log. I14: it knows what was on disk, no more and no less.
    pub fn began(&mut self, core: &Coordinator) {
        self.ahead = 0;
        self.sessions.clear();
        self.heard.clear();
        let (live, replayed) = (core.state().hash(), self.shadow.hash());
        if !self.is_impostor && live != replayed {
            self.accuse(core.state().at, "I14", "a coordinator that began anew does not know what is on its disk".into());
        }
    }

    /// A coordinator died: what was not on disk never happened.
    pub fn center_died(&mut self) {
        self.ahead = 0;
        self.sessions.clear();
    }

    /// A fact is on disk.
    pub fn durable(&mut self, now: Time, fact: &Arc<Fact>) {
        if self.is_impostor {
            return;
        }
        self.ahead = self.ahead.saturating_sub(1);
        self.shadow.apply(fact);
        if let What::CancelRequested { task } | What::TaskFinished { task, .. } = &fact.what {
            self.over.entry(*task).or_insert(now);
        }
        if let Err((invariant, what)) = self.history.take(fact, &self.floor) {
            self.accuse(now, invariant, what);
        }
    }

    /// A fact was decided; it is not on disk yet.
    pub fn decided(&mut self, fact: &Fact, sights: &mut Sights) {
        self.ahead += 1;
        self.has_decided = true;
        if let Some(sight) = sight_of(&fact.what) {
            sights.see(sight);
        }
        match &fact.what {
            What::WorkerSuspected { worker, .. } => drop(self.suspected.insert(worker.clone())),
            What::WorkerJoined { worker, .. } | What::WorkerLeft { worker, .. } => drop(self.suspected.remove(worker)),
            What::WorkerReady { worker } if self.suspected.remove(worker) => sights.see(Sight::SuspectReturns),
            What::WorkerSet { worker, admission } if self.history.is_holder(worker) => match admission {
                Admission::Cordoned => sights.see(Sight::Cordoned),
                Admission::Draining => sights.see(Sight::Drained),
                Admission::Open => {}
            },
            What::TaskFinished { task, verdict: Verdict::Passed, .. } if self.history.is_cancelled(*task) => {
                sights.see(Sight::CancelledPassed);
            }
            _ => {}
        }
    }

    /// The coordinator is about to take an event; `now` is its time.
    pub fn before(&self, now: Time, core: &Coordinator, event: &Event) -> Before {
        let (wire, is_join, is_end) = match event {
            Event::Joined { connection, .. } => (Some(WireId(connection.0)), true, false),
            Event::Received { connection, .. } => (Some(WireId(connection.0)), false, false),
            Event::Disconnected { connection, .. } => (Some(WireId(connection.0)), false, true),
            Event::Submitted { .. } | Event::Operator { .. } | Event::Woke => (None, false, false),
        };
        debug_assert!(core.state().cluster.is_none_or(|cluster| cluster == CLUSTER));
        let is_current = wire.is_some_and(|wire| self.sessions.values().any(|(session, _)| *session == wire));
        let lag = if let Event::Received { heard, .. } = event { now.since(*heard) } else { Duration::ZERO };
        Before { wire, is_join, is_end, is_stale: wire.is_some() && !is_join && !is_current, lag }
    }

    /// It took the event; `awake` is its time, less all the time in which it read no socket. I12: a session that does not count changes
    /// nothing. I6: nobody is given up who was silent only because the coordinator stood still.
    pub fn after(&mut self, now: Time, awake: Time, before: &Before, effects: &[Effect], sights: &mut Sights) {
        if before.is_stale && !before.is_end {
            sights.see(Sight::StaleMessage);
            if let Some(effect) = effects.first() {
                self.accuse(now, "I12", format!("a session that does not count had an effect: {effect:?}"));
            }
        }
        let said = before.wire.filter(|_| !before.is_end);
        let speaker = self.sessions.iter().find(|(_, (wire, _))| Some(*wire) == said).map(|(worker, _)| worker.clone());
        self.heard.extend(speaker.map(|worker| (worker, awake - before.lag)));
        for effect in effects {
            match effect {
                Effect::Record(fact) => self.after_fact(now, awake, before, &fact.what),
                Effect::Close { connection } => {
                    if before.is_join && before.wire != Some(WireId(connection.0)) {
                        sights.see(Sight::NewerSession);
                    }
                    self.sessions.retain(|_, (wire, _)| wire.0 != connection.0);
                }
                Effect::Send { .. } | Effect::Reply { .. } => {}
            }
        }
        if before.is_end {
            self.sessions.retain(|_, (wire, _)| Some(*wire) != before.wire);
        }
    }

    fn after_fact(&mut self, now: Time, awake: Time, before: &Before, what: &What) {
        match (what, before.wire) {
            (What::WorkerJoined { worker, .. }, Some(wire)) if before.is_join => {
                self.heard.insert(worker.clone(), awake);
                self.sessions.insert(worker.clone(), (wire, now));
            }
            (What::WorkerLeft { worker, why }, _) if why.contains("lease ended") => {
                let silent = self.heard.get(worker).map(|heard| awake.since(*heard));
                if let Some(silent) = silent.filter(|silent| *silent < SILENT_MIN) {
                    let what = format!("{worker} is given up after {:.1} s in which it could be heard", silent.as_secs_f64());
                    self.accuse(now, "I6", what);
                }
            }
            _ => {}
        }
    }

    /// What must hold of the state itself (I2, I5, I6, I8), and of the state beside its log (I14).
    pub fn check(&mut self, now: Time, core: &Coordinator) {
        if self.is_impostor || self.violation.is_some() {
            return;
        }
        self.steps += 1;
        if self.has_decided || self.steps.is_multiple_of(CHECKED_EVERY) {
            self.has_decided = false;
            if let Err(what) = invariants::check(core) {
                let known = ["I2", "I3", "I5", "I6", "I8"];
                let invariant = known.into_iter().find(|known| what.starts_with(&format!("{known}:"))).unwrap_or("I2");
                self.accuse(now, invariant, what);
            }
        }
        if self.steps.is_multiple_of(REPLAYED_EVERY) && self.ahead == 0 && core.state().hash() != self.shadow.hash() {
            self.accuse(now, "I14", "the state is not what its log amounts to".into());
        }
        if self.steps.is_multiple_of(CHECKED_EVERY) {
            self.check_unwanted(now);
        }
        if let Some((attempt, station)) = self.floor.overdue(now) {
            let what = format!("attempt {attempt} still runs at w{station} 6 s after its machine went on");
            self.accuse(now, "I7", what);
        }
    }

    /// I19: an attempt of a task that was cancelled or has its verdict is ended once its worker has a session.
    fn check_unwanted(&mut self, now: Time) {
        let is_late = |since: &Time| now.since(*since) > UNWANTED_MAX;
        let has_session = |worker: &str| self.sessions.get(worker).is_some_and(|(_, since)| is_late(since));
        let late = self.over.iter().filter(|(_, since)| is_late(since)).map(|(task, _)| *task);
        let lingering =
            late.filter_map(|task| self.history.live_at(task).find(|worker| has_session(worker)).map(|at| (task, at)));
        let found = lingering
            .map(|(task, worker)| format!("task {task} is over, and {worker} has had an attempt of it for {UNWANTED_MAX:?}"));
        if let Some(what) = found.collect::<Vec<_>>().into_iter().next() {
            self.accuse(now, "I19", what);
        }
    }

    /// A worker hears a frame.
    pub fn hears(&mut self, now: Time, station: usize, envelope: &Envelope<FromCoordinator>) {
        for message in &envelope.messages {
            match message {
                FromCoordinator::ResultAck { attempt, .. } => self.floor.acknowledged(station, *attempt),
                FromCoordinator::Start(start) if self.floor.is_outdated(station, start.attempt) => {
                    let what = format!("w{station} was given {} by an earlier life of the coordinator", start.attempt);
                    self.accuse(now, "I13", what);
                }
                _ => {}
            }
        }
    }

    /// A worker has seen frame `after` of a session, and before frame `before`. I12: what a session says counts once and in order.
    pub fn takes_frame(&mut self, now: Time, station: usize, before: u64, after: u64) {
        if after != before && after != before + 1 && after != 0 {
            self.accuse(now, "I12", format!("w{station} takes frame {after} of its session after frame {before}"));
        }
    }

    /// A worker makes durable which life of the coordinator it obeys. I13: never an earlier one than before.
    pub fn pins(&mut self, now: Time, station: usize, epoch: Epoch) {
        if let Err(what) = self.floor.pins(station, epoch) {
            self.accuse(now, "I13", what);
        }
    }

    /// A worker lost its disk.
    pub fn forgot_all(&mut self, station: usize) {
        self.floor.forgot_all(station);
    }

    /// A worker forgets a result. I11: only when it was acknowledged, or nobody waits for it: then as soon as the attempt ends.
    pub fn forgets(&mut self, now: Time, station: usize, attempt: Attempt, is_ended: bool) {
        if !is_ended && !self.floor.is_acknowledged(station, attempt) {
            self.accuse(now, "I11", format!("w{station} forgets the result of {attempt}, which nobody acknowledged"));
        }
    }

    /// A process of an attempt begins. I7: no other attempt of its task runs, unless one of them is a hedge.
    pub fn runs(&mut self, now: Time, station: usize, attempt: Attempt) {
        let history = &self.history;
        if let Err((invariant, what)) = self.floor.runs(now, station, attempt, |other| history.are_twins(attempt, other)) {
            self.accuse(now, invariant, what);
        }
    }

    /// The processes of an attempt have stopped, to begin again perhaps; or they are gone, and nobody is told.
    pub fn pauses(&mut self, attempt: Attempt) {
        self.floor.dies(attempt);
    }

    /// An attempt that stood still begins again. I16: no later attempt of its task was begun.
    pub fn runs_again(&mut self, now: Time, station: usize, attempt: Attempt) {
        let history = &self.history;
        if let Err(what) = self.floor.runs_again(station, attempt, |other| history.are_twins(attempt, other)) {
            self.accuse(now, "I16", what);
        }
    }

    /// A test of an attempt ends.
    pub fn tests(&mut self, attempt: Attempt, result: &TestResult) {
        self.floor.tested(attempt, result);
    }

    /// The processes of an attempt are gone, and told how they ended.
    pub fn exits(&mut self, attempt: Attempt, outcome: &Outcome) {
        self.floor.exits(attempt, outcome);
    }

    /// A machine stands still with all that runs on it, or goes on.
    pub fn freezes(&mut self, now: Time, station: usize, is_frozen: bool) {
        self.floor.freezes(now, station, is_frozen);
    }

    /// How many attempts of a task were ever begun.
    pub fn begun_of(&self, task: TaskId) -> usize {
        self.floor.begun_of(task)
    }

    /// Whether nothing runs anywhere.
    pub fn is_quiet(&self) -> bool {
        self.floor.is_quiet()
    }
}
