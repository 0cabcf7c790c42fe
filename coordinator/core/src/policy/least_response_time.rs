//! F48: the worker that is expected to answer first by how long it took to answer lately: its mean response time, once for
//! each task it has per slot and once for this one. A worker of which nothing was seen counts as an average one.

use super::push::{Arrival, Choose, Desk, Ended, Means, Push, Sight, least};
use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::View;
use shared::id::TaskId;

/// The policy.
pub(super) type LeastResponseTime = Push<Responses>;

/// The mean response time of each worker, in seconds.
#[derive(Debug, Default)]
pub(super) struct Responses(Means<WorkerIndex>);

impl Choose for Responses {
    const NAME: &'static str = "least_response_time";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        // With a slot free the task begins at once: only what is beyond the slots is waited for.
        least(candidates, |worker| {
            let mean = self.0.of(&worker).unwrap_or(1.0);
            // The small term spreads tasks while slots are free everywhere.
            mean * (1.0 + desk.queue_length(worker) / desk.slots(worker) + 1e-3 * desk.load(worker))
        })
    }

    fn saw_end(&mut self, _view: &View<'_>, _id: TaskId, task: &Task) {
        if let Some(ended) = Ended::of(task).filter(|ended| ended.is_good) {
            self.0.saw(ended.worker, ended.response_s);
        }
    }
}
