//! Prices that change with time: what work brings, less what the time before can have done.
//!
//! Some releases cut time into intervals, the last of which ends with the schedule. In each interval every resource has its own
//! price. A task may run in the interval of its release and in later ones, and brings at least its cheapest cost in any of them;
//! an interval of known length does at most its length times the price of the whole fleet. What is left is for the last interval,
//! and bounds its length. Where tasks are released inside an interval they count as released at its start, which lowers the bound.
//!
//! The prices also charge for a task's own time, as it runs in one place at a time. [`super::program`] finds them.

use super::Work;
use coordinator_core::price::{Amounts, Offer, RESOURCES};

/// Intervals at most.
const INTERVALS_MAX: usize = 24;

/// An instance with time cut into intervals.
pub(super) struct Intervals<'a> {
    pub(super) capacity: &'a [Amounts],
    pub(super) work: &'a [Work],
    /// When each begins, in seconds.
    pub(super) starts: Vec<f64>,
    /// Per group, the first interval in which it may run.
    pub(super) first: Vec<usize>,
    /// The seconds that lengths and durations are counted in: of the order of the whole, for the sake of solvers' tolerances.
    pub(super) unit: f64,
}

/// A price per interval, class and resource (of all that the class has), and a price per group and interval of one task's own
/// time.
pub(super) struct Solution {
    pub(super) resource: Vec<Vec<Amounts>>,
    pub(super) own: Vec<Vec<f64>>,
}

impl<'a> Intervals<'a> {
    /// Cuts time at evenly spread releases and at `also`, a release, into as many intervals as leave at most `offers_max` offers
    /// times intervals; nothing when one is too many. `work` is in order of release and not empty.
    pub(super) fn new(capacity: &'a [Amounts], work: &'a [Work], also: f64, offers_max: usize) -> Option<Self> {
        let mut releases: Vec<f64> = work.iter().map(|work| work.release_s).collect();
        releases.dedup();
        let unit = work.iter().map(|work| work.count * work.fastest()).sum::<f64>().max(f64::MIN_POSITIVE);
        for intervals in (1..=INTERVALS_MAX.min(releases.len())).rev() {
            let mut starts: Vec<f64> = (0..intervals).map(|i| releases[i * releases.len() / intervals]).collect();
            if intervals > 1 {
                starts.push(also);
                starts.sort_by(f64::total_cmp);
                starts.dedup();
            }
            let begins = |work: &Work| starts.partition_point(|start| *start <= work.release_s) - 1;
            let first: Vec<usize> = work.iter().map(begins).collect();
            let offers = work.iter().zip(&first).map(|(work, first)| work.offers.len() * (starts.len() - first)).sum::<usize>();
            if offers <= offers_max {
                return Some(Self { capacity, work, starts, first, unit });
            }
        }
        None
    }

    /// The length of an interval in units; the last has none yet.
    pub(super) fn length(&self, interval: usize) -> Option<f64> {
        self.starts.get(interval + 1).map(|next| (next - self.starts[interval]) / self.unit)
    }

    /// What part of all the class has an offer takes.
    pub(super) fn share(&self, offer: &Offer, r: usize) -> f64 {
        if offer.takes[r] > 0.0 { offer.takes[r] / self.capacity[offer.class][r] } else { 0.0 }
    }

    /// The end that these prices prove, whatever they are as long as none is negative: each task brings at least its least worth,
    /// from which is taken what the intervals before the last can have done, valued at the same prices.
    pub(super) fn certify(&self, prices: &Solution) -> Option<f64> {
        let (mut brought, mut done, mut scale) = (0.0, 0.0, 0.0);
        let mut spend = |interval: usize, price: f64| match self.length(interval) {
            Some(length) => done += length * price,
            None => scale += price,
        };
        for (interval, classes) in prices.resource.iter().enumerate() {
            spend(interval, classes.iter().flatten().sum());
        }
        for ((work, first), own) in self.work.iter().zip(&self.first).zip(&prices.own) {
            let mut least = f64::INFINITY;
            for (interval, own) in (*first..).zip(own) {
                spend(interval, work.count * own);
                for offer in &work.offers {
                    let price = &prices.resource[interval][offer.class];
                    let held: f64 = (0..RESOURCES).map(|r| price[r] * self.share(offer, r)).sum();
                    least = least.min(offer.seconds / self.unit * (held + own));
                }
            }
            brought += work.count * least;
        }
        let last = self.starts.last()?;
        (scale > 0.0).then(|| last + (brought - done) / scale * self.unit)
    }
}
