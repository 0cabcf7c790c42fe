//! The attempts a worker holds: where each is, what it was given, and when it has had its time.

use crate::outbox::LogCursor;
use serde::{Deserialize, Serialize};
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestResult};
use shared::planted;
use shared::protocol::{CheckpointRef, HeldAttempt, HeldState, Start};
use shared::task::{TaskSpec, Timeouts, Work, seconds};
use shared::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// It was told to save its state, and runs until it has.
    Saving {
        /// Since when it runs.
        since: Time,
        /// When it last printed something, or began.
        heard: Time,
        /// Until when the order holds.
        until: Time,
    },
    /// It stands still: its process has ended, its state is in its folder.
    Standing {
        /// For how long it ran.
        ran: Duration,
        /// Until when it waits for an order.
        until: Time,
        /// Its state, once the coordinator has it.
        checkpoint: Option<CheckpointRef>,
    },
    /// Its processes are being ended.
    Ending(Reason),
}

/// An attempt that this machine held before the daemon began.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Which.
    pub attempt: Attempt,
    /// How long it may take.
    pub limits: Timeouts,
    /// Whether it can save its state.
    pub can_save: bool,
    /// Where it is.
    pub found: Found,
    /// The results of its tests so far.
    pub tests: Vec<TestResult>,
    /// Bytes of its output that can be read.
    pub log_bytes: u64,
}

/// Where an attempt is that was held before the daemon began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its process runs.
    Running {
        /// Since when.
        since: Time,
        /// When it last printed something, or began.
        heard: Time,
        /// Until when the order to save its state holds, where it was given one.
        save_until: Option<Time>,
    },
    /// Its processes are being ended.
    Ending(Reason),
}

/// Why an attempt is being ended, which decides what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The coordinator asked for it.
    Cancelled,
    /// The coordinator asked for it when its state was saved: it goes on elsewhere.
    Saved,
    /// It took too long.
    TimedOut {
        /// By which limit.
        failure: Failure,
        /// How long it may take.
        limit: Duration,
    },
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
    /// How long it may take.
    pub limits: Timeouts,
    /// Whether it can save its state.
    pub can_save: bool,
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

/// Whether attempts of this task can save their state. A suite's is the list of its finished tests, which needs nothing
/// from the tests themselves.
pub fn can_save(spec: &TaskSpec) -> bool {
    spec.checkpointable || matches!(spec.work, Work::Tests(_))
}

impl Slot {
    /// A slot for work that begins in `phase`.
    fn new(spec: &TaskSpec, phase: Phase) -> Self {
        Self { limits: spec.timeouts, can_save: can_save(spec), phase, log: LogCursor::default(), tests: Vec::new() }
    }

    /// When it will have had its time, and which limit that is.
    fn deadline(&self) -> Option<(Time, Reason)> {
        let after = |from: Time, limit_s, failure| {
            let limit = seconds(limit_s)?;
            Some((from + limit, Reason::TimedOut { failure, limit }))
        };
        match self.phase {
            Phase::Waiting(_) | Phase::Standing { .. } | Phase::Ending(_) => None,
            Phase::SettingUp { since } => after(since, self.limits.setup_s, Failure::TimeoutSetup),
            Phase::Running { since, heard } | Phase::Saving { since, heard, .. } => {
                let run = after(since, self.limits.run_s, Failure::TimeoutRun);
                let silence = after(heard, self.limits.silence_s, Failure::TimeoutSilence);
                run.into_iter().chain(silence).min_by_key(|(time, _)| *time)
            }
        }
    }

    /// When an order to stand still is over that was not followed by another.
    fn standstill_until(&self) -> Option<Time> {
        match self.phase {
            Phase::Saving { until, .. } | Phase::Standing { until, .. } => Some(until),
            Phase::Waiting(_) | Phase::SettingUp { .. } | Phase::Running { .. } | Phase::Ending(_) => None,
        }
    }

    /// What the result of this attempt is; nothing where nobody waits for one. `by` is why its runner ended it.
    pub fn judge(&self, outcome: Outcome, is_clean: bool, by: Option<Reason>) -> Option<Outcome> {
        let ordered = match self.phase {
            Phase::Ending(reason) => Some(reason),
            Phase::Waiting(_)
            | Phase::SettingUp { .. }
            | Phase::Running { .. }
            | Phase::Saving { .. }
            | Phase::Standing { .. } => None,
        };
        let is_unwanted = |reason: &Reason| matches!(reason, Reason::Disowned | Reason::LeaseEnded);
        let reason = by.filter(is_unwanted).or(ordered).or(by);
        let mut outcome = match reason {
            Some(reason) => reason.judge(outcome)?,
            None => outcome,
        };
        if !is_clean {
            outcome.ended = Ended::Failed(Failure::Infra);
            let before = outcome.message.map(|message| format!(" ({message})")).unwrap_or_default();
            outcome.message = Some(format!("processes of it could not be killed on this worker{before}"));
        }
        Some(outcome)
    }

