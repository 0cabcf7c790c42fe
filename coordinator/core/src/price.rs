//! What a second on each class of workers is worth: the dual prices of the fractional assignment of tasks to workers.
//!
//! With groups `j` of `n_j` equal tasks, classes `k` of workers, resources `r` (slots, memory, device memory) of which a class
//! has `cap_kr` in all, and offers `o` of a group (a class and a way to run there, which takes `p_o` seconds and holds `d_or`
//! meanwhile), the prices are the solution of
//!
//! > maximise `sum_j n_j min_o p_o sum_r y_kr d_or` over `y >= 0` with `sum_k sum_r cap_kr y_kr = 1`.
//!
//! This is the dual of the linear program that spreads the tasks, in fractions, so that every resource is used for at most `T`
//! seconds, with the least `T`. Whatever `y` is, the value is a lower bound on the makespan of that work, also when tasks may be
//! interrupted and moved: a bad solution makes a weak bound, never a wrong one. With `prune` the tasks may not be interrupted,
//! and no offer that takes longer than the makespan can be used (Lenstra, Shmoys, Tardos 1990), see [`Prices::horizon`].
//!
//! Solved by entropic mirror ascent (Nemirovski, Yudin 1983; Arora, Hazan, Kale 2012): each round the price of what is asked for
//! more than on average rises by a factor. Demand follows a smoothed minimum (a task divides itself over offers by the power
//! `-p` of their cost, with `p` rising from round to round) and every price has its own step, which grows while its demand stays
//! on one side (Jacobs 1988): with a hard minimum demand jumps between classes and prices circle.

mod interior;
mod table;

use std::ops::Range;
use table::{Table, fits};

/// How many resources are priced: slots, memory, device memory.
pub const RESOURCES: usize = 3;

/// An amount of each resource, in any unit that capacities and tasks share.
pub type Amounts = [f64; RESOURCES];

/// One way to run the tasks of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// Which class of workers.
    pub class: usize,
    /// Which way to run there; the caller's to number (a kind of hardware).
    pub mode: u8,
    /// How long one task takes, in seconds.
    pub seconds: f64,
    /// What one task holds meanwhile.
    pub takes: Amounts,
}

/// Classes of workers and the work that waits for them. Offers lie in one piece, group after group.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    capacity: Vec<Amounts>,
    offers: Vec<Offer>,
    groups: Vec<(f64, Range<usize>)>,
}

impl Instance {
    /// An instance without work; `capacity` is what all workers of each class have together.
    pub fn new(capacity: Vec<Amounts>) -> Self {
        Self { capacity, offers: Vec::new(), groups: Vec::new() }
    }

    /// Adds `count` equal tasks (or the fraction of tasks that is left) with all ways to run one. A group that nobody offers to
    /// run adds nothing to the bound.
    ///
    /// # Panics
    /// When an offer names a class that is not there.
    pub fn add(&mut self, count: f64, offers: impl IntoIterator<Item = Offer>) {
        let first = self.offers.len();
        self.offers.extend(offers);
        assert!(self.offers[first..].iter().all(|offer| offer.class < self.capacity.len()), "an offer names an unknown class");
        self.groups.push((count, first..self.offers.len()));
    }

    /// Gives the classes another capacity.
    ///
    /// # Panics
    /// When it is for another number of classes.
    pub fn set_capacity(&mut self, capacity: Vec<Amounts>) {
        assert_eq!(capacity.len(), self.capacity.len(), "the classes stay the same");
        self.capacity = capacity;
    }

    /// How many offers there are.
    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    /// What the classes have.
    pub fn capacity(&self) -> &[Amounts] {
        &self.capacity
    }

    /// The groups in the order they were added: how many tasks, and their offers.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (f64, &[Offer])> {
        self.groups.iter().map(|(count, range)| (*count, &self.offers[range.clone()]))
    }
}

/// What a second of each resource is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Per class and resource, the price of one unit for one second. All capacity together costs 1 per second, so that costs are
    /// seconds of the whole fleet's time.
    pub y: Vec<Amounts>,
    /// No schedule of the work ends sooner, in seconds.
    pub bound: f64,
    /// Offers that take longer, in seconds, do not count unless the group has nothing shorter; infinite without pruning.
    pub horizon: f64,
}

impl Prices {
    /// What one task costs through this offer, in seconds of the whole fleet.
    pub fn cost(&self, offer: &Offer) -> f64 {
        let y = &self.y[offer.class];
        offer.seconds * (0..RESOURCES).map(|r| y[r] * offer.takes[r]).sum::<f64>()
    }

