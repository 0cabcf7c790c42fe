//! What facts change of tasks and their attempts.

use super::{State, waits};
use crate::estimate::{Estimates, two_digits};
use crate::fleet::{Fleet, Seat};
use crate::ledger::{AttemptRecord, Promise, Standstill, State as TaskState, Task};
use crate::queue::UNKNOWN_MS;
use shared::fact::{Fact, StandstillEnd, StopReason, What};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, AttemptNumber, TaskId};
use shared::outcome::Failure;
use shared::planted;
use shared::task::TaskSpec;
use shared::time::Time;
use std::sync::Arc;

/// Attempts in a row that cannot go on from a saved state before that state is given up.
const RESTORES_MAX: u8 = 2;

impl State {
    pub(super) fn accept(&mut self, id: TaskId, spec: &Arc<TaskSpec>, key: Option<&Arc<str>>, at: Time) {
        let estimate_ms = self.estimates.of(spec).unwrap_or(UNKNOWN_MS);
        let spec = self.ledger.share(spec);
        let accepted = Task {
            class: self.queue.class_of(&spec),
            kind: self.estimates.kind(&spec.kind),
            spec,
            state: TaskState::Queued { since: at, estimate_ms, behind_ms: 0 },
            submitted: at,
            attempts: Vec::new(),
            extra: None,
        };
        self.ledger.accept(id, accepted, key);
        self.wait(id, false);
    }

    /// The task has its verdict.
    pub(super) fn finish(&mut self, id: TaskId, done: TaskState) {
        self.leave_queue(id);
        self.ledger.set_state(id, done);
    }

    fn leave_queue(&mut self, id: TaskId) {
        if let Some(profile) = self.profile(id) {
            let ledger = &self.ledger;
            self.queue.remove(&profile, id, |other| waits(ledger, other));
        }
    }

    pub(super) fn lease(&mut self, fact: &Fact) {
        let What::AttemptLeased { task: id, attempt: number, worker, hardware, device, hedge, why, decision, decided_with } =
            &fact.what
        else {
            return;
        };
        let (id, worker) = (*id, self.worker(worker));
        let attempt = Attempt { task: id, number: *number };
        let shared = decided_with.and_then(|other| self.decisions.newest(other));
        if let Some(decision) = decision.as_ref().or(shared.as_ref()) {
            self.decisions.keep(attempt, decision.clone());
        }
        if !hedge {
            self.leave_queue(id);
        }
        let task = self.ledger.get(id).expect("only a task that was queued is leased");
        let entry = self.fleet.get(worker);
        let takes = entry.takes(self.demand(task), *hardware);
        // A fact of a time before devices were told apart names none.
        let seat = device.map(|device| Seat { device, bytes: takes.gpu_memory_bytes });
        let seat = seat.or_else(|| entry.bays().seat(*hardware, takes.gpu_memory_bytes));
        self.fleet.take(worker, attempt, takes, seat);
        let task = self.ledger.task_mut(id);
        task.attempts.push(AttemptRecord {
            number: *number,
            worker,
            why: why.clone(),
            hardware: *hardware,
            leased: fact.at,
            started: None,
            stopped: None,
            failure: None,
            exit_code: None,
            message: None,
            log_bytes: 0,
        });
        if let Some(extra) = &mut task.extra {
            extra.reported.clear();
        }
        self.follow_attempts(id);
    }

    /// The worker no longer holds the attempt. Where the task goes is said by the fact that follows: back to the queue, to
    /// another worker, or to its verdict.
    pub(super) fn stop(&mut self, fact: &Fact) {
        let What::AttemptStopped { task: id, attempt, reason, failure, exit_code, message, run_s, log_bytes, .. } = &fact.what
        else {
            return;
        };
        let stopped = self.attempt_mut(*id, *attempt);
        stopped.stopped = Some((fact.at, *reason));
        stopped.failure = *failure;
        stopped.exit_code = *exit_code;
        stopped.log_bytes = *log_bytes;
        stopped.message = message.as_deref().map(Into::into);
        let (worker, hardware) = (stopped.worker, stopped.hardware);
        self.fleet.free(worker, *id);
        self.fleet.get_mut(worker).health.stopped(fact.at, *reason);
        let task = self.ledger.get(*id).expect("it just stopped");
        if *reason == StopReason::Finished && failure.is_none() && task.tests() == 0 {
            let behind = behind_s(&self.fleet, &self.estimates, task, hardware) / self.speed(worker, hardware);
            let told = self.fleet.get(worker).told_speed(hardware);
            self.estimates.saw_task(&task.spec.kind, worker, hardware, told, run_s + behind);
        }
        self.follow_attempts(*id);
    }

    /// A task with a live attempt is where its oldest one is; without one it stays where it was until a fact says more.
    pub(super) fn follow_attempts(&mut self, id: TaskId) {
        let task = self.ledger.get(id).expect("it has attempts");
        let live = task.live().next();
        if let (Some(live), true) = (live, task.is_open()) {
            let state = if live.started.is_some() { TaskState::Running(live.worker) } else { TaskState::Leased(live.worker) };
            self.ledger.set_state(id, state);
        }
    }

