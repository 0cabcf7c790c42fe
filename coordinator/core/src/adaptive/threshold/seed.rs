//! The published rule for thresholds (F77, F79 to F83), kept exactly: it has no restoring force, so that it runs to its
//! ends at any constant load and turns round at a load of one half.

use super::{HIGH_RANGE, LOAD_HIGH, LOAD_LOW, LOW_RANGE, Limits, SEPARATION_MIN};
use crate::adaptive::trend::WorkloadTrend;

/// The thresholds of policy `seed_v1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedThresholds {
    now: Limits,
    rate: f64,
}

impl SeedThresholds {
    /// Thresholds that start as configured and move by about `rate` with each look.
    pub fn new(configured: Limits, rate: f64) -> Self {
        Self { now: configured, rate }
    }

    /// Those in force.
    pub fn limits(&self) -> Limits {
        self.now
    }

    /// Takes in one more look: the mean load, 0 to 1, and where it goes.
    pub fn observe(&mut self, load: f64, trend: &WorkloadTrend) {
        let step = self.rate * trend.factor();
        let (high, low) = if load > LOAD_HIGH {
            (-1.2 * step, 0.8 * step)
        } else if load < LOAD_LOW {
            (0.8 * step, -1.2 * step)
        } else if load > 0.5 {
            (-step, step)
        } else {
            (step, -step)
        };
        let before = self.now;
        let mut next = Limits {
            high: (before.high + high).clamp(HIGH_RANGE.0, HIGH_RANGE.1),
            low: (before.low + low).clamp(LOW_RANGE.0, LOW_RANGE.1),
        };
        if next.high - next.low < SEPARATION_MIN {
            // The changes are compared with their signs, as the rule is written.
            if next.high - before.high < next.low - before.low {
                next.high = next.low + SEPARATION_MIN;
            } else {
                next.low = next.high - SEPARATION_MIN;
            }
        }
        self.now = next;
    }
}
