//! The queue of one worker: the most urgent first, and among those the one that came first.

use crate::fleet::Room;
use crate::ledger::{State, Task};
use crate::plan::View;
use crate::queue::ClassId;
use shared::id::TaskId;
use shared::task::Priority;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Where a task stands in a queue.
pub(in super::super) type Place = (Reverse<Priority>, TaskId);

/// A task in a queue.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Entry {
    /// Its class.
    pub class: ClassId,
    /// What it will take.
    pub takes: Room,
    /// Seconds it is expected to take there; 0 where the policy does not ask.
    pub seconds: f64,
}

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Line {
    tasks: BTreeMap<Place, Entry>,
    classes: BTreeMap<ClassId, usize>,
    takes: Room,
    seconds: f64,
    /// How many tasks went before the first one because it did not fit.
    pub(super) passed: (Option<TaskId>, u32),
}

/// The place of a task.
pub(in super::super) fn place(id: TaskId, task: &Task) -> Place {
    (Reverse(task.spec.priority), id)
}

/// Whether the task at `place` still waits.
pub(in super::super) fn waits(view: &View<'_>, place: Place) -> bool {
    view.ledger().get(place.1).is_some_and(|task| matches!(task.state, State::Queued { .. }))
}

impl Line {
    /// How many tasks stand in it.
    pub(in super::super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether nobody stands in it.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Its tasks in order.
    pub(in super::super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Place, Entry)> {
        self.tasks.iter().map(|(place, entry)| (*place, *entry))
    }

    /// The classes of its tasks and how many there are of each.
    pub(in super::super) fn classes(&self) -> impl Iterator<Item = (ClassId, usize)> {
        self.classes.iter().map(|(class, count)| (*class, *count))
    }

    /// What its tasks will take, all together.
    pub(in super::super) fn takes(&self) -> Room {
        self.takes
    }

    /// Seconds of one slot its tasks are expected to take.
    pub(in super::super) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Adds a task.
    pub(in super::super) fn push(&mut self, place: Place, entry: Entry) {
        let before = self.tasks.insert(place, entry);
        assert!(before.is_none(), "a task stands in one queue, once");
        *self.classes.entry(entry.class).or_default() += 1;
        self.takes = self.takes.plus(entry.takes);
        self.seconds += entry.seconds;
    }

    /// Takes a task out.
    pub(in super::super) fn remove(&mut self, place: Place) -> Option<Entry> {
        let entry = self.tasks.remove(&place)?;
        let count = self.classes.get_mut(&entry.class).expect("it was counted when it came");
        *count -= 1;
        if *count == 0 {
            self.classes.remove(&entry.class);
        }
        self.takes = self.takes.less(entry.takes);
        // Nothing is what is left of an empty queue, whatever was lost in rounding.
        self.seconds = if self.tasks.is_empty() { 0.0 } else { (self.seconds - entry.seconds).max(0.0) };
        Some(entry)
    }
}
