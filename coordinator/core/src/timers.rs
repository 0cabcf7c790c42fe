//! Every deadline in one table.

use crate::fleet::WorkerIndex;
use shared::id::TaskId;
use shared::time::Time;
use std::collections::BTreeSet;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A worker may have been silent for too long.
    Worker(WorkerIndex),
    /// A task may have waited for too long.
    Queued(TaskId),
    /// A task may have taken too long to save its state.
    Standstill(TaskId),
    /// A worker that was not trusted for a while gets an attempt, to see.
    Breaker(WorkerIndex),
    /// The balancer looks at the fleet.
    Sample,
}

/// Deadlines in order. A timer that no longer matters when it is due does nothing.
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Adds a deadline.
    pub fn set(&mut self, at: Time, timer: Timer) {
        self.due.insert((at, timer));
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is not after `now`.
    pub fn pop(&mut self, now: Time) -> Option<Timer> {
        let (at, _) = self.due.first()?;
        (*at <= now).then(|| self.due.pop_first().expect("there is a first").1)
    }
}
