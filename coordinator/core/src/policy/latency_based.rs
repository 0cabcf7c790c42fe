//! F56: the worker that answered this client soonest. For each location of clients a mean response time is kept by worker,
//! and counts as mean × (1 + load × 0.5), load in tasks per slot. Workers at the client's own location come first, then those
//! within the greatest latency that is wanted, 100 ms, where there are any of either; and before that those with less than
//! nine tenths of their slots spoken for (F127).
//!
//! A task says where its client is in `CLIENT_LOCATION` of its environment, a worker in its label `location`. Tasks that do
//! not say count as coming from one place. The published design measures requests of milliseconds; on tasks of minutes the
//! bound of 100 ms holds for nobody and decides nothing.

use super::push::{Arrival, Choose, Desk, Ended, Means, Push, Sight, least};
use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::View;
use shared::id::TaskId;

/// The policy.
pub(super) type LatencyBased = Push<Latencies>;

/// The latency that is wanted at most, in seconds.
const LATENCY_MAX_S: f64 = 0.1;

/// The mean response time, in seconds, from each location to each worker.
#[derive(Debug, Default)]
pub(super) struct Latencies(Means<(String, WorkerIndex)>);

impl Choose for Latencies {
    const NAME: &'static str = "latency_based";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let location = location_of(arrival.task);
        let mut open = desk.available(candidates);
        let is_local =
            |at: &WorkerIndex| desk.view.fleet().get(*at).inventory.labels.get("location").is_some_and(|at| at == location);
        prefer(&mut open, is_local);
        let adjusted = |worker: WorkerIndex| {
            let mean = self.0.of(&(location.to_owned(), worker)).unwrap_or(1.0);
            mean * (1.0 + 0.5 * desk.load(worker))
        };
        prefer(&mut open, |worker| adjusted(*worker) <= LATENCY_MAX_S);
        least(&open, adjusted)
    }

    fn saw_end(&mut self, _view: &View<'_>, _id: TaskId, task: &Task) {
        if let Some(ended) = Ended::of(task).filter(|ended| ended.is_good) {
            self.0.saw((location_of(task).to_owned(), ended.worker), ended.response_s);
        }
    }
}

/// Leaves only those that are preferred, where there are any.
fn prefer(workers: &mut Vec<WorkerIndex>, is_preferred: impl Fn(&WorkerIndex) -> bool) {
    if workers.iter().any(&is_preferred) {
        workers.retain(is_preferred);
    }
}

fn location_of(task: &Task) -> &str {
    task.spec.env.get("CLIENT_LOCATION").map_or("", String::as_str)
}
