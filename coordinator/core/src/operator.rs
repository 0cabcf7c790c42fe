//! What people ask for: to run tasks, to stop them, to open and close workers.

use crate::ledger::{State as TaskState, Task};
use crate::timers::Timer;
use crate::{ClientId, Command, Coordinator, Effect, NewTask, Reply, policy};
use shared::fact::{Admission, What};
use shared::hardware::Load;
use shared::id::{Attempt, TaskId};
use shared::outcome::{Failure, Verdict};
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
            if let Some(known) = key.as_deref().and_then(|key| self.state.ledger.by_key(key)) {
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
            Command::Measured(worker, load) => self.measured(now, &worker, load, effects),
            Command::UsePolicy(name) => match policy::by_name(&name) {
                Some(chosen) => {
                    self.policy = chosen;
                    self.changed = true;
                    Reply::Done
                }
                None => Reply::Unknown(format!("no policy is called `{name}`; there are {}", policy::NAMES.join(", "))),
            },
        };
        effects.push(Effect::Reply { client, reply });
    }

    fn cancel(&mut self, now: Time, id: TaskId, effects: &mut Vec<Effect>) -> Reply {
        let Some(task) = self.state.ledger.get(id) else { return Reply::Unknown(format!("there is no task {id}")) };
        match task.state {
            TaskState::Done(_, verdict, _) => return Reply::Conflict(format!("task {id} has ended already: {verdict}")),
            TaskState::Queued { .. } => {
                let (verdict, failure) = (Verdict::Cancelled, None);
                self.record(now, What::TaskFinished { task: id, attempt: None, verdict, failure }, effects);
            }
            TaskState::Leased(_) | TaskState::Running(_) => {
                let number = task.attempts.last().expect("it was leased").number;
                if !task.is_cancelled() {
                    self.record(now, What::CancelRequested { task: id }, effects);
                }
                self.send_cancel(Attempt { task: id, number }, effects);
            }
        }
        Reply::Done
    }

    /// Tells the worker of an attempt to end it, where it is connected; where it is not, it is told when it comes back.
    pub(crate) fn send_cancel(&mut self, attempt: Attempt, effects: &mut Vec<Effect>) {
        let holder = self.state.ledger.get(attempt.task).and_then(Task::holder);
        let connection = holder.and_then(|worker| self.state.fleet.get(worker).presence.connection());
        if let Some(connection) = connection {
            let grace_ms = u64::try_from(self.config.cancel_grace.as_millis()).expect("a grace is shorter than an age");
            effects.push(Effect::Send { connection, message: FromCoordinator::Cancel { attempt, grace_ms } });
        }
    }

    fn admit(&mut self, now: Time, name: &str, admission: Admission, effects: &mut Vec<Effect>) -> Reply {
        let Some(worker) = self.state.fleet.by_name(name) else {
            return Reply::Unknown(format!("no worker is called `{name}`"));
        };
        if self.state.fleet.get(worker).admission != admission {
            let worker = self.state.fleet.get(worker).name.clone();
            self.record(now, What::WorkerSet { worker, admission }, effects);
            self.changed = true;
        }
        Reply::Done
    }

    fn measured(&mut self, now: Time, name: &str, load: Load, effects: &mut Vec<Effect>) -> Reply {
        let Some(worker) = self.state.fleet.by_name(name) else {
            return Reply::Unknown(format!("no worker is called `{name}`"));
        };
        let entry = self.state.fleet.get_mut(worker);
        entry.load = load;
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
    Some(since + seconds(task.spec.timeouts.queue_s)?)
}
