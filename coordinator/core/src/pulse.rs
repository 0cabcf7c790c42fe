//! How things went lately and in all, counted from facts as they happen: for people to look at. No decision follows from it,
//! and it begins anew with each life of the coordinator.

use crate::Coordinator;
use crate::state::State;
use shared::api::{EVENTS_MAX, LiveEvent, PulseView};
use shared::fact::{Fact, StopReason, What};
use shared::id::TaskId;
use shared::outcome::Verdict;
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The seconds that count as lately.
const SECONDS: u64 = 60;

/// Upper bounds of the buckets of a [`Distribution`], in seconds.
pub const BOUNDS_S: [f64; 12] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 7200.0];

/// How long something took, over all the times it happened.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Distribution {
    /// How often it happened.
    pub count: u64,
    /// Seconds in all.
    pub sum_s: f64,
    /// How often it took at most as long as the bound of that number and longer than the one before; the last is for the rest.
    pub buckets: [u64; BOUNDS_S.len() + 1],
}

/// What was counted since this life of the coordinator began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Attempts that are over, by why.
    pub stopped: BTreeMap<&'static str, u64>,
    /// From submission to the first lease.
    pub wait: Distribution,
    /// From being given to a worker to running there.
    pub start: Distribution,
    /// From the start of the process to its end, for attempts whose work came to an end.
    pub run: Distribution,
    /// From submission to verdict.
    pub flow: Distribution,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pulse {
    /// One entry for each second in which something happened, oldest first.
    lately: VecDeque<Second>,
    totals: Totals,
    events: VecDeque<LiveEvent>,
    events_ever: u64,
    /// When this life began.
    began: Time,
}

/// What happened in one second.
#[derive(Debug, Default)]
struct Second {
    at: u64,
    passed: u64,
    flow: Mean,
    wait: Mean,
    start: Mean,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    count: u64,
    sum_s: f64,
}

impl Coordinator {
    /// How things went lately.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Pulse {
    /// Takes in a fact, after it was applied to `state`.
    pub(crate) fn count(&mut self, fact: &Arc<Fact>, state: &State) {
        let at = fact.at;
        match &fact.what {
            What::CoordinatorStarted { .. } => self.began = at,
            What::AttemptLeased { task, attempt, .. } if attempt.ordinal() == 1 => {
                let waited_s = since_submitted(state, *task, at);
                self.second(at).wait.add(waited_s);
                self.totals.wait.add(waited_s);
            }
            What::AttemptStarted { task, attempt, .. } => {
                let attempt = state.ledger.get(*task).and_then(|task| task.attempt(*attempt));
                let start_s = attempt.map_or(0.0, |attempt| at.since(attempt.leased).as_secs_f64());
                self.second(at).start.add(start_s);
                self.totals.start.add(start_s);
            }
            What::AttemptStopped { reason, run_s, .. } => {
                *self.totals.stopped.entry(reason.name()).or_default() += 1;
                if *reason == StopReason::Finished {
                    self.totals.run.add(*run_s);
                }
            }
            What::TaskFinished { task, verdict, .. } => {
                let flow_s = since_submitted(state, *task, at);
                let second = self.second(at);
                second.passed += u64::from(*verdict == Verdict::Passed);
                second.flow.add(flow_s);
                self.totals.flow.add(flow_s);
            }
            _ => {}
        }
        if is_notable(&fact.what) {
            if self.events.len() == EVENTS_MAX {
                self.events.pop_front();
            }
            self.events_ever += 1;
            self.events.push_back(LiveEvent { number: self.events_ever, fact: fact.clone() });
        }
    }

    /// The last minute before `now`; what there is of it where this life is younger.
    pub fn view(&self, now: Time) -> PulseView {
        let from = second_of(now).saturating_sub(SECONDS - 1);
        let (mut flow, mut wait, mut start, mut passed) = (Mean::default(), Mean::default(), Mean::default(), 0);
        for second in self.lately.iter().filter(|second| second.at >= from) {
            flow.join(second.flow);
            wait.join(second.wait);
            start.join(second.start);
            passed += second.passed;
        }
        let seconds = now.since(self.began).as_secs_f64().clamp(1.0, SECONDS as f64);
        PulseView {
            tasks_per_s: flow.count as f64 / seconds,
            passed: (flow.count > 0).then(|| passed as f64 / flow.count as f64),
            flow_s: flow.mean_s(),
            wait_s: wait.mean_s(),
            start_s: start.mean_s(),
            starts: start.count,
        }
    }

