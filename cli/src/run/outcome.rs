//! What became of each test: the facts about our tasks, merged over attempts.
//!
//! A test has one result for every attempt that ran it; the newest counts. A test that failed and passed later is flaky.
//! Tests that have no result when their task has its verdict are errors: none is ever left out.

use super::results::{Results, TestName, Try, in_words};
use shared::fact::{Fact, StopReason, What};
use shared::id::{AttemptNumber, TaskId};
use shared::outcome::{Failure, TestOutcome, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a task of the run holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A command: one test, named like the task.
    Command,
    /// The tests of a chunk.
    Tests {
        /// Its tests, in order.
        names: Vec<TestName>,
        /// Where each stands in the suite.
        places: Vec<usize>,
        /// What tests run with that only running tells; empty where there is no such thing.
        target: String,
    },
}

/// What is worth showing at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// An attempt began.
    Began,
    /// An attempt is over.
    Stopped,
    /// A test has a result.
    Tested {
        /// The test.
        name: TestName,
        /// The result.
        result: Try,
        /// Whether it is the first of this test.
        is_first: bool,
        /// Whether an earlier one was red.
        was_red: bool,
    },
    /// A machine failed; the task is tried elsewhere.
    MachineFailed {
        /// The task's name.
        task: String,
        /// The machine.
        worker: Arc<str>,
        /// What went wrong.
        message: String,
    },
    /// A task has its verdict.
    Finished {
        /// The task.
        task: TaskId,
        /// The verdict.
        verdict: Verdict,
    },
}

/// Which test of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A test of the list.
    Listed(u32),
    /// A test that running told: its name, and how many of that name came before it.
    Told(String, u32),
}

/// One task of the run.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) tests: BTreeMap<Key, (TestName, Vec<Try>)>,
    workers: BTreeMap<AttemptNumber, Arc<str>>,
    /// Which index of which attempt became which told test.
    told: BTreeMap<(AttemptNumber, u32), Key>,
    running: Option<AttemptNumber>,
    pub(super) message: Option<String>,
    pub(super) verdict: Option<(Verdict, Option<Failure>)>,
    pub(super) output: Option<String>,
    log_bytes: u64,
}

/// The tasks of a run and their results so far.
#[derive(Debug, Default)]
pub struct Tally {
    tasks: BTreeMap<TaskId, Tracked>,
    open: usize,
}

impl Tally {
    /// Takes over a submitted task.
    pub fn add(&mut self, id: TaskId, name: &str, content: Content) {
        let (tests, workers, told) = Default::default();
        let (running, message, verdict, output) = (None, None, None, None);
        let name = name.to_owned();
        let tracked = Tracked { name, content, tests, workers, told, running, message, verdict, output, log_bytes: 0 };
        if self.tasks.insert(id, tracked).is_none() {
            self.open += 1;
        }
    }

    /// Tasks without a verdict.
    pub fn open(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.iter().filter(|(_, task)| task.verdict.is_none()).map(|(id, _)| *id)
    }

    /// Whether every task has its verdict.
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    /// The smallest and the largest number; nothing when there are no tasks.
    pub fn range(&self) -> Option<(TaskId, TaskId)> {
        Some((*self.tasks.first_key_value()?.0, *self.tasks.last_key_value()?.0))
    }

