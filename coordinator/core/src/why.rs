//! Why a task is where it is: for each worker the first thing that keeps the task from it, and the place in the queue.

use crate::Coordinator;
use crate::fleet::{Presence, Worker};
use crate::ledger::{State as TaskState, Task};
use crate::view::phase;
use shared::api::{Placement, Why, WhyCode, WhyWorker};
use shared::fact::Admission;
use shared::id::{Attempt, TaskId};
use shared::requirement::Unmet;

impl Coordinator {
    /// The whole answer; nothing for a task that does not exist.
    pub fn why(&self, id: TaskId) -> Option<Why> {
        let task = self.state.ledger.get(id)?;
        let waits = matches!(task.state, TaskState::Queued { .. });
        let there = self.state.fleet.iter().filter(|(_, worker)| worker.presence != Presence::Gone);
        let workers: Vec<WhyWorker> =
            if waits { there.map(|(at, worker)| self.why_worker(task, at, worker)).collect() } else { Vec::new() };
        let queue_position = if waits { self.queue_position(id) } else { None };
        let impossible = waits && !workers.is_empty() && workers.iter().all(|worker| is_lasting(worker.code));
        let summary = self.in_words(task, &workers, queue_position, impossible);
        let placements = task.attempts.iter().map(|attempt| Placement {
            attempt: attempt.number.ordinal(),
            worker: self.state.fleet.get(attempt.worker).name.to_string(),
            why: attempt.why.to_string(),
            decision: self.state.decisions.get(Attempt { task: id, number: attempt.number }).map(|decision| (**decision).clone()),
        });
        let (state, placements) = (phase(task), placements.collect());
        Some(Why { task_id: id, state, summary, queue_position, impossible, workers, placements })
    }

    /// Waiting tasks that no registered worker could ever run, however free it was; at most `most`. A fleet that is busy,
    /// draining or away is never a reason, and neither is a fleet that has no worker yet.
    pub fn impossible(&self, most: usize) -> Vec<TaskId> {
        let workers: Vec<&Worker> = self.state.fleet.iter().map(|(_, w)| w).filter(|w| w.presence != Presence::Gone).collect();
        if workers.is_empty() {
            return Vec::new();
        }
        let cannot = |class| {
            let class = self.state.queue.class(class);
            workers.iter().all(|worker| has_told(worker) && worker.unmet(class).is_some())
        };
        let groups = self.state.queue.groups().filter(|(profile, _)| cannot(profile.class));
        groups.flat_map(|(_, tasks)| tasks.iter().copied()).filter(|task| self.state.waits(*task)).take(most).collect()
    }

    fn why_worker(&self, task: &Task, at: crate::fleet::WorkerIndex, worker: &Worker) -> WhyWorker {
        let (code, unmet) = self.obstacle(task, at, worker);
        WhyWorker { worker: worker.name.to_string(), code, unmet }
    }

