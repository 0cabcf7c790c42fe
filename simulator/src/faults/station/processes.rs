//! The processes of a machine's attempts: when each begins, prints, ends, and how it is ended.

use super::fate;
use crate::faults::around::{Around, Happening};
use crate::faults::center::Death;
use crate::faults::tasks::{Fate, Step};
use crate::faults::trouble::Mend;
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestOutcome};
use shared::protocol::Start;
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use worker_core::Event;

/// What runs on a machine, and the output that is kept there.
#[derive(Debug, Default)]
pub struct Processes {
    running: BTreeMap<Attempt, Process>,
    printed: BTreeMap<Attempt, u64>,
    versions: u64,
}

#[derive(Debug)]
struct Process {
    start: Start,
    fate: Fate,
    left: VecDeque<(Duration, Step)>,
    is_begun: bool,
    /// Whether tests of it failed.
    is_red: bool,
    /// When it will be gone, once it was told to end.
    ends: Option<Time>,
    version: u64,
}

impl Processes {
    /// Whether nothing runs, and no output is kept.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.printed.is_empty()
    }

    /// Fetches the files of an attempt and starts it.
    pub fn run(&mut self, around: &mut Around, index: usize, start: Start) {
        let attempt = start.attempt;
        let fate = fate(around, attempt, &start.spec);
        let skipped = start.skip.clone();
        let is_wanted = |step: &Step| !matches!(step, Step::Test(result) if skipped.contains(&result.index));
        let left = fate.steps.iter().filter(|(_, step)| is_wanted(step)).cloned().collect();
        let process = Process { start, fate, left, is_begun: false, is_red: false, ends: None, version: 0 };
        self.running.insert(attempt, process);
        self.printed.insert(attempt, 0);
        around.witness.runs(around.now, index, attempt);
        self.set_next(around, index, attempt);
    }

    /// Ends an attempt: SIGTERM, and after `grace` SIGKILL. A shorter grace may follow a longer one.
    pub fn end(&mut self, around: &mut Around, index: usize, attempt: Attempt, grace: Duration) {
        let Some(process) = self.running.get_mut(&attempt) else { return };
        let by_term = process.fate.term.filter(|_| process.is_begun && !grace.is_zero());
        let takes = match by_term {
            Some(term) if term <= grace => term,
            _ => grace + process.fate.kill,
        };
        let ends = around.now + takes;
        if process.ends.is_none_or(|before| ends < before) {
            process.ends = Some(ends);
            self.set_next(around, index, attempt);
        }
    }

    /// The next step of an attempt is due; what the daemon is to hear of it.
    pub fn step(&mut self, around: &mut Around, index: usize, attempt: Attempt, version: u64) -> Vec<Event> {
        let Some(process) = self.running.get_mut(&attempt).filter(|process| process.version == version) else {
            return Vec::new();
        };
        if process.ends.is_some_and(|ends| ends <= around.now) {
            let outcome = Outcome { run_s: 1.0, ..Outcome::bare(Ended::Cancelled) };
            return self.gone(around, attempt, outcome);
        }
        let Some((_, step)) = process.left.pop_front() else { return Vec::new() };
        let event = match step {
            Step::Begin => {
                process.is_begun = true;
                Event::Started { attempt }
            }
            Step::Print(bytes) => {
                let total = self.printed.entry(attempt).or_default();
                *total += bytes;
                Event::OutputGrew { attempt, total: *total }
            }
            Step::Test(result) => {
                process.is_red |= result.outcome == TestOutcome::Failed;
                around.witness.tests(attempt, &result);
                Event::Tests { attempt, results: vec![result] }
            }
            Step::Poison => {
                around.clockwork.set(around.now, Happening::Mend(Mend::Kill(index, Death::PowerLost)));
                return Vec::new();
            }
            Step::Exit(outcome) => {
                let is_red = process.is_red;
                let outcome = if is_red { Outcome::bare(Ended::Failed(Failure::Test)) } else { outcome };
                return self.gone(around, attempt, outcome);
            }
        };
        self.set_next(around, index, attempt);
        vec![event]
    }

    fn gone(&mut self, around: &mut Around, attempt: Attempt, outcome: Outcome) -> Vec<Event> {
        self.running.remove(&attempt);
        around.witness.exits(attempt, &outcome);
        let log_bytes = self.printed(attempt);
        vec![Event::Ended { attempt, outcome, log_bytes, is_clean: true }]
    }

    /// All that runs is killed, and nobody is told.
    pub fn kill_all(&mut self, around: &mut Around) {
        for attempt in std::mem::take(&mut self.running).into_keys() {
            around.witness.dies(attempt);
        }
    }

    /// The folders of all attempts are removed but of those that are kept.
    pub fn sweep(&mut self, is_kept: impl Fn(&Attempt) -> bool) {
        self.printed.retain(|attempt, _| is_kept(attempt));
    }

    /// Bytes of output kept of an attempt.
    pub fn printed(&self, attempt: Attempt) -> u64 {
        self.printed.get(&attempt).copied().unwrap_or(0)
    }

    /// Output of an attempt from `from` on, at most `most` bytes; nothing where none is kept.
    pub fn read(&self, attempt: Attempt, from: u64, most: u64) -> Option<Bytes> {
        let until = self.printed.get(&attempt)?.min(&(from + most)).to_owned();
        (from < until).then(|| Bytes((from..until).map(|at| content(attempt, at)).collect()))
    }

    /// The folder of an attempt is removed.
    pub fn discard(&mut self, attempt: Attempt) {
        self.printed.remove(&attempt);
    }

    fn set_next(&mut self, around: &mut Around, index: usize, attempt: Attempt) {
        let Some(process) = self.running.get_mut(&attempt) else { return };
        self.versions += 1;
        process.version = self.versions;
        let own = process.left.front().map(|(after, _)| around.now + *after);
        let Some(at) = [own, process.ends].into_iter().flatten().min() else { return };
        around.clockwork.set(at, Happening::Process(index, attempt, process.version));
    }
}

/// What an attempt prints at this place.
pub fn content(attempt: Attempt, at: u64) -> u8 {
    (attempt.task.0 ^ attempt.number.0 ^ (at * 31)) as u8
}
