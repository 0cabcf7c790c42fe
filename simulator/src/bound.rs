//! What no schedule can beat: certified lower bounds on the makespan and the energy of a scenario, from the true durations.
//!
//! The bounds hold for every schedule, also one that knows the future, interrupts tasks and moves them at no cost, on workers
//! that are always there and always run at their declared full speed. Three are made and the greatest counts: no task ends before
//! its release and its shortest duration; the prices of [`coordinator_core::price`] over the tasks released from some moment on
//! ([`suffix`]); and for small instances prices that change with time ([`intervals`]), from a linear program that knows that a
//! task runs in one place at a time ([`program`]). What the last two find is a set of prices, and the bound is computed from those
//! prices here, so that an error of a solver makes it weaker, never wrong.

mod intervals;
mod program;
mod suffix;

use coordinator_core::price::{Amounts, Offer};
use intervals::Intervals;
use shared::hardware::HardwareKind;
use std::collections::BTreeMap;

/// Equal workers.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerClass {
    /// How many.
    pub count: u32,
    /// Slots of each.
    pub slots: f64,
    /// Memory of each, in GB; without it there is no limit.
    pub memory_gb: Option<f64>,
    /// Device memory of each, in GB.
    pub gpu_memory_gb: f64,
    /// All kinds of hardware each has, with the full speed: progress per second relative to the task's own duration. A kind that
    /// is not named cannot be used.
    pub speed: Vec<(HardwareKind, f64)>,
    /// Watts with no slot busy.
    pub idle_w: f64,
    /// Watts with every slot busy; linear in between.
    pub busy_w: f64,
    /// From when on each draws power, in seconds. Work is bounded as if it were there from the start.
    pub joins_s: f64,
    /// Until when each draws power, in seconds; infinite when it stays.
    pub leaves_s: f64,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// When it is submitted, in seconds.
    pub release_s: f64,
    /// Slots it occupies.
    pub cores: f64,
    /// Memory it holds, in GB.
    pub memory_gb: f64,
    /// Device memory it holds where it runs on a kind that has its own, in GB.
    pub gpu_memory_gb: f64,
    /// True duration in seconds at speed 1, per kind of hardware that can run it.
    pub seconds: Vec<(HardwareKind, f64)>,
}

/// What no schedule can beat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Seconds from the first release to the last finish.
    pub makespan_s: f64,
    /// Joules of all present workers from the first release of a task that can run to the last finish.
    pub energy_j: f64,
    /// Which of the bounds on the makespan is the greatest: `longest task`, `prices` or `linear program`.
    pub how: &'static str,
}

/// Bounds makespan and energy. Tasks that no worker can run are left out, as they never finish; only the first release counts
/// them. Without any task that can run the bound is zero.
pub fn bound(workers: &[WorkerClass], tasks: &[Task]) -> Bound {
    let capacity = workers.iter().map(capacity).collect::<Vec<_>>();
    let work = group(workers, tasks);
    let first = tasks.iter().map(|task| task.release_s).fold(f64::INFINITY, f64::min);
    if work.is_empty() {
        return Bound { makespan_s: 0.0, energy_j: 0.0, how: "longest task" };
    }
    let mut end = work.iter().map(|work| work.release_s + work.fastest()).fold(0.0, f64::max);
    let mut how = "longest task";
    let (by_suffix, start) = suffix::end(&capacity, &work);
    let by_program = by_program(&capacity, &work, start).unwrap_or(0.0);
    for (found, name) in [(by_suffix, "prices"), (by_program, "linear program")] {
        if found > end * (1.0 + ROUNDING) {
            (end, how) = (found, name);
        }
    }
    let makespan_s = (end - first).max(0.0) * (1.0 - ROUNDING);
    let energy_j = energy(workers, &work, end) * (1.0 - ROUNDING);
    Bound { makespan_s, energy_j, how }
}

/// The end that the linear program proves, in seconds; nothing where the instance is too large for it.
fn by_program(capacity: &[Amounts], work: &[Work], start: f64) -> Option<f64> {
    let cut = Intervals::new(capacity, work, start, ROWS_MAX)?;
    cut.certify(&program::solve(&cut)?)
}

/// Offers times intervals up to which the linear program is solved: its rows, which are what makes it slow. A limit in seconds
/// would make results depend on the machine.
const ROWS_MAX: usize = 4_500;

/// Sums of many numbers are this far from exact, relatively; bounds are lowered by it.
const ROUNDING: f64 = 1e-9;

