//! A duration that is not known: its logarithm is believed to be normally distributed.

/// What is believed of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The mean of its natural logarithm, seconds.
    pub log: f64,
    /// The variance of its logarithm: that of the kind itself and what was not yet learned of it.
    pub variance: f64,
}

/// Variances above this say "nobody knows": a mean taken over such a tail would be a number about the tail alone.
const MEAN_VARIANCE_MAX: f64 = 3.0;

impl Estimate {
    /// As likely to be exceeded as not, in seconds.
    pub fn median_s(self) -> f64 {
        self.log.exp()
    }

    /// The mean, in seconds; where the variance is large, that of a narrower distribution about the same median.
    pub fn mean_s(self) -> f64 {
        (self.log + self.variance.min(MEAN_VARIANCE_MAX) / 2.0).exp()
    }

    /// The same work at `speed` times the speed.
    pub fn at_speed(self, speed: f64) -> Estimate {
        Estimate { log: self.log - speed.ln(), ..self }
    }

    /// Seconds still to come when `elapsed_s` have passed and it has not ended: the mean of what is left, given that. Where
    /// little is known an overrun means longer still, not nearly done.
    pub fn remaining_s(self, elapsed_s: f64) -> f64 {
        if elapsed_s <= 0.0 {
            return self.mean_s();
        }
        let deviation = self.variance.clamp(1e-4, MEAN_VARIANCE_MAX).sqrt();
        let z = (elapsed_s.ln() - self.log) / deviation;
        // Beyond eight deviations both tails vanish in rounding; their ratio tends to z / (z - deviation).
        let beyond = |z: f64| 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
        let ratio = if z > 8.0 { z / (z - deviation).max(1.0) } else { beyond(z - deviation) / beyond(z) };
        let mean = (self.log + deviation * deviation / 2.0).exp();
        let conditional = if z > 8.0 { elapsed_s * ratio } else { mean * ratio };
        (conditional - elapsed_s).max(elapsed_s * 0.01).max(1e-3)
    }
}
