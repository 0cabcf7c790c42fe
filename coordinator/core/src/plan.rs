//! A policy proposes, the coordinator disposes: what a policy sees, what it may ask for, and the guard that checks it.

use crate::fleet::{Fleet, Presence, Room, Worker, WorkerIndex};
use crate::ledger::{Ledger, State as Waiting};
use crate::queue::{Profile, Queue};
use crate::state::State;
use shared::id::TaskId;
use shared::time::Time;
use std::sync::Arc;

/// A way of choosing which waiting task goes to which worker. It may be slow or wrong, never unsafe: each move is checked.
pub trait Policy: std::fmt::Debug + Send {
    /// The name under which it is chosen.
    fn name(&self) -> &'static str;
    /// What to do now.
    fn plan(&mut self, view: &mut View<'_>) -> Plan;
}

/// What a policy proposes.
#[derive(Debug, Default)]
pub struct Plan {
    /// Moves, in order.
    pub moves: Vec<Move>,
    /// When it wants to be asked again although nothing changed.
    pub again: Option<Time>,
}

/// One proposed change.
#[derive(Debug)]
pub enum Move {
    /// Give a waiting task to a worker.
    Lease {
        /// The task.
        task: TaskId,
        /// The worker.
        to: WorkerIndex,
        /// The rule that chose it.
        why: Arc<str>,
    },
}

/// What a policy sees. It counts what it has proposed, so that no room is given away twice.
#[derive(Debug)]
pub struct View<'a> {
    queue: &'a Queue,
    ledger: &'a Ledger,
    fleet: &'a mut Fleet,
    free: Vec<Room>,
}

impl<'a> View<'a> {
    /// The view of `state`.
    pub fn new(state: &'a mut State) -> Self {
        let State { queue, ledger, fleet, .. } = state;
        let free = fleet.iter().map(|(_, worker)| if worker.admits() { worker.free() } else { Room::default() }).collect();
        Self { queue, ledger, fleet, free }
    }

    /// The workers.
    pub fn fleet(&self) -> &Fleet {
        self.fleet
    }

    /// Whether any worker has a free slot.
    pub fn has_room(&self) -> bool {
        self.free.iter().any(|room| room.slots > 0)
    }

    /// The groups of waiting tasks, most urgent first, each with its tasks in order.
    pub fn groups(&self) -> impl Iterator<Item = (&'a Profile, impl Iterator<Item = TaskId> + use<'a>)> + use<'a> {
        let ledger = self.ledger;
        let waits = move |task: &TaskId| ledger.get(*task).is_some_and(|task| matches!(task.state, Waiting::Queued { .. }));
        self.queue.groups().map(move |(profile, tasks)| (profile, tasks.iter().copied().filter(waits)))
    }

    /// The workers that can run tasks of this group, whether or not they have room: those it should avoid are left out,
    /// unless there is no other.
    pub fn candidates(&mut self, profile: &Profile) -> Vec<WorkerIndex> {
        let (requirement, demand) = self.queue.class(profile.class);
        let present = |worker: &Worker| worker.presence != Presence::Gone;
        let all = 0..self.free.len() as u32;
        let suited = all.map(WorkerIndex).filter(|at| {
            let worker = self.fleet.get_mut(*at);
            present(worker) && worker.suits(profile.class, requirement, demand)
        });
        let suited: Vec<WorkerIndex> = suited.collect();
        if profile.avoid.is_empty() {
            return suited;
        }
        let liked: Vec<WorkerIndex> = suited.iter().copied().filter(|at| !profile.avoid.contains(at)).collect();
        if liked.is_empty() { suited } else { liked }
    }

    /// How many tasks of this group `worker` could still take.
    pub fn room_for(&self, profile: &Profile, worker: WorkerIndex) -> u32 {
        let (_, demand) = self.queue.class(profile.class);
        let takes = self.fleet.get(worker).takes(demand);
        let free = self.free[worker.0 as usize];
        let by_memory = free.memory_bytes.checked_div(takes.memory_bytes).unwrap_or(u64::MAX);
        (free.slots / takes.slots).min(u32::try_from(by_memory).unwrap_or(u32::MAX))
    }

    /// Counts a task of this group as given to `worker`.
    pub fn reserve(&mut self, profile: &Profile, worker: WorkerIndex) {
        let (_, demand) = self.queue.class(profile.class);
        let takes = self.fleet.get(worker).takes(demand);
        let free = &mut self.free[worker.0 as usize];
        *free = free.less(takes);
    }

    /// Share of a worker's slots that are free, counting what was proposed, 0 to 1.
    pub fn free_share(&self, worker: WorkerIndex) -> f64 {
        let slots = self.fleet.get(worker).inventory.slots.max(1);
        f64::from(self.free[worker.0 as usize].slots) / f64::from(slots)
    }
}

/// Whether a move may happen now; the reason where it may not.
pub fn check(state: &State, proposed: &Move) -> Result<(), &'static str> {
    let Move::Lease { task, to, .. } = proposed;
    let Some(task) = state.ledger.get(*task) else { return Err("no such task") };
    if !matches!(task.state, Waiting::Queued { .. }) {
        return Err("the task does not wait");
    }
    let worker = state.fleet.get(*to);
    let demand = state.demand(task);
    if !worker.admits() {
        return Err("the worker takes no work");
    }
    if worker.unmet(&task.spec.requires, demand).is_some() {
        return Err("the worker cannot run it");
    }
    if !worker.free().holds(worker.takes(demand)) {
        return Err("the worker has no room");
    }
    Ok(())
}
