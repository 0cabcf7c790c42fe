//! F49: turns in proportion to capacity, which is slots times speed, spread evenly: a worker of three times the weight has
//! three turns in the time of one, and not three in a row.
//!
//! Each turn every candidate's credit grows by its weight, the one with the most is chosen and pays the sum of all weights
//! (smooth weighted round robin, as in the nginx web server).

use super::push::{Arrival, Choose, Desk, Push, Sight};
use crate::fleet::WorkerIndex;
use crate::queue::ClassId;
use std::collections::BTreeMap;

/// The policy.
pub(super) type WeightedRoundRobin = Push<Credits>;

/// The credit of each worker with each class of tasks.
#[derive(Debug, Default)]
pub(super) struct Credits(BTreeMap<ClassId, Vec<f64>>);

impl Choose for Credits {
    const NAME: &'static str = "weighted_round_robin";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let credits = self.0.entry(arrival.class).or_default();
        let last = candidates[candidates.len() - 1].0 as usize;
        credits.resize(credits.len().max(last + 1), 0.0);
        let mut best = (candidates[0], f64::NEG_INFINITY);
        let mut sum = 0.0;
        for worker in candidates {
            let weight = weight(desk, arrival.class, *worker);
            let credit = &mut credits[worker.0 as usize];
            *credit += weight;
            sum += weight;
            if *credit > best.1 {
                best = (*worker, *credit);
            }
        }
        credits[best.0.0 as usize] -= sum;
        best.0
    }
}

/// Slots times speed on the hardware a task of this class would use there: what is published of its kind times what was told
/// and learned of this one.
fn weight(desk: &mut Desk<'_, '_>, class: ClassId, worker: WorkerIndex) -> f64 {
    let hardware = desk.view.options(class, worker)[0];
    desk.slots(worker) * hardware.profile().performance_weight * desk.view.speed(worker, hardware)
}
