//! What callers see of tasks, workers and the whole.

use crate::Coordinator;
use crate::fleet::{Presence, Worker};
use crate::ledger::{AttemptRecord, State as TaskState, Task};
use shared::api::{AttemptView, TaskList, TaskPhase, TaskView, WorkerState, WorkerView};
use shared::id::TaskId;
use shared::time::Time;
use std::collections::BTreeMap;

/// Where a task is, as callers name it.
pub fn phase(task: &Task) -> TaskPhase {
    match task.state {
        TaskState::Queued { .. } => TaskPhase::Queued,
        TaskState::Leased(_) => TaskPhase::Leased,
        TaskState::Running(_) if task.standstill().is_some_and(|order| order.target.is_some()) => TaskPhase::Migrating,
        TaskState::Running(_) => TaskPhase::Running,
        TaskState::Done(..) => TaskPhase::Done,
    }
}

/// The figures of a status that the core knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
    /// Verdicts given.
    pub verdicts: BTreeMap<String, u64>,
    /// Workers by state.
    pub workers: BTreeMap<String, u64>,
    /// Slots of workers that are there.
    pub slots: u64,
    /// Slots in use.
    pub busy_slots: u64,
}

impl Coordinator {
    /// One task.
    pub fn task_view(&self, id: TaskId) -> Option<TaskView> {
        let task = self.state.ledger.get(id)?;
        let (verdict, failure, finished) = match task.state {
            TaskState::Done(at, verdict, failure) => (Some(verdict), failure, Some(at)),
            _ => (None, None, None),
        };
        Some(TaskView {
            task_id: id,
            name: task.spec.name.clone(),
            state: phase(task),
            verdict,
            failure,
            exit_code: verdict.and_then(|_| task.attempts.last()?.exit_code),
            priority: task.spec.priority,
            owner: task.spec.owner.clone(),
            submitted_s: task.submitted.seconds(),
            finished_s: finished.map(Time::seconds),
            attempts: task.attempts.iter().map(|attempt| self.attempt_view(attempt)).collect(),
        })
    }

    fn attempt_view(&self, attempt: &AttemptRecord) -> AttemptView {
        AttemptView {
            number: attempt.number.ordinal(),
            fence: attempt.number,
            worker: self.state.fleet.get(attempt.worker).name.to_string(),
            hardware: attempt.hardware,
            started_s: attempt.started.map(Time::seconds),
            stopped_s: attempt.stopped.map(|(at, _)| at.seconds()),
            reason: attempt.stopped.map(|(_, reason)| reason),
            failure: attempt.failure,
            message: attempt.message.as_deref().map(String::from),
            log_bytes: attempt.stopped.map(|_| attempt.log_bytes),
        }
    }

    /// A page of the tasks in a state, or of all tasks, in the order of submission.
    pub fn task_list(&self, wanted: Option<TaskPhase>, limit: usize, offset: usize) -> TaskList {
        let ledger = &self.state.ledger;
        let counts = ledger.counts();
        let total = match wanted {
            None => ledger.len() as u64,
            Some(TaskPhase::Queued) => counts.queued,
            Some(TaskPhase::Leased) => counts.leased,
            Some(TaskPhase::Running) => counts.running - self.migrating(),
            Some(TaskPhase::Migrating) => self.migrating(),
            Some(TaskPhase::Done) => counts.done.values().sum(),
        };
        let found = ledger.iter().filter(|(_, task)| wanted.is_none_or(|wanted| phase(task) == wanted));
        let tasks = found.skip(offset).take(limit).filter_map(|(id, _)| self.task_view(id)).collect();
        TaskList { total, tasks }
    }

    /// Tasks that are on their way to another worker.
    fn migrating(&self) -> u64 {
        self.state.fleet.iter().map(|(_, worker)| worker.reserved.len() as u64).sum()
    }

    /// All workers, those that are gone last.
    pub fn worker_views(&self, now: Time) -> Vec<WorkerView> {
        let mut views: Vec<WorkerView> = self.state.fleet.iter().map(|(_, worker)| worker_view(worker, now)).collect();
        views.sort_by_key(|view| view.state == WorkerState::Gone);
        views
    }

    /// The figures of a status.
    pub fn summary(&self) -> Summary {
        let counts = self.state.ledger.counts();
        let mut tasks: BTreeMap<String, u64> = BTreeMap::new();
        let migrating = self.migrating();
        let running = counts.running - migrating;
        for (name, count) in
            [("queued", counts.queued), ("leased", counts.leased), ("running", running), ("migrating", migrating)]
        {
            tasks.insert(name.into(), count);
        }
        tasks.insert("done".into(), counts.done.values().sum());
        let verdicts =
            counts.done.iter().filter(|(_, count)| **count > 0).map(|(verdict, count)| (verdict.name().into(), *count));
        let mut summary = Summary { tasks, verdicts: verdicts.collect(), ..Summary::default() };
        for (_, worker) in self.state.fleet.iter() {
            *summary.workers.entry(state_name(worker_state(worker.presence)).into()).or_default() += 1;
            if worker.presence.connection().is_some() {
                summary.slots += u64::from(worker.inventory.slots);
                summary.busy_slots += u64::from(worker.busy_slots());
            }
        }
        summary
    }
}

fn worker_view(worker: &Worker, now: Time) -> WorkerView {
    WorkerView {
        name: worker.name.to_string(),
        id: worker.id,
        state: worker_state(worker.presence),
        admission: worker.admission,
        breaker: worker.health.breaker(),
        reliability: worker.health.reliability(),
        busy_slots: worker.busy_slots(),
        tasks: worker.held.keys().copied().collect(),
        inventory: worker.inventory.clone(),
        load: worker.told_load.clone(),
        silent_s: now.since(worker.heard).as_secs_f64(),
    }
}

pub(crate) fn worker_state(presence: Presence) -> WorkerState {
    match presence {
        Presence::Ready(_) => WorkerState::Ready,
        Presence::Joining(_) | Presence::Suspect(_) | Presence::Leaving(_) => WorkerState::Suspect,
        Presence::Disconnected => WorkerState::Disconnected,
        Presence::Gone => WorkerState::Gone,
    }
}

fn state_name(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Ready => "ready",
        WorkerState::Suspect => "suspect",
        WorkerState::Disconnected => "disconnected",
        WorkerState::Gone => "gone",
    }
}
