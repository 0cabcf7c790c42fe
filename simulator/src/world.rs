//! What all machines share: the time, the network, the truth about the tasks, and the journal.

use crate::clockwork::{Alarm, Clockwork, Happening};
use crate::journal::{Happened, Journal, Place};
use crate::network::{Direction, Network};
use crate::tables::Task;
use coordinator_core::ConnectionId;
use shared::id::{Attempt, Digest, TaskId};
use shared::protocol::FromWorker;
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug)]
pub struct World<'a> {
    /// The time.
    pub now: Time,
    /// What is going to happen.
    pub clockwork: Clockwork<Happening>,
    /// The network.
    pub network: Network,
    /// What happened.
    pub journal: Journal,
    /// The tasks.
    pub tasks: &'a [Task],
    /// The rows of the tasks, in the order in which they are submitted: that of the coordinator's numbers.
    pub order: Vec<usize>,
    /// What is true of each task now, by row.
    pub truth: Vec<Truth>,
    /// The progress in each saved state.
    pub saved: BTreeMap<Digest, f64>,
    /// Attempts that were asked for their state in order to go on elsewhere.
    pub migrating: BTreeSet<Attempt>,
    /// Attempts that run.
    pub running: usize,
}

/// What is true of a task.
#[derive(Debug, Clone, Copy, Default)]
pub struct Truth {
    /// Whether its work is done, whether or not the coordinator knows.
    pub is_finished: bool,
    /// When its newest saved state has travelled: no attempt begins before.
    pub ready: Time,
}

impl<'a> World<'a> {
    /// A world at its beginning.
    pub fn new(tasks: &'a [Task], network: Network) -> Self {
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        order.sort_by(|a, b| tasks[*a].submit_s.total_cmp(&tasks[*b].submit_s).then(a.cmp(b)));
        Self {
            now: Time::ZERO,
            clockwork: Clockwork::default(),
            network,
            journal: Journal::default(),
            tasks,
            order,
            truth: vec![Truth::default(); tasks.len()],
            saved: BTreeMap::new(),
            migrating: BTreeSet::new(),
            running: 0,
        }
    }

    /// The row of a task the coordinator names.
    pub fn row(&self, task: TaskId) -> usize {
        self.order[task.0 as usize - 1]
    }

    /// Notes what happened now.
    pub fn note(&mut self, what: Happened) -> Place {
        self.journal.add(self.now, what)
    }

    /// Sets an alarm for a machine.
    pub fn alarm(&mut self, at: Time, machine: usize, alarm: Alarm) {
        self.clockwork.set(at, Happening::Alarm(machine, alarm));
    }

    /// Sends a message of a machine to the coordinator.
    pub fn send(&mut self, connection: ConnectionId, message: FromWorker) {
        let at = self.network.arrival(self.now, connection, Direction::Up);
        self.clockwork.set(at, Happening::Heard(connection, message));
    }

    /// A socket is gone: the coordinator notices when all that was sent before has arrived.
    pub fn hang_up(&mut self, connection: ConnectionId, why: &'static str) {
        let at = self.network.arrival(self.now, connection, Direction::Up);
        self.clockwork.set(at, Happening::Lost(connection, why));
    }
}
