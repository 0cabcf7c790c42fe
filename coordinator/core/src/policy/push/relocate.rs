//! Moves of the policies that look at the fleet from time to time: of tasks that wait, from queue to queue, and of tasks that
//! run and can save their state.

use super::Queues;
use crate::decision::{decided, weighed};
use crate::fleet::{Room, WorkerIndex};
use crate::plan::{Move, View, move_cost_s};
use shared::fact::Rule;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Looks at the fleet, one every check interval.
#[derive(Debug, Default)]
pub(in super::super) struct Looks {
    next: Option<Time>,
}

impl Looks {
    /// Whether a look is due; the first is one interval after the policy was first asked. One that someone asked for is due
    /// at once.
    pub(in super::super) fn is_due(&mut self, view: &View<'_>) -> bool {
        let interval = Duration::from_secs_f64(view.config().check_interval_s);
        let next = *self.next.get_or_insert(view.now() + interval);
        if view.now() < next && !view.is_ordered() {
            return false;
        }
        self.next = Some(view.now() + interval);
        true
    }

    /// When the next look is due, while there is work, or before that the end of keeping tasks back.
    pub(in super::super) fn again(&self, queues: &Queues) -> Option<Time> {
        let has_work = !queues.under_way().is_empty() || queues.lines().iter().any(|line| !line.is_empty());
        self.next.filter(|_| has_work).into_iter().chain(queues.gathered()).min()
    }
}

/// Shares of a worker's slots, memory and device memory in use, counting what was proposed; the last only where it has any.
pub(in super::super) fn shares(view: &View<'_>, worker: WorkerIndex) -> (f64, f64, Option<f64>) {
    let (whole, free) = (view.fleet().get(worker).whole(), view.free(worker));
    let share = |whole: u64, free: u64| 1.0 - free as f64 / whole.max(1) as f64;
    let device = (whole.gpu_memory_bytes > 0).then(|| share(whole.gpu_memory_bytes, free.gpu_memory_bytes));
    (share(whole.slots.into(), free.slots.into()), share(whole.memory_bytes, free.memory_bytes), device)
}

/// Moves that may still be begun: the limit less the tasks that are on their way.
pub(in super::super) fn moves_left(view: &View<'_>, queues: &Queues) -> usize {
    let ledger = view.ledger();
    let on_their_way = queues.under_way().iter().filter(|id| ledger.get(**id).is_some_and(|task| task.standstill().is_some()));
    (view.config().max_simultaneous_migrations as usize).saturating_sub(on_their_way.count())
}

/// A task that runs on a worker and can be moved with its state.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Runner {
    /// The task.
    pub id: TaskId,
    /// On which hardware it runs.
    pub hardware: HardwareKind,
    /// For how long, in seconds.
    pub elapsed_s: f64,
    /// What it holds.
    pub takes: Room,
}

/// The tasks that run on `worker` and can be moved, in the order of their numbers.
pub(in super::super) fn runners(view: &View<'_>, worker: WorkerIndex) -> Vec<Runner> {
    let held = view.fleet().get(worker).held.iter();
    let movable = held.filter_map(|(id, held)| {
        let task = view.ledger().get(*id).filter(|task| task.can_save() && task.is_open() && !task.is_cancelled())?;
        let attempt = task.attempt(held.number)?;
        let elapsed_s = view.now().since(attempt.started?).as_secs_f64();
        let is_alone = task.live().count() == 1 && task.standstill().is_none();
        is_alone.then_some(Runner { id: *id, hardware: attempt.hardware, elapsed_s, takes: held.takes })
    });
    movable.collect()
}

/// The move of a running task to the first hardware of `to` that has room for it; nothing where none has.
pub(in super::super) fn migrate(
    view: &mut View<'_>,
    runner: Runner,
    from: WorkerIndex,
    to: WorkerIndex,
    why: &Arc<str>,
) -> Option<Move> {
    let task = view.ledger().get(runner.id)?;
    let class = task.class;
    let hardware = view.fits_now(class, to)?;
    let here_s = view.remaining_s(task, from, runner.hardware, runner.elapsed_s);
    let done_s = runner.elapsed_s * view.speed(from, runner.hardware) / view.speed(to, hardware);
    let there_s = view.remaining_s(task, to, hardware, done_s);
    let cost_s = move_cost_s(task);
    view.reserve(class, to, hardware);
    let stays = weighed(view, (from, runner.hardware), 0.0, here_s, 0.0);
    let goes = weighed(view, (to, hardware), 0.0, there_s, cost_s);
    let decision = decided(Rule::Finish { wait_weight: 1.0 }, goes, Vec::new(), Some(stays));
    let gain_s = here_s - there_s - cost_s;
    Some(Move::Migrate { task: runner.id, to, hardware, gain_s, cost_s, why: why.clone(), decision })
}