    /// Whether it is a task of this run.
    pub fn holds(&self, id: TaskId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// The name of a task of this run.
    pub fn name(&self, id: TaskId) -> &str {
        self.tasks.get(&id).map_or("", |task| &task.name)
    }

    /// How much a command has written in its newest attempt; nothing for other tasks, whose results say what is worth
    /// knowing.
    pub fn command_wrote(&self, id: TaskId) -> Option<u64> {
        self.tasks.get(&id).filter(|task| task.content == Content::Command).map(|task| task.log_bytes)
    }

    /// Keeps the end of what a command wrote.
    pub fn set_output(&mut self, id: TaskId, output: String) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.output = Some(output);
        }
    }

    /// Takes in a fact. Facts about other tasks, and facts that were taken in before, change nothing.
    pub fn apply(&mut self, fact: &Fact) -> Vec<Notice> {
        let Some((id, task)) = fact.what.task().and_then(|id| Some((id, self.tasks.get_mut(&id)?))) else {
            return Vec::new();
        };
        if task.verdict.is_some() {
            return Vec::new();
        }
        match &fact.what {
            What::AttemptStarted { attempt, worker, .. } => task.began(*attempt, worker),
            What::TestFinished { attempt, index, test, outcome, seconds, message, .. } => {
                let result = task.result(*attempt, *outcome, *seconds, message.clone());
                task.tested(*attempt, *index, test, result)
            }
            What::AttemptStopped { .. } => task.stopped(&fact.what),
            What::TaskFinished { verdict, failure, .. } => {
                task.verdict = Some((*verdict, *failure));
                self.open -= 1;
                vec![Notice::Finished { task: id, verdict: *verdict }]
            }
            What::AttemptLeased { attempt, worker, .. } => {
                task.workers.insert(*attempt, worker.clone());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Every test and every trouble. Tests without a result are errors, with the reason.
    pub fn results(&self) -> Results {
        let mut results = Results::default();
        for (id, task) in &self.tasks {
            task.add_to(*id, &mut results);
        }
        results.cases.sort_by_key(|case| case.place);
        results
    }
}

impl Tracked {
    fn began(&mut self, attempt: AttemptNumber, worker: &Arc<str>) -> Vec<Notice> {
        self.workers.insert(attempt, worker.clone());
        let is_new = self.running.replace(attempt).is_none();
        if is_new { vec![Notice::Began] } else { Vec::new() }
    }

    fn result(&self, attempt: AttemptNumber, outcome: TestOutcome, seconds: f64, message: Option<String>) -> Try {
        let worker = self.workers.get(&attempt).cloned().unwrap_or_else(|| "".into());
        Try { attempt: attempt.ordinal(), outcome, seconds, message, worker }
    }

    fn tested(&mut self, attempt: AttemptNumber, index: u32, test: &str, result: Try) -> Vec<Notice> {
        let listed = match &self.content {
            Content::Tests { names, .. } => names.get(index as usize).cloned(),
            Content::Command => None,
        };
        let (key, name) = match listed {
            Some(name) => (Key::Listed(index), name),
            None => {
                let name = self.told_name(test);
                (self.told_key(attempt, index, &name.name), name)
            }
        };
        self.keep(key, name, result)
    }

    /// The name of a test that no list names: facts call it `framework::target::name`.
    fn told_name(&self, test: &str) -> TestName {
        let (_, name) = test.split_once("::").unwrap_or(("", test));
        let target = match &self.content {
            Content::Tests { target, .. } => target.clone(),
            Content::Command => String::new(),
        };
        let own = name.strip_prefix(&target).and_then(|rest| rest.strip_prefix("::")).filter(|_| !target.is_empty());
        TestName { name: own.unwrap_or(name).to_owned(), target }
    }

    /// The key of a test that no list names. A name may occur several times in an attempt; its order tells them apart.
    fn told_key(&mut self, attempt: AttemptNumber, index: u32, name: &str) -> Key {
        if let Some(key) = self.told.get(&(attempt, index)) {
            return key.clone();
        }
        let of_attempt = self.told.range((attempt, 0)..=(attempt, u32::MAX));
        let before = of_attempt.filter(|(_, key)| matches!(key, Key::Told(other, _) if other == name)).count();
        let key = Key::Told(name.to_owned(), before as u32);
        self.told.insert((attempt, index), key.clone());
        key
    }

    fn keep(&mut self, key: Key, name: TestName, result: Try) -> Vec<Notice> {
        let (_, tries) = self.tests.entry(key).or_insert_with(|| (name.clone(), Vec::new()));
        if let Some(same) = tries.iter_mut().find(|one| one.attempt == result.attempt) {
            *same = result;
            return Vec::new();
        }
        let (is_first, was_red) = (tries.is_empty(), tries.iter().any(|one| !one.outcome.is_green()));
        tries.push(result.clone());
        vec![Notice::Tested { name, result, is_first, was_red }]
    }

    fn stopped(&mut self, what: &What) -> Vec<Notice> {
        let What::AttemptStopped { attempt, worker, reason, failure, exit_code, signal, message, run_s, log_bytes, .. } = what
        else {
            return Vec::new();
        };
        self.workers.insert(*attempt, worker.clone());
        let mut notices: Vec<Notice> = self.running.take().map(|_| Notice::Stopped).into_iter().collect();
        let message = message.clone().or_else(|| failure.map(|failure| in_words(failure, *exit_code, *signal)));
        match reason {
            StopReason::Finished if self.content == Content::Command => {
                let outcome = if failure.is_none() { TestOutcome::Passed } else { TestOutcome::Failed };
                let result = self.result(*attempt, outcome, *run_s, message.clone());
                let name = TestName::alone(&self.name);
                notices.extend(self.keep(Key::Listed(0), name, result));
            }
            StopReason::Failed | StopReason::Lost => notices.push(Notice::MachineFailed {
                task: self.name.clone(),
                worker: worker.clone(),
                message: message.clone().unwrap_or_else(|| reason.name().to_owned()),
            }),
            StopReason::Finished
            | StopReason::Migrated
            | StopReason::Preempted
            | StopReason::Hedged
            | StopReason::Cancelled
            | StopReason::Retracted => {}
        }
        self.message = message.or(self.message.take());
        self.log_bytes = *log_bytes;
        notices
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
