//! What those who watch the whole farm see: a line for each worker, for each running attempt, for each kind of hardware.

use crate::Coordinator;
use crate::fleet::Worker;
use crate::view::worker_state;
use shared::api::{AttemptName, HardwareUse, RunningRow, WorkerRow};
use shared::hardware::{HardwareKind, ProbeLevel};
use shared::time::Time;
use std::collections::BTreeMap;

/// The label by which an owner says that a worker stands for a machine that does not exist.
const SIMULATED: &str = "simulated";
/// Heartbeats a worker may be late by before its silence is worth telling.
const LATE_HEARTBEATS: u32 = 2;

/// What the fleet is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AtWork {
    /// Running attempts, those that run longest first.
    pub running: Vec<RunningRow>,
    /// How many run in all.
    pub running_total: u64,
    /// What is in use of each kind of hardware.
    pub hardware: Vec<HardwareUse>,
}

impl Coordinator {
    /// A line for each worker, in the order in which they first joined.
    pub fn worker_rows(&self, now: Time) -> Vec<WorkerRow> {
        let late_s = (self.config.heartbeat * LATE_HEARTBEATS).as_secs();
        let silent = |worker: &Worker| Some(now.since(worker.heard).as_secs()).filter(|seconds| *seconds > late_s);
        self.state.fleet.iter().map(|(_, worker)| row(worker, silent(worker))).collect()
    }

    /// What runs, at most `most` attempts of it, and on which hardware.
    pub fn at_work(&self, most: usize) -> AtWork {
        let mut hardware: BTreeMap<HardwareKind, HardwareUse> = BTreeMap::new();
        let mut running = Vec::new();
        for (_, worker) in self.state.fleet.iter() {
            let is_there = worker.presence.connection().is_some();
            for kind in kinds(worker).into_iter().filter(|_| is_there) {
                let entry = hardware.entry(kind).or_insert(HardwareUse { kind, workers: 0, slots: 0, busy_slots: 0 });
                entry.workers += 1;
                entry.slots += u64::from(worker.inventory.slots);
            }
            for (id, held) in &worker.held {
                let Some(task) = self.state.ledger.get(*id) else { continue };
                let Some(attempt) = task.attempt(held.number) else { continue };
                if let Some(entry) = hardware.get_mut(&attempt.hardware).filter(|_| is_there) {
                    entry.busy_slots += u64::from(held.takes.slots);
                }
                let standstill = task.standstill().is_some_and(|order| order.attempt == held.number);
                running.extend(attempt.started.map(|started| (started, *id, attempt, task, worker, standstill)));
            }
        }
        let running_total = running.len() as u64;
        running.sort_unstable_by_key(|(started, id, ..)| (*started, *id));
        running.truncate(most);
        let rows = running.into_iter().map(|(started, id, attempt, task, worker, leaving)| RunningRow {
            of: AttemptName { task: id, attempt: attempt.number.ordinal() },
            name: task.spec.name.clone(),
            worker: worker.name.to_string(),
            hardware: attempt.hardware,
            started_s: started.seconds(),
            leaving,
        });
        AtWork { running: rows.collect(), running_total, hardware: hardware.into_values().collect() }
    }
}

fn row(worker: &Worker, silent_s: Option<u64>) -> WorkerRow {
    let devices = &worker.inventory.devices;
    let declared = |kind: &HardwareKind| {
        let mut of_kind = devices.iter().filter(|device| device.kind == *kind).peekable();
        of_kind.peek().is_some() && of_kind.all(|device| device.probe == ProbeLevel::Declared)
    };
    let hardware = kinds(worker);
    WorkerRow {
        name: worker.name.to_string(),
        state: worker_state(worker.presence),
        admission: worker.admission,
        breaker: worker.health.breaker(),
        held_back: worker.foreign.is_held_back(),
        simulated: worker.inventory.labels.get(SIMULATED).is_some_and(|value| value == "true"),
        slots: worker.inventory.slots,
        busy_slots: worker.busy_slots(),
        declared: hardware.iter().copied().filter(declared).collect(),
        hardware,
        load: worker.told_load.clone(),
        throttle_c: worker.inventory.devices.iter().filter_map(|device| device.throttle_c).min_by(f64::total_cmp),
        silent_s,
    }
}

/// The kinds of a worker's hardware, each once. One that names no device at all has a processor.
fn kinds(worker: &Worker) -> Vec<HardwareKind> {
    let mut kinds: Vec<HardwareKind> = worker.inventory.devices.iter().map(|device| device.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        kinds.push(HardwareKind::Cpu);
    }
    kinds
}
