//! What people ask for: to run tasks, to stop them, to open and close workers.

use crate::ledger::{State as TaskState, Task};
use crate::plan::{self, Move};
use crate::timers::Timer;
use crate::{ClientId, Command, Coordinator, Effect, NewTask, Reply, policy};
use shared::fact::{Admission, BreakerState, What};
use shared::hardware::Load;
use shared::id::{Attempt, TaskId};
use shared::outcome::{Failure, Verdict};
use shared::planted;
use shared::protocol::FromCoordinator;
use shared::task::seconds;
use shared::time::Time;

impl Coordinator {
    /// Accepts all of the tasks or none. A key that was used before stands for the task it made then.
    pub(crate) fn submit(&mut self, now: Time, client: ClientId, tasks: Vec<NewTask>, effects: &mut Vec<Effect>) {
        let counts = self.state.ledger.counts();
        let open = counts.queued + counts.leased + counts.running;
        if open + tasks.len() as u64 > self.config.open_tasks_max {
            let limit = self.config.open_tasks_max;
            effects.push(Effect::Reply { client, reply: Reply::Full(format!("{open} tasks are open; {limit} are allowed")) });
            return;
        }
        let mut ids = Vec::with_capacity(tasks.len());
        for NewTask { spec, key } in tasks {
            if let Some(known) = key.as_deref().filter(|_| !planted::bug(33)).and_then(|key| self.state.ledger.by_key(key)) {
                ids.push(known);
                continue;
            }
            let task = self.state.ledger.next_id();
            ids.push(task);
            self.record(now, What::TaskQueued { task, spec, key }, effects);
            let accepted = self.state.ledger.get(task).expect("it was just accepted");
            if let Some(at) = queue_deadline(accepted) {
                self.timers.set(at, Timer::Queued(task));
            }
            self.changed = true;
        }
        effects.push(Effect::Reply { client, reply: Reply::Accepted(ids) });
    }

    /// Carries out an order, or says why not.
    pub(crate) fn operate(&mut self, now: Time, client: ClientId, command: Command, effects: &mut Vec<Effect>) {
        let reply = match command {
            Command::Cancel(task) => self.cancel(now, task, effects),
            Command::Admit(worker, admission) => self.admit(now, &worker, admission, effects),
            Command::Measured(worker, load) => self.measured(now, &worker, *load, effects),
            Command::Learn(known) => {
                self.record(now, What::DurationsKnown { known }, effects);
                self.changed = true;
                Reply::Done
            }
            Command::Rebalance => self.rebalance(now, effects),
            Command::Migrate(task, worker) => self.order_migration(now, task, &worker, effects),
            Command::UsePolicy(name) => match policy::by_name(&name) {
                Some(chosen) => {
                    self.record(now, What::PolicyChosen { policy: chosen.name().into() }, effects);
                    self.policy = chosen;
                    self.changed = true;
                    Reply::Done
                }
                None => Reply::Unknown(format!("no policy is called `{name}`; there are {}", policy::NAMES.join(", "))),
            },
        };
        effects.push(Effect::Reply { client, reply });
    }

    /// Moves a running task because someone says so.
    fn order_migration(&mut self, now: Time, id: TaskId, worker: &str, effects: &mut Vec<Effect>) -> Reply {
        let Some(task) = self.state.ledger.get(id) else { return Reply::Unknown(format!("there is no task {id}")) };
        let Some(to) = self.state.fleet.by_name(worker) else {
            return Reply::Unknown(format!("no worker is called `{worker}`"));
        };
        let options = self.state.fleet.get(to).options(self.state.queue.class(task.class));
        let Some(hardware) = options.first().copied() else {
            return Reply::Conflict(format!("{worker} cannot run task {id}: `evenkeel why {id}` says what it lacks"));
        };
        let order = Move::Migrate { task: id, to, hardware, gain_s: 0.0, cost_s: 0.0, why: "operator".into(), decision: None };
        match plan::check(&self.state, &order) {
            Ok(()) => {
                self.carry_out(now, order, None, effects);
                Reply::Done
            }
            Err(reason) => Reply::Conflict(format!("task {id} cannot move to {worker}: {reason}")),
        }
    }

