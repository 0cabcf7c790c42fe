//! Attempts that begin and end, and the verdicts that follow.

use crate::fleet::WorkerIndex;
use crate::ledger::{Standing, Task};
use crate::{Coordinator, Effect};
use shared::fact::{StandstillEnd, StopReason, What};
use shared::id::{Attempt, AttemptNumber, TaskId};
use shared::outcome::{Ended, Failure, Outcome, TestResult, Verdict};
use shared::planted;
use shared::protocol::{FromCoordinator, ResultAnswer};
use shared::task::Work;
use shared::time::Time;
use std::sync::Arc;

/// Distinct workers that are lost while they run a task before it is kept from more.
const POISONED_WORKERS: usize = 3;

/// What becomes of a task whose attempt is over.
enum Next {
    Verdict(Verdict, Option<Failure>),
    Again(Failure),
    /// It has its verdict from another attempt.
    Nothing,
}

impl Coordinator {
    /// The process of an attempt runs.
    pub(crate) fn started(&mut self, now: Time, worker: WorkerIndex, attempt: Attempt, effects: &mut Vec<Effect>) {
        match self.state.ledger.standing(attempt, worker) {
            Standing::Current => {
                let task = self.state.ledger.get(attempt.task).expect("it is current");
                let named = task.attempt(attempt.number).expect("it is current");
                if named.started.is_some() {
                    return;
                }
                let (progress, hardware) = (task.progress(), named.hardware);
                let worker = self.state.fleet.get(worker).name.clone();
                let (task, attempt) = (attempt.task, attempt.number);
                self.record(now, What::AttemptStarted { task, attempt, worker, hardware, progress }, effects);
            }
            Standing::Known => {}
            Standing::Fenced(current) => self.fence(now, worker, attempt, current, "started", effects),
        }
    }

    /// Tests of a chunk ended.
    pub(crate) fn tests_ended(
        &mut self,
        now: Time,
        worker: WorkerIndex,
        attempt: Attempt,
        results: Vec<TestResult>,
        effects: &mut Vec<Effect>,
    ) {
        match self.state.ledger.standing(attempt, worker) {
            Standing::Current => {}
            Standing::Known => return,
            Standing::Fenced(current) => return self.fence(now, worker, attempt, current, "tests", effects),
        }
        for result in results {
            let task = self.state.ledger.get(attempt.task).expect("it is current");
            let Work::Tests(chunk) = &task.spec.work else { return };
            // A worker that was cut off tells again what it is not sure was heard.
            if task.extra.as_ref().is_some_and(|extra| extra.reported.contains(&result.index)) && !planted::bug(41) {
                continue;
            }
            let Some(test) = chunk.test_id(result.index).or(result.name) else { continue };
            let what = What::TestFinished {
                task: attempt.task,
                attempt: attempt.number,
                index: result.index,
                test: format!("{}::{test}", chunk.framework.name()).into(),
                outcome: result.outcome,
                seconds: result.seconds,
                message: result.message,
            };
            self.record(now, what, effects);
        }
    }

    /// An attempt ended on its worker. The worker forgets the result once it is answered, which is after it is on disk.
    pub(crate) fn finished(
        &mut self,
        now: Time,
        worker: WorkerIndex,
        attempt: Attempt,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) {
        let newest = self.state.ledger.get(attempt.task).and_then(|task| task.attempts.last()).filter(|_| planted::bug(3));
        let attempt = newest.map_or(attempt, |newest| Attempt { number: newest.number, ..attempt });
        let answer = match self.state.ledger.standing(attempt, worker) {
            Standing::Current => {
                self.close_attempt(now, attempt, outcome, effects);
                ResultAnswer::Recorded
            }
            Standing::Known => ResultAnswer::Duplicate,
            Standing::Fenced(current) => {
                self.record_fenced(now, worker, attempt, "finished", effects);
                ResultAnswer::Fenced { current }
            }
        };
        if let Some(connection) = self.state.fleet.get(worker).presence.connection() {
            effects.push(Effect::Send { connection, message: FromCoordinator::ResultAck { attempt, answer } });
        }
    }

