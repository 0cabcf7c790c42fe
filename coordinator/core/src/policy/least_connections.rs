//! The worker with the fewest tasks for its slots: those under way and those in its queue, the one given a moment ago
//! included. Between equals the one that joined first.

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;

/// The policy.
pub(super) type LeastConnections = Push<Fewest>;

/// See the module. A count per slot: a machine of twice the slots is full with twice the tasks.
#[derive(Debug, Default)]
pub(super) struct Fewest;

impl Choose for Fewest {
    const NAME: &'static str = "least_connections";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        least(candidates, |worker| desk.load(worker))
    }
}
