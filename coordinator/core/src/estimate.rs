//! How long things take, learned from what was seen: tasks by kind and hardware, workers by how fast they are, tests by name.
//!
//! The logarithm of a duration is modelled as a sum: what the kind of task takes, what the kind of hardware adds or saves,
//! and what is peculiar to the two together. Each level is drawn toward the coarser one by how little was seen of it
//! (normal prior on normal data, Gelman et al., *Bayesian Data Analysis*, chapter 5), and every estimate carries its variance.
//! A worker's speed is what is left over: actual against expected, weighed by how predictable those tasks were.

mod belief;
mod cells;

pub use belief::Estimate;
use cells::{Cells, Source};

use crate::fleet::WorkerIndex;
use shared::fact::Known;
use shared::hardware::HardwareKind;
use shared::task::TaskSpec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Weight of the newest duration of a test in the running mean of logarithms: a change is believed after a few runs.
const NEWEST: f64 = 0.3;
/// Durations of this many tests are kept; past it new ones are not learned.
const NAMES_MAX: usize = 2_000_000;

/// A kind of task by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u32);

/// What was learned.
#[derive(Debug, Default)]
pub struct Estimates {
    kinds: BTreeMap<Arc<str>, KindId>,
    cells: Cells,
    speeds: BTreeMap<(WorkerIndex, HardwareKind), Speed>,
    tests: BTreeMap<Arc<str>, f32>,
}

/// How fast one worker's hardware turned out to be beside what was declared: a normal belief about a logarithm.
#[derive(Debug, Clone, Copy)]
struct Speed {
    precision: f64,
    weighted: f64,
}

/// The precision of the belief that a worker is as fast as it says: one in three is off by more than a sixth.
const SPEED_PRIOR: f64 = 1.0 / (0.15 * 0.15);
/// Evidence of a worker's speed fades by this much with each new one, so that a machine that changed is noticed.
const SPEED_FADE: f64 = 0.97;

impl Estimates {
    /// The number of a kind; a kind that was never seen gets one.
    pub fn kind(&mut self, name: &str) -> KindId {
        if let Some(known) = self.kinds.get(name) {
            return *known;
        }
        let id = KindId(self.kinds.len() as u32);
        self.kinds.insert(name.into(), id);
        id
    }

    /// The number of a kind that was seen before.
    pub fn known_kind(&self, name: &str) -> Option<KindId> {
        self.kinds.get(name).copied()
    }

    /// What tasks of this kind take on this hardware at speed 1, in seconds.
    pub fn expect(&self, kind: KindId, hardware: HardwareKind) -> Estimate {
        self.cells.expect(kind, hardware)
    }

    /// Whether anything was seen of this kind, on whatever hardware.
    pub fn has_seen(&self, kind: KindId) -> bool {
        self.cells.knows(kind)
    }

    /// The factor by which a worker's hardware turned out faster than declared; 1 where nothing is known.
    pub fn speed(&self, worker: WorkerIndex, hardware: HardwareKind) -> f64 {
        self.speeds.get(&(worker, hardware)).map_or(1.0, |speed| (speed.weighted / (speed.precision + SPEED_PRIOR)).exp())
    }

    /// Milliseconds a task is expected to take on the first hardware it can run on: what its submitter said, or what its kind
    /// took before.
    pub fn of(&self, spec: &TaskSpec) -> Option<u64> {
        let seen = || {
            let kind = self.known_kind(&spec.kind).filter(|kind| self.has_seen(*kind))?;
            Some(self.expect(kind, spec.runs_on()[0]).median_s())
        };
        // Rounded to two digits, so that tasks of one kind stay in one group of the queue while the estimate moves.
        spec.estimate_s.or_else(seen).filter(|s| s.is_finite() && *s >= 0.0).map(|s| two_digits((s * 1e3) as u64))
    }

    /// Recorded seconds of the tests whose name begins with `prefix`.
    pub fn tests(&self, prefix: &str) -> impl Iterator<Item = (&str, f64)> {
        let prefix = prefix.to_owned();
        let from: Arc<str> = prefix.as_str().into();
        let named = self.tests.range(from..).take_while(move |(name, _)| name.starts_with(&prefix));
        named.map(|(name, seconds)| (&**name, f64::from(*seconds)))
    }

    /// Takes in how long tasks of a kind took elsewhere.
    pub(crate) fn learn(&mut self, known: &Known) {
        let kind = self.kind(&known.kind);
        if is_duration(known.seconds) && known.times > 0 {
            self.cells.observe(Source::Told, kind, known.hardware, known.seconds.max(1e-6).ln(), f64::from(known.times));
        }
    }

    /// Takes in that a task of `kind` took `seconds` on a worker that told its hardware to be of speed `told`.
    pub(crate) fn saw_task(&mut self, kind: &str, worker: WorkerIndex, hardware: HardwareKind, told: f64, seconds: f64) {
        if !is_duration(seconds) {
            return;
        }
        let kind = self.kind(kind);
        let took = (seconds.max(1e-6) * told).ln();
        if self.cells.knows(kind) {
            let expected = self.cells.expect(kind, hardware);
            let precision = 1.0 / (expected.variance + 0.01);
            let speed = self.speeds.entry((worker, hardware)).or_insert(Speed { precision: 0.0, weighted: 0.0 });
            speed.precision = speed.precision * SPEED_FADE + precision;
            speed.weighted = speed.weighted * SPEED_FADE + precision * (expected.log - took);
        }
        self.cells.observe(Source::Seen, kind, hardware, took + self.speed(worker, hardware).ln(), 1.0);
    }

    pub(crate) fn saw_test(&mut self, name: &Arc<str>, seconds: f64) {
        if !is_duration(seconds) {
            return;
        }
        let newest = seconds.max(1e-6);
        if let Some(mean) = self.tests.get_mut(name) {
            let before = f64::from(*mean).max(1e-6);
            *mean = (before.ln() * (1.0 - NEWEST) + newest.ln() * NEWEST).exp() as f32;
        } else if self.tests.len() < NAMES_MAX {
            self.tests.insert(name.clone(), newest as f32);
        }
    }
}

fn is_duration(seconds: f64) -> bool {
    seconds.is_finite() && seconds >= 0.0
}

/// `number` with all but its first two digits zero.
pub(crate) fn two_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

#[cfg(test)]
mod tests;
