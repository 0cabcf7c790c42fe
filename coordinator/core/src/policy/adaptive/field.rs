//! The field a plan is made on: what waits, what runs, and what is believed of how long it takes.

use super::known::{Choice, Known};
use crate::estimate::Estimate;
use crate::fleet::{Room, WorkerIndex};
use crate::ledger::Task;
use crate::plan::View;
use crate::price::{Amounts, Instance};
use crate::queue::ClassId;
use shared::hardware::HardwareKind;
use shared::id::TaskId;

/// A task that runs.
#[derive(Debug)]
pub(super) struct Running<'a> {
    /// Its number.
    pub id: TaskId,
    /// The task.
    pub task: &'a Task,
    /// Its class.
    pub class: ClassId,
    /// Where.
    pub worker: WorkerIndex,
    /// On which hardware.
    pub hardware: HardwareKind,
    /// Seconds since this attempt began.
    pub elapsed_s: f64,
    /// Seconds it is expected to run on.
    pub remaining_s: f64,
    /// Standard deviation of the logarithm of what the whole of it takes.
    pub deviation: f64,
    /// What it holds.
    pub takes: Room,
}

/// The field.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub known: Known,
    pub running: Vec<Running<'a>>,
}

/// Over how long a worker that gets hot is looked at, in seconds.
const HEAT_HORIZON_S: f64 = 900.0;

/// However long what runs will run, so much of a class is taken to be left for what waits.
const LEFT_SHARE_MIN: f64 = 0.02;

impl<'a> Field<'a> {
    pub(super) fn new(view: &mut View<'a>) -> Self {
        Self { known: Known::new(view), running: running(view) }
    }

    /// What waits, for prices, on all that the classes have.
    pub(super) fn instance(&self) -> Instance {
        let mut instance = Instance::new(self.known.classes.iter().map(|class| class.capacity.map(fine)).collect());
        for group in &self.known.groups {
            instance.add(fine(group.count as f64), group.undominated().map(Choice::offer));
        }
        instance
    }

    /// What the classes have, less what runs keeps of it over the next `within_s` seconds.
    pub(super) fn left(&self, within_s: f64) -> Vec<Amounts> {
        let Known { classes, class_of, .. } = &self.known;
        let mut left: Vec<Amounts> = classes.iter().map(|class| class.capacity).collect();
        for running in &self.running {
            let Some(class) = class_of[running.worker.0 as usize] else { continue };
            let share = (running.remaining_s / within_s).min(1.0);
            let least = classes[class].capacity.map(|whole| LEFT_SHARE_MIN * whole);
            for (at, taken) in amounts(running.takes).into_iter().enumerate() {
                left[class][at] = (left[class][at] - share * taken).max(least[at]);
            }
        }
        left.into_iter().map(|amounts| amounts.map(fine)).collect()
    }
}

/// Work and capacity, both counted so many times over: that changes no price, and a task that fits on a worker fits on what is
/// left of its class, however small a share of a worker that is.
fn fine(amount: f64) -> f64 {
    1000.0 * amount
}

pub(super) fn amounts(room: Room) -> Amounts {
    [f64::from(room.slots), room.memory_bytes as f64, room.gpu_memory_bytes as f64]
}

/// What is believed of how long a task takes on a kind of hardware.
#[derive(Debug, Clone, Copy)]
pub(super) struct Believed {
    at_speed_1: Estimate,
    /// Seconds of its work at speed 1 that are saved and need not be done again.
    behind_s: f64,
    /// Whether kinds of hardware and their speeds are told apart.
    is_specific: bool,
}

impl Believed {
    pub(super) fn new(view: &View<'_>, task: &Task, hardware: HardwareKind) -> Self {
        let is_specific = view.config().enable_hardware_specific_strategies;
        let as_if_on = if is_specific { hardware } else { task.spec.runs_on()[0] };
        Self { at_speed_1: view.believe_at_speed_1(task, as_if_on), behind_s: view.behind_s(task, hardware), is_specific }
    }

    /// How long the whole of it takes at this speed.
    pub(super) fn whole(&self, speed: f64) -> Estimate {
        if self.is_specific { self.at_speed_1.at_speed(speed) } else { self.at_speed_1 }
    }

    /// Seconds it is expected to take at this speed after `elapsed_s` of its newest attempt.
    pub(super) fn remaining_s(&self, speed: f64, elapsed_s: f64) -> f64 {
        self.whole(speed).remaining_s(self.behind_s / speed + elapsed_s)
    }
}

/// What is believed of how long a whole task takes there, in seconds.
pub(super) fn belief(view: &View<'_>, task: &Task, worker: WorkerIndex, hardware: HardwareKind) -> Estimate {
    Believed::new(view, task, hardware).whole(lasting_speed(view, worker, hardware))
}

/// How fast a worker's hardware will be for a while: as it is now, less what heat will take.
pub(super) fn lasting_speed(view: &View<'_>, worker: WorkerIndex, hardware: HardwareKind) -> f64 {
    let entry = view.fleet().get(worker);
    let heat = match view.config().enable_resource_efficiency {
        true => entry.heat.outlook(&entry.load, &entry.inventory, HEAT_HORIZON_S),
        false => 1.0,
    };
    view.speed(worker, hardware) * heat
}

/// Standard deviation of the logarithm of what the whole of a task takes: how little is known of it.
pub(super) fn deviation(view: &View<'_>, task: &Task, hardware: HardwareKind) -> f64 {
    view.believe_at_speed_1(task, hardware).variance.sqrt()
}

fn running<'a>(view: &View<'a>) -> Vec<Running<'a>> {
    let ledger = view.ledger();
    let held = view.fleet().iter().flat_map(|(at, worker)| worker.held.iter().map(move |(id, held)| (at, *id, *held)));
    let seen = held.filter_map(|(worker, id, held)| {
        let task = ledger.get(id)?;
        let attempt = task.attempt(held.number)?;
        let elapsed_s = attempt.started.map_or(0.0, |started| view.now().since(started).as_secs_f64());
        let hardware = attempt.hardware;
        Some(Running {
            id,
            task,
            class: task.class,
            worker,
            hardware,
            elapsed_s,
            remaining_s: match task.is_open() {
                true => Believed::new(view, task, hardware).remaining_s(lasting_speed(view, worker, hardware), elapsed_s),
                false => 0.0,
            },
            deviation: deviation(view, task, hardware),
            takes: held.takes,
        })
    });
    seen.collect()
}
