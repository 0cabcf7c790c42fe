//! The story of one task, as the facts on disk tell it: each is held against the ones before it and against the truth.

use super::floor::Floor;
use shared::fact::{StandstillEnd, StopReason, What};
use shared::id::{Attempt, AttemptNumber, TaskId};
use shared::outcome::{Ended, Failure, Verdict};
use shared::protocol::CheckpointRef;
use shared::task::{TaskSpec, Work, seconds};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Failures of machines a task may meet, workers that may be lost while they run it: the defaults of the coordinator.
const INFRA_FAILURES_MAX: usize = 3;
const LOSSES_MAX: usize = 8;
const POISONED_WORKERS: usize = 3;
const RESTORES_MAX: u32 = 2;

/// What does not hold: its number, and what happened instead.
pub type Wrong = (&'static str, String);

/// What became of the orders to move a running task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    /// The task saved its state and left.
    pub done: u64,
    /// The order was withdrawn, or could not be followed: the task went on as if nobody had asked.
    pub called_off: u64,
    /// Nothing has become of it, which no task with a verdict may have.
    pub stranded: u64,
}

impl Moves {
    /// These and those.
    pub fn and(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            called_off: self.called_off + other.called_off,
            stranded: self.stranded + other.stranded,
        }
    }
}

/// What is known of a task.
#[derive(Debug)]
pub(super) struct Story {
    spec: Arc<TaskSpec>,
    pub key: Option<Arc<str>>,
    pub attempts: BTreeMap<AttemptNumber, Tale>,
    pub is_cancelled: bool,
    pub verdict: Option<Verdict>,
    /// When it began to wait.
    since: Time,
    pub checkpoint: Option<CheckpointRef>,
    /// Attempts in a row that could not go on from it; after two it is given up.
    restores_failed: u32,
    /// The attempt that is to stand still, and whether its task is to move.
    pub standstill: Option<(AttemptNumber, bool)>,
    pub moves: Moves,
    /// Why it was run again.
    again: Vec<Failure>,
    /// Workers that were lost while they ran it.
    lost_on: Vec<Arc<str>>,
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Tale {
    pub worker: Arc<str>,
    pub restore: Option<CheckpointRef>,
    pub is_hedge: bool,
    pub has_started: bool,
    pub stopped: Option<StopReason>,
    tests: BTreeSet<u32>,
}

impl Story {
    pub fn new(spec: &Arc<TaskSpec>, key: Option<&Arc<str>>, since: Time) -> Self {
        Self {
            spec: spec.clone(),
            key: key.cloned(),
            attempts: BTreeMap::new(),
            is_cancelled: false,
            verdict: None,
            since,
            checkpoint: None,
            restores_failed: 0,
            standstill: None,
            moves: Moves::default(),
            again: Vec::new(),
            lost_on: Vec::new(),
        }
    }

    pub fn live(&self) -> impl Iterator<Item = (&AttemptNumber, &Tale)> {
        self.attempts.iter().filter(|(_, tale)| tale.stopped.is_none())
    }

