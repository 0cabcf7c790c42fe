//! F54: each worker gets its turn, in the order in which workers joined.

use super::push::{Arrival, Choose, Desk, Push, Sight};
use crate::fleet::WorkerIndex;
use crate::queue::ClassId;
use std::collections::BTreeMap;

/// The policy.
pub(super) type RoundRobin = Push<Turns>;

/// Whose turn was last, for each class of tasks by itself: tasks that only some workers can run would otherwise decide where
/// the turn of all others stands.
#[derive(Debug, Default)]
pub(super) struct Turns(BTreeMap<ClassId, WorkerIndex>);

impl Choose for Turns {
    const NAME: &'static str = "round_robin";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, _desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let last = self.0.get(&arrival.class);
        let next = last.and_then(|last| candidates.iter().find(|worker| *worker > last));
        let worker = *next.unwrap_or(&candidates[0]);
        self.0.insert(arrival.class, worker);
        worker
    }
}
