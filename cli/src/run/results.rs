//! The results of a run: every test once, and what the farm is to blame for.

use super::outcome::{Content, Key, Tracked};
use shared::id::TaskId;
use shared::outcome::{Failure, TestOutcome, Verdict};
use std::sync::Arc;

/// A test as people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TestName {
    /// What it runs with; empty where the framework has no such thing.
    pub target: String,
    /// Its own name.
    pub name: String,
}

impl TestName {
    /// The name of something that stands for itself.
    pub fn alone(name: &str) -> Self {
        Self { target: String::new(), name: name.to_owned() }
    }

    /// Both parts.
    pub fn full(&self) -> String {
        if self.target.is_empty() { self.name.clone() } else { format!("{}::{}", self.target, self.name) }
    }
}

/// One result of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// In which attempt of its task, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: TestOutcome,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it did not pass.
    pub message: Option<String>,
    /// Where it ran.
    pub worker: Arc<str>,
}

/// A test and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: TestName,
    /// Where it stands in the suite; the last place of all where that is not known.
    pub place: usize,
    /// How it ended in the end.
    pub outcome: TestOutcome,
    /// Its results, oldest first; none where it never ran.
    pub tries: Vec<Try>,
    /// Why it has no result of its own.
    pub note: Option<String>,
    /// The end of what it wrote, where it is a command that failed.
    pub output: Option<String>,
}

impl Case {
    /// Whether it failed and passed later.
    pub fn is_flaky(&self) -> bool {
        self.outcome.is_green() && self.tries.iter().any(|one| !one.outcome.is_green())
    }

    /// Seconds of the result that counts.
    pub fn seconds(&self) -> f64 {
        self.tries.last().map_or(0.0, |one| one.seconds)
    }

    /// Why it did not pass.
    pub fn message(&self) -> Option<&str> {
        self.tries.last().and_then(|one| one.message.as_deref()).or(self.note.as_deref())
    }
}

/// A task that no machine could bring to an end, or that somebody stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What went wrong.
    pub message: String,
}

/// The results of a whole run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// Every test once.
    pub cases: Vec<Case>,
    /// What the farm is to blame for.
    pub troubles: Vec<Trouble>,
}

/// How many tests ended in which way, in the words of the frameworks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Every test.
    pub tests: usize,
    /// It passed.
    pub passed: usize,
    /// An assertion failed.
    pub failed: usize,
    /// It broke, or has no result.
    pub errors: usize,
    /// It was left out.
    pub skipped: usize,
    /// It failed as expected.
    pub xfailed: usize,
    /// It passed unexpectedly, and that counts as passing.
    pub xpassed: usize,
    /// It failed and passed later; it is counted under what it ended as, too.
    pub flaky: usize,
}

impl Results {
    /// The counts.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { tests: self.cases.len(), ..Counts::default() };
        for case in &self.cases {
            *match case.outcome {
                TestOutcome::Passed => &mut counts.passed,
                TestOutcome::Failed => &mut counts.failed,
                TestOutcome::Error => &mut counts.errors,
                TestOutcome::Skipped => &mut counts.skipped,
                TestOutcome::Xfailed => &mut counts.xfailed,
                TestOutcome::Xpassed => &mut counts.xpassed,
            } += 1;
            counts.flaky += usize::from(case.is_flaky());
        }
        counts
    }

    /// 0: all is green; 1: tests are red; 2: the farm could not bring everything to an end.
    pub fn exit_code(&self) -> u8 {
        if !self.troubles.is_empty() { 2 } else { u8::from(self.cases.iter().any(|case| !case.outcome.is_green())) }
    }
}

impl Tracked {
    /// Adds every test of the task, and what the farm is to blame for.
    pub(super) fn add_to(&self, id: TaskId, results: &mut Results) {
        let from = results.cases.len();
        let output = || self.output.clone().filter(|_| self.content == Content::Command);
        for (key, (name, tries)) in &self.tests {
            let outcome = tries.last().map_or(TestOutcome::Error, |one| one.outcome);
            let (name, place, tries) = (name.clone(), self.place(key), tries.clone());
            results.cases.push(Case { name, place, outcome, tries, note: None, output: output() });
        }
        let why = self.why();
        let error = |name: TestName, place: usize, note: String| Case {
            name,
            place,
            outcome: TestOutcome::Error,
            tries: Vec::new(),
            note: Some(note),
            output: output(),
        };
        for (at, name) in self.names().into_iter().enumerate() {
            let key = Key::Listed(at as u32);
            if !self.tests.contains_key(&key) {
                results.cases.push(error(name, self.place(&key), format!("it has no result: {why}")));
            }
        }
        match self.verdict {
            Some((Verdict::Passed, _)) => {}
            Some((Verdict::Failed, _)) => {
                // Something beside the tests failed, such as what runs after the last of them: that must not end green.
                if results.cases[from..].iter().all(|case| case.outcome.is_green()) {
                    let note = format!("its tests passed, and still it failed: {why}");
                    results.cases.push(error(TestName::alone(&self.name), usize::MAX, note));
                }
            }
            Some((verdict, _)) => {
                results.troubles.push(Trouble { task: id, name: self.name.clone(), verdict, message: why });
            }
            None => {
                let (name, verdict) = (self.name.clone(), Verdict::Cancelled);
                results.troubles.push(Trouble { task: id, name, verdict, message: why });
            }
        }
    }

    fn place(&self, key: &Key) -> usize {
        match (&self.content, key) {
            (Content::Tests { places, .. }, Key::Listed(at)) => places.get(*at as usize).copied().unwrap_or(usize::MAX),
            // Commands stand in the order of their tasks, which a stable sort keeps.
            (Content::Command, _) => 0,
            (_, Key::Told(..)) => usize::MAX,
        }
    }

    fn names(&self) -> Vec<TestName> {
        match &self.content {
            Content::Command => vec![TestName::alone(&self.name)],
            Content::Tests { names, .. } => names.clone(),
        }
    }

    fn why(&self) -> String {
        let message = self.message.clone();
        match self.verdict {
            None => "the run was ended before it had its turn".to_owned(),
            Some((Verdict::Cancelled, _)) => "it was cancelled".to_owned(),
            Some((verdict, failure)) => message
                .or_else(|| failure.map(|failure| in_words(failure, None, None)))
                .unwrap_or_else(|| verdict.name().to_owned()),
        }
    }
}

/// What went wrong, where the worker did not say it.
pub(super) fn in_words(failure: Failure, exit_code: Option<i32>, signal: Option<i32>) -> String {
    match (failure, exit_code, signal) {
        (Failure::Test, Some(code), _) => format!("exit status {code}"),
        (Failure::Test, None, Some(signal)) => format!("ended by signal {signal}"),
        (Failure::Test, None, None) => "it failed".to_owned(),
        (Failure::Infra, ..) => "the machine or the farm failed".to_owned(),
        (Failure::TimeoutQueue, ..) => "it waited in the queue for longer than it may".to_owned(),
        (Failure::TimeoutSetup, ..) => "getting its files and starting it took longer than it may".to_owned(),
        (Failure::TimeoutRun, ..) => "it ran for longer than it may".to_owned(),
        (Failure::TimeoutSilence, ..) => "it printed nothing for longer than it may".to_owned(),
        (Failure::Oom, ..) => "it used more memory than there is".to_owned(),
        (Failure::Refused, ..) => "the worker declined to start it".to_owned(),
        (Failure::Lost, ..) => "its worker did not come back".to_owned(),
    }
}
