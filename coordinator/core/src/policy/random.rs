//! Any worker that can run the task, each as likely as another.

use super::push::{Arrival, Choose, Desk, Push, Sight};
use crate::fleet::WorkerIndex;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// The policy.
pub(super) type Random = Push<Any>;

/// A source of numbers that begins at the same place in each life, so that a run can be repeated.
#[derive(Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// Dice of their own for each `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// A number below `bound`, which is not 0: the high half of a product, whose bias is below one in 2^64 / bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Any(Dice);

impl Default for Any {
    fn default() -> Self {
        Self(Dice::new(1))
    }
}

impl Choose for Any {
    const NAME: &'static str = "random";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, _desk: &mut Desk<'_, '_>, _arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        candidates[self.0.below(candidates.len())]
    }
}
