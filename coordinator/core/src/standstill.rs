//! Attempts that are told to save their state and stand still, so that their task goes on elsewhere or later (F111, F112).
//!
//! ```text
//! Migration or Preemption (a fact; room at the target is kept from now on)
//!   Checkpoint ──▶ worker          it saves its state and stands still
//!   Quiesced   ◀── worker          CheckpointSaved (a fact)
//!   Cancel     ──▶ worker          now its processes end
//!   Finished   ◀── worker          one batch of facts: the old attempt stopped, the order ended, the next attempt leased
//! ```
//!
//! Until the last step the attempt is the newest and a result it brings counts. An order that is not followed by its
//! deadline is withdrawn, and the attempt goes on.

use crate::fleet::WorkerIndex;
use crate::ledger::{Standing, Standstill, Task};
use crate::timers::Timer;
use crate::{Coordinator, Effect};
use shared::fact::{Decision, StandstillEnd, What};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, TaskId};
use shared::planted;
use shared::protocol::{CheckpointRef, FromCoordinator, Start};
use shared::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// How long an attempt may take to save its state, and how much longer for each megabyte of it.
const SAVE_MAX: Duration = Duration::from_secs(60);
const SAVE_MAX_PER_MB: Duration = Duration::from_millis(50);

/// A task that is given to a worker.
#[derive(Debug)]
pub(crate) struct Grant {
    pub task: TaskId,
    pub to: WorkerIndex,
    pub hardware: HardwareKind,
    /// Whether it runs already.
    pub hedge: bool,
    pub why: Arc<str>,
    pub decision: Option<Arc<Decision>>,
    /// A task whose lease tells of the same decision.
    pub decided_with: Option<TaskId>,
}

impl Coordinator {
    /// Tells the newest attempt of a task to save its state; the fact of the order was recorded.
    pub(crate) fn ask_for_state(&mut self, now: Time, id: TaskId, effects: &mut Vec<Effect>) {
        let task = self.state.ledger.get(id).expect("it runs");
        let order = task.standstill().expect("it was just ordered");
        let attempt = Attempt { task: id, number: order.attempt };
        let megabytes = u32::try_from(task.spec.state_bytes / 1_000_000).unwrap_or(u32::MAX);
        let limit = SAVE_MAX + SAVE_MAX_PER_MB.saturating_mul(megabytes);
        self.timers.set(now + limit, Timer::Standstill(id));
        let deadline_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.tell_holder(attempt, FromCoordinator::Checkpoint { attempt, deadline_ms }, effects);
    }

    /// An attempt stands still. Where that is still wanted its processes are ended; else it goes on.
    pub(crate) fn quiesced(
        &mut self,
        now: Time,
        worker: WorkerIndex,
        attempt: Attempt,
        checkpoint: CheckpointRef,
        effects: &mut Vec<Effect>,
    ) {
        match self.state.ledger.standing(attempt, worker) {
            Standing::Current => {}
            Standing::Known => return,
            Standing::Fenced(current) => return self.fence(now, worker, attempt, current, "quiesced", effects),
        }
        let task = self.state.ledger.get(attempt.task).expect("it is current");
        let wanted = task.standstill().is_some_and(|order| order.attempt == attempt.number);
        if !wanted {
            return self.tell_holder(attempt, FromCoordinator::Resume { attempt }, effects);
        }
        self.record(now, What::CheckpointSaved { task: attempt.task, attempt: attempt.number, checkpoint }, effects);
        self.tell_holder(attempt, FromCoordinator::Cancel { attempt, grace_ms: 0 }, effects);
    }

    /// An attempt goes on although it was asked for its state: it cannot save it.
    pub(crate) fn resumed(&mut self, now: Time, worker: WorkerIndex, attempt: Attempt, effects: &mut Vec<Effect>) {
        if self.state.ledger.standing(attempt, worker) == Standing::Current {
            self.end_standstill(now, attempt.task, StandstillEnd::Unable, "its worker could not save its state", effects);
        }
    }

    /// Withdraws an order that was not followed in time.
    pub(crate) fn expire_standstill(&mut self, now: Time, id: TaskId, effects: &mut Vec<Effect>) {
        let Some(order) = self.state.ledger.get(id).and_then(Task::standstill) else { return };
        let attempt = Attempt { task: id, number: order.attempt };
        self.end_standstill(now, id, StandstillEnd::Withdrawn, "its state was not saved in time", effects);
        self.tell_holder(attempt, FromCoordinator::Resume { attempt }, effects);
    }

