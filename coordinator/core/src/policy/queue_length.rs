//! F52: the worker with the fewest tasks that wait, those that run not counted; between equals the one with the fewest tasks
//! for its slots. Queues are counted as they are, whatever the size of the machine: that is what sets it apart from
//! `least_connections`.

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;

/// The policy.
pub(super) type QueueLength = Push<Shortest>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shortest;

impl Choose for Shortest {
    const NAME: &'static str = "queue_length";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let shortest = candidates.iter().map(|worker| desk.queue_length(*worker)).fold(f64::INFINITY, f64::min);
        let equal: Vec<WorkerIndex> =
            candidates.iter().copied().filter(|worker| desk.queue_length(*worker) <= shortest).collect();
        least(&equal, |worker| desk.load(worker))
    }
}
