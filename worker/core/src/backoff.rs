//! When to try to reconnect: full jitter, so that a fleet that lost its coordinator does not come back all at once.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// The longest wait between two tries.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// What the wait is drawn from at first; it doubles with each failure.
pub const WAIT_FIRST: Duration = Duration::from_millis(500);

/// The waits of one worker, from a generator of its own.
#[derive(Debug, Clone)]
pub struct Backoff {
    random: Pcg64,
    failures: u32,
}

impl Backoff {
    /// Waits drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: Pcg64::seed_from_u64(seed), failures: 0 }
    }

    /// The wait after one more failure: from 0 to min(30 s, 0.5 s · 2ⁿ), evenly.
    pub fn failed(&mut self) -> Duration {
        let ceiling = WAIT_FIRST.saturating_mul(1 << self.failures.min(16)).min(WAIT_MAX);
        self.failures = self.failures.saturating_add(1);
        self.within(ceiling)
    }

    /// The wait after a session that had proven stable: from 0 to `spread`, evenly.
    pub fn ended(&mut self, spread: Duration) -> Duration {
        self.failures = 0;
        self.within(spread)
    }

    fn within(&mut self, ceiling: Duration) -> Duration {
        // 53 bits are what a double holds exactly.
        ceiling.mul_f64((self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_thirty_seconds_and_the_wait_fills_it() {
        for n in 0..12u32 {
            let ceiling = WAIT_FIRST.saturating_mul(1 << n).min(WAIT_MAX);
            let waits: Vec<Duration> = (0..400)
                .map(|seed| {
                    let mut backoff = Backoff::new(seed);
                    (0..n).for_each(|_| {
                        backoff.failed();
                    });
                    backoff.failed()
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling), "after {n} failures");
            assert!(waits.iter().any(|wait| *wait < ceiling / 10) && waits.iter().any(|wait| *wait > ceiling * 9 / 10));
        }
    }

    #[test]
    fn a_stable_session_starts_over_and_the_same_seed_waits_the_same() {
        let mut backoff = Backoff::new(7);
        (0..20).for_each(|_| {
            backoff.failed();
        });
        assert!(backoff.ended(Duration::from_millis(100)) <= Duration::from_millis(100));
        assert!(backoff.failed() <= WAIT_FIRST);
        assert_eq!(Backoff::new(3).failed(), Backoff::new(3).failed());
    }
}
