//! Holt's linear method with a damped trend (Gardner and McKenzie, "Forecasting trends in time series", 1985).

use super::Member;

/// What a new value weighs in the level.
const LEVEL: f64 = 0.3;
/// What a new slope weighs in the trend.
const TREND: f64 = 0.1;
/// What is left of the trend after each step.
const DAMPING: f64 = 0.9;

/// A level and a trend that dies away.
#[derive(Debug, Clone, Default)]
pub struct Holt {
    state: Option<(f64, f64)>,
}

impl Member for Holt {
    fn name(&self) -> &'static str {
        "holt"
    }

    fn observe(&mut self, value: f64) {
        self.state = Some(match self.state {
            None => (value, 0.0),
            Some((level, trend)) => {
                let damped = DAMPING * trend;
                let next = LEVEL * value + (1.0 - LEVEL) * (level + damped);
                (next, TREND * (next - level) + (1.0 - TREND) * damped)
            }
        });
    }

    fn forecast(&self, steps: usize) -> f64 {
        let (level, trend) = self.state.unwrap_or_default();
        // φ + φ² + ... + φ^steps
        let reach = DAMPING * (1.0 - libm::pow(DAMPING, steps as f64)) / (1.0 - DAMPING);
        level + reach * trend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_and_trend_follow_the_recurrences() {
        let mut holt = Holt::default();
        holt.observe(1.0);
        assert_eq!(holt.forecast(3), 1.0);
        holt.observe(2.0);
        // Level 0.3 · 2 + 0.7 · 1 = 1.3, trend 0.1 · 0.3 = 0.03; two steps reach 0.9 + 0.81 = 1.71 trends.
        assert!((holt.forecast(2) - (1.3 + 1.71 * 0.03)).abs() < 1e-12, "{}", holt.forecast(2));
    }

    #[test]
    fn a_trend_is_not_carried_on_for_ever() {
        let mut holt = Holt::default();
        (0..50).for_each(|x| holt.observe(f64::from(x)));
        let far = holt.forecast(10_000) - holt.forecast(1_000);
        assert!(far.abs() < 1e-9 && holt.forecast(6) > holt.forecast(1), "{far}");
    }
}
