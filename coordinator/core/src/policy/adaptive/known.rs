//! What is known of the work that waits and of the workers it may go to: classes of equal workers, groups of equal tasks, and what
//! each group takes on each class.
//!
//! What is believed of durations changes slowly: where much waits, a plan takes over what another found a moment ago, and looks
//! only at groups that came since.

use super::Outlook;
use super::field::{Believed, amounts, deviation, lasting_speed};
use super::shelf::Shelf;
use crate::fleet::{Presence, Room, Worker, WorkerIndex};
use crate::ledger::Task;
use crate::plan::View;
use crate::price::{Amounts, Offer, Prices};
use crate::queue::{ClassId, Profile};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::time::Time;
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
    /// What it draws beyond what the machine draws anyway, in kilojoules; 0 where the machine does not say.
    pub kilojoules: f64,
    /// What it costs by the prices in force, beside what it costs where it costs least; 0 before there are prices.
    pub ratio: f64,
}

/// One way to run tasks of a class.
#[derive(Debug, Clone, Copy)]
struct Mode {
    class: usize,
    hardware: HardwareKind,
    takes: Room,
    /// How fast that hardware will be for a while.
    speed: f64,
    /// What a task draws beyond what the machine draws anyway.
    watts: f64,
}

/// A group of equal tasks that wait.
#[derive(Debug)]
pub(super) struct Group {
    /// What they have in common.
    pub profile: Profile,
    /// The one that waits longest.
    pub first: TaskId,
    /// When that one was submitted.
    pub submitted: Time,
    /// How many there are.
    pub count: usize,
    /// Standard deviation of the logarithm of what one takes: how little is known of it.
    pub deviation: f64,
    /// How long one takes where it is fastest, in seconds.
    pub least_s: f64,
    /// The ways to run one, by class.
    pub choices: Vec<Choice>,
    /// Whether all of them were taken since it was looked at.
    pub is_gone: bool,
}

/// What one plan can take over from another.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub classes: Vec<WorkerClass>,
    /// The class of each worker that takes work.
    pub class_of: Vec<Option<usize>>,
    /// The first `in_order` in the order of the queue, then those that came since, in the order in which they came.
    pub groups: Vec<Group>,
    in_order: usize,
    /// The ways to run tasks of a class, where some were looked for.
    modes: BTreeMap<ClassId, Vec<Mode>>,
    /// What each class would take next, where it has had room.
    pub shelves: Vec<Option<Shelf>>,
    /// Groups that had been born in the queue by then.
    born: u64,
}

/// A plan looks at so many groups: the first in the order of the queue, which is by urgency and length.
const GROUPS_MAX: usize = 4096;
/// More classes of workers than this are made fewer by telling speeds apart less finely.
const CLASSES_MAX: usize = 32;
/// Speeds are one class where their logarithms, times this, round to the same number: a twentieth apart, a tenth, …
const SPEED_STEPS: [f64; 4] = [20.0, 10.0, 5.0, 2.0];
type Likeness = (Room, Option<[u64; 2]>, Vec<(HardwareKind, u64)>, Vec<Vec<HardwareKind>>);

impl Choice {
    /// It as the price engine wants it.
    pub(super) fn offer(&self) -> Offer {
        Offer { class: self.class, mode: self.hardware as u8, seconds: self.seconds, takes: amounts(self.takes) }
    }
}

impl Group {
    /// The ways to run one on this class.
    pub(super) fn on(&self, class: usize) -> &[Choice] {
        let from = self.choices.partition_point(|choice| choice.class < class);
        let until = self.choices.partition_point(|choice| choice.class <= class);
        &self.choices[from..until]
    }

    /// The ways to run one but for those that take as much as another one on the same class and are no faster.
    pub(super) fn undominated(&self) -> impl Iterator<Item = &Choice> {
        let better = |one: &Choice, other: &Choice| {
            let equal = one.seconds == other.seconds && one.takes == other.takes;
            one.seconds <= other.seconds && other.takes.holds(one.takes) && (!equal || one.hardware < other.hardware)
        };
        self.choices.iter().filter(move |choice| !self.on(choice.class).iter().any(|other| better(other, choice)))
    }

    /// Takes in prices.
    pub(super) fn price(&mut self, prices: &Prices) {
        let limit = prices.horizon.max(self.least_s);
        let costs = |choice: &Choice| prices.cost(&choice.offer());
        let allowed = self.choices.iter().filter(|choice| choice.seconds <= limit);
        let least = allowed.map(costs).fold(f64::INFINITY, f64::min);
        for choice in &mut self.choices {
            choice.ratio = if least > 0.0 { costs(choice) / least } else { 1.0 };
        }
    }
}

impl Known {
    pub(super) fn new(view: &mut View<'_>) -> Self {
        let mut task_classes: Vec<ClassId> = view.groups().take(GROUPS_MAX).map(|(profile, _)| profile.class).collect();
        task_classes.sort_unstable();
        task_classes.dedup();
        let (classes, class_of) = sort_workers(view, &task_classes);
        let shelves = classes.iter().map(|_| None).collect();
        let (groups, modes, born) = (Vec::new(), BTreeMap::new(), view.groups_born());
        let mut known = Self { classes, class_of, groups, in_order: 0, modes, shelves, born };
        for (profile, mut tasks) in view.groups().take(GROUPS_MAX) {
            let group = tasks.next().and_then(|first| known.group(view, profile, first));
            known.groups.extend(group);
        }
        known.in_order = known.groups.len();
        known
    }

