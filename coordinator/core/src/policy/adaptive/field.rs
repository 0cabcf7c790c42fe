//! The field a plan is made on: classes of equal workers, groups of equal tasks, and what each group takes on each class.

use crate::estimate::Estimate;
use crate::fleet::{Presence, Room, WorkerIndex};
use crate::ledger::Task;
use crate::plan::View;
use crate::price::{Amounts, Instance, Offer};
use crate::queue::{ClassId, Profile};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::collections::BTreeMap;

/// Workers between which a task need not choose.
#[derive(Debug)]
pub(super) struct WorkerClass {
    /// Those that take work.
    pub members: Vec<WorkerIndex>,
    /// What they have together.
    pub capacity: Amounts,
}

/// One way to run a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// On which class of workers.
    pub class: usize,
    /// On which of their hardware.
    pub hardware: HardwareKind,
    /// How long it is expected to take from where it stands, in seconds.
    pub seconds: f64,
    /// What it holds meanwhile.
    pub takes: Room,
}

/// A group of equal tasks that wait.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// What they have in common.
    pub profile: &'a Profile,
    /// The one that waits longest.
    pub first: TaskId,
    /// What it is.
    pub head: &'a Task,
    /// How many there are.
    pub count: usize,
    /// Standard deviation of the logarithm of what one takes: how little is known of it.
    pub deviation: f64,
    /// The ways to run one.
    pub choices: Vec<Choice>,
}

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
    pub classes: Vec<WorkerClass>,
    /// The class of each worker that takes work.
    pub class_of: Vec<Option<usize>>,
    pub groups: Vec<Group<'a>>,
    pub running: Vec<Running<'a>>,
}

/// A plan looks at so many groups: the first in the order of the queue, which is by urgency and length.
const GROUPS_MAX: usize = 4096;
/// Over how long a worker that gets hot is looked at, in seconds.
const HEAT_HORIZON_S: f64 = 900.0;

/// However long what runs will run, so much of a class is taken to be left for what waits.
const LEFT_SHARE_MIN: f64 = 0.02;

/// Work and capacity are both counted so many times over, which changes no price but makes shares of a worker whole.
const FINE: f64 = 1000.0;

type Likeness = (Room, Vec<(HardwareKind, u64)>, Vec<Vec<HardwareKind>>);

impl Choice {
    /// It as the price engine wants it.
    pub(super) fn offer(&self) -> Offer {
        Offer { class: self.class, mode: self.hardware as u8, seconds: self.seconds, takes: amounts(self.takes) }
    }
}

impl Group<'_> {
    /// How long one takes where it is fastest, in seconds.
    pub(super) fn least_s(&self) -> f64 {
        self.choices.iter().map(|choice| choice.seconds).fold(f64::INFINITY, f64::min)
    }
}

impl<'a> Field<'a> {
    pub(super) fn new(view: &mut View<'a>) -> Self {
        let task_classes: Vec<ClassId> = {
            let mut all: Vec<ClassId> = view.groups().take(GROUPS_MAX).map(|(profile, _)| profile.class).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (classes, class_of) = sort_workers(view, &task_classes);
        let groups = view.groups().take(GROUPS_MAX).filter_map(|(profile, mut tasks)| {
            let first = tasks.next()?;
            let head = view.ledger().get(first)?;
            let deviation = deviation(view, head, head.spec.runs_on()[0]);
            Some(Group { profile, first, head, count: view.waiting(profile), deviation, choices: Vec::new() })
        });
        let mut field = Self { classes, class_of, groups: groups.collect(), running: Vec::new() };
        for at in 0..field.groups.len() {
            field.groups[at].choices = field.choices(view, &field.groups[at]);
        }
        field.running = running(view);
        field
    }

    fn choices(&self, view: &mut View<'a>, group: &Group<'a>) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (class, workers) in self.classes.iter().enumerate() {
            let Some(&worker) = workers.members.first() else { continue };
            for hardware in view.options(group.profile.class, worker).to_vec() {
                let takes = view.takes(group.profile.class, worker, hardware);
                let seconds = remaining_s(view, group.head, worker, hardware, 0.0);
                choices.push(Choice { class, hardware, seconds, takes });
            }
        }
        choices
    }

