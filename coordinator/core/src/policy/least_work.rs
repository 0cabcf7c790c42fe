//! The worker on which the task is expected to end first: the work that waits and runs there, shared among its slots, and
//! then the task itself on the hardware there that suits it best, by what was learned of kinds, hardware and speeds. The
//! strongest of the simple rules, and still a bet that is made when the task arrives.

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;

/// The policy.
pub(super) type LeastWork = Push<EarliestFinish>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EarliestFinish;

impl Choose for EarliestFinish {
    const NAME: &'static str = "least_work";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        least(candidates, |worker| desk.wait_s(worker) + desk.own_s(arrival, worker))
    }
}