    /// The group of tasks of which `first` waits longest.
    fn group(&mut self, view: &mut View<'_>, profile: &Profile, first: TaskId) -> Option<Group> {
        let head = view.ledger().get(first)?;
        let modes = self.modes.entry(profile.class).or_insert_with(|| modes(view, &self.classes, profile.class));
        let choices = choices(view, modes, head);
        Some(Group {
            profile: profile.clone(),
            first,
            submitted: head.submitted,
            count: view.waiting(profile),
            deviation: deviation(view, head, head.spec.runs_on()[0]),
            least_s: choices.iter().map(|choice| choice.seconds).fold(f64::INFINITY, f64::min),
            choices,
            is_gone: false,
        })
    }

    /// Whether the same workers take work as when it was found.
    pub(super) fn is_of(&self, view: &View<'_>) -> bool {
        let same = |(at, worker): (WorkerIndex, &Worker)| {
            self.class_of.get(at.0 as usize).is_some_and(|class| class.is_some() == takes_work(worker))
        };
        view.fleet().iter().all(same)
    }

    /// How many tasks wait.
    pub(super) fn waiting(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Takes in the groups that were born since; false where they are too many.
    pub(super) fn catch_up(&mut self, view: &mut View<'_>, outlook: Outlook<'_>) -> bool {
        let Some(newborn) = view.groups_since(self.born) else { return false };
        self.born = view.groups_born();
        for profile in newborn {
            if let Some(group) = self.find(profile) {
                self.groups[group].is_gone = false;
                continue;
            }
            let Some(first) = view.tasks_of(profile).next() else { continue };
            let Some(mut new) = self.group(view, profile, first) else { continue };
            new.price(outlook.prices);
            self.groups.push(new);
            for class in 0..self.classes.len() {
                if let Some(mut shelf) = self.shelves[class].take() {
                    shelf.add(view, self, outlook, (self.groups.len() - 1, class));
                    self.shelves[class] = Some(shelf);
                }
            }
        }
        true
    }

    fn find(&self, profile: &Profile) -> Option<usize> {
        let (ordered, since) = self.groups.split_at(self.in_order);
        let among_them = ordered.binary_search_by(|group| group.profile.cmp(profile)).ok();
        among_them.or_else(|| since.iter().position(|group| group.profile == *profile).map(|at| self.in_order + at))
    }
}

/// The ways to run tasks of this class.
fn modes(view: &mut View<'_>, classes: &[WorkerClass], of: ClassId) -> Vec<Mode> {
    let mut modes = Vec::new();
    for (class, workers) in classes.iter().enumerate() {
        let Some(&worker) = workers.members.first() else { continue };
        for hardware in view.options(of, worker).to_vec() {
            let (takes, speed) = (view.takes(of, worker, hardware), lasting_speed(view, worker, hardware));
            let inventory = &view.fleet().get(worker).inventory;
            let share = f64::from(takes.slots) / f64::from(inventory.slots.max(1));
            let watts = inventory.power.map_or(0.0, |power| (power.busy_w - power.idle_w) * share);
            modes.push(Mode { class, hardware, takes, speed, watts });
        }
    }
    modes
}

fn choices(view: &View<'_>, modes: &[Mode], head: &Task) -> Vec<Choice> {
    // What is believed of a kind of hardware does not depend on the worker.
    let mut believed: Vec<(HardwareKind, Believed)> = Vec::new();
    let of = |Mode { class, hardware, takes, speed, watts }: &Mode| {
        let known = believed.iter().position(|(kind, _)| kind == hardware).unwrap_or_else(|| {
            believed.push((*hardware, Believed::new(view, head, *hardware)));
            believed.len() - 1
        });
        let seconds = believed[known].1.remaining_s(*speed, 0.0);
        let kilojoules = watts * seconds / 1e3;
        Choice { class: *class, hardware: *hardware, seconds, takes: *takes, kilojoules, ratio: 0.0 }
    };
    modes.iter().map(of).collect()
}

fn takes_work(worker: &Worker) -> bool {
    worker.admits() && worker.presence != Presence::Gone
}

/// Sorts workers into classes, as finely as gives few enough of them.
fn sort_workers(view: &mut View<'_>, task_classes: &[ClassId]) -> (Vec<WorkerClass>, Vec<Option<usize>>) {
    let mut sorted = sort_finely(view, task_classes, SPEED_STEPS[0]);
    for steps in &SPEED_STEPS[1..] {
        if sorted.0.len() <= CLASSES_MAX {
            break;
        }
        sorted = sort_finely(view, task_classes, *steps);
    }
    sorted
}

fn sort_finely(view: &mut View<'_>, task_classes: &[ClassId], steps: f64) -> (Vec<WorkerClass>, Vec<Option<usize>>) {
    let workers: Vec<WorkerIndex> = view.fleet().iter().map(|(at, _)| at).collect();
    let mut classes: Vec<WorkerClass> = Vec::new();
    let mut known: BTreeMap<Likeness, usize> = BTreeMap::new();
    let mut class_of = vec![None; workers.len()];
    for worker in workers {
        let entry = view.fleet().get(worker);
        if !takes_work(entry) {
            continue;
        }
        let whole = entry.whole();
        let mut kinds: Vec<HardwareKind> = entry.inventory.devices.iter().map(|device| device.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let power = entry.inventory.power.map(|power| [power.idle_w.to_bits(), power.busy_w.to_bits()]);
        let step = |kind| (lasting_speed(view, worker, kind).ln() * steps).round() as i64 as u64;
        let speeds = kinds.into_iter().map(|kind| (kind, step(kind))).collect();
        let options = task_classes.iter().map(|class| view.options(*class, worker).to_vec()).collect();
        let class = *known.entry((whole, power, speeds, options)).or_insert_with(|| {
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
