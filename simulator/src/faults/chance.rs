//! Where chance comes from: named streams of one seed, so that what one part draws does not move what another draws.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// One stream.
#[derive(Debug, Clone)]
pub struct Chance(Pcg64);

impl Chance {
    /// The stream of `seed` for one purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(Pcg64::seed_from_u64(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix)))
    }

    /// The stream of `seed` for one of many things of a kind.
    pub fn of(seed: u64, purpose: &str, which: [u64; 2]) -> Self {
        let seed = which.into_iter().flat_map(u64::to_le_bytes).fold(seed, mix);
        Self::new(seed, purpose)
    }

    /// A share, 0 to just below 1.
    pub fn share(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `n`; 0 where `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.share() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// True in this share of all cases.
    pub fn hits(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of `all`, which is not empty.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Seconds from `low` to `high`, every order of magnitude as likely as any other: troubles are short and long.
    pub fn span(&mut self, low: f64, high: f64) -> Duration {
        let (low, high) = (libm::log(low), libm::log(high));
        Duration::from_secs_f64(libm::exp(low + self.share() * (high - low)))
    }

    /// Seconds until the next of what happens every `mean` seconds.
    pub fn until_next(&mut self, mean: f64) -> Duration {
        Duration::from_secs_f64(-mean * libm::log(1.0 - self.share()))
    }
}

fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
}