    /// Takes in a fact about this task.
    pub fn take(&mut self, task: TaskId, what: &What, at: Time, floor: &Floor) -> Result<(), Wrong> {
        match what {
            What::AttemptLeased { attempt, worker, hedge, .. } => self.leased(task, *attempt, worker, *hedge),
            What::AttemptStarted { attempt, .. } => {
                let tale = self.live_tale(task, *attempt, "started")?;
                tale.has_started = true;
                Ok(())
            }
            What::TestFinished { attempt, index, outcome, .. } => {
                let named = Attempt { task, number: *attempt };
                let tale = self.live_tale(task, *attempt, "brought a result of a test")?;
                let is_new = tale.tests.insert(*index);
                wrong_unless(is_new, "I3", || format!("test {index} of {named} has two results"))?;
                let truth = floor.test(named, *index);
                wrong_unless(truth == Some(*outcome), "I4", || {
                    format!("test {index} of {named} is recorded {outcome:?}; in truth {truth:?}")
                })
            }
            What::AttemptStopped { attempt, reason, failure, .. } => self.stopped(task, *attempt, *reason, *failure, floor),
            What::TaskRequeued { why, .. } => self.requeued(task, *why, at),
            What::CancelRequested { .. } => {
                self.is_cancelled = true;
                wrong_unless(self.verdict.is_none(), "I3", || format!("task {task} is to be cancelled after its verdict"))
            }
            What::TaskFinished { attempt, verdict, .. } => self.finished(task, *attempt, *verdict, at, floor),
            What::Migration { attempt, .. } | What::Preemption { attempt, .. } => {
                let is_move = matches!(what, What::Migration { .. });
                self.moves.stranded += u64::from(is_move);
                let before = self.standstill.replace((*attempt, is_move));
                wrong_unless(before.is_none(), "I16", || format!("task {task} is told to move while it moves"))
            }
            What::StandstillEnded { attempt, end, .. } => {
                let order = self.standstill.take();
                if order.is_some_and(|(_, is_move)| is_move) {
                    let is_done = *end == StandstillEnd::Followed;
                    self.moves.stranded -= 1;
                    *(if is_done { &mut self.moves.done } else { &mut self.moves.called_off }) += 1;
                }
                let is_given = order.is_some_and(|(ordered, _)| ordered == *attempt);
                wrong_unless(is_given, "I16", || format!("an order to task {task} ends that was not given"))?;
                let is_saved = self.checkpoint.is_some() || *end != StandstillEnd::Followed;
                wrong_unless(is_saved, "I16", || format!("task {task} goes on from a state that was not saved"))
            }
            What::CheckpointSaved { attempt, checkpoint, .. } => {
                self.live_tale(task, *attempt, "saved its state")?;
                (self.checkpoint, self.restores_failed) = (Some(checkpoint.clone()), 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// I3, I5, I6, I19: only a task that is open and not cancelled is given out, under a new number, to one worker at a time.
    fn leased(&mut self, task: TaskId, number: AttemptNumber, worker: &Arc<str>, is_hedge: bool) -> Result<(), Wrong> {
        let newest = self.attempts.last_key_value().map(|(number, _)| *number);
        wrong_unless(newest.is_none_or(|newest| newest < number), "I5", || {
            format!("attempt {} of task {task} follows {newest:?}", number.0)
        })?;
        wrong_unless(self.verdict.is_none(), "I3", || format!("task {task} is given out after its verdict"))?;
        wrong_unless(!self.is_cancelled, "I19", || format!("task {task} is given out after its cancellation"))?;
        let live = self.live().count();
        wrong_unless(live == usize::from(is_hedge), "I6", || format!("task {task} is given out with {live} live attempts"))?;
        let restore = self.checkpoint.clone();
        let (worker, tests) = (worker.clone(), BTreeSet::new());
        self.attempts.insert(number, Tale { worker, restore, is_hedge, has_started: false, stopped: None, tests });
        Ok(())
    }

    /// I4, I19: only a live attempt ends; what it is said to have come to is what it came to; unless its worker was lost, its
    /// processes are gone.
    fn stopped(
        &mut self,
        task: TaskId,
        number: AttemptNumber,
        reason: StopReason,
        failure: Option<Failure>,
        floor: &Floor,
    ) -> Result<(), Wrong> {
        let is_noop = self.spec.work == Work::Noop;
        let tale = self.live_tale(task, number, "ended")?;
        tale.stopped = Some(reason);
        let attempt = Attempt { task, number };
        let is_gone = reason == StopReason::Lost || !floor.is_running(attempt);
        wrong_unless(is_gone, "I19", || format!("{attempt} is recorded as {} while its processes run", reason.name()))?;
        let truth = floor.truth(attempt);
        let said = match (reason, failure) {
            (StopReason::Finished, None) => Ended::Passed,
            (StopReason::Finished, Some(Failure::Test)) => Ended::Failed(Failure::Test),
            _ => return Ok(()),
        };
        wrong_unless(is_noop || truth == Some(said), "I4", || format!("{attempt} is recorded as {said:?}; in truth {truth:?}"))
    }

    /// I18, I19: a task is run again only within its budget, and not when it was cancelled.
    fn requeued(&mut self, task: TaskId, why: Option<Failure>, at: Time) -> Result<(), Wrong> {
        wrong_unless(self.verdict.is_none(), "I3", || format!("task {task} waits again after its verdict"))?;
        wrong_unless(!self.is_cancelled, "I19", || format!("task {task} waits again after its cancellation"))?;
        let live = self.live().count();
        wrong_unless(live == 0, "I6", || format!("task {task} waits again with {live} live attempts"))?;
        self.since = at;
        self.again.extend(why);
        if let (Some(Failure::Lost), Some((_, newest))) = (why, self.attempts.last_key_value())
            && newest.has_started
        {
            self.lost_on.push(newest.worker.clone());
        }
        self.count_restore(why);
        let is_command = matches!(self.spec.work, Work::Command(_));
        let (own, infra) = self.budget();
        wrong_unless(!is_command || own <= usize::from(self.spec.retries), "I18", || {
            format!("task {task} is tried again after {own} failures of its own; {} retries are allowed", self.spec.retries)
        })?;
        wrong_unless(infra < INFRA_FAILURES_MAX, "I18", || {
            format!("task {task} is tried again after {infra} failures of machines")
        })
    }

    /// A state that two attempts in a row could not go on from is given up.
    fn count_restore(&mut self, why: Option<Failure>) {
        let of_machine = why.is_some_and(|why| !why.is_of_the_task() && why != Failure::Lost);
        let has_started = self.attempts.last_key_value().is_some_and(|(_, newest)| newest.has_started);
        if of_machine && !has_started && self.checkpoint.is_some() {
            self.restores_failed += 1;
        }
        if self.restores_failed >= RESTORES_MAX {
            (self.checkpoint, self.restores_failed) = (None, 0);
        }
    }

    /// Failures of its own, and of machines, after which it was run again.
    fn budget(&self) -> (usize, usize) {
        let own = self.again.iter().filter(|why| why.is_of_the_task()).count();
        let lost = self.again.iter().filter(|why| **why == Failure::Lost).count();
        (own, self.again.len() - own - lost)
    }

    /// I3, I18, I19: there is one verdict, and there is a reason for it.
    fn finished(
        &mut self,
        task: TaskId,
        attempt: Option<AttemptNumber>,
        verdict: Verdict,
        at: Time,
        floor: &Floor,
    ) -> Result<(), Wrong> {
        wrong_unless(self.verdict.is_none(), "I3", || format!("task {task} has a second verdict: {verdict}"))?;
        self.verdict = Some(verdict);
        wrong_unless(self.standstill.is_none(), "I16", || format!("task {task} has its verdict and is still to stand still"))?;
        let deciding = attempt.and_then(|number| self.attempts.get(&number));
        wrong_unless(attempt.is_none() || deciding.is_some_and(|tale| tale.stopped.is_some()), "I4", || {
            format!("task {task} has its verdict from an attempt that has not ended")
        })?;
        let is_command = matches!(self.spec.work, Work::Command(_));
        let (own, infra) = self.budget();
        let waited = at.since(self.since) + Duration::from_micros(2);
        let mut losses: Vec<Arc<str>> = self.lost_on.clone();
        losses.extend(deciding.filter(|tale| tale.has_started).map(|tale| tale.worker.clone()));
        let distinct: BTreeSet<&Arc<str>> = losses.iter().collect();
        let has_reason = match verdict {
            Verdict::Passed => attempt.is_some_and(|number| {
                self.spec.work == Work::Noop || floor.truth(Attempt { task, number }) == Some(Ended::Passed)
            }),
            Verdict::Failed => !is_command || own == usize::from(self.spec.retries),
            Verdict::Error => infra + 1 == INFRA_FAILURES_MAX,
            Verdict::Cancelled => self.is_cancelled || attempt.is_none(),
            Verdict::Expired => seconds(self.spec.timeouts.queue_s).is_some_and(|limit| waited >= limit),
            Verdict::Quarantined => distinct.len() >= POISONED_WORKERS || losses.len() >= LOSSES_MAX,
        };
        wrong_unless(has_reason, "I18", || {
            format!("task {task} is {verdict} after {own} failures of its own, {infra} of machines, {} losses", losses.len())
        })
    }

    fn live_tale(&mut self, task: TaskId, number: AttemptNumber, did: &str) -> Result<&mut Tale, Wrong> {
        let tale = self.attempts.get_mut(&number).filter(|tale| tale.stopped.is_none());
        tale.ok_or_else(|| ("I4", format!("attempt {} of task {task} {did} and is not live", number.ordinal())))
    }
}

pub(super) fn wrong_unless(holds: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err((invariant, what())) }
}
