//! Autoregression, fitted anew with every value by recursive least squares with forgetting (Haykin, "Adaptive Filter
//! Theory", chapter 10) and carried forward step by step.
//!
//! The next change is explained by the distance from the mean, which pulls back, and by the last changes, which carry on:
//! together an autoregression of order six. It starts as no change and leaves it only for what the series shows.

use super::Member;
use std::collections::VecDeque;

/// Terms: the distance from the mean and five changes.
const TERMS: usize = 6;
/// What is left of the weight of a value after each step.
const FORGET: f64 = 0.998;
/// Uncertainty of the coefficients at first, in variances of the series.
const DOUBT: f64 = 0.1;
/// Uncertainty at which forgetting rests: a series that stands still teaches nothing, and must not unlearn.
const DOUBT_MAX: f64 = 50.0;
/// A surprise counts for no more than this many usual ones (Huber's bound): loads jump, and a jump is not a rule.
const SURPRISE_MAX: f64 = 4.0;
/// What a new surprise weighs in what is usual.
const SURPRISE_RATE: f64 = 0.02;
/// What a new value weighs at least in the mean.
const MEAN_RATE: f64 = 0.005;

/// A recursive autoregression of order six.
#[derive(Debug, Clone)]
pub struct Autoregressive {
    /// The last values, newest first, one more than the changes.
    recent: VecDeque<f64>,
    coefficients: [f64; TERMS],
    /// The inverse correlation of the terms.
    doubt: [[f64; TERMS]; TERMS],
    seen: f64,
    mean: f64,
    variance: f64,
    surprise: f64,
    min: f64,
    max: f64,
}

impl Default for Autoregressive {
    fn default() -> Self {
        let mut doubt = [[0.0; TERMS]; TERMS];
        (0..TERMS).for_each(|i| doubt[i][i] = DOUBT);
        Self {
            recent: VecDeque::new(),
            coefficients: [0.0; TERMS],
            doubt,
            seen: 0.0,
            mean: 0.0,
            variance: 0.0,
            surprise: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Member for Autoregressive {
    fn name(&self) -> &'static str {
        "autoregressive"
    }

    fn observe(&mut self, value: f64) {
        if let (Some(terms), Some(last)) = (self.terms(&self.recent), self.recent.front()) {
            let scale = self.variance.sqrt();
            if scale > 1e-12 {
                self.learn(terms.map(|term| term / scale), (value - last) / scale);
            }
        }
        self.seen += 1.0;
        let rate = MEAN_RATE.max(1.0 / self.seen);
        let off = value - self.mean;
        self.mean += rate * off;
        self.variance = (1.0 - rate) * (self.variance + rate * off * off);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        self.recent.push_front(value);
        self.recent.truncate(TERMS);
    }

    fn forecast(&self, steps: usize) -> f64 {
        let Some(&last) = self.recent.front() else { return 0.0 };
        // A bad fit must not run away: no further beyond what was seen than half of what was seen.
        let room = 0.5 * (self.max - self.min);
        let (low, high) = (self.min - room, self.max + room);
        let mut values = self.recent.clone();
        let mut next = last;
        for _ in 0..steps {
            let Some(terms) = self.terms(&values) else { return last };
            let change: f64 = terms.iter().zip(self.coefficients).map(|(term, weight)| term * weight).sum();
            next = (next + change).clamp(low, high);
            values.push_front(next);
            values.truncate(TERMS);
        }
        next
    }
}

impl Autoregressive {
    /// What the next change is explained by; none before there are enough values.
    fn terms(&self, values: &VecDeque<f64>) -> Option<[f64; TERMS]> {
        if values.len() < TERMS {
            return None;
        }
        let mut terms = [values[0] - self.mean; TERMS];
        for lag in 1..TERMS {
            terms[lag] = values[lag - 1] - values[lag];
        }
        Some(terms)
    }

    fn learn(&mut self, terms: [f64; TERMS], change: f64) {
        let spread: [f64; TERMS] = std::array::from_fn(|i| (0..TERMS).map(|j| self.doubt[i][j] * terms[j]).sum());
        let trace: f64 = (0..TERMS).map(|i| self.doubt[i][i]).sum();
        let forget = if trace < DOUBT_MAX * TERMS as f64 { FORGET } else { 1.0 };
        let along: f64 = spread.iter().zip(terms).map(|(s, t)| s * t).sum();
        let surprise = change - self.coefficients.iter().zip(terms).map(|(c, t)| c * t).sum::<f64>();
        self.surprise += (surprise.abs() - self.surprise) * SURPRISE_RATE.max(1.0 / self.seen);
        let bound = SURPRISE_MAX * self.surprise;
        let surprise = surprise.clamp(-bound, bound);
        for i in 0..TERMS {
            let gain = spread[i] / (forget + along);
            self.coefficients[i] += gain * surprise;
            for (doubt, along) in self.doubt[i].iter_mut().zip(spread) {
                *doubt = (*doubt - gain * along) / forget;
            }
        }
        // Rounding would make it lopsided in time, and then useless.
        for i in 0..TERMS {
            for j in 0..i {
                let middle = 0.5 * (self.doubt[i][j] + self.doubt[j][i]);
                (self.doubt[i][j], self.doubt[j][i]) = (middle, middle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_no_change_until_the_series_has_shown_something() {
        let mut ar = Autoregressive::default();
        for value in [0.4, 0.5, 0.3] {
            ar.observe(value);
        }
        assert_eq!(ar.forecast(6), 0.3);
    }

    #[test]
    fn a_swing_is_learned() {
        let mut ar = Autoregressive::default();
        let value = |x: u32| 0.5 + 0.3 * (f64::from(x) * 0.3).sin();
        (0..400).for_each(|x| ar.observe(value(x)));
        assert!((ar.forecast(6) - value(405)).abs() < 0.03, "{} for {}", ar.forecast(6), value(405));
    }

    #[test]
    fn a_long_rest_unlearns_nothing() {
        let mut ar = Autoregressive::default();
        let value = |x: u32| 0.5 + 0.3 * (f64::from(x) * 0.3).sin();
        (0..400).for_each(|x| ar.observe(value(x)));
        let learned = ar.coefficients;
        (0..6_000).for_each(|_| ar.observe(0.5));
        let doubt: f64 = (0..TERMS).map(|i| ar.doubt[i][i]).sum();
        assert!(doubt < 1.01 * DOUBT_MAX * TERMS as f64, "{doubt}");
        assert!(learned.iter().zip(ar.coefficients).all(|(before, after)| (before - after).abs() < 0.5), "{ar:?}");
    }

    #[test]
    fn a_forecast_does_not_run_away() {
        let mut ar = Autoregressive::default();
        // Seen: 1 to 1.15³⁹, some 233; half of that is the room.
        (0..40).for_each(|x| ar.observe(1.15f64.powi(x)));
        assert!(ar.forecast(1_000) <= 1.5 * 1.15f64.powi(39), "{}", ar.forecast(1_000));
    }
}