    fn cancel(&mut self, now: Time, id: TaskId, effects: &mut Vec<Effect>) -> Reply {
        let Some(task) = self.state.ledger.get(id) else { return Reply::Unknown(format!("there is no task {id}")) };
        match task.state {
            TaskState::Done(_, verdict, _) if !planted::bug(27) => {
                return Reply::Conflict(format!("task {id} has ended already: {verdict}"));
            }
            TaskState::Queued { .. } | TaskState::Done(..) => {
                let (verdict, failure) = (Verdict::Cancelled, None);
                self.record(now, What::TaskFinished { task: id, attempt: None, verdict, failure }, effects);
            }
            TaskState::Leased(_) | TaskState::Running(_) => {
                if !task.is_cancelled() {
                    self.record(now, What::CancelRequested { task: id }, effects);
                }
                self.stop_live(id, effects);
            }
        }
        Reply::Done
    }

    /// Ends every attempt of a task that is not over.
    pub(crate) fn stop_live(&self, id: TaskId, effects: &mut Vec<Effect>) {
        let live = self.state.ledger.get(id).into_iter().flat_map(Task::live);
        live.for_each(|live| self.send_cancel(Attempt { task: id, number: live.number }, effects));
    }

    /// Tells the worker of an attempt to end it, where it is connected; where it is not, it is told when it comes back.
    pub(crate) fn send_cancel(&self, attempt: Attempt, effects: &mut Vec<Effect>) {
        let grace_ms = u64::try_from(self.config.cancel_grace.as_millis()).expect("a grace is shorter than an age");
        self.tell_holder(attempt, FromCoordinator::Cancel { attempt, grace_ms }, effects);
    }

    fn admit(&mut self, now: Time, name: &str, admission: Admission, effects: &mut Vec<Effect>) -> Reply {
        let Some(worker) = self.state.fleet.by_name(name) else {
            return Reply::Unknown(format!("no worker is called `{name}`"));
        };
        if planted::bug(29) {
            self.state.fleet.get_mut(worker).admission = admission;
        }
        if self.state.fleet.get(worker).admission != admission {
            let worker = self.state.fleet.get(worker).name.clone();
            self.record(now, What::WorkerSet { worker, admission }, effects);
            self.changed = true;
        }
        // Whoever opens a worker has looked at it: it is trusted again.
        if admission == Admission::Open && self.state.fleet.get(worker).health.breaker() != BreakerState::Closed {
            self.move_breaker(now, worker, BreakerState::Closed, effects);
        }
        Reply::Done
    }

    fn measured(&mut self, now: Time, name: &str, load: Load, effects: &mut Vec<Effect>) -> Reply {
        let Some(worker) = self.state.fleet.by_name(name) else {
            return Reply::Unknown(format!("no worker is called `{name}`"));
        };
        let high = self.balancer.limits().high;
        let entry = self.state.fleet.get_mut(worker);
        self.changed |= entry.measure(&load, high);
        let (worker, busy_slots, slots) = (entry.name.clone(), entry.busy_slots(), entry.inventory.slots);
        self.record(now, What::WorkerSampled { worker, load, busy_slots, slots }, effects);
        Reply::Done
    }

    /// Gives up a task that has waited for longer than it may.
    pub(crate) fn expire_queued(&mut self, now: Time, id: TaskId, effects: &mut Vec<Effect>) {
        let deadline = self.state.ledger.get(id).and_then(queue_deadline);
        match deadline {
            Some(at) if at <= now => {
                let (verdict, failure) = (Verdict::Expired, Some(Failure::TimeoutQueue));
                self.record(now, What::TaskFinished { task: id, attempt: None, verdict, failure }, effects);
            }
            Some(at) => self.timers.set(at, Timer::Queued(id)),
            None => {}
        }
    }
}

/// When a waiting task has waited for too long. The time it waits again after an attempt begins anew.
pub(crate) fn queue_deadline(task: &Task) -> Option<Time> {
    let TaskState::Queued { since, .. } = task.state else { return None };
    let limit = seconds(task.spec.timeouts.queue_s)?;
    Some(since + if planted::bug(40) { limit / 2 } else { limit })
}
