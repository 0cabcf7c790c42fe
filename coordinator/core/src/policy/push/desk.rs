//! What a choice is made from: the view, and what was already given to each worker, up to the task before this one.

use super::{Arrival, Line};
use crate::estimate::KindId;
use crate::fleet::{Room, WorkerIndex};
use crate::ledger::Task;
use crate::plan::View;
use crate::queue::ClassId;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A worker with more than this share of its slots spoken for is not available (F127).
const AVAILABLE_BELOW: f64 = 0.9;

/// Tasks that take equally long everywhere, or as long as their submitters said times the same factors: class, kind, and
/// whether their submitters said anything.
type Like = (ClassId, KindId, bool);

/// For each worker the seconds on the hardware that suits best, and that hardware.
type Bests = Rc<[(f64, HardwareKind)]>;

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Desk<'v, 'a> {
    /// The view.
    pub view: &'v mut View<'a>,
    lines: &'v [Line],
    memory: &'v mut Memory,
}

/// What was computed in this plan and holds to its end.
#[derive(Debug, Default)]
pub(in super::super) struct Memory {
    running_s: Vec<Option<f64>>,
    likes: BTreeMap<Like, Bests>,
    /// The task that was asked about last, what it shares with its like, and by what that is multiplied.
    last: Option<(TaskId, Bests, f64)>,
}

impl<'v, 'a> Desk<'v, 'a> {
    pub(super) fn new(view: &'v mut View<'a>, lines: &'v [Line], memory: &'v mut Memory) -> Self {
        Self { view, lines, memory }
    }

    /// Tasks a worker has: under way, on their way to it, and in its queue.
    pub fn connections(&self, worker: WorkerIndex) -> usize {
        let entry = self.view.fleet().get(worker);
        entry.held.len() + entry.reserved.len() + self.lines[worker.0 as usize].len()
    }

    /// Its slots, never 0.
    pub fn slots(&self, worker: WorkerIndex) -> f64 {
        f64::from(self.view.fleet().get(worker).inventory.slots.max(1))
    }

    /// Tasks a worker has, per slot; above 1 some of them wait.
    pub fn load(&self, worker: WorkerIndex) -> f64 {
        self.connections(worker) as f64 / self.slots(worker)
    }

    /// Tasks that will not start at once.
    pub fn queue_length(&self, worker: WorkerIndex) -> f64 {
        (self.connections(worker) as f64 - self.slots(worker)).max(0.0)
    }

    /// What a worker has given away and will give away: in use and in its queue.
    pub fn committed(&self, worker: WorkerIndex) -> Room {
        let entry = self.view.fleet().get(worker);
        entry.whole().less(entry.free()).plus(self.lines[worker.0 as usize].takes())
    }

    /// The candidates with less than nine tenths of their slots spoken for; all of them where there is none (F127).
    pub fn available(&self, candidates: &[WorkerIndex]) -> Vec<WorkerIndex> {
        let open: Vec<WorkerIndex> = candidates.iter().copied().filter(|worker| self.load(*worker) < AVAILABLE_BELOW).collect();
        if open.is_empty() { candidates.to_vec() } else { open }
    }

    /// Seconds a task that comes now is expected to wait for a slot there: none while there are slots, then the work of what
    /// runs and waits shared among the slots.
    pub fn wait_s(&mut self, worker: WorkerIndex) -> f64 {
        let slots = self.slots(worker);
        if self.committed(worker).slots < self.view.fleet().get(worker).inventory.slots {
            return 0.0;
        }
        (self.running_s(worker) + self.lines[worker.0 as usize].seconds()) / slots
    }

    /// Seconds the task is expected to take on the hardware of that worker that suits it best.
    pub fn own_s(&mut self, arrival: &Arrival<'_>, worker: WorkerIndex) -> f64 {
        self.best(arrival, worker).0
    }

    /// The hardware of that worker on which the task is expected to end soonest, and the seconds.
    pub(super) fn best(&mut self, arrival: &Arrival<'_>, worker: WorkerIndex) -> (f64, HardwareKind) {
        if self.memory.last.as_ref().is_none_or(|(last, ..)| *last != arrival.id) {
            let (bests, factor) = self.bests(arrival);
            self.memory.last = Some((arrival.id, bests, factor));
        }
        let (_, bests, factor) = self.memory.last.as_ref().expect("it was just remembered");
        let (seconds, hardware) = bests[worker.0 as usize];
        (seconds * factor, hardware)
    }

    fn bests(&mut self, arrival: &Arrival<'_>) -> (Bests, f64) {
        let (class, task) = (arrival.class, arrival.task);
        let all = (0..self.lines.len() as u32).map(WorkerIndex);
        let told = task.spec.estimate_s.filter(|seconds| *seconds > 0.0);
        // What was saved is peculiar to a task; all else that matters it shares with others.
        if !task.attempts.is_empty() {
            return (all.map(|at| best_of(self.view, class, task, at)).collect(), 1.0);
        }
        let factor = told.unwrap_or(1.0);
        let like = (class, task.kind, told.is_some());
        if let Some(known) = self.memory.likes.get(&like) {
            return (known.clone(), factor);
        }
        let seconds = all.map(|at| best_of(self.view, class, task, at));
        let bests: Bests = seconds.map(|(seconds, hardware)| (seconds / factor, hardware)).collect();
        self.memory.likes.insert(like, bests.clone());
        (bests, factor)
    }

    fn running_s(&mut self, worker: WorkerIndex) -> f64 {
        let at = worker.0 as usize;
        self.memory.running_s.resize(self.lines.len(), None);
        if let Some(known) = self.memory.running_s[at] {
            return known;
        }
        let left = running_s(self.view, worker).map(|(left_s, slots)| left_s * f64::from(slots)).sum();
        self.memory.running_s[at] = Some(left);
        left
    }
}

/// The hardware of a worker on which a task is expected to end soonest, and the seconds; no end where it cannot run there.
pub(in super::super) fn best_of(view: &mut View<'_>, class: ClassId, task: &Task, worker: WorkerIndex) -> (f64, HardwareKind) {
    let options = view.options(class, worker).to_vec();
    let mut best = (f64::INFINITY, HardwareKind::Cpu);
    for hardware in options {
        let seconds = view.remaining_s(task, worker, hardware, 0.0);
        if seconds < best.0 {
            best = (seconds, hardware);
        }
    }
    best
}

/// What runs on a worker: seconds it is expected to run on, and the slots it takes.
pub(in super::super) fn running_s(view: &View<'_>, worker: WorkerIndex) -> impl Iterator<Item = (f64, u32)> {
    view.fleet().get(worker).held.iter().filter_map(move |(id, held)| {
        let task = view.ledger().get(*id).filter(|task| task.is_open())?;
        let attempt = task.attempt(held.number)?;
        let elapsed_s = attempt.started.map_or(0.0, |started| view.now().since(started).as_secs_f64());
        Some((view.remaining_s(task, worker, attempt.hardware, elapsed_s), held.takes.slots))
    })
}
