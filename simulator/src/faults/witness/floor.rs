//! What runs where, how it really ended, and what workers have promised themselves.

use shared::id::{Attempt, AttemptNumber, Epoch, TaskId};
use shared::outcome::{Ended, Outcome, TestOutcome, TestResult};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the processes of an attempt that is no longer wanted may run on after their machine stood still.
const AFTER_A_STANDSTILL: Duration = Duration::from_secs(6);

/// See the module.
#[derive(Debug, Default)]
pub struct Floor {
    running: BTreeMap<Attempt, usize>,
    /// Machines that stand still with all that runs on them.
    frozen: BTreeSet<usize>,
    /// Machines that went on, and by when what was replaced meanwhile must be gone.
    went_on: BTreeMap<usize, Time>,
    /// Attempts that were replaced while their machine stood still, and by when their processes must be gone.
    outlived: BTreeMap<Attempt, Option<Time>>,
    began: BTreeSet<Attempt>,
    ends: BTreeMap<Attempt, Ended>,
    tests: BTreeMap<(Attempt, u32), TestOutcome>,
    acknowledged: BTreeSet<(usize, Attempt)>,
    epochs: BTreeMap<usize, Epoch>,
}

impl Floor {
    /// How an attempt really ended, where it ended by itself.
    pub fn truth(&self, attempt: Attempt) -> Option<Ended> {
        self.ends.get(&attempt).copied()
    }

    /// How a test of an attempt really ended.
    pub fn test(&self, attempt: Attempt, index: u32) -> Option<TestOutcome> {
        self.tests.get(&(attempt, index)).copied()
    }

    pub fn acknowledged(&mut self, station: usize, attempt: Attempt) {
        self.acknowledged.insert((station, attempt));
    }

    pub fn is_acknowledged(&self, station: usize, attempt: Attempt) -> bool {
        self.acknowledged.contains(&(station, attempt))
    }

    pub fn pins(&mut self, station: usize, epoch: Epoch) -> Result<(), String> {
        match self.epochs.insert(station, epoch) {
            Some(before) if before > epoch => {
                Err(format!("w{station} obeys epoch {} after it obeyed epoch {}", epoch.0, before.0))
            }
            _ => Ok(()),
        }
    }

    /// Whether an attempt was given out by an earlier life of the coordinator than the one a worker obeys.
    pub fn is_outdated(&self, station: usize, attempt: Attempt) -> bool {
        self.epochs.get(&station).is_some_and(|epoch| attempt.number.0 >> 32 < u64::from(epoch.0))
    }

    pub fn forgot_all(&mut self, station: usize) {
        self.epochs.remove(&station);
    }

    /// The processes of an attempt begin.
    pub fn runs(
        &mut self,
        now: Time,
        station: usize,
        attempt: Attempt,
        are_twins: impl Fn(Attempt) -> bool,
    ) -> Result<(), (&'static str, String)> {
        if !self.began.insert(attempt) {
            return Err(("I5", format!("attempt {attempt} is begun a second time, at w{station}")));
        }
        let others: Vec<(Attempt, usize)> =
            self.running.iter().filter(|(other, _)| other.task == attempt.task).map(|(other, at)| (*other, *at)).collect();
        self.running.insert(attempt, station);
        for (other, at) in others.into_iter().filter(|(other, _)| !are_twins(*other)) {
            // On the machine itself nothing excuses it.
            let until = self.went_on.get(&at).copied().filter(|until| *until > now && at != station);
            if self.frozen.contains(&at) || until.is_some() {
                self.outlived.entry(other).or_insert(until);
            } else if !self.outlived.contains_key(&other) {
                return Err(("I7", format!("attempt {attempt} begins at w{station} while attempt {other} runs at w{at}")));
            }
        }
        Ok(())
    }

    /// The processes of an attempt begin again where they stood still.
    pub fn runs_again(&mut self, station: usize, attempt: Attempt, are_twins: impl Fn(Attempt) -> bool) -> Result<(), String> {
        self.running.insert(attempt, station);
        let later = Attempt { number: AttemptNumber(attempt.number.0 + 1), ..attempt };
        let end = Attempt { number: AttemptNumber(u64::MAX), ..attempt };
        match self.began.range(later..=end).find(|other| !are_twins(**other)) {
            Some(other) => Err(format!("attempt {attempt} begins again at w{station} after attempt {other} was begun")),
            None => Ok(()),
        }
    }

    pub fn tested(&mut self, attempt: Attempt, result: &TestResult) {
        self.tests.insert((attempt, result.index), result.outcome);
    }

    pub fn exits(&mut self, attempt: Attempt, outcome: &Outcome) {
        self.dies(attempt);
        self.ends.insert(attempt, outcome.ended);
    }

    pub fn dies(&mut self, attempt: Attempt) {
        self.running.remove(&attempt);
        self.outlived.remove(&attempt);
    }

    pub fn freezes(&mut self, now: Time, station: usize, is_frozen: bool) {
        if is_frozen {
            self.frozen.insert(station);
            return;
        }
        self.frozen.remove(&station);
        let gone_by = now + AFTER_A_STANDSTILL;
        self.went_on.insert(station, gone_by);
        for (attempt, until) in &mut self.outlived {
            if self.running.get(attempt) == Some(&station) {
                *until = Some(gone_by);
            }
        }
    }

    /// An attempt whose processes should be gone by now.
    pub fn overdue(&self, now: Time) -> Option<(Attempt, usize)> {
        let late = self.outlived.iter().find(|(_, until)| until.is_some_and(|until| until < now))?;
        let station = self.running.get(late.0)?;
        (!self.frozen.contains(station)).then_some((*late.0, *station))
    }

    /// How many attempts of a task were ever begun.
    pub fn begun_of(&self, task: TaskId) -> usize {
        self.began.iter().filter(|attempt| attempt.task == task).count()
    }

    /// Whether processes of an attempt run.
    pub fn is_running(&self, attempt: Attempt) -> bool {
        self.running.contains_key(&attempt)
    }

    pub fn is_quiet(&self) -> bool {
        self.running.is_empty()
    }
}
