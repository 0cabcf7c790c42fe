//! F57 and F58: the worker that gives the most performance for its price. The price of a task is the worker's cost per hour ×
//! the seconds it is expected to take there ÷ 3600; performance is the soonest expected end among the candidates ÷ the
//! expected end there, waiting included. A worker that costs nothing is legal and best; among several the soonest end decides.
//!
//! Budget: workers on which the task would cost more than 5.0 are left out; where every worker is too dear the cheapest takes
//! it, because a policy must not let a task wait for ever. Workers that cost at most 10.0 an hour are preferred to dearer
//! ones (the published cost limit). A worker whose owner names no cost counts as costing what the others do on average; where
//! nobody names one, the soonest end decides. Workers with less than nine tenths of their slots spoken for come before all
//! others (F127).

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;
use crate::plan::View;

/// The policy.
pub(super) type CostAware = Push<BestValue>;

/// What a task may cost, in the currency of the workers' owners.
pub(super) const BUDGET: f64 = 5.0;

/// What an hour of a worker costs at most where there is a choice.
const COST_LIMIT: f64 = 10.0;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BestValue;

/// A worker and what it offers for the task.
#[derive(Debug, Clone, Copy)]
struct Bid {
    worker: WorkerIndex,
    an_hour: f64,
    price: f64,
    end_s: f64,
}

impl Choose for BestValue {
    const NAME: &'static str = "cost_aware";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let usual = usual_cost(desk, candidates);
        let available = desk.available(candidates);
        let Some(usual) = usual else {
            return least(&available, |worker| desk.wait_s(worker) + desk.own_s(arrival, worker));
        };
        let mut bids: Vec<Bid> = available.into_iter().map(|worker| bid(desk, arrival, worker, usual)).collect();
        let cheapest = bids.iter().map(|bid| bid.price).fold(f64::INFINITY, f64::min);
        bids.retain(|bid| bid.price <= BUDGET.max(cheapest));
        if bids.iter().any(|bid| bid.an_hour <= COST_LIMIT) {
            bids.retain(|bid| bid.an_hour <= COST_LIMIT);
        }
        if bids.iter().any(|bid| bid.price <= 0.0) {
            bids.retain(|bid| bid.price <= 0.0);
            bids.iter_mut().for_each(|bid| bid.price = 1.0);
        }
        // The most performance for a price is the least product of price and end: the soonest end is the same for all.
        let value = |bid: &Bid| bid.price * bid.end_s;
        bids.iter().min_by(|a, b| value(a).total_cmp(&value(b))).map_or(candidates[0], |bid| bid.worker)
    }
}

fn bid(desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, worker: WorkerIndex, usual: f64) -> Bid {
    let an_hour = cost_of(desk.view, worker).unwrap_or(usual);
    let own_s = desk.own_s(arrival, worker);
    Bid { worker, an_hour, price: an_hour * own_s / 3600.0, end_s: desk.wait_s(worker) + own_s }
}

/// What an hour of a worker costs, where its owner names a figure that makes sense.
pub(super) fn cost_of(view: &View<'_>, worker: WorkerIndex) -> Option<f64> {
    view.fleet().get(worker).inventory.cost_per_hour.filter(|cost| cost.is_finite() && *cost >= 0.0)
}

/// The mean of the costs that are named; nothing where none is.
fn usual_cost(desk: &Desk<'_, '_>, candidates: &[WorkerIndex]) -> Option<f64> {
    let named: Vec<f64> = candidates.iter().filter_map(|worker| cost_of(desk.view, *worker)).collect();
    (!named.is_empty()).then(|| named.iter().sum::<f64>() / named.len() as f64)
}
