//! The best prices over time of a small instance, by a linear program that knows that a task runs in one place at a time (Lawler,
//! Labetoulle 1978), with releases.
//!
//! In each interval a resource is used for no longer than the interval, and so is every task; the least end is sought. What is
//! solved is the dual: per interval prices of resources, and per interval and group a price of one task's own time. The bound is
//! then computed from these prices, so that it does not rest on the solver's word.

use super::intervals::{Intervals, Solution};
use coordinator_core::price::{Amounts, RESOURCES};
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};

/// Prices by the simplex method; nothing where the solver fails.
pub(super) fn solve(cut: &Intervals<'_>) -> Option<Solution> {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let mut last = Vec::new();
    let mut price = |problem: &mut Problem, interval: usize, amount: f64| {
        let variable = problem.add_var(-amount * cut.length(interval).unwrap_or(0.0), (0.0, f64::INFINITY));
        if cut.length(interval).is_none() {
            last.push((variable, amount));
        }
        variable
    };
    let mut resources: Vec<Vec<[Option<Variable>; RESOURCES]>> = Vec::new();
    for interval in 0..cut.starts.len() {
        let of_class = |capacity: &Amounts| capacity.map(|c| (c > 0.0).then(|| price(&mut problem, interval, 1.0)));
        resources.push(cut.capacity.iter().map(of_class).collect());
    }
    let mut own: Vec<Vec<Variable>> = Vec::new();
    for (work, first) in cut.work.iter().zip(&cut.first) {
        own.push((*first..cut.starts.len()).map(|interval| price(&mut problem, interval, work.count)).collect());
    }
    problem.add_constraint(&last, ComparisonOp::Le, 1.0);
    for ((work, first), own) in cut.work.iter().zip(&cut.first).zip(&own) {
        let worth = problem.add_var(work.count, (0.0, f64::INFINITY));
        for (interval, own) in (*first..).zip(own) {
            for offer in &work.offers {
                let seconds = offer.seconds / cut.unit;
                let mut row = vec![(worth, 1.0), (*own, -seconds)];
                let taken = (0..RESOURCES).filter_map(|r| Some((resources[interval][offer.class][r]?, cut.share(offer, r))));
                row.extend(taken.filter(|(_, share)| *share > 0.0).map(|(price, share)| (price, -seconds * share)));
                problem.add_constraint(&row, ComparisonOp::Le, 0.0);
            }
        }
    }
    let outcome = problem.solve().ok()?;
    let found = outcome.solution()?;
    let value = |variable: Variable| Some(found.var_value(variable).max(0.0)).filter(|value| value.is_finite()).unwrap_or(0.0);
    Some(Solution {
        resource: resources.iter().map(|all| all.iter().map(|of| of.map(|price| price.map_or(0.0, value))).collect()).collect(),
        own: own.iter().map(|all| all.iter().map(|price| value(*price)).collect()).collect(),
    })
}