    /// Whether the coordinator believes that this worker holds it.
    fn is_believed(&self) -> bool {
        self.phase != Phase::Ending(Reason::Disowned)
    }
}

impl Slots {
    /// What was held before the daemon began.
    pub fn new(found: Vec<Held>) -> Self {
        let slot = |held: Held| {
            let phase = match held.found {
                Found::Running { since, heard, save_until: None } => Phase::Running { since, heard },
                Found::Running { since, heard, save_until: Some(until) } => Phase::Saving { since, heard, until },
                Found::Ending(reason) => Phase::Ending(reason),
            };
            let log = LogCursor { total: held.log_bytes, ..LogCursor::default() };
            (held.attempt, Slot { limits: held.limits, can_save: held.can_save, phase, log, tests: held.tests })
        };
        Self { held: found.into_iter().map(slot).collect() }
    }

    /// Adds an attempt.
    pub fn add(&mut self, attempt: Attempt, spec: &TaskSpec, phase: Phase) {
        self.held.insert(attempt, Slot::new(spec, phase));
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
            Phase::Running { .. } | Phase::Saving { .. } | Phase::Standing { checkpoint: None, .. } => HeldState::Running,
            Phase::Standing { checkpoint: Some(_), .. } => HeldState::Quiesced,
            Phase::Ending(_) => HeldState::Ending,
        };
        self.held
            .iter()
            .skip(usize::from(planted::bug(37)))
            .map(|(attempt, slot)| HeldAttempt { attempt: *attempt, state: state(slot), log_bytes: slot.log.total })
            .collect()
    }

    /// The states that the coordinator has of attempts that stand still.
    pub fn checkpoints(&self) -> Vec<(Attempt, CheckpointRef)> {
        let saved = |slot: &Slot| match &slot.phase {
            Phase::Standing { checkpoint, .. } => checkpoint.clone(),
            Phase::Waiting(_) | Phase::SettingUp { .. } | Phase::Running { .. } | Phase::Saving { .. } | Phase::Ending(_) => None,
        };
        self.held.iter().filter_map(|(attempt, slot)| Some((*attempt, saved(slot)?))).collect()
    }

    /// The attempts that have had their time at `now`, and by which limit.
    pub fn overdue(&self, now: Time) -> Vec<(Attempt, Reason)> {
        let due = |slot: &Slot| slot.deadline().filter(|(time, _)| *time <= now).map(|(_, reason)| reason);
        self.held.iter().filter_map(|(attempt, slot)| Some((*attempt, due(slot)?))).collect()
    }

    /// The attempts that at `now` have stood still, or tried to, for as long as they were told to.
    pub fn waited(&self, now: Time) -> Vec<Attempt> {
        let is_over = |slot: &Slot| slot.standstill_until().is_some_and(|until| until <= now);
        self.held.iter().filter(|(_, slot)| is_over(slot)).map(|(attempt, _)| *attempt).collect()
    }

    /// When the next attempt will have had its time, or stood still for long enough.
    pub fn next_wakeup(&self) -> Option<Time> {
        let limits = self.held.values().filter_map(Slot::deadline).map(|(time, _)| time);
        limits.chain(self.held.values().filter_map(Slot::standstill_until)).min()
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
    fn judge(self, mut outcome: Outcome) -> Option<Outcome> {
        let (ended, message) = match self {
            Reason::Disowned | Reason::LeaseEnded => return None,
            Reason::Cancelled => (Ended::Cancelled, None),
            Reason::Saved => (Ended::Saved, None),
            Reason::ShutDown => (Ended::Failed(Failure::Infra), Some("worker shut down".to_owned())),
            Reason::TimedOut { failure, limit } => {
                let what = match failure {
                    Failure::TimeoutSetup => "its files and its start took longer than",
                    Failure::TimeoutSilence => "it printed nothing for",
                    _ => "it ran for longer than",
                };
                (Ended::Failed(failure), Some(format!("{what} the {} s it may", limit.as_secs_f64())))
            }
        };
        outcome.ended = ended;
        outcome.message = message.or(outcome.message);
        Some(outcome)
    }
}
