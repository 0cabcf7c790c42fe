//! Exponentially weighted moving average: right where a series wanders about a level.

use super::Member;

/// A moving average.
#[derive(Debug, Clone)]
pub struct Ewma {
    name: &'static str,
    alpha: f64,
    seen: f64,
    mean: f64,
}

impl Ewma {
    /// An average in which a new value weighs `alpha` (0 to 1), told apart from others by `name`.
    pub fn new(name: &'static str, alpha: f64) -> Self {
        Self { name, alpha, seen: 0.0, mean: 0.0 }
    }
}

impl Member for Ewma {
    fn name(&self) -> &'static str {
        self.name
    }

    fn observe(&mut self, value: f64) {
        self.seen += 1.0;
        // The plain mean until there are enough values for alpha: the first one must not count for ever.
        self.mean += (value - self.mean) * self.alpha.max(1.0 / self.seen);
    }

    fn forecast(&self, _steps: usize) -> f64 {
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_averaged_plainly_and_later_ones_by_alpha() {
        let mut ewma = Ewma::new("ewma", 0.5);
        ewma.observe(1.0);
        assert_eq!(ewma.forecast(6), 1.0);
        ewma.observe(0.0);
        assert_eq!(ewma.forecast(6), 0.5);
        ewma.observe(1.5);
        assert_eq!(ewma.forecast(1), 1.0);
    }
}