    /// The least that one task of a group with these offers costs; infinite when there is no offer. All of them are counted, also
    /// those that ask for more than the class has.
    pub fn cheapest(&self, offers: &[Offer]) -> f64 {
        self.cheapest_of(offers.iter())
    }

    fn cheapest_of<'a>(&self, offers: impl Iterator<Item = &'a Offer> + Clone) -> f64 {
        let limit = if self.horizon.is_finite() {
            self.horizon.max(offers.clone().map(|offer| offer.seconds).fold(f64::INFINITY, f64::min))
        } else {
            f64::INFINITY
        };
        offers.filter(|offer| offer.seconds <= limit).map(|offer| self.cost(offer)).fold(f64::INFINITY, f64::min)
    }

    /// The bound that these prices prove for an instance, whatever they were made for; `y` must not be negative.
    ///
    /// A pruned value `v` at horizon `h` proves the lesser of both: a schedule without interruptions that ends before `h` uses
    /// no pruned offer, so that `v` holds for it; any other ends after `h`.
    pub fn certify(&self, instance: &Instance) -> f64 {
        let scale: f64 = instance.capacity.iter().zip(&self.y).flat_map(|(c, y)| (0..RESOURCES).map(|r| c[r] * y[r])).sum();
        let mut value = 0.0;
        for (count, offers) in instance.groups() {
            let least = self.cheapest_of(offers.iter().filter(|offer| fits(offer, &instance.capacity[offer.class])));
            value += if least.is_finite() { count * least } else { 0.0 };
        }
        if scale > 0.0 { (value / scale).min(self.horizon) } else { 0.0 }
    }
}

/// Finds prices for the work of an instance in at most `rounds` passes over its offers (fewer once the bound is within 1/1000 of
/// the optimum). Prices of a similar instance with the same classes are a good start: `warm` then needs 3 to 5 rounds where a
/// cold start needs some 50. Offers that ask for more than the whole class has are left out.
pub fn solve(instance: &Instance, warm: Option<&Prices>, rounds: u32, prune: bool) -> Prices {
    let warm = warm.filter(|prices| prices.y.len() == instance.capacity.len());
    let mut ascent = Ascent::new(instance, warm);
    let table = Table::new(instance);
    let mut best: Found = (f64::NEG_INFINITY, ascent.weights.clone(), f64::INFINITY);
    let mut ceiling = f64::INFINITY;
    let mut horizon = match warm {
        Some(prices) if prune && prices.horizon.is_finite() => prices.horizon.max(table.slowest_fastest),
        _ => f64::INFINITY,
    };
    for round in 0..rounds.max(1) {
        let squarings = ascent.squarings(round, rounds, warm.is_some());
        let value = table.demand(&ascent.weights, horizon, squarings, &mut ascent.demand);
        let proved = value.min(horizon);
        if proved > best.0 {
            best = (proved, ascent.weights.clone(), horizon);
        }
        if prune {
            horizon = next_horizon(horizon, value, table.slowest_fastest.max(best.0));
        } else {
            ceiling = ceiling.min(ascent.ceiling());
            if best.0 >= ceiling * CLOSE_ENOUGH {
                break;
            }
        }
        ascent.step();
    }
    let horizons = if prune { HORIZONS } else { 1 };
    let small = table.groups.len() * ascent.demand.len().pow(2) * horizons <= POLISHED_MAX;
    if warm.is_none() && small && best.0 > 0.0 && best.0 < ceiling * CLOSE_ENOUGH {
        best = polished(&table, best, horizons);
    }
    let y = ascent.prices(instance, &best.1);
    let mut prices = Prices { y, bound: 0.0, horizon: best.2 };
    prices.bound = prices.certify(instance);
    prices
}

/// The best of what was found and what Newton steps make of it, at the horizon it was found for and at up to `horizons` in all.
fn polished(table: &Table, found: Found, horizons: usize) -> Found {
    let mut best = found;
    let mut horizon = best.2;
    for _ in 0..horizons {
        let flat = interior::polish(table, best.1.as_flattened(), horizon, best.0);
        let weights: Vec<Amounts> = flat.as_chunks().0.to_vec();
        let value = table.demand(&weights, horizon, 0, &mut vec![0.0; flat.len()]);
        if value.min(horizon) > best.0 {
            best = (value.min(horizon), weights, horizon);
        }
        if (value - horizon).abs() <= 1e-3 * value {
            break;
        }
        horizon = next_horizon(horizon, value, table.slowest_fastest.max(best.0));
    }
    best
}

