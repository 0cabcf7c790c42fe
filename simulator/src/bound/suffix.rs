//! The price bound with releases: what is released from a moment on cannot end before that moment and the work it brings.
//!
//! At prices under which the whole fleet costs 1 a second, a task brings at least its cheapest cost, wherever it runs. So the end
//! is at or after `s + sum of the cheapest costs of all tasks released at s or later`, for every `s` and all prices. The prices
//! are optimised for some suffixes and tried on all.

use super::Work;
use coordinator_core::price::{Amounts, Instance, Prices, RESOURCES, solve};

/// Suffixes that prices are optimised for, spread over the releases.
const SUFFIXES: usize = 24;

/// How often the best suffix so far is looked at again.
const REFINEMENTS: usize = 8;

/// Rounds of the search for prices.
const ROUNDS: u32 = 200;

/// Nothing can have ended everything before the first moment, in seconds; the second is the start of the suffix that says so. `work` is in order of release and not empty.
pub(super) fn end(capacity: &[Amounts], work: &[Work]) -> (f64, f64) {
    let starts: Vec<usize> = (0..work.len()).filter(|at| *at == 0 || work[*at].release_s > work[*at - 1].release_s).collect();
    let mut tried = vec![false; starts.len()];
    let mut best = best_suffix(work, &starts, &even(capacity));
    for i in 0..starts.len().min(SUFFIXES) {
        let at = i * starts.len() / starts.len().min(SUFFIXES);
        tried[at] = true;
        best = greater(best, best_suffix(work, &starts, &optimise(capacity, &work[starts[at]..])));
    }
    for _ in 0..REFINEMENTS {
        let at = best.1;
        if tried[at] {
            break;
        }
        tried[at] = true;
        best = greater(best, best_suffix(work, &starts, &optimise(capacity, &work[starts[at]..])));
    }
    (best.0, work[starts[best.1]].release_s)
}

fn greater(a: (f64, usize), b: (f64, usize)) -> (f64, usize) {
    if b.0 > a.0 { b } else { a }
}

/// Every slot costs the same and memory nothing: work in slot-seconds divided by all slots.
fn even(capacity: &[Amounts]) -> Prices {
    let slots: f64 = capacity.iter().map(|capacity| capacity[0]).sum();
    let mut slot = [0.0; RESOURCES];
    slot[0] = 1.0 / slots;
    Prices { y: vec![slot; capacity.len()], bound: 0.0, horizon: f64::INFINITY }
}

fn optimise(capacity: &[Amounts], work: &[Work]) -> Prices {
    let mut instance = Instance::new(capacity.to_vec());
    for work in work {
        instance.add(work.count, work.offers.iter().copied());
    }
    solve(&instance, None, ROUNDS, false)
}

/// The latest end that these prices prove, and the number of the suffix that proves it.
fn best_suffix(work: &[Work], starts: &[usize], prices: &Prices) -> (f64, usize) {
    let mut best = (f64::NEG_INFINITY, 0);
    let mut brought = 0.0;
    let mut until = work.len();
    for (number, start) in starts.iter().enumerate().rev() {
        brought += work[*start..until].iter().map(|work| work.count * prices.cheapest(&work.offers)).sum::<f64>();
        until = *start;
        best = greater(best, (work[*start].release_s + brought, number));
    }
    best
}