/// Equal tasks that are released together.
#[derive(Debug, Clone)]
struct Work {
    release_s: f64,
    count: f64,
    /// Where one of them can run: only where it fits on a single worker.
    offers: Vec<Offer>,
    /// The least energy one of them takes beyond what workers draw anyway, in joules.
    joules: f64,
}

impl Work {
    fn fastest(&self) -> f64 {
        self.offers.iter().map(|offer| offer.seconds).fold(f64::INFINITY, f64::min)
    }
}

/// What all workers of a class have together. Unlimited memory is none at all that nobody takes.
fn capacity(class: &WorkerClass) -> Amounts {
    let count = f64::from(class.count);
    [count * class.slots, count * class.memory_gb.unwrap_or(0.0), count * class.gpu_memory_gb]
}

/// Watts that a worker draws whatever it does, and those that each busy slot may add.
fn watts(class: &WorkerClass) -> (f64, f64) {
    let floor = class.idle_w.min(class.busy_w).max(0.0);
    (floor, (class.busy_w - floor).max(0.0) / class.slots)
}

/// Groups equal tasks that can run somewhere, in order of release.
fn group(workers: &[WorkerClass], tasks: &[Task]) -> Vec<Work> {
    let mut seen: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    let mut all: Vec<Work> = Vec::new();
    for task in tasks {
        let (offers, joules) = offers(workers, task);
        if offers.is_empty() {
            continue;
        }
        let mut key = vec![task.release_s.to_bits(), joules.to_bits()];
        for offer in &offers {
            key.extend([offer.class as u64, offer.seconds.to_bits()]);
            key.extend(offer.takes.map(f64::to_bits));
        }
        let next = all.len();
        let at = *seen.entry(key).or_insert(next);
        if at == next {
            all.push(Work { release_s: task.release_s, count: 0.0, offers, joules });
        }
        all[at].count += 1.0;
    }
    all.sort_by(|a, b| a.release_s.total_cmp(&b.release_s));
    all
}

/// Where a task can run, and the least energy it takes beyond what workers draw anyway.
fn offers(workers: &[WorkerClass], task: &Task) -> (Vec<Offer>, f64) {
    let mut offers: Vec<Offer> = Vec::new();
    let mut joules = f64::INFINITY;
    for (class, worker) in workers.iter().enumerate().filter(|(_, worker)| worker.count > 0) {
        let memory_fits = worker.memory_gb.is_none_or(|memory| task.memory_gb <= memory);
        if task.cores > worker.slots || !memory_fits {
            continue;
        }
        for (kind, seconds) in &task.seconds {
            let device = if kind.has_own_memory() { task.gpu_memory_gb } else { 0.0 };
            let speed = worker.speed.iter().find(|(has, _)| has == kind).map_or(0.0, |(_, speed)| *speed);
            if speed <= 0.0 || device > worker.gpu_memory_gb {
                continue;
            }
            let seconds = seconds / speed;
            joules = joules.min(watts(worker).1 * task.cores * seconds);
            let memory = worker.memory_gb.map_or(0.0, |_| task.memory_gb);
            offers.push(Offer { class, mode: *kind as u8, seconds, takes: [task.cores, memory, device] });
        }
    }
    (undominated(&offers), joules)
}

/// The offers without those for which the same class makes another that is no longer and takes no more.
fn undominated(offers: &[Offer]) -> Vec<Offer> {
    let better =
        |a: &Offer, b: &Offer| a.class == b.class && a.seconds <= b.seconds && a.takes.iter().zip(&b.takes).all(|(a, b)| a <= b);
    let mut kept = Vec::with_capacity(offers.len());
    for (i, offer) in offers.iter().enumerate() {
        let beaten =
            offers.iter().enumerate().any(|(j, other)| j != i && better(other, offer) && (j < i || !better(offer, other)));
        if !beaten {
            kept.push(*offer);
        }
    }
    kept
}

/// The least energy: each task where it takes least, and what present workers draw anyway until nothing can have ended sooner.
fn energy(workers: &[WorkerClass], work: &[Work], end: f64) -> f64 {
    let begin = work.iter().map(|work| work.release_s).fold(f64::INFINITY, f64::min);
    let present = |class: &WorkerClass| (end.min(class.leaves_s) - begin.max(class.joins_s)).max(0.0);
    let idle: f64 = workers.iter().map(|class| f64::from(class.count) * watts(class).0 * present(class)).sum();
    idle + work.iter().map(|work| work.count * work.joules).sum::<f64>()
}

#[cfg(test)]
mod tests;