    /// An attempt is over although no worker said so.
    pub(crate) fn stop_without_result(
        &mut self,
        now: Time,
        attempt: Attempt,
        failure: Failure,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        self.close_attempt(now, attempt, Outcome::failed(failure, why), effects);
    }

    fn close_attempt(&mut self, now: Time, attempt: Attempt, outcome: Outcome, effects: &mut Vec<Effect>) {
        let task = self.state.ledger.get(attempt.task).expect("it is current");
        let named = task.attempt(attempt.number).expect("it is current");
        let (worker, started) = (named.worker, named.started);
        let has_twin = task.live().any(|live| live.number != attempt.number) && !planted::bug(39);
        let target = task.standstill().filter(|order| order.attempt == attempt.number).map(|order| order.target);
        let next = if task.is_open() { self.judge(task, worker, &outcome) } else { Next::Nothing };
        let failure = match outcome.ended {
            Ended::Failed(failure) => Some(failure),
            Ended::Passed | Ended::Cancelled | Ended::Saved => None,
        };
        let reason = match (outcome.ended, failure) {
            (_, Some(Failure::Lost)) => StopReason::Lost,
            _ if !task.is_open() => StopReason::Hedged,
            (Ended::Passed, _) => StopReason::Finished,
            (Ended::Cancelled, _) => StopReason::Cancelled,
            (Ended::Saved, _) if matches!(target, Some(Some(_))) => StopReason::Migrated,
            (Ended::Saved, _) => StopReason::Preempted,
            (_, Some(failure)) if failure.is_of_the_task() => StopReason::Finished,
            (Ended::Failed(_), _) => StopReason::Failed,
        };
        let is_done = matches!(next, Next::Verdict(..)) && reason == StopReason::Finished;
        let told_run_s = if outcome.run_s > 0.0 { outcome.run_s } else { 0.0 };
        let stopped = What::AttemptStopped {
            task: attempt.task,
            attempt: attempt.number,
            worker: self.state.fleet.get(worker).name.clone(),
            reason,
            progress: if is_done { 1.0 } else { task.progress() },
            failure,
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            message: outcome.message,
            setup_s: outcome.setup_s,
            run_s: if outcome.ended == Ended::Saved { started.map_or(0.0, |at| now.since(at).as_secs_f64()) } else { told_run_s },
            usage: outcome.usage,
            log_bytes: outcome.log_bytes,
        };
        self.record(now, stopped, effects);
        self.changed = true;
        match next {
            Next::Verdict(verdict, failure) => {
                self.end_standstill(now, attempt.task, StandstillEnd::Withdrawn, "the task ended by itself", effects);
                self.judge_move(now, attempt.task, verdict, effects);
                let (task, attempt) = (attempt.task, Some(attempt.number));
                self.record(now, What::TaskFinished { task, attempt, verdict, failure }, effects);
                if !planted::bug(21) {
                    self.stop_live(task, effects);
                }
            }
            Next::Again(_) if has_twin => {
                self.end_standstill(now, attempt.task, StandstillEnd::Withdrawn, "another attempt of the task goes on", effects);
            }
            Next::Again(_) if matches!(reason, StopReason::Migrated | StopReason::Preempted) => {
                self.go_on_from_saved(now, attempt, effects);
            }
            Next::Again(why) => {
                self.end_standstill(
                    now,
                    attempt.task,
                    StandstillEnd::Withdrawn,
                    "the attempt ended before it stood still",
                    effects,
                );
                self.record(now, What::TaskRequeued { task: attempt.task, why: Some(why) }, effects);
            }
            Next::Nothing => {}
        }
    }

    /// Holds what a move brought against what was expected of it.
    fn judge_move(&mut self, now: Time, task: TaskId, verdict: Verdict, effects: &mut Vec<Effect>) {
        let extra = self.state.ledger.get(task).and_then(|task| task.extra.as_ref());
        if let (Some(promise), Verdict::Passed) = (extra.and_then(|extra| extra.promise), verdict) {
            let realised_gain_s = promise.stays_s - now.since(promise.at).as_secs_f64();
            self.record(now, What::MigrationJudged { task, predicted_gain_s: promise.gain_s, realised_gain_s }, effects);
        }
    }