    /// A running attempt is told to save its state; room at the target, where there is one, is kept from now on.
    pub(super) fn begin_standstill(&mut self, fact: &Fact) {
        match &fact.what {
            What::Migration { task, attempt, to, hardware, why, decision, predicted_gain_s, .. } => {
                let to = self.worker(to);
                let demand = self.demand(self.ledger.get(*task).expect("it runs"));
                self.fleet.reserve(to, *task, demand, *hardware);
                let target = Some((to, *hardware));
                let stays_s = decision.as_ref().and_then(|decision| decision.stays.as_ref()).map(|stays| stays.seconds);
                let extra = self.ledger.task_mut(*task).extra_mut();
                let (why, decision) = (why.clone(), decision.clone());
                extra.standstill = Some(Standstill { attempt: *attempt, target, why, decision });
                extra.promise = stays_s.map(|stays_s| Promise { at: fact.at, stays_s, gain_s: *predicted_gain_s });
            }
            What::Preemption { task, attempt, why, decision, .. } => {
                let (why, decision) = (why.clone(), decision.clone());
                let standstill = Standstill { attempt: *attempt, target: None, why, decision };
                self.ledger.task_mut(*task).extra_mut().standstill = Some(standstill);
            }
            _ => {}
        }
    }

    pub(super) fn end_standstill(&mut self, id: TaskId, end: StandstillEnd) {
        let extra = self.ledger.task_mut(id).extra_mut();
        extra.cannot_save |= end == StandstillEnd::Unable;
        let Some(ended) = extra.standstill.take() else { return };
        if let Some((to, _)) = ended.target {
            extra.moves += u32::from(end == StandstillEnd::Followed);
            if end != StandstillEnd::Followed {
                extra.promise = None;
            }
            if !(planted::bug(7) && end == StandstillEnd::Withdrawn) {
                self.fleet.unreserve(to, id);
            }
        }
    }

    pub(super) fn attempt_mut(&mut self, task: TaskId, number: AttemptNumber) -> &mut AttemptRecord {
        let attempts = &mut self.ledger.task_mut(task).attempts;
        attempts.iter_mut().rev().find(|attempt| attempt.number == number).expect("a fact names an attempt that was leased")
    }

    pub(super) fn requeue(&mut self, id: TaskId, why: Option<Failure>, at: Time) {
        if let Some(why) = why {
            self.blame(id, why);
        }
        let task = self.ledger.get(id).expect("it stopped");
        let estimate_ms = self.estimates.of(&task.spec).unwrap_or(UNKNOWN_MS);
        let behind_s = behind_s(&self.fleet, &self.estimates, task, task.spec.runs_on()[0]);
        let behind_ms = two_digits((behind_s * 1e3) as u64);
        self.ledger.set_state(id, TaskState::Queued { since: at, estimate_ms, behind_ms });
        self.wait(id, true);
        if planted::bug(32) {
            self.wait(id, false);
        }
    }

    fn blame(&mut self, id: TaskId, why: Failure) {
        let task = self.ledger.task_mut(id);
        let newest = task.attempts.last().expect("it was leased before");
        let (worker, had_started, attempts) = (newest.worker, newest.started.is_some(), task.attempts.len());
        let extra = task.extra_mut();
        if why.is_of_the_task() {
            extra.own_failures = extra.own_failures.saturating_add(if planted::bug(16) { 2 } else { 1 });
        } else if why == Failure::Lost {
            if had_started {
                extra.lost_on.push(worker);
            }
        } else {
            extra.infra_failures = extra.infra_failures.saturating_add(1);
            if extra.checkpoint.is_some() && !had_started {
                extra.restores_failed += 1;
            }
            if extra.restores_failed >= RESTORES_MAX {
                // Something is wrong with that state: the task begins again from nothing.
                (extra.checkpoint, extra.restores_failed, extra.given_up) = (None, 0, attempts);
            }
            if !extra.avoid.contains(&worker) {
                extra.avoid.push(worker);
            }
        }
    }
}

/// Seconds of work on `hardware` of speed 1 that are saved and need not be done again. Work done on other hardware counts by
/// what tasks of this kind take here and there.
pub(crate) fn behind_s(fleet: &Fleet, estimates: &Estimates, task: &Task, hardware: HardwareKind) -> f64 {
    if task.attempts.is_empty() {
        return 0.0;
    }
    let kept = |stopped| matches!(stopped, StopReason::Migrated | StopReason::Preempted);
    let given_up = task.extra.as_ref().map_or(0, |extra| extra.given_up);
    let saved = task.attempts.iter().skip(given_up).filter_map(|attempt| {
        let ((stopped, _), started) = (attempt.stopped.filter(|(_, reason)| kept(*reason))?, attempt.started?);
        let speed = fleet.get(attempt.worker).told_speed(attempt.hardware) * estimates.speed(attempt.worker, attempt.hardware);
        let ratio = estimates.expect(task.kind, hardware).log - estimates.expect(task.kind, attempt.hardware).log;
        Some(stopped.since(started).as_secs_f64() * speed * if attempt.hardware == hardware { 1.0 } else { ratio.exp() })
    });
    saved.sum()
}
