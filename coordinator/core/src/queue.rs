//! Tasks that wait, grouped so that a plan looks at groups and never at a million tasks.

use crate::estimate::KindId;
use crate::fleet::WorkerIndex;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::requirement::{Demand, Requirement};
use shared::task::{Priority, TaskSpec};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Which machines can run a task and what it keeps to itself there.
#[derive(Debug, Clone)]
pub struct Class {
    /// What it asks of a machine.
    pub requirement: Requirement,
    /// What it keeps to itself.
    pub demand: Demand,
    /// The kinds of hardware any one of which it can run on.
    pub hardware: Vec<HardwareKind>,
}

/// A class by number: tasks with the same one can run on the same workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// What the waiting tasks of one group have in common. The order is the one in which groups are served: the most urgent
/// first, and among equals the longest, because a long task begun late is what a run waits for at its end. Tasks of
/// unknown length come before all others, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile {
    /// How urgent.
    pub priority: Reverse<Priority>,
    /// How long they are expected to take, in milliseconds; the largest number where nothing is known.
    pub estimate_ms: Reverse<u64>,
    /// Which machines can run them.
    pub class: ClassId,
    /// Tasks of one kind take about as long as each other on the same hardware.
    pub kind: KindId,
    /// Milliseconds of work that is saved and need not be done again.
    pub behind_ms: u64,
    /// Workers they should not return to.
    pub avoid: Vec<WorkerIndex>,
}

/// The waiting tasks and the requirements they have.
#[derive(Debug, Default)]
pub struct Queue {
    groups: BTreeMap<Profile, VecDeque<TaskId>>,
    /// How many groups were ever born, and the newest of them, oldest first.
    born: u64,
    newborn: VecDeque<Profile>,
    classes: Vec<Class>,
    classes_by_text: BTreeMap<String, Vec<ClassId>>,
}

/// Groups that were born last and are remembered.
const NEWBORN: usize = 512;

/// The estimate of a task of which nothing is known.
pub const UNKNOWN_MS: u64 = u64::MAX;

impl Queue {
    /// The number of a task's class, given to it now if it has none.
    pub fn class_of(&mut self, spec: &TaskSpec) -> ClassId {
        if let Some(known) = self.known_class(spec) {
            return known;
        }
        let class = ClassId(self.classes.len() as u32);
        self.classes.push(Class { requirement: spec.requires.clone(), demand: spec.demand(), hardware: spec.runs_on() });
        self.classes_by_text.entry(spec.requires.text().into()).or_default().push(class);
        class
    }

    fn known_class(&self, spec: &TaskSpec) -> Option<ClassId> {
        let is_its_own = |class: &&ClassId| {
            let class = self.class(**class);
            class.demand.gpu_memory_bytes == spec.gpu_memory_bytes
                && (class.hardware == spec.hardware || spec.hardware.is_empty() && class.hardware == spec.runs_on())
        };
        self.classes_by_text.get(spec.requires.text())?.iter().find(is_its_own).copied()
    }

    /// The class with this number.
    pub fn class(&self, class: ClassId) -> &Class {
        &self.classes[class.0 as usize]
    }

    /// The groups in the order in which they are served. A group may still hold tasks that no longer wait: they are
    /// passed over by whoever takes from it.
    pub fn groups(&self) -> impl Iterator<Item = (&Profile, &VecDeque<TaskId>)> {
        self.groups.iter()
    }

    /// The tasks that stand in a group, in order.
    pub fn tasks_of(&self, profile: &Profile) -> std::collections::vec_deque::Iter<'_, TaskId> {
        static NONE: VecDeque<TaskId> = VecDeque::new();
        self.groups.get(profile).unwrap_or(&NONE).iter()
    }

    /// How many tasks stand in a group.
    pub fn len_of(&self, profile: &Profile) -> usize {
        self.groups.get(profile).map_or(0, VecDeque::len)
    }

    /// How many groups were ever born: where none was, one is as soon as a task waits in it.
    pub fn groups_born(&self) -> u64 {
        self.born
    }

    /// The groups that were born after so many others; nothing where they are more than are remembered.
    pub fn groups_since(&self, born: u64) -> Option<impl Iterator<Item = &Profile>> {
        let since = usize::try_from(self.born - born).ok()?;
        Some(self.newborn.range(self.newborn.len().checked_sub(since)?..))
    }

    pub(crate) fn push_back(&mut self, profile: Profile, task: TaskId) {
        self.group(profile).push_back(task);
    }

    pub(crate) fn push_front(&mut self, profile: Profile, task: TaskId) {
        self.group(profile).push_front(task);
    }

    fn group(&mut self, profile: Profile) -> &mut VecDeque<TaskId> {
        self.groups.entry(profile).or_insert_with_key(|profile| {
            self.born += 1;
            if self.newborn.len() == NEWBORN {
                self.newborn.pop_front();
            }
            self.newborn.push_back(profile.clone());
            VecDeque::new()
        })
    }

    /// Takes `task` out of its group. It is almost always at the front, so that what is searched is short. Tasks in front
    /// of it that no longer wait (they were cancelled where they stood) go too.
    pub(crate) fn remove(&mut self, profile: &Profile, task: TaskId, waits: impl Fn(TaskId) -> bool) {
        let Some(group) = self.groups.get_mut(profile) else { return };
        while group.front().is_some_and(|&front| front != task && !waits(front)) {
            group.pop_front();
        }
        if let Some(at) = group.iter().position(|&found| found == task) {
            group.remove(at);
        }
        if group.is_empty() {
            self.groups.remove(profile);
        }
    }
}
