//! How much each member of an ensemble counts: exponential weights by error with a fixed share for all (Herbster and
//! Warmuth, "Tracking the best expert", 1998), so that a member that was bad for long can come back soon.

/// How fast weight follows error, per error relative to what is usual.
const RATE: f64 = 0.1;
/// What every member together gets back with each step.
const SHARE: f64 = 0.001;
/// What a new error weighs in what is usual.
const USUAL_RATE: f64 = 0.01;
/// The share of the weight that is left out on either side of the middle.
const TRIM: f64 = 0.3;
/// A single step counts for no more than this many usual ones.
const STEP_MAX: f64 = 4.0;

/// The weights of a number of members.
#[derive(Debug, Clone)]
pub struct Weights {
    shares: Vec<f64>,
    seen: f64,
    usual: f64,
}

impl Weights {
    /// The same for each of `members`.
    pub fn equal(members: usize) -> Self {
        Self { shares: vec![1.0 / members as f64; members], seen: 0.0, usual: 0.0 }
    }

    /// The weights, whose sum is 1.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The weighted mean of the middle of the members' values: what lies on the outside, three tenths of the weight on either
    /// side, does not count, so that one wild member moves nothing before its weight has fallen.
    pub fn middle(&self, values: &[f64]) -> f64 {
        let mut ordered: Vec<(f64, f64)> = values.iter().copied().zip(self.shares.iter().copied()).collect();
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut passed, mut sum, mut inside) = (0.0, 0.0, 0.0);
        for (value, share) in ordered {
            let within = (passed + share).min(1.0 - TRIM) - f64::max(passed, TRIM);
            if within > 0.0 {
                sum += value * within;
                inside += within;
            }
            passed += share;
        }
        sum / inside
    }

    /// Takes in the absolute error of each member at one step.
    pub fn learn(&mut self, errors: &[f64]) {
        let n = self.shares.len() as f64;
        self.seen += 1.0;
        let mean = errors.iter().sum::<f64>() / n;
        self.usual += (mean - self.usual) * USUAL_RATE.max(1.0 / self.seen);
        // Where all are right there is nothing to tell them apart by.
        if self.usual <= 1e-12 {
            return;
        }
        // One spike moves all weights little, yet the members stay apart by what they made of it.
        let scale = self.usual.max(mean / STEP_MAX);
        // libm, because the platforms round their own exponentials differently, and a replay must not.
        for (share, error) in self.shares.iter_mut().zip(errors) {
            *share *= libm::exp(-RATE * error / scale);
        }
        let sum: f64 = self.shares.iter().sum();
        for share in &mut self.shares {
            *share = (1.0 - SHARE) * *share / sum + SHARE / n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_goes_to_the_member_that_errs_less_and_comes_back_when_that_changes() {
        let mut weights = Weights::equal(2);
        (0..200).for_each(|_| weights.learn(&[0.1, 0.3]));
        assert!(weights.shares()[0] > 0.9, "{weights:?}");
        (0..160).for_each(|_| weights.learn(&[0.3, 0.1]));
        assert!(weights.shares()[1] > 0.9, "{weights:?}");
        assert!((weights.shares().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_middle_is_not_moved_by_one_wild_member() {
        let weights = Weights::equal(4);
        // Ordered 0.1, 0.2, 0.3, 100: from 0.3 to 0.7 of the weight lie 0.2 of the second and 0.2 of the third.
        assert!((weights.middle(&[0.3, 100.0, 0.1, 0.2]) - 0.25).abs() < 1e-12);
        assert_eq!(Weights::equal(1).middle(&[0.7]), 0.7);
    }

    #[test]
    fn the_unit_of_the_errors_does_not_matter() {
        let (mut small, mut large) = (Weights::equal(2), Weights::equal(2));
        for step in 0..100u32 {
            let errors = [0.1 + f64::from(step % 3) * 0.1, 0.25];
            small.learn(&errors);
            large.learn(&errors.map(|error| error * 1024.0));
        }
        assert!((small.shares()[0] - large.shares()[0]).abs() < 1e-9);
    }

    #[test]
    fn members_that_are_all_right_stay_equal() {
        let mut weights = Weights::equal(4);
        (0..50).for_each(|_| weights.learn(&[0.0; 4]));
        assert_eq!(weights.shares(), [0.25; 4]);
    }
}
