//! What the best possible schedule of a scenario could not beat.

use crate::bound::{self, Bound, WorkerClass};
use crate::scenario::{MachineSpec, Scenario};
use crate::tables::Task;

/// Seconds from the first submission below which these tasks (rows of the table, each of which some machine can run) cannot
/// be finished: a task takes at least its time on the best machine after its submission, and the tasks submitted from some
/// moment on take at least their work divided by all slots. Quickly made; [`bound`] is closer.
pub fn simple_bound_s(scenario: &Scenario, rows: &[usize]) -> f64 {
    let first = first_submission_s(scenario);
    let slots: f64 = scenario.machines.iter().map(|machine| f64::from(machine.slots)).sum();
    let mut tasks: Vec<_> = rows.iter().map(|row| &scenario.tasks[*row]).collect();
    tasks.sort_by(|a, b| b.submit_s.total_cmp(&a.submit_s));
    let (mut bound, mut area) = (0.0f64, 0.0);
    for task in tasks {
        let best_s = scenario.best_service_s(task).expect("some machine can run it");
        area += best_s * task.cores;
        bound = bound.max(task.submit_s + best_s - first).max(task.submit_s + area / slots - first);
    }
    bound
}

/// Makespan and energy below which these tasks cannot be finished. The energy counts from the first fact, which is at 0.
pub fn bound(scenario: &Scenario, rows: &[usize]) -> Bound {
    let workers: Vec<WorkerClass> = scenario.machines.chunk_by(is_alike).map(class).collect();
    let tasks: Vec<bound::Task> = rows.iter().map(|row| demand(&scenario.tasks[*row])).collect();
    let first = first_submission_s(scenario);
    let earliest = tasks.iter().map(|task| task.release_s).fold(f64::INFINITY, f64::min);
    let found = bound::bound(&workers, &tasks);
    // The makespan counts from the first submission, also that of a task that never finishes.
    let makespan_s = (found.makespan_s + earliest - first).max(simple_bound_s(scenario, rows));
    let before = scenario.machines.iter().map(|machine| machine.watts(0.0) * (earliest - machine.joins_s).max(0.0));
    Bound { makespan_s, energy_j: found.energy_j + before.sum::<f64>(), how: found.how }
}

/// When the first task is submitted, in seconds.
pub fn first_submission_s(scenario: &Scenario) -> f64 {
    scenario.tasks.iter().map(|task| task.submit_s).fold(f64::INFINITY, f64::min)
}

/// Whether two machines differ in nothing that bounds depend on.
fn is_alike(a: &MachineSpec, b: &MachineSpec) -> bool {
    a.hardware == b.hardware
        && a.slots == b.slots
        && a.memory_gb == b.memory_gb
        && a.gpu_memory_gb == b.gpu_memory_gb
        && a.speed == b.speed
        && a.power == b.power
        && a.joins_s == b.joins_s
        && a.leaves_s == b.leaves_s
}

fn class(machines: &[MachineSpec]) -> WorkerClass {
    let machine = &machines[0];
    WorkerClass {
        count: machines.len() as u32,
        slots: f64::from(machine.slots),
        memory_gb: machine.memory_gb,
        gpu_memory_gb: machine.gpu_memory_gb.unwrap_or(0.0),
        speed: machine.hardware.iter().map(|hardware| (*hardware, machine.declared_speed(*hardware))).collect(),
        idle_w: machine.watts(0.0),
        busy_w: machine.watts(1.0),
        joins_s: machine.joins_s,
        leaves_s: machine.leaves_s.unwrap_or(f64::INFINITY),
    }
}

fn demand(task: &Task) -> bound::Task {
    let seconds = |hardware| task.service_s(hardware).expect("one of its kinds");
    bound::Task {
        release_s: task.submit_s,
        cores: task.cores,
        memory_gb: task.memory_gb,
        gpu_memory_gb: task.gpu_memory_gb,
        seconds: task.hardware().map(|hardware| (hardware, seconds(hardware))).collect(),
    }
}
