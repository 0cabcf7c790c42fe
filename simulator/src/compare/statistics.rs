//! What many runs say: medians, how sure they are, and whether one policy is better than another.

use crate::builtin::Chance;

/// Samples that are drawn for an interval.
const RESAMPLES: usize = 2000;
/// Where their randomness begins: always the same, so that the same runs give the same intervals.
const SEED: u64 = 95;

/// A median and the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The median of what was seen.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// By the percentile bootstrap (Efron 1979): the median of many samples of the same size, drawn with replacement.
    /// `seen` is not empty.
    pub fn of(seen: &[f64]) -> Self {
        let mut chance = Chance::new(SEED);
        let mut medians: Vec<f64> =
            (0..RESAMPLES).map(|_| median(&(0..seen.len()).map(|_| seen[chance.pick(seen.len())]).collect::<Vec<_>>())).collect();
        medians.sort_by(f64::total_cmp);
        let (low, high) = (medians[RESAMPLES / 40], medians[RESAMPLES - 1 - RESAMPLES / 40]);
        Self { median: median(seen), low, high }
    }
}

/// The middle one, or what lies between the two middle ones.
fn median(seen: &[f64]) -> f64 {
    let mut sorted = seen.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    if low == high { low } else { low / 2.0 + high / 2.0 }
}

/// One policy against another, run by run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The ratio of its figure to the figure of the other.
    pub ratio: Estimate,
    /// The probability of a difference as one-sided as this in the runs if neither were better (the sign test, both sides).
    pub p: f64,
}

impl Paired {
    /// From the figures of both in the same runs; nothing where the ratio means nothing.
    pub fn of(its: &[f64], others: &[f64]) -> Option<Self> {
        let pairs = || its.iter().zip(others);
        if its.is_empty() || pairs().any(|(a, b)| a.is_nan() || b.is_nan()) {
            return None;
        }
        // Two that both never ended, or both took nothing, are equals.
        let ratios: Vec<f64> = pairs().map(|(a, b)| if a == b { 1.0 } else { a / b }).collect();
        let (less, more) = (pairs().filter(|(a, b)| a < b).count(), pairs().filter(|(a, b)| a > b).count());
        Some(Self { ratio: Estimate::of(&ratios), p: sign_test(less, more) })
    }
}

fn sign_test(less: usize, more: usize) -> f64 {
    let all = less + more;
    let mut term = 0.5f64.powi(i32::try_from(all).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for at in 0..=less.min(more) {
        tail += term;
        term *= (all - at) as f64 / (at + 1) as f64;
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_holds_it_and_narrows_with_more_runs() {
        let few = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((few.median, few.low, few.high), (3.0, 1.0, 5.0));
        let many: Vec<f64> = (0..400).map(|at| 1.0 + f64::from(at % 5)).collect();
        let many = Estimate::of(&many);
        assert!(many.median == 3.0 && many.high - many.low < 2.1, "{many:?}");
        assert_eq!(Estimate::of(&[1.0, 2.0]).median, 1.5);
    }

    #[test]
    fn the_sign_test_agrees_with_the_binomial_distribution() {
        assert!((sign_test(0, 10) - 2.0 / 1024.0).abs() < 1e-12);
        assert!((sign_test(8, 2) - 2.0 * 56.0 / 1024.0).abs() < 1e-12);
        assert_eq!((sign_test(5, 5), sign_test(0, 0)), (1.0, 1.0));
    }

    #[test]
    fn a_policy_that_never_ends_is_infinitely_worse_and_two_such_are_equals() {
        let worse = Paired::of(&[f64::INFINITY, f64::INFINITY], &[10.0, 20.0]).expect("it can be compared");
        assert_eq!((worse.ratio.median, worse.p), (f64::INFINITY, 0.5));
        let equals = Paired::of(&[f64::INFINITY], &[f64::INFINITY]).expect("they can be compared");
        assert_eq!((equals.ratio.median, equals.p), (1.0, 1.0));
        assert_eq!(Paired::of(&[f64::NAN], &[1.0]), None);
    }
}
