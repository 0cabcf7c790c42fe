//! Load that is not our own: a worker that somebody else uses gets no new work until that is over.

use crate::fleet::{Fleet, Room, Worker, WorkerIndex};
use shared::hardware::Load;

/// More of its memory than this in use, 0 to 1, and a worker is about to run out of it.
pub const MEMORY_MAX: f64 = 0.95;
/// So many measurements in a row have to show it: one alone may be of tasks that have ended meanwhile.
const RUNNING: u8 = 2;

/// What is known of a worker's load that does not come from its own tasks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Foreign {
    /// The most its own tasks held since the last measurement, which is what the next one measures.
    held_most: Room,
    /// Measurements in a row that showed it.
    shown: u8,
    /// Whether it is kept from new work for it, as facts say.
    held_back: bool,
}

impl Foreign {
    /// Whether the worker gets no new work because others use it.
    pub fn is_held_back(self) -> bool {
        self.held_back
    }

    pub(crate) fn set_held_back(&mut self, is_held_back: bool) {
        self.held_back = is_held_back;
    }

    /// Its own tasks hold so much now.
    pub(crate) fn holds(&mut self, busy: Room) {
        self.held_most.slots = self.held_most.slots.max(busy.slots);
        self.held_most.memory_bytes = self.held_most.memory_bytes.max(busy.memory_bytes);
    }

    fn is_shown(self) -> bool {
        self.shown >= RUNNING
    }
}

impl Worker {
    /// Takes in a measurement of its load. Load is foreign while processors are used beyond `high` although its own tasks
    /// hold a smaller share than that, or memory beyond [`MEMORY_MAX`] although its own tasks were promised less. What is not
    /// measured is no load. True when the worker's standing may have changed by it.
    pub(crate) fn measure(&mut self, load: &Load, high: f64) -> bool {
        let (whole, held) = (self.whole(), self.foreign.held_most);
        let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
        let beyond = |measured: Option<f64>, own: f64, limit: f64| measured.is_some_and(|used| used > limit) && own < limit;
        let is_foreign = beyond(load.cpu, share(held.slots.into(), whole.slots.into()), high)
            || beyond(load.memory, share(held.memory_bytes, whole.memory_bytes), MEMORY_MAX);
        let before = self.foreign.is_shown();
        self.foreign.shown = if is_foreign { (self.foreign.shown + 1).min(RUNNING) } else { 0 };
        self.foreign.held_most = self.busy();
        self.foreign.is_shown() != before
    }
}

impl Fleet {
    /// Who gets no new work because others use it, and did; and the other way round. Where that would be every worker that is
    /// open, it is none of them: work on a busy machine is better than none.
    pub(crate) fn who_changes_hold(&self) -> Vec<(WorkerIndex, bool)> {
        let other = self.iter().any(|(_, worker)| worker.is_open() && !worker.foreign.is_shown());
        let now = |worker: &Worker| other && worker.foreign.is_shown();
        let changed = self.iter().filter(|(_, worker)| now(worker) != worker.foreign.held_back);
        changed.map(|(at, worker)| (at, now(worker))).collect()
    }
}
