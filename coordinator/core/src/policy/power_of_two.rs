//! Two workers at random, and of them the less loaded: nearly as even as looking at all of them, for the price of two looks
//! (Mitzenmacher 2001, "The power of two choices in randomized load balancing").

use super::push::{Arrival, Choose, Desk, Push, Sight};
use super::random::Dice;
use crate::fleet::WorkerIndex;

/// The policy.
pub(super) type PowerOfTwo = Push<TwoChoices>;

/// See the module.
#[derive(Debug)]
pub(super) struct TwoChoices(Dice);

impl Default for TwoChoices {
    fn default() -> Self {
        Self(Dice::new(2))
    }
}

impl Choose for TwoChoices {
    const NAME: &'static str = "power_of_two";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        if candidates.len() == 1 {
            return candidates[0];
        }
        let first = self.0.below(candidates.len());
        // The second is one of the others.
        let second = (first + 1 + self.0.below(candidates.len() - 1)) % candidates.len();
        let (first, second) = (candidates[first], candidates[second]);
        if desk.load(second) < desk.load(first) { second } else { first }
    }
}
