//! The offers of an instance as the search for prices wants them, and what they demand at given prices.

use super::{Amounts, Instance, Offer, RESOURCES};
use std::ops::Range;

/// An offer that would get less of a group's tasks than this, relative to the cheapest, gets none.
const SHARE_MIN: f64 = 1e-6;

/// The offers as the inner loop wants them: what fraction of the class an offer holds, times how long.
pub(super) struct Table {
    pub(super) groups: Vec<(f64, Range<usize>)>,
    pub(super) rows: Vec<Row>,
    longest_group: usize,
    /// The longest of the groups' shortest durations: a horizon below it would say nothing.
    pub(super) slowest_fastest: f64,
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) seconds: f64,
    pub(super) class: usize,
    pub(super) load: Amounts,
}

impl Row {
    /// The row of an offer, unless it asks for more than the class has.
    fn new(offer: &Offer, capacity: &[Amounts], inverse: &[Amounts]) -> Option<Self> {
        let (capacity, inverse) = (&capacity[offer.class], &inverse[offer.class]);
        if !fits(offer, capacity) {
            return None;
        }
        let load = std::array::from_fn(|r| offer.seconds * offer.takes[r] * inverse[r]);
        Some(Self { seconds: offer.seconds, class: offer.class, load })
    }
}

/// Whether the class has as much as one task takes.
pub(super) fn fits(offer: &Offer, capacity: &Amounts) -> bool {
    (0..RESOURCES).all(|r| offer.takes[r] <= capacity[r])
}

impl Table {
    pub(super) fn new(instance: &Instance) -> Self {
        let mut rows = Vec::with_capacity(instance.offers.len());
        let mut groups = Vec::with_capacity(instance.groups.len());
        let inverse: Vec<Amounts> =
            instance.capacity.iter().map(|all| all.map(|c| if c > 0.0 { 1.0 / c } else { 0.0 })).collect();
        let (mut longest_group, mut slowest_fastest) = (0, 0.0_f64);
        for (count, offers) in instance.groups() {
            let first = rows.len();
            rows.extend(offers.iter().filter_map(|offer| Row::new(offer, &instance.capacity, &inverse)));
            if rows.len() > first && count > 0.0 {
                longest_group = longest_group.max(rows.len() - first);
                slowest_fastest = slowest_fastest.max(fastest(&rows[first..]));
                groups.push((count, first..rows.len()));
            } else {
                rows.truncate(first);
            }
        }
        Self { groups, rows, longest_group, slowest_fastest }
    }

    /// The value of the weights, and what every task together would ask of each resource, in seconds of the whole class, if each
    /// divided itself over its offers by the power -2^squarings of their cost.
    pub(super) fn demand(&self, weights: &[Amounts], horizon: f64, squarings: u32, demand: &mut [f64]) -> f64 {
        demand.fill(0.0);
        let mut costs = vec![0.0; self.longest_group];
        let mut value = 0.0;
        let negligible = SHARE_MIN.powf(1.0 / f64::from(1_u32 << squarings));
        for (count, range) in &self.groups {
            let rows = &self.rows[range.clone()];
            let limit = if horizon.is_finite() { horizon.max(fastest(rows)) } else { f64::INFINITY };
            let mut least = f64::INFINITY;
            for (row, cost) in rows.iter().zip(&mut costs) {
                let w = &weights[row.class];
                *cost = w[0] * row.load[0] + w[1] * row.load[1] + w[2] * row.load[2];
                if row.seconds > limit {
                    *cost = f64::INFINITY;
                }
                least = least.min(*cost);
            }
            if least <= 0.0 {
                continue;
            }
            value += count * least;
            let mut sum = 0.0;
            for cost in &mut costs[..rows.len()] {
                if least < *cost * negligible {
                    *cost = 0.0;
                    continue;
                }
                let mut share = least / *cost;
                for _ in 0..squarings {
                    share *= share;
                }
                *cost = share;
                sum += share;
            }
            for (row, share) in rows.iter().zip(&costs).filter(|(_, share)| **share > 0.0) {
                let tasks = count * share / sum;
                for r in 0..RESOURCES {
                    demand[row.class * RESOURCES + r] += tasks * row.load[r];
                }
            }
        }
        value
    }
}

pub(super) fn fastest(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.seconds).fold(f64::INFINITY, f64::min)
}
