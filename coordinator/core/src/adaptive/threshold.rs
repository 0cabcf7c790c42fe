//! Between which loads a worker is neither overloaded nor underloaded: the default rule, which comes back to what was
//! configured, and beside it the published one, which does not.

pub mod seed;

use super::trend::WorkloadTrend;
pub use seed::SeedThresholds;
use shared::config::BalancerConfig;

/// The range of the high threshold (F83).
pub const HIGH_RANGE: (f64, f64) = (0.6, 0.95);
/// The range of the low threshold (F83).
pub const LOW_RANGE: (f64, f64) = (0.1, 0.4);
/// How far apart the two are at least (F83).
pub const SEPARATION_MIN: f64 = 0.3;
/// A mean load above this is high (F80).
pub const LOAD_HIGH: f64 = 0.75;
/// A mean load below this is low (F81).
pub const LOAD_LOW: f64 = 0.3;

/// Above `high` a worker is overloaded, below `low` underloaded; shares, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Where overload begins.
    pub high: f64,
    /// Where underload begins.
    pub low: f64,
}

impl Limits {
    /// The stricter ones that predictions are held against: both 0.05 further out (F102).
    #[must_use]
    pub fn tightened(self) -> Self {
        Self { high: self.high + TIGHTENED, low: self.low - TIGHTENED }
    }
}

/// By how much thresholds are tightened for predictions.
const TIGHTENED: f64 = 0.05;
/// How far a threshold moves at full pressure, before the published factors 1.2 and 0.8.
const REACH: f64 = 0.1;
/// Records ahead at which the trend's load is looked at.
const AHEAD: f64 = 5.0;
/// Pressure has to differ this much from the one held to count.
const PRESSURE_STEP: f64 = 0.1;
/// A threshold this close to its target is there.
const THERE: f64 = 1e-4;

/// The thresholds of the default policy.
///
/// A pressure from −1 (idle) to 1 (full) is read from the mean load, and where there is a trend from where it leads: 0
/// between a load of 0.3 and 0.75, linear beyond. It names a target: under pressure both thresholds move inwards, so that
/// the balancer acts sooner (F80); when idle outwards, so that it acts later (F81). Both move toward their target by a fixed
/// part of what is left, `threshold_adjustment_rate` × the trend's factor, with each look. So a constant load ends in
/// constant thresholds, and a load that is back in the middle ends in the configured ones. A small change of pressure is
/// not followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    configured: Limits,
    now: Limits,
    pressure: f64,
    rate: f64,
    dynamic: bool,
}

impl Thresholds {
    /// Thresholds that start as configured, and stay so unless `dynamic`. `rate` is the part of the way to the target that
    /// is gone with each look at a stable load, 0 to 1.
    pub fn new(configured: Limits, rate: f64, dynamic: bool) -> Self {
        Self { configured, now: configured, pressure: 0.0, rate, dynamic }
    }

    /// Those of a configuration.
    pub fn of(config: &BalancerConfig) -> Self {
        let limits = Limits { high: config.utilization_threshold_high, low: config.utilization_threshold_low };
        Self::new(limits, config.threshold_adjustment_rate, config.enable_dynamic_thresholds)
    }

    /// Those in force.
    pub fn limits(&self) -> Limits {
        self.now
    }

    /// Those that were configured.
    pub fn configured(&self) -> Limits {
        self.configured
    }

    /// Where they are going.
    pub fn target(&self) -> Limits {
        let (inward, outward) = (REACH * self.pressure.max(0.0), REACH * (-self.pressure).max(0.0));
        let Limits { high, low } = self.configured;
        // What was configured outside of the published ranges was meant so, and can be returned to.
        let high_range = (HIGH_RANGE.0.min(high), HIGH_RANGE.1.max(high));
        let low_range = (LOW_RANGE.0.min(low), LOW_RANGE.1.max(low));
        let separation = SEPARATION_MIN.min(high - low);
        let high = (high - 1.2 * inward + 0.8 * outward).clamp(high_range.0, high_range.1);
        let low = (low + 0.8 * inward - 1.2 * outward).clamp(low_range.0, low_range.1);
        // What is short of the separation is given back by both in equal parts.
        let short = (separation - (high - low)).max(0.0) / 2.0;
        Limits { high: high + short, low: low - short }
    }

    /// Takes in one more look: the mean load, 0 to 1, and where it goes.
    pub fn observe(&mut self, load: f64, trend: &WorkloadTrend) {
        if !self.dynamic || !load.is_finite() {
            return;
        }
        let expected = (load + AHEAD * trend.slope() * trend.confidence).clamp(0.0, 1.0);
        let pressure = pressure(expected);
        // In the middle there is none, exactly; otherwise a pressure that is about the one held is the one held.
        if pressure == 0.0 || (pressure - self.pressure).abs() >= PRESSURE_STEP {
            self.pressure = pressure;
        }
        let target = self.target();
        let part = (self.rate * trend.factor()).min(1.0);
        self.now.high = toward(self.now.high, target.high, part);
        self.now.low = toward(self.now.low, target.low, part);
    }
}

fn pressure(load: f64) -> f64 {
    if load > LOAD_HIGH {
        (load - LOAD_HIGH) / (1.0 - LOAD_HIGH)
    } else if load < LOAD_LOW {
        (load - LOAD_LOW) / LOAD_LOW
    } else {
        0.0
    }
}

fn toward(from: f64, to: f64, part: f64) -> f64 {
    let next = from + part * (to - from);
    // A way that is only ever halved has no end; what shows no more is the end.
    if part > 0.0 && (to - next).abs() < THERE { to } else { next }
}

#[cfg(test)]
mod tests;
