//! Tasks that wait, grouped so that a plan looks at groups and never at a million tasks.

use crate::fleet::WorkerIndex;
use shared::id::TaskId;
use shared::requirement::{Demand, Requirement};
use shared::task::Priority;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// A requirement by number: tasks with the same one can run on the same workers.
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
    /// Workers they should not return to.
    pub avoid: Vec<WorkerIndex>,
}

/// The waiting tasks and the requirements they have.
#[derive(Debug, Default)]
pub struct Queue {
    groups: BTreeMap<Profile, VecDeque<TaskId>>,
    classes: Vec<(Requirement, Demand)>,
    class_by_text: BTreeMap<String, ClassId>,
}

/// The estimate of a task of which nothing is known.
pub const UNKNOWN_MS: u64 = u64::MAX;

impl Queue {
    /// The number of a requirement.
    pub fn class_of(&mut self, requirement: &Requirement) -> ClassId {
        if let Some(known) = self.class_by_text.get(requirement.text()) {
            return *known;
        }
        let class = ClassId(self.classes.len() as u32);
        self.classes.push((requirement.clone(), requirement.demand()));
        self.class_by_text.insert(requirement.text().into(), class);
        class
    }

    /// The number of a requirement that some task had before.
    pub fn known_class(&self, requirement: &Requirement) -> Option<ClassId> {
        self.class_by_text.get(requirement.text()).copied()
    }

    /// The requirement with this number and what its tasks keep to themselves.
    pub fn class(&self, class: ClassId) -> (&Requirement, Demand) {
        let (requirement, demand) = &self.classes[class.0 as usize];
        (requirement, *demand)
    }

    /// The groups in the order in which they are served. A group may still hold tasks that no longer wait: they are
    /// passed over by whoever takes from it.
    pub fn groups(&self) -> impl Iterator<Item = (&Profile, &VecDeque<TaskId>)> {
        self.groups.iter()
    }

    pub(crate) fn push_back(&mut self, profile: Profile, task: TaskId) {
        self.groups.entry(profile).or_default().push_back(task);
    }

    pub(crate) fn push_front(&mut self, profile: Profile, task: TaskId) {
        self.groups.entry(profile).or_default().push_front(task);
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