    /// What waits, for prices, on what the classes have: less what runs keeps of it over the next `within_s` seconds.
    pub(super) fn instance(&self, within_s: Option<f64>) -> Instance {
        let mut capacity: Vec<Amounts> = self.classes.iter().map(|class| class.capacity).collect();
        if let Some(within_s) = within_s.filter(|seconds| *seconds > 0.0) {
            for running in &self.running {
                let Some(class) = self.class_of[running.worker.0 as usize] else { continue };
                let share = (running.remaining_s / within_s).min(1.0);
                let least = self.classes[class].capacity.map(|whole| LEFT_SHARE_MIN * whole);
                for (at, taken) in amounts(running.takes).into_iter().enumerate() {
                    capacity[class][at] = (capacity[class][at] - share * taken).max(least[at]);
                }
            }
        }
        // A task that fits on a worker fits on what is left of its class, however small a share of a worker that is.
        let mut instance = Instance::new(capacity.into_iter().map(|amounts| amounts.map(|amount| amount * FINE)).collect());
        for group in &self.groups {
            instance.add(group.count as f64 * FINE, group.choices.iter().map(Choice::offer));
        }
        instance
    }
}

fn amounts(room: Room) -> Amounts {
    [f64::from(room.slots), room.memory_bytes as f64, room.gpu_memory_bytes as f64]
}

fn sort_workers(view: &mut View<'_>, task_classes: &[ClassId]) -> (Vec<WorkerClass>, Vec<Option<usize>>) {
    let workers: Vec<WorkerIndex> = view.fleet().iter().map(|(at, _)| at).collect();
    let mut classes: Vec<WorkerClass> = Vec::new();
    let mut known: BTreeMap<Likeness, usize> = BTreeMap::new();
    let mut class_of = vec![None; workers.len()];
    for worker in workers {
        let entry = view.fleet().get(worker);
        if !entry.admits() || entry.presence == Presence::Gone {
            continue;
        }
        let whole = entry.whole();
        let mut kinds: Vec<HardwareKind> = entry.inventory.devices.iter().map(|device| device.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // Speeds that differ by less than a twentieth are one.
        let speeds =
            kinds.into_iter().map(|kind| (kind, (lasting_speed(view, worker, kind).ln() * 20.0).round() as i64 as u64)).collect();
        let options = task_classes.iter().map(|class| view.options(*class, worker).to_vec()).collect();
        let class = *known.entry((whole, speeds, options)).or_insert_with(|| {
            classes.push(WorkerClass { members: Vec::new(), capacity: [0.0; 3] });
            classes.len() - 1
        });
        let capacity = amounts(whole);
        let entry = &mut classes[class];
        entry.members.push(worker);
        entry.capacity.iter_mut().zip(capacity).for_each(|(sum, more)| *sum += more);
        class_of[worker.0 as usize] = Some(class);
    }
    (classes, class_of)
}

/// What is believed of how long a whole task takes there, in seconds. Where kinds of hardware are not to be told apart, all take
/// what the first one does.
pub(super) fn belief(view: &View<'_>, task: &Task, worker: WorkerIndex, hardware: HardwareKind) -> Estimate {
    if view.config().enable_hardware_specific_strategies {
        view.believe_at_speed_1(task, hardware).at_speed(lasting_speed(view, worker, hardware))
    } else {
        view.believe_at_speed_1(task, task.spec.runs_on()[0])
    }
}

/// Seconds a task is expected to take there after `elapsed_s` of its newest attempt, counting the state it saved before.
fn remaining_s(view: &View<'_>, task: &Task, worker: WorkerIndex, hardware: HardwareKind, elapsed_s: f64) -> f64 {
    let behind_s = view.behind_s(task, hardware) / lasting_speed(view, worker, hardware);
    belief(view, task, worker, hardware).remaining_s(behind_s + elapsed_s)
}

/// How fast a worker's hardware will be for a while: as it is now, less what heat will take.
fn lasting_speed(view: &View<'_>, worker: WorkerIndex, hardware: HardwareKind) -> f64 {
    let entry = view.fleet().get(worker);
    let heat = match view.config().enable_resource_efficiency {
        true => entry.heat.outlook(&entry.load, &entry.inventory, HEAT_HORIZON_S),
        false => 1.0,
    };
    view.speed(worker, hardware) * heat
}

/// Standard deviation of the logarithm of what the whole of a task takes: how little is known of it.
fn deviation(view: &View<'_>, task: &Task, hardware: HardwareKind) -> f64 {
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
            remaining_s: if task.is_open() { remaining_s(view, task, worker, hardware, elapsed_s) } else { 0.0 },
            deviation: deviation(view, task, hardware),
            takes: held.takes,
        })
    });
    seen.collect()
}
