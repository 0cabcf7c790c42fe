//! Adaptive conformal inference (Gibbs and Candès, "Adaptive conformal inference under distribution shift", 2021): how far
//! from a forecast the value may be, such that a stated share of the values is within, whatever the series does.

use std::collections::VecDeque;

/// Errors the distance is read from.
const ERRORS_MAX: usize = 100;
/// How fast the level follows misses: the paper's γ.
const RATE: f64 = 0.02;

/// The distances of one series of forecasts.
#[derive(Debug, Clone)]
pub struct Conformal {
    /// The share of misses that is wanted.
    miss: f64,
    /// The level at which the next distance is read, so that this share is met.
    level: f64,
    recent: VecDeque<f64>,
    sorted: Vec<f64>,
}

impl Conformal {
    /// Distances such that a share `miss` (0 to 1) of the values lies beyond.
    pub fn new(miss: f64) -> Self {
        Self { miss, level: miss, recent: VecDeque::new(), sorted: Vec::new() }
    }

    /// The distance for a forecast made now: ∞ until there are errors enough to tell.
    pub fn distance(&self) -> f64 {
        let n = self.sorted.len();
        let rank = ((n + 1) as f64 * (1.0 - self.level)).ceil();
        if rank <= 0.0 { 0.0 } else { self.sorted.get(rank as usize - 1).copied().unwrap_or(f64::INFINITY) }
    }

    /// Takes in how wrong a forecast was, and whether the value was within its distance.
    pub fn learn(&mut self, error: f64, held: bool) {
        let missed = if held { 0.0 } else { 1.0 };
        self.level += RATE * (self.miss - missed);
        if self.recent.len() == ERRORS_MAX {
            let oldest = self.recent.pop_front().expect("a full window has an oldest error");
            self.sorted.remove(self.sorted.partition_point(|known| *known < oldest));
        }
        self.recent.push_back(error);
        self.sorted.insert(self.sorted.partition_point(|known| *known < error), error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_unbounded_until_there_are_errors_enough() {
        let mut conformal = Conformal::new(0.2);
        for error in [0.1, 0.4, 0.2] {
            assert_eq!(conformal.distance(), f64::INFINITY);
            conformal.learn(error, true);
        }
        // Three hits raised the level to 0.212: rank ⌈4 · 0.788⌉ = 4 of three is still unbounded.
        assert_eq!(conformal.distance(), f64::INFINITY);
        conformal.learn(0.3, true);
        // Level 0.216, rank ⌈5 · 0.784⌉ = 4 of four.
        assert_eq!(conformal.distance(), 0.4);
    }

    #[test]
    fn misses_widen_and_hits_narrow() {
        let mut conformal = Conformal::new(0.2);
        // One of five beyond the distance is what is wanted: the level stays.
        (0..100).for_each(|i| conformal.learn(f64::from(i) / 100.0, i < 80));
        let before = conformal.distance();
        assert_eq!(before, 0.8);
        (0..5).for_each(|_| conformal.learn(0.5, false));
        let widened = conformal.distance();
        assert!(widened > before, "{before} then {widened}");
        (0..40).for_each(|_| conformal.learn(0.5, true));
        assert!(conformal.distance() < widened);
    }

    #[test]
    fn errors_that_grow_without_end_are_still_covered() {
        let (mut conformal, mut held) = (Conformal::new(0.2), 0);
        for step in 0..2_000u32 {
            // Ever larger, in an order without a pattern of period 100.
            let error = f64::from(step) * f64::from(step * 7_919 % 101);
            let within = error <= conformal.distance();
            held += u32::from(within);
            conformal.learn(error, within);
        }
        assert!((1_540..=1_660).contains(&held), "{held} of 2000");
    }
}