/// The greatest h whose pruned value is still h or more is sought: a horizon goes half of the way to its value.
fn next_horizon(horizon: f64, value: f64, least: f64) -> f64 {
    let middle = if horizon.is_finite() { 0.5 * (horizon + value) } else { value };
    middle.max(least)
}

/// A bound, the weights that prove it, and the horizon at which they do.
type Found = (f64, Vec<Amounts>, f64);

/// Horizons tried when pruned prices are polished.
const HORIZONS: usize = 4;

/// Groups times horizons times the square of classes times resources up to which prices are polished after a cold start: the
/// multiplications of a Newton step. At the limit all steps together take some milliseconds.
const POLISHED_MAX: usize = 1_000_000;

/// A bound this close to the optimum, proved by a fractional assignment that attains it, ends the search.
const CLOSE_ENOUGH: f64 = 0.999;

/// The state of the ascent: weights are prices times capacity, and sum to 1.
struct Ascent {
    weights: Vec<Amounts>,
    demand: Vec<f64>,
    steps: Vec<f64>,
    before: Vec<f64>,
    /// The demand of the last rounds on average; empty before the first.
    settled: Vec<f64>,
}

/// No weight falls below, so that a price can come back.
const WEIGHT_MIN: f64 = 1e-9;

impl Ascent {
    fn new(instance: &Instance, warm: Option<&Prices>) -> Self {
        let size = instance.capacity.len() * RESOURCES;
        let mut weights = vec![[0.0; RESOURCES]; instance.capacity.len()];
        let priced = instance.capacity.iter().flatten().filter(|amount| **amount > 0.0).count().max(1) as f64;
        for (class, capacity) in instance.capacity.iter().enumerate() {
            for r in (0..RESOURCES).filter(|r| capacity[*r] > 0.0) {
                let known = warm.map(|prices| (prices.y[class][r] * capacity[r]).max(1e-4 / priced));
                weights[class][r] = known.unwrap_or(1.0 / priced);
            }
        }
        let mut ascent =
            Self { weights, demand: vec![0.0; size], steps: vec![0.25; size], before: vec![0.0; size], settled: Vec::new() };
        ascent.normalise();
        ascent
    }

    /// How sharply tasks choose: softly first, so that prices find their order, and hard in the end.
    fn squarings(&self, round: u32, rounds: u32, warm: bool) -> u32 {
        let (first, last) = if warm { (6.0, 8.0) } else { (2.0, 10.0) };
        let progress = f64::from(round) / f64::from(rounds.max(2) - 1);
        (first + (last - first) * progress).round() as u32
    }

    /// No bound is above this: the most used resource when tasks are spread as in the last rounds on average. To be asked once
    /// a round.
    fn ceiling(&mut self) -> f64 {
        if self.settled.is_empty() {
            self.settled = self.demand.clone();
        }
        for (settled, demand) in self.settled.iter_mut().zip(&self.demand) {
            *settled += 0.25 * (demand - *settled);
        }
        let most = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        most(&self.demand).min(most(&self.settled))
    }

    fn step(&mut self) {
        let flat = self.weights.as_flattened_mut();
        let mean: f64 = flat.iter().zip(&self.demand).map(|(w, d)| w * d).sum();
        if mean <= 0.0 {
            return;
        }
        for (i, weight) in flat.iter_mut().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let pull = (self.demand[i] / mean).max(1e-3).ln();
            self.steps[i] *= if pull * self.before[i] >= 0.0 { 1.5 } else { 0.4 };
            self.before[i] = pull;
            *weight *= (self.steps[i] * pull).clamp(-2.0, 2.0).exp();
        }
        self.normalise();
    }

    fn normalise(&mut self) {
        let flat = self.weights.as_flattened_mut();
        let sum: f64 = flat.iter().sum();
        for weight in flat.iter_mut().filter(|weight| **weight > 0.0) {
            *weight = (*weight / sum).max(WEIGHT_MIN);
        }
    }

    /// Prices of these weights, exactly normalised. What a class has nothing of costs nothing.
    fn prices(&self, instance: &Instance, weights: &[Amounts]) -> Vec<Amounts> {
        let sum: f64 = weights.iter().flatten().sum();
        let mut y = vec![[0.0; RESOURCES]; weights.len()];
        for (class, capacity) in instance.capacity.iter().enumerate() {
            for r in (0..RESOURCES).filter(|r| capacity[*r] > 0.0) {
                y[class][r] = weights[class][r] / sum / capacity[r];
            }
        }
        y
    }
}

#[cfg(test)]
mod tests;
