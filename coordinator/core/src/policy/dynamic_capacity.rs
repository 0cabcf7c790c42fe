//! F51 and F53: the worker with the highest capacity score: 0.35 load + 0.25 queue + 0.25 response + 0.15 error, each as
//! headroom from 0 (none) to 1.
//!
//! Load: the share of slots that nothing runs in or was given to. Queue: slots ÷ (slots + tasks that wait), so that a longer
//! queue always counts against it. Response: the best mean response time among the candidates ÷ what its own comes to with those
//! that wait before the task; without that a quick worker would stay the best however many wait there. Error: the share of its
//! attempts that did not fail, lately.

use super::push::{Arrival, Choose, Desk, Ended, Means, Push, Sight, least};
use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::View;
use shared::id::TaskId;

/// The policy.
pub(super) type DynamicCapacity = Push<Capacities>;

/// What is remembered of each worker.
#[derive(Debug, Default)]
pub(super) struct Capacities {
    responses: Means<WorkerIndex>,
    errors: Means<WorkerIndex>,
}

impl Choose for Capacities {
    const NAME: &'static str = "dynamic_capacity";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let times = candidates.iter().filter_map(|worker| self.responses.of(worker));
        let best_s = times.fold(f64::INFINITY, f64::min);
        least(candidates, |worker| -self.score(desk, worker, best_s))
    }

    fn saw_end(&mut self, _view: &View<'_>, _id: TaskId, task: &Task) {
        let Some(ended) = Ended::of(task) else { return };
        self.errors.saw(ended.worker, if ended.is_good { 0.0 } else { 1.0 });
        if ended.is_good {
            self.responses.saw(ended.worker, ended.response_s);
        }
    }
}

impl Capacities {
    fn score(&self, desk: &Desk<'_, '_>, worker: WorkerIndex, best_s: f64) -> f64 {
        let slots = desk.slots(worker);
        let load = 1.0 - desk.load(worker).min(1.0);
        let queue = slots / (slots + desk.queue_length(worker));
        // A worker that answers in no time at all is as good as the best.
        let own_s = self.responses.of(&worker).map_or(0.0, |mean_s| mean_s / queue);
        let response = if own_s > best_s { best_s / own_s } else { 1.0 };
        let error = 1.0 - self.errors.of(&worker).unwrap_or(0.0);
        0.35 * load + 0.25 * queue + 0.25 * response + 0.15 * error
    }
}
