//! A small fleet that runs what it is given: attempts begin when they arrive and end when a test says how long they take.

use crate::common::{Bench, passed};
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::{Attempt, Digest, TaskId};
use shared::outcome::{Ended, Outcome};
use shared::protocol::{CheckpointRef, FromCoordinator, FromWorker, Heartbeat, Start};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Workers are heard this often.
const BEAT: Duration = Duration::from_secs(5);

/// Seconds an attempt takes on the worker with this connection.
pub type Takes = fn(u64, &Start) -> f64;

pub struct Floor {
    pub bench: Bench,
    /// Where each task was sent, in order.
    pub sent: Vec<(TaskId, u64, HardwareKind)>,
    connections: BTreeSet<u64>,
    runs: BTreeMap<Attempt, Run>,
    behind_s: BTreeMap<TaskId, f64>,
    takes: Takes,
}

struct Run {
    connection: u64,
    began: Time,
    ends: Time,
    saved: bool,
}

/// A machine with hardware beside its processor.
pub fn with_device(inventory: Inventory, kind: HardwareKind) -> Inventory {
    let device = Device { memory_bytes: Some(16_000_000_000), ..Device::of_kind(kind, ProbeLevel::Enumerated) };
    let devices = inventory.devices.iter().cloned().chain([device]).collect();
    Inventory { devices, ..inventory }
}

/// A machine whose processor is so many times as fast as others.
pub fn at_speed(inventory: Inventory, speed: f64) -> Inventory {
    let devices = inventory.devices.iter().cloned().map(|device| Device { speed: Some(speed), ..device }).collect();
    Inventory { devices, ..inventory }
}

impl Floor {
    pub fn new(policy: &str, takes: Takes) -> Self {
        let (connections, runs, behind_s) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { bench: Bench::new(policy), sent: vec![], connections, runs, behind_s, takes }
    }

    /// A worker joins; its name is one letter.
    pub fn join(&mut self, name: &str, connection: u64, machine: Inventory) {
        self.bench.join(name, connection, machine, &[], vec![]);
        self.connections.insert(connection);
        self.follow_orders();
        // Plans wait a little for workers that come together.
        self.run_for(0.1);
    }

    /// A worker's socket breaks, and it is not heard of again.
    pub fn lose(&mut self, connection: u64) {
        self.connections.remove(&connection);
        self.runs.retain(|_, run| run.connection != connection);
        let gone = coordinator_core::ConnectionId(connection);
        self.bench.step(coordinator_core::Event::Disconnected { connection: gone, why: "cut".into() });
        self.follow_orders();
    }

    /// Submits tasks, a moment after the last worker came: they are kept back while workers come.
    pub fn submit(&mut self, specs: Vec<shared::task::TaskSpec>) -> Vec<TaskId> {
        self.run_for(0.5);
        let ids = self.bench.submit(specs);
        self.follow_orders();
        ids
    }

    /// Where a task was sent first.
    pub fn place_of(&self, id: TaskId) -> Option<u64> {
        self.sent.iter().find(|(task, ..)| *task == id).map(|(_, connection, _)| *connection)
    }

    /// How many tasks were sent to a worker.
    pub fn count_at(&self, connection: u64) -> usize {
        self.sent.iter().filter(|(_, to, _)| *to == connection).count()
    }

    /// Everything that runs on a worker fails.
    pub fn fail_all_at(&mut self, connection: u64, failure: shared::outcome::Failure) {
        let there: Vec<Attempt> =
            self.runs.iter().filter(|(_, run)| run.connection == connection).map(|(attempt, _)| *attempt).collect();
        for attempt in there {
            self.runs.remove(&attempt);
            self.bench.say(connection, FromWorker::Finished { attempt, outcome: crate::common::failed(failure) });
        }
        self.follow_orders();
    }

