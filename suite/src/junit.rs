//! JUnit reports: what every framework can write and every dashboard can read.
//!
//! Repetitions are told as Maven Surefire tells them: `flakyFailure` beside a test that passed in the end, `rerunFailure`
//! beside one that never did.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{BrokenReport, read};
pub use write::write;

use shared::outcome::{TestOutcome, TestResult};
use shared::task::Framework;

/// All that a report says about one test.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaseReport {
    /// The name it is kept under in this program; a report that was read has none but `classname::name`.
    pub id: String,
    /// The suite it stands under: a framework, a test binary, a package.
    pub suite: String,
    /// Where it belongs: a module, a class, a binary.
    pub classname: String,
    /// Its own name.
    pub name: String,
    /// The file it is in.
    pub file: Option<String>,
    /// How it went, oldest first; never empty.
    pub attempts: Vec<CaseAttempt>,
}

/// One attempt at a test.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseAttempt {
    /// How it ended.
    pub outcome: TestOutcome,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it failed or was skipped, in a line.
    pub summary: Option<String>,
    /// The same at length.
    pub text: Option<String>,
    /// What kind of failure it was, in the framework's words.
    pub kind: Option<String>,
    /// What it printed to standard output.
    pub system_out: Option<String>,
    /// What it printed to standard error.
    pub system_err: Option<String>,
}

/// How many tests ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All of them.
    pub tests: usize,
    /// Assertions that failed.
    pub failures: usize,
    /// What broke otherwise.
    pub errors: usize,
    /// Left out, and failed as expected.
    pub skipped: usize,
}

impl CaseAttempt {
    /// An attempt that ended in `outcome` after `seconds`, with nothing else to say.
    pub fn new(outcome: TestOutcome, seconds: f64) -> Self {
        let (summary, text, kind, system_out, system_err) = Default::default();
        Self { outcome, seconds, summary, text, kind, system_out, system_err }
    }
}

impl From<&TestResult> for CaseAttempt {
    fn from(result: &TestResult) -> Self {
        let text = result.message.clone();
        let summary = text.as_deref().and_then(summary).map(str::to_owned);
        Self { summary, text, ..Self::new(result.outcome, result.seconds) }
    }
}

/// The line that says most: pytest's first line of an error, else the first line that is not empty.
fn summary(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let of_pytest = text.lines().find_map(|line| line.strip_prefix("E   ")).map(str::trim);
    of_pytest.filter(|line| !line.is_empty()).or_else(|| lines.next())
}

impl CaseReport {
    /// The report on the test `name` of `target`, under the names its framework itself would report it by.
    pub fn named(framework: Framework, target: Option<&str>, name: &str, attempts: Vec<CaseAttempt>) -> Self {
        let id = target.map_or_else(|| name.to_owned(), |target| format!("{target}::{name}"));
        let (suite, file) = (target.unwrap_or(framework.name()).to_owned(), None);
        let (classname, name) = (target.unwrap_or(name).to_owned(), name.to_owned());
        let report = Self { id, suite, classname, name, file, attempts };
        match framework {
            Framework::Pytest => report.with_pytest_names(),
            Framework::Libtest | Framework::Ctest | Framework::Gotest => report,
            Framework::Junit => match report.id.clone().rsplit_once("::") {
                Some((classname, name)) => Self { classname: classname.to_owned(), name: name.to_owned(), ..report },
                None => Self { classname: String::new(), ..report },
            },
        }
    }

    /// `tests/test_a.py::TestB::test_c[d::e]` is `test_c[d::e]` of `tests.test_a.TestB`.
    fn with_pytest_names(self) -> Self {
        let (address, parameters) = self.id.split_at(self.id.find('[').unwrap_or(self.id.len()));
        let mut parts = address.split("::");
        let file = parts.next().unwrap_or_default().to_owned();
        let dotted = file.replace('/', ".");
        let module = dotted.strip_suffix(".py").unwrap_or(&dotted).to_owned();
        let mut names: Vec<String> = [module].into_iter().chain(parts.map(str::to_owned)).collect();
        let own = names.pop().unwrap_or_default();
        Self { name: format!("{own}{parameters}"), classname: names.join("."), file: Some(file), ..self }
    }

    /// How the test ended in the end.
    pub fn outcome(&self) -> TestOutcome {
        self.attempts.last().map_or(TestOutcome::Error, |attempt| attempt.outcome)
    }

    /// Whether it passed in the end and failed before.
    pub fn is_flaky(&self) -> bool {
        self.outcome().is_green() && self.attempts.iter().any(|attempt| !attempt.outcome.is_green())
    }

    /// The attempt that the test is judged by: the last when that is green, else the first, as Surefire has it.
    fn deciding(&self) -> Option<&CaseAttempt> {
        if self.outcome().is_green() { self.attempts.last() } else { self.attempts.first() }
    }
}

impl Counts {
    /// The counts of `cases`.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a CaseReport>) -> Self {
        let mut counts = Counts::default();
        for case in cases {
            counts.tests += 1;
            match case.deciding().map(|attempt| attempt.outcome) {
                Some(TestOutcome::Failed) => counts.failures += 1,
                Some(TestOutcome::Error) | None => counts.errors += 1,
                Some(TestOutcome::Skipped | TestOutcome::Xfailed) => counts.skipped += 1,
                Some(TestOutcome::Passed | TestOutcome::Xpassed) => {}
            }
        }
        counts
    }
}