    /// What was counted in all.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The newest events worth telling, oldest first; at most [`EVENTS_MAX`].
    pub fn events(&self) -> impl Iterator<Item = &LiveEvent> {
        self.events.iter()
    }

    fn second(&mut self, at: Time) -> &mut Second {
        let at = second_of(at);
        if self.lately.back().is_none_or(|newest| newest.at < at) {
            while self.lately.front().is_some_and(|oldest| oldest.at + SECONDS <= at) {
                self.lately.pop_front();
            }
            self.lately.push_back(Second { at, ..Second::default() });
        }
        self.lately.back_mut().expect("one was just added where there was none")
    }
}

impl Mean {
    fn add(&mut self, seconds: f64) {
        self.join(Mean { count: 1, sum_s: seconds });
    }

    fn join(&mut self, other: Mean) {
        self.count += other.count;
        self.sum_s += other.sum_s;
    }

    fn mean_s(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_s / self.count as f64)
    }
}

impl Distribution {
    fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.sum_s += seconds;
        self.buckets[BOUNDS_S.partition_point(|bound| *bound < seconds)] += 1;
    }
}

fn second_of(at: Time) -> u64 {
    at.0 / 1_000_000
}

fn since_submitted(state: &State, task: TaskId, at: Time) -> f64 {
    state.ledger.get(task).map_or(0.0, |task| at.since(task.submitted).as_secs_f64())
}

/// Whether people who look at the farm want to be told: moves, changes of who takes work, what went wrong on machines.
fn is_notable(what: &What) -> bool {
    match what {
        What::CoordinatorStarted { .. }
        | What::WorkerJoined { .. }
        | What::WorkerSuspected { .. }
        | What::WorkerHeldBack { .. }
        | What::BreakerMoved { .. }
        | What::WorkerDisconnected { .. }
        | What::WorkerLeft { .. }
        | What::WorkerSet { .. }
        | What::Migration { .. }
        | What::MigrationJudged { .. }
        | What::Preemption { .. }
        | What::StandstillEnded { .. }
        | What::PolicyChosen { .. }
        | What::CancelRequested { .. } => true,
        What::AttemptLeased { hedge, .. } => *hedge,
        What::AttemptStopped { reason, .. } => matches!(reason, StopReason::Lost | StopReason::Failed),
        What::TaskFinished { verdict, .. } => !matches!(verdict, Verdict::Passed | Verdict::Cancelled),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(seconds: u64, verdict: Verdict) -> Arc<Fact> {
        let what = What::TaskFinished { task: TaskId(1), attempt: None, verdict, failure: None };
        Arc::new(Fact { at: Time(seconds * 1_000_000), what })
    }

    #[test]
    fn what_is_older_than_a_minute_no_longer_counts() {
        let (mut pulse, state) = (Pulse::default(), State::default());
        for (second, verdict) in [(1, Verdict::Failed), (30, Verdict::Passed), (70, Verdict::Passed)] {
            pulse.count(&finished(second, verdict), &state);
        }
        let view = pulse.view(Time(70_000_000));
        assert_eq!((view.tasks_per_s, view.passed), (2.0 / 60.0, Some(1.0)));
        assert_eq!(pulse.view(Time(200_000_000)).passed, None);
        assert_eq!(pulse.totals().flow.count, 3);
    }

    #[test]
    fn events_are_bounded_and_numbered_on() {
        let (mut pulse, state) = (Pulse::default(), State::default());
        for second in 0..EVENTS_MAX as u64 + 5 {
            pulse.count(&finished(second, Verdict::Failed), &state);
        }
        let numbers: Vec<u64> = pulse.events().map(|event| event.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[EVENTS_MAX - 1]), (EVENTS_MAX, 6, EVENTS_MAX as u64 + 5));
    }

    #[test]
    fn a_distribution_counts_each_length_in_one_bucket() {
        let mut lengths = Distribution::default();
        [0.001, 0.005, 0.006, 9000.0].into_iter().for_each(|s| lengths.add(s));
        assert_eq!((lengths.buckets[0], lengths.buckets[1], lengths.buckets[BOUNDS_S.len()]), (2, 1, 1));
    }
}