    /// Lets work go on for so many seconds.
    pub fn run_for(&mut self, seconds: f64) {
        let until = self.bench.now + Duration::from_secs_f64(seconds);
        while self.bench.now < until {
            let next_end = self.runs.values().map(|run| run.ends).min().unwrap_or(until);
            let next = next_end.max(self.bench.now + Duration::from_millis(1)).min(until).min(self.bench.now + BEAT);
            let pass = next.since(self.bench.now);
            self.bench.wait(pass);
            self.follow_orders();
            self.end_what_is_due();
            self.beat();
            self.follow_orders();
        }
    }

    /// Lets work go on until every task has its verdict; the seconds it took.
    pub fn finish(&mut self, ids: &[TaskId], limit_s: f64) -> f64 {
        let began = self.bench.now;
        while ids.iter().any(|id| self.bench.verdict(*id).is_none()) {
            let passed_s = self.bench.now.since(began).as_secs_f64();
            let open: Vec<&TaskId> = ids.iter().filter(|id| self.bench.verdict(**id).is_none()).collect();
            assert!(passed_s < limit_s, "{} tasks have no verdict after {passed_s} s: {open:?}", open.len());
            self.run_for(1.0);
        }
        self.bench.now.since(began).as_secs_f64()
    }

    fn end_what_is_due(&mut self) {
        let now = self.bench.now;
        let due: Vec<Attempt> = self.runs.iter().filter(|(_, run)| run.ends <= now).map(|(attempt, _)| *attempt).collect();
        for attempt in due {
            let Some(run) = self.runs.remove(&attempt) else { continue };
            let outcome = Outcome { run_s: now.since(run.began).as_secs_f64(), ..passed() };
            self.bench.say(run.connection, FromWorker::Finished { attempt, outcome });
            self.follow_orders();
        }
    }

    fn beat(&mut self) {
        for connection in self.connections.clone() {
            let held = self.bench.coordinator.state().fleet.by_connection(coordinator_core::ConnectionId(connection));
            let holds = self.bench.coordinator.state().fleet.get(held.expect("it is connected")).digest();
            self.bench.say(connection, FromWorker::Heartbeat(Heartbeat { number: 1, load: Default::default(), holds }));
        }
    }

    fn follow_orders(&mut self) {
        loop {
            let starts = self.bench.starts();
            let orders: Vec<_> = self.bench.sent.drain(..).collect();
            if starts.is_empty() && orders.is_empty() {
                return;
            }
            for (connection, start) in starts {
                self.begin(connection, &start);
            }
            for (connection, order) in orders {
                self.follow(connection.0, order);
            }
        }
    }

    fn begin(&mut self, connection: u64, start: &Start) {
        self.sent.push((start.attempt.task, connection, start.hardware));
        let behind_s = self.behind_s.get(&start.attempt.task).copied().unwrap_or(0.0);
        let takes = Duration::from_secs_f64(((self.takes)(connection, start) - behind_s).max(0.0));
        let run = Run { connection, began: self.bench.now, ends: self.bench.now + takes, saved: false };
        self.runs.insert(start.attempt, run);
        self.bench.say(connection, FromWorker::Started { attempt: start.attempt });
    }

    fn follow(&mut self, connection: u64, order: FromCoordinator) {
        match order {
            FromCoordinator::Checkpoint { attempt, .. } => {
                if let Some(run) = self.runs.get_mut(&attempt) {
                    run.saved = true;
                    let checkpoint = CheckpointRef { manifest: Digest([7; 32]), bytes: 1 };
                    self.bench.say(connection, FromWorker::Quiesced { attempt, checkpoint });
                }
            }
            FromCoordinator::Cancel { attempt, .. } => {
                if let Some(run) = self.runs.remove(&attempt) {
                    let ran_s = self.bench.now.since(run.began).as_secs_f64();
                    let ended = if run.saved { Ended::Saved } else { Ended::Cancelled };
                    *self.behind_s.entry(attempt.task).or_default() += if run.saved { ran_s } else { 0.0 };
                    self.bench.say(connection, FromWorker::Finished { attempt, outcome: Outcome::bare(ended) });
                }
            }
            _ => {}
        }
    }
}
