//! Draws from a seed, the same on every machine.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Where the draws come from.
#[derive(Debug)]
pub struct Chance(Pcg64);

impl Chance {
    /// The draws of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// Evenly from 0 (included) to 1 (not included).
    pub fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly between two numbers.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// One of `0..count`; `count` is not 0.
    pub fn pick(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count - 1)
    }

    /// `how_many` different ones of `0..count`, in the order of their drawing.
    pub fn pick_some(&mut self, how_many: usize, count: usize) -> Vec<usize> {
        let mut left: Vec<usize> = (0..count).collect();
        (0..how_many.min(count)).map(|_| left.remove(self.pick(left.len()))).collect()
    }

    /// The time to the next of events that come independently of each other, `mean` apart on average.
    pub fn pause(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.share())
    }

    /// A factor whose logarithm is normal with the mean 0 and this standard deviation (Box and Muller).
    pub fn factor(&mut self, log_deviation: f64) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.share()));
        libm::exp(log_deviation * radius * libm::cos(std::f64::consts::TAU * self.share()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_have_the_deviation_that_was_asked_for() {
        let mut chance = Chance::new(3);
        let logs: Vec<f64> = (0..20_000).map(|_| chance.factor(0.76).ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        assert!(mean.abs() < 0.02 && (deviation - 0.76).abs() < 0.02, "{mean} {deviation}");
    }

    #[test]
    fn pauses_have_the_mean_that_was_asked_for() {
        let mut chance = Chance::new(4);
        let mean = (0..20_000).map(|_| chance.pause(5.0)).sum::<f64>() / 20_000.0;
        assert!((mean - 5.0).abs() < 0.15, "{mean}");
    }

    #[test]
    fn what_is_picked_is_picked_once() {
        let mut some = Chance::new(5).pick_some(4, 6);
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 4);
    }
}
