//! Early binding: a task is given a worker when it arrives and waits in that worker's queue. Which worker is the whole of a
//! push policy, and says so in one file each; everything else of it is here.
//!
//! The queues live in the coordinator, inside the policy: a worker is sent what it can begin, and no more. A task that waits
//! for a worker that left, is silent or takes no more work is given another. A plan in which nothing arrived costs a look at
//! each worker and at each task under way, never at each that waits.

mod desk;
mod line;
mod queues;
mod record;
mod relocate;

pub(super) use desk::{Desk, running_s};
pub(super) use line::{Line, Place};
pub(super) use queues::Queues;
pub(super) use record::{Ended, Means};
pub(super) use relocate::{Looks, Runner, migrate, moves_left, runners, shares};

use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::{Move, Plan, Policy, View};
use crate::queue::ClassId;
use shared::id::TaskId;
use std::fmt::Debug;
use std::sync::Arc;

/// A task that is to be given a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// Its number.
    pub id: TaskId,
    /// The task.
    pub task: &'a Task,
    /// Its class.
    pub class: ClassId,
}

/// What a policy knows of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nothing: a task uses the first hardware of its own list that the worker has room on.
    Blind,
    /// What tasks of a kind take on it: a task uses the one on which it is expected to end soonest.
    Informed,
}

/// The choice of a worker.
pub(super) trait Choose: Debug + Default + Send {
    /// The name of the policy.
    const NAME: &'static str;
    /// What it knows of hardware.
    const SIGHT: Sight;

    /// The worker of a task that arrives, one of `candidates`: they take work and can run it, there is at least one, and
    /// they stand in the order in which they joined.
    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex;

    /// Takes in what became of a task that was under way: its newest attempt is over.
    fn saw_end(&mut self, _view: &View<'_>, _id: TaskId, _task: &Task) {}
}

/// The policy that is nothing but a choice.
#[derive(Debug, Default)]
pub(super) struct Push<C: Choose> {
    queues: Queues,
    choice: C,
}

impl<C: Choose> Policy for Push<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let mut moves = Vec::new();
        self.queues.take_in(view, &mut self.choice);
        self.queues.start(view, C::SIGHT, &C::NAME.into(), &mut moves);
        Plan { moves, again: self.queues.gathered() }
    }
}

/// The first candidate for which `key` is least, and that key.
pub(super) fn least(candidates: &[WorkerIndex], mut key: impl FnMut(WorkerIndex) -> f64) -> WorkerIndex {
    let mut best = (candidates[0], f64::INFINITY);
    for worker in candidates {
        let value = key(*worker);
        if value.total_cmp(&best.1).is_lt() {
            best = (*worker, value);
        }
    }
    best.0
}

/// A lease of `id` to `to`, with room for it kept.
pub(super) fn lease(
    view: &mut View<'_>,
    id: TaskId,
    class: ClassId,
    to: WorkerIndex,
    hardware: shared::hardware::HardwareKind,
    why: &Arc<str>,
) -> Move {
    view.reserve(class, to, hardware);
    Move::Lease { task: id, to, hardware, why: why.clone(), decision: None }
}