    fn obstacle(&self, task: &Task, at: crate::fleet::WorkerIndex, worker: &Worker) -> (WhyCode, Option<Unmet>) {
        let says = |needs: &str, has: String| Some(Unmet { needs: needs.into(), has });
        let class = self.state.queue.class(task.class);
        if !has_told(worker) {
            return (WhyCode::Absent, says("a worker that is connected", "it has not yet told what it has".into()));
        }
        if let Some(unmet) = task.spec.requires.unmet(&worker.name, &worker.inventory) {
            return (WhyCode::Requirement, Some(unmet));
        }
        if let Some(unmet) = worker.unmet(class) {
            return (WhyCode::TooLarge, Some(unmet));
        }
        if !matches!(worker.presence, Presence::Ready(_)) {
            return (WhyCode::Absent, says("a worker that is connected", format!("it is {}", state_word(worker.presence))));
        }
        match worker.admission {
            Admission::Open => {}
            Admission::Cordoned => return (WhyCode::NotAdmitting, says("a worker that takes new work", "it is cordoned".into())),
            Admission::Draining => return (WhyCode::NotAdmitting, says("a worker that takes new work", "it is draining".into())),
        }
        if !worker.health.admits() {
            let has = "attempts in a row failed there for reasons that were not theirs; it is tried again soon".into();
            return (WhyCode::Distrusted, says("a worker on which attempts come to an end", has));
        }
        if !worker.admits() {
            let has = "others use its processors or memory, and it waits for them".into();
            return (WhyCode::Overloaded, says("a worker whose load is its own", has));
        }
        let hardware = worker.options(class).first().copied().expect("nothing is unmet");
        let (takes, free) = (worker.takes(class.demand, hardware), worker.free());
        if free.slots < takes.slots {
            let has = format!("{} of {} free", free.slots, worker.inventory.slots);
            return (WhyCode::Busy, says(&format!("{} slots", takes.slots), has));
        }
        if free.memory_bytes < takes.memory_bytes {
            let has = format!("{} MB not promised to other tasks", free.memory_bytes / 1_000_000);
            return (WhyCode::MemoryBusy, says(&format!("{} MB of memory", takes.memory_bytes / 1_000_000), has));
        }
        if !worker.has_room(takes, hardware) {
            let has = format!("{} MB free on all of its devices together", free.gpu_memory_bytes / 1_000_000);
            return (WhyCode::MemoryBusy, says(&format!("{} MB on one device", takes.gpu_memory_bytes / 1_000_000), has));
        }
        if task.avoid().contains(&at) {
            return (
                WhyCode::Avoided,
                says("a worker on which it has not failed for reasons of the machine", "it failed here before".into()),
            );
        }
        (WhyCode::Ready, None)
    }

    fn queue_position(&self, id: TaskId) -> Option<u64> {
        let own = self.state.profile(id)?;
        let mut before = 0;
        for (profile, tasks) in self.state.queue.groups() {
            let waiting = tasks.iter().filter(|task| self.state.waits(**task));
            if *profile == own {
                return Some(before + waiting.take_while(|task| **task != id).count() as u64);
            }
            before += waiting.count() as u64;
        }
        None
    }

    fn in_words(&self, task: &Task, workers: &[WhyWorker], position: Option<u64>, impossible: bool) -> String {
        let name = |at| &self.state.fleet.get(at).name;
        match task.state {
            TaskState::Done(_, verdict, failure) => {
                let because = failure.map_or_else(String::new, |failure| format!(" ({failure})"));
                let told = task.attempts.last().and_then(|attempt| attempt.message.as_deref());
                let told = told.map_or_else(String::new, |message| format!(": {message}"));
                format!("it ended: {verdict}{because}{told}")
            }
            TaskState::Leased(worker) => format!("it was given to {} and has not started yet", name(worker)),
            TaskState::Running(worker) => format!("it runs on {}", name(worker)),
            TaskState::Queued { .. } if impossible => format!(
                "no worker that is registered could ever run it: it requires {}; start a worker that has that, or cancel it and submit it with other requirements",
                task.spec.requires.text()
            ),
            TaskState::Queued { .. } if workers.is_empty() => {
                "no worker has joined: start one with `worker --coordinator ws://HOST:PORT`".into()
            }
            TaskState::Queued { .. } => {
                let able = workers.iter().filter(|worker| !is_lasting(worker.code)).count();
                let ahead = position.unwrap_or(0);
                format!("it waits: {ahead} tasks are in front of it, and {able} of {} workers could run it", workers.len())
            }
        }
    }
}

/// Whether an obstacle stays however long one waits.
fn is_lasting(code: WhyCode) -> bool {
    matches!(code, WhyCode::Requirement | WhyCode::TooLarge)
}

fn has_told(worker: &Worker) -> bool {
    worker.inventory.slots > 0
}

fn state_word(presence: Presence) -> &'static str {
    match presence {
        Presence::Ready(_) => "ready",
        Presence::Joining(_) => "joining",
        Presence::Suspect(_) => "not heard for a while",
        Presence::Leaving(_) => "being stopped",
        Presence::Disconnected => "disconnected",
        Presence::Gone => "gone",
    }
}