    /// What becomes of a task whose newest attempt ended so. A failure of a machine is tried again elsewhere and never
    /// colours the verdict; a success that was recorded is never turned into a cancellation.
    fn judge(&self, task: &Task, worker: WorkerIndex, outcome: &Outcome) -> Next {
        let extra = task.extra.as_deref();
        let count = |pick: fn(&crate::ledger::Extra) -> u8| extra.map_or(0, pick);
        if task.is_cancelled() && outcome.ended != Ended::Passed && !planted::bug(28) {
            return Next::Verdict(Verdict::Cancelled, None);
        }
        match outcome.ended {
            Ended::Failed(Failure::Test) if planted::bug(42) => Next::Verdict(Verdict::Passed, None),
            Ended::Passed if !task.has_all_results() => self.judge_machine(task, Failure::Infra),
            Ended::Passed => Next::Verdict(Verdict::Passed, None),
            Ended::Cancelled | Ended::Saved => Next::Again(Failure::Lost),
            Ended::Failed(Failure::Lost) if self.is_poison(task, worker) => {
                Next::Verdict(Verdict::Quarantined, Some(Failure::Lost))
            }
            Ended::Failed(Failure::Lost) => Next::Again(Failure::Lost),
            Ended::Failed(failure) if failure.is_of_the_task() => {
                // Tests that had no turn because another one ended the attempt are not to blame: they get theirs as long
                // as every attempt brings some result.
                let has_more = !task.has_all_results() && extra.is_some_and(|extra| !extra.reported.is_empty());
                if has_more || count(|extra| extra.own_failures) < task.spec.retries {
                    Next::Again(failure)
                } else {
                    Next::Verdict(Verdict::Failed, Some(failure))
                }
            }
            Ended::Failed(failure) => self.judge_machine(task, failure),
        }
    }

    /// Whether losing `worker` too makes it likelier that the task takes its workers down than that they fell by themselves.
    fn is_poison(&self, task: &Task, worker: WorkerIndex) -> bool {
        // A hedge that was lost before it began says nothing, although the task runs elsewhere.
        if !task.live().any(|lost| lost.worker == worker && lost.started.is_some()) {
            return false;
        }
        let Some(extra) = &task.extra else { return false };
        let is_new = !extra.lost_on.contains(&worker);
        extra.distinct_losses() + usize::from(is_new) + usize::from(planted::bug(35)) >= POISONED_WORKERS
            || extra.lost_on.len() + 1 >= usize::from(self.config.losses_max)
    }

    fn judge_machine(&self, task: &Task, failure: Failure) -> Next {
        let before = task.extra.as_ref().map_or(0, |extra| extra.infra_failures);
        if before + 1 < self.config.infra_failures_max {
            Next::Again(failure)
        } else {
            Next::Verdict(Verdict::Error, Some(failure))
        }
    }

    pub(crate) fn fence(
        &mut self,
        now: Time,
        worker: WorkerIndex,
        attempt: Attempt,
        current: Option<AttemptNumber>,
        said: &str,
        effects: &mut Vec<Effect>,
    ) {
        self.record_fenced(now, worker, attempt, said, effects);
        if let Some(connection) = self.state.fleet.get(worker).presence.connection() {
            effects.push(Effect::Send { connection, message: FromCoordinator::Fenced { attempt, current } });
        }
    }

    fn record_fenced(&mut self, now: Time, worker: WorkerIndex, attempt: Attempt, said: &str, effects: &mut Vec<Effect>) {
        let worker: Arc<str> = self.state.fleet.get(worker).name.clone();
        let (task, attempt) = (attempt.task, attempt.number);
        self.record(now, What::Fenced { worker, task, attempt, said: said.into() }, effects);
    }
}
