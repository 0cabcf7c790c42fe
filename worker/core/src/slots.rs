//! The attempts a worker holds: where each is, what it was given, and when it has had its time.

use crate::outbox::LogCursor;
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestResult};
use shared::protocol::{HeldAttempt, HeldState, Start};
use shared::task::{TaskSpec, seconds};
use shared::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an attempt is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// An older attempt of the same task is being ended; this one starts when that is gone.
    Waiting(Box<Start>),
    /// Its files are being fetched.
    SettingUp {
        /// Since when.
        since: Time,
    },
    /// Its process runs.
    Running {
        /// Since when.
        since: Time,
        /// When it last printed something, or began.
        heard: Time,
    },
    /// Its processes are being ended.
    Ending(Reason),
}

/// Why an attempt is being ended, which decides what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The coordinator asked for it.
    Cancelled,
    /// It took too long.
    TimedOut(Failure),
    /// The daemon is being stopped.
    ShutDown,
    /// The coordinator says it is not ours: nobody waits for its result.
    Disowned,
    /// The lease ended: the coordinator gives it to others, and its result would come too late.
    LeaseEnded,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// The work.
    pub spec: Arc<TaskSpec>,
    /// Where it is.
    pub phase: Phase,
    /// Its output.
    pub log: LogCursor,
    /// The results of its tests so far.
    pub tests: Vec<TestResult>,
}

/// The attempts a worker holds.
#[derive(Debug, Default)]
pub struct Slots {
    held: BTreeMap<Attempt, Slot>,
}

impl Slot {
    /// When it will have had its time, and which limit that is.
    fn deadline(&self) -> Option<(Time, Failure)> {
        let limits = &self.spec.timeouts;
        let after = |from: Time, limit_s, failure| seconds(limit_s).map(|limit| (from + limit, failure));
        match self.phase {
            Phase::Waiting(_) | Phase::Ending(_) => None,
            Phase::SettingUp { since } => after(since, limits.setup_s, Failure::TimeoutSetup),
            Phase::Running { since, heard } => after(since, limits.run_s, Failure::TimeoutRun)
                .into_iter()
                .chain(after(heard, limits.silence_s, Failure::TimeoutSilence))
                .min_by_key(|(time, _)| *time),
        }
    }

    /// Whether the coordinator believes that this worker holds it.
    fn is_believed(&self) -> bool {
        self.phase != Phase::Ending(Reason::Disowned)
    }
}

impl Slots {
    /// Adds an attempt.
    pub fn add(&mut self, attempt: Attempt, spec: Arc<TaskSpec>, phase: Phase) {
        self.held.insert(attempt, Slot { spec, phase, log: LogCursor::default(), tests: Vec::new() });
    }

    /// The slot of `attempt`.
    pub fn get_mut(&mut self, attempt: Attempt) -> Option<&mut Slot> {
        self.held.get_mut(&attempt)
    }

    /// Removes an attempt.
    pub fn remove(&mut self, attempt: Attempt) -> Option<Slot> {
        self.held.remove(&attempt)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// All attempts held.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.held.keys().copied().collect()
    }

    /// All slots.
    pub fn iter(&self) -> impl Iterator<Item = (Attempt, &Slot)> {
        self.held.iter().map(|(attempt, slot)| (*attempt, slot))
    }

    /// All slots, to change their output's cursors.
    pub fn logs_mut(&mut self) -> impl Iterator<Item = &mut LogCursor> {
        self.held.values_mut().map(|slot| &mut slot.log)
    }

    /// The attempts the coordinator believes are here.
    pub fn believed(&self) -> impl Iterator<Item = Attempt> {
        self.held.iter().filter(|(_, slot)| slot.is_believed()).map(|(attempt, _)| *attempt)
    }

    /// The other attempts of the task of `attempt` that are held.
    pub fn siblings(&self, attempt: Attempt) -> Vec<Attempt> {
        self.held.keys().filter(|held| held.task == attempt.task && **held != attempt).copied().collect()
    }

    /// What an inventory says of them.
    pub fn told(&self) -> Vec<HeldAttempt> {
        let state = |slot: &Slot| match slot.phase {
            Phase::Waiting(_) | Phase::SettingUp { .. } => HeldState::SettingUp,
            Phase::Running { .. } => HeldState::Running,
            Phase::Ending(_) => HeldState::Ending,
        };
        self.held
            .iter()
            .map(|(attempt, slot)| HeldAttempt { attempt: *attempt, state: state(slot), log_bytes: slot.log.total })
            .collect()
    }

    /// The attempts that have had their time at `now`, and by which limit.
    pub fn overdue(&self, now: Time) -> Vec<(Attempt, Failure)> {
        let due = |slot: &Slot| slot.deadline().filter(|(time, _)| *time <= now).map(|(_, failure)| failure);
        self.held.iter().filter_map(|(attempt, slot)| Some((*attempt, due(slot)?))).collect()
    }

    /// When the next attempt will have had its time.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.held.values().filter_map(Slot::deadline).map(|(time, _)| time).min()
    }

    /// Takes out an attempt whose every predecessor is gone, so that it can start.
    pub fn unblocked(&mut self, now: Time) -> Vec<Start> {
        let free: Vec<Attempt> = self
            .held
            .iter()
            .filter(|(attempt, slot)| matches!(slot.phase, Phase::Waiting(_)) && self.siblings(**attempt).is_empty())
            .map(|(attempt, _)| *attempt)
            .collect();
        let mut starts = Vec::new();
        for attempt in free {
            let Some(slot) = self.held.get_mut(&attempt) else { continue };
            if let Phase::Waiting(start) = std::mem::replace(&mut slot.phase, Phase::SettingUp { since: now }) {
                starts.push(*start);
            }
        }
        starts
    }
}

impl Reason {
    /// What the result of an attempt is that ended for this reason; nothing where nobody waits for one.
    pub fn judge(self, spec: &TaskSpec, mut outcome: Outcome) -> Option<Outcome> {
        let limits = &spec.timeouts;
        let (ended, message) = match self {
            Reason::Disowned | Reason::LeaseEnded => return None,
            Reason::Cancelled => (Ended::Cancelled, None),
            Reason::ShutDown => (Ended::Failed(Failure::Infra), Some("worker shut down".to_owned())),
            Reason::TimedOut(failure) => {
                let (what, limit_s) = match failure {
                    Failure::TimeoutSetup => ("its files and its start took longer than", limits.setup_s),
                    Failure::TimeoutSilence => ("it printed nothing for", limits.silence_s),
                    _ => ("it ran for longer than", limits.run_s),
                };
                (Ended::Failed(failure), Some(format!("{what} the {} s it may", limit_s.unwrap_or_default())))
            }
        };
        outcome.ended = ended;
        outcome.message = message.or(outcome.message);
        Some(outcome)
    }
}