    /// Ends the order a task has, where it has one.
    pub(crate) fn end_standstill(&mut self, now: Time, id: TaskId, end: StandstillEnd, why: &str, effects: &mut Vec<Effect>) {
        if let Some(order) = self.state.ledger.get(id).and_then(Task::standstill) {
            let attempt = order.attempt;
            self.record(now, What::StandstillEnded { task: id, attempt, end, why: why.into() }, effects);
            self.changed = true;
        }
    }

    /// The attempt is over and its state is saved: the task goes on at its target, where it has one that still takes work,
    /// and waits again otherwise.
    pub(crate) fn go_on_from_saved(&mut self, now: Time, stopped: Attempt, effects: &mut Vec<Effect>) {
        let id = stopped.task;
        let target = self.state.ledger.get(id).and_then(Task::standstill).and_then(|order| Some((order.target?, order.clone())));
        let open = target.filter(|((to, _), _)| self.state.fleet.get(*to).admits());
        self.end_standstill(
            now,
            id,
            StandstillEnd::Followed,
            if open.is_some() { "it moved" } else { "it waits with its state saved" },
            effects,
        );
        match open {
            Some(((to, hardware), Standstill { why, decision, .. })) => {
                self.lease(now, Grant { task: id, to, hardware, hedge: false, why, decision, decided_with: None }, effects);
            }
            None => self.record(now, What::TaskRequeued { task: id, why: None }, effects),
        }
    }

    /// Gives a task to a worker.
    pub(crate) fn lease(&mut self, now: Time, grant: Grant, effects: &mut Vec<Effect>) {
        let Grant { task: id, to, hardware, hedge, why, decision, decided_with } = grant;
        let attempt = self.state.ledger.next_attempt(id, self.state.epoch);
        let worker = self.state.fleet.get(to);
        let (name, connection) = (worker.name.clone(), worker.presence.connection());
        let decision = decision.filter(|_| decided_with.is_none());
        let (task, number) = (id, attempt.number);
        let waiting = self.state.ledger.get(id).expect("only a task that is there is given away");
        let takes = worker.takes(self.state.demand(waiting), hardware);
        let device = worker.bays().seat(hardware, takes.gpu_memory_bytes).map(|seat| seat.device);
        let leased =
            What::AttemptLeased { task, attempt: number, worker: name, hardware, device, hedge, why, decision, decided_with };
        self.record(now, leased, effects);
        let task = self.state.ledger.get(id).expect("it was just leased");
        let restore = task.extra.as_ref().and_then(|extra| extra.checkpoint.clone());
        let restore = restore.filter(|_| !planted::bug(19));
        let start = Start { attempt, spec: task.spec.clone(), hardware, device, skip: task.settled_tests(), restore };
        let connection = connection.expect("a worker that admits work is connected");
        effects.push(Effect::Send { connection, message: FromCoordinator::Start(start) });
    }

    /// Orders to stand still whose target is `worker`, which is gone: the attempts go on.
    pub(crate) fn forget_target(&mut self, now: Time, worker: WorkerIndex, effects: &mut Vec<Effect>) {
        let coming: Vec<TaskId> = self.state.fleet.get(worker).reserved.keys().copied().collect();
        for id in coming {
            let Some(Standstill { attempt: number, .. }) = self.state.ledger.get(id).and_then(Task::standstill) else { continue };
            let attempt = Attempt { task: id, number: *number };
            self.end_standstill(now, id, StandstillEnd::Withdrawn, "the worker it was to move to is gone", effects);
            self.tell_holder(attempt, FromCoordinator::Resume { attempt }, effects);
        }
    }

    /// Tells the worker of an attempt, where it is connected.
    pub(crate) fn tell_holder(&self, attempt: Attempt, message: FromCoordinator, effects: &mut Vec<Effect>) {
        let named = self.state.ledger.get(attempt.task).and_then(|task| task.attempt(attempt.number));
        if let Some(connection) = named.and_then(|named| self.state.fleet.get(named.worker).presence.connection()) {
            effects.push(Effect::Send { connection, message });
        }
    }
}
