//! What choices remember of workers: how fast they answer and how often they fail.

use crate::fleet::WorkerIndex;
use crate::ledger::{State, Task};
use std::collections::BTreeMap;

/// Observations of one key that count, and of all together: older ones fade.
const COUNT_MAX: f64 = 50.0;
const ALL_MAX: f64 = 500.0;
/// How many observations the mean of all is worth in that of one key: a worker that had one short task is not yet a fast one.
const PRIOR: f64 = 4.0;

/// Running means, one for each key, each drawn toward that of all by how little was seen of it.
#[derive(Debug)]
pub(in super::super) struct Means<K> {
    by_key: BTreeMap<K, Mean>,
    all: Mean,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    count: f64,
    mean: f64,
}

impl Mean {
    fn saw(&mut self, value: f64, count_max: f64) {
        self.count = (self.count + 1.0).min(count_max);
        self.mean += (value - self.mean) / self.count;
    }
}

impl<K> Default for Means<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), all: Mean::default() }
    }
}

impl<K: Ord> Means<K> {
    /// Takes in one observation.
    pub(in super::super) fn saw(&mut self, key: K, value: f64) {
        self.all.saw(value, ALL_MAX);
        self.by_key.entry(key).or_default().saw(value, COUNT_MAX);
    }

    /// The mean of a key; that of all where nothing was seen of it, so that it is neither shunned nor rushed; nothing before
    /// anything was seen.
    pub(in super::super) fn of(&self, key: &K) -> Option<f64> {
        let all = self.all()?;
        let own = self.by_key.get(key).copied().unwrap_or_default();
        Some((own.count * own.mean + PRIOR * all) / (own.count + PRIOR))
    }

    /// The mean of all.
    pub(in super::super) fn all(&self) -> Option<f64> {
        (self.all.count > 0.0).then_some(self.all.mean)
    }
}

/// The newest attempt of a task that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Ended {
    /// Where it ran.
    pub worker: WorkerIndex,
    /// Seconds from the order to start to its end: what its worker took to answer.
    pub response_s: f64,
    /// Seconds from the order to start until it ran; absent where it never did.
    pub latency_s: Option<f64>,
    /// Seconds it ran; absent where it never did.
    pub run_s: Option<f64>,
    /// Whether it ended well.
    pub is_good: bool,
}

impl Ended {
    /// What is known of the newest attempt of `task`; nothing while it is under way, or where it ended by an order and says
    /// nothing of its worker.
    pub(in super::super) fn of(task: &Task) -> Option<Self> {
        let newest = task.attempts.last()?;
        let (stopped, reason) = newest.stopped?;
        let is_good = matches!(task.state, State::Done(_, _, None)) && newest.failure.is_none();
        if newest.failure.is_none() && reason != shared::fact::StopReason::Finished {
            return None;
        }
        Some(Self {
            worker: newest.worker,
            response_s: stopped.since(newest.leased).as_secs_f64(),
            latency_s: newest.started.map(|started| started.since(newest.leased).as_secs_f64()),
            run_s: newest.started.map(|started| stopped.since(started).as_secs_f64()),
            is_good,
        })
    }
}
