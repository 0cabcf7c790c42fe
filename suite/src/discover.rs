//! Which framework a command belongs to, and what the listing of its tests looks like.

mod cargo;
mod cargo_args;
mod command;
mod ctest;
mod gotest;
mod libtest;
mod nextest;
mod pytest;

use crate::error::DiscoverError;
use crate::suite_file::read_suite_file;
use shared::api::TaskRequest;
use shared::task::{Chunk, Framework, Target, TestCase};
use std::path::Path;

/// What a command turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Discovered {
    /// A suite whose tests are known one by one.
    Tests(TestSuite),
    /// The tasks of a suite file.
    Tasks(Vec<TaskRequest>),
    /// A command that is run as one task and writes a JUnit report.
    WholeCommand(Chunk),
}

/// A listed suite.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSuite {
    /// Who knows how to run the tests.
    pub framework: Framework,
    /// The command the workers start from: the user's, without what only made sense for all of it at once.
    pub argv: Vec<String>,
    /// What the tests run with.
    pub targets: Vec<Target>,
    /// The tests to run, in the framework's order. One name can occur several times where the framework lists it so.
    pub tests: Vec<ListedTest>,
    /// Targets that are run as a whole and tell their tests only when they run, by index into `targets`.
    pub whole: Vec<u32>,
    /// Tests the framework leaves out and counts as skipped.
    pub skipped: Vec<SkippedTest>,
    /// What the user should know about this run, in sentences.
    pub notes: Vec<String>,
}

/// One test to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTest {
    /// The test.
    pub case: TestCase,
    /// Tests with the same number must run in one chunk: they share a fixture, a lock or a name.
    pub together: Option<u32>,
}

/// A test that is known and not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedTest {
    /// The test.
    pub case: TestCase,
    /// Why.
    pub reason: String,
}

/// What is said beside the command.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where a command that is not a known framework writes its JUnit report.
    pub junit_from: Option<String>,
}

impl TestSuite {
    fn new(framework: Framework, argv: &[String]) -> Self {
        let (targets, tests, whole, skipped, notes) = Default::default();
        Self { framework, argv: argv.to_vec(), targets, tests, whole, skipped, notes }
    }

    /// The name under which a test's durations and results are kept; the same as [`Chunk::test_id`] of its chunk.
    pub fn test_id(&self, case: &TestCase) -> String {
        match case.target.and_then(|at| self.targets.get(at as usize)) {
            Some(target) => format!("{}::{}", target.name, case.name),
            None => case.name.clone(),
        }
    }

    /// Puts tests of one name and target together: only within one chunk can they be told apart, by their order.
    fn join_duplicates(&mut self) {
        let mut first = std::collections::BTreeMap::new();
        let mut next = self.tests.iter().filter_map(|test| test.together).max().map_or(0, |most| most + 1);
        for at in 0..self.tests.len() {
            match first.insert(self.tests[at].case.clone(), at) {
                None => {}
                Some(earlier) => {
                    let group = *self.tests[earlier].together.get_or_insert(next);
                    next = next.max(group + 1);
                    self.tests[at].together = Some(group);
                }
            }
        }
    }
}

impl From<TestCase> for ListedTest {
    fn from(case: TestCase) -> Self {
        Self { case, together: None }
    }
}

/// Lists the tests of the command `argv`, which would be run in `dir`. Starts the framework, which may build first.
pub fn discover(argv: &[String], dir: &Path, options: &Options) -> Result<Discovered, DiscoverError> {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let program = words.first().map_or("", |first| command::base_name(first));
    if let Some(junit) = &options.junit_from {
        let (targets, tests) = Default::default();
        return Ok(Discovered::WholeCommand(Chunk {
            framework: Framework::Junit,
            argv: argv.to_vec(),
            targets,
            tests,
            junit: Some(junit.clone()),
        }));
    }
    if let [file] = words[..]
        && file.ends_with(".toml")
    {
        return read_suite_file(&dir.join(file)).map(Discovered::Tasks);
    }
    let mut suite = if crate::pytest::program_at(argv).is_some() {
        pytest::list(argv, dir)?
    } else if program == "cargo" || program == "cargo-nextest" {
        cargo::list(argv, dir)?
    } else if program == "ctest" {
        ctest::list(argv, dir)?
    } else if program == "go" && words.get(1) == Some(&"test") {
        gotest::list(argv, dir)?
    } else {
        return Err(DiscoverError::Unrecognised { command: argv.join(" ") });
    };
    suite.join_duplicates();
    if suite.tests.is_empty() && suite.skipped.is_empty() && suite.whole.is_empty() {
        return Err(DiscoverError::NoTests { framework: suite.framework.name(), command: argv.join(" ") });
    }
    Ok(Discovered::Tests(suite))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_unknown_command_is_told_what_is_known() {
        let error = discover(&argv("make check"), Path::new("."), &Options::default()).expect_err("make is no suite");
        let text = error.to_string();
        assert!(text.contains("`make check`") && text.contains("pytest") && text.contains("--junit-from"), "{text}");
        assert!(discover(&[], Path::new("."), &Options::default()).is_err());
    }

    #[test]
    fn any_command_that_writes_junit_is_one_task() {
        let options = Options { junit_from: Some("out/report.xml".to_owned()) };
        let found = discover(&argv("make check"), Path::new("."), &options).expect("one task");
        let Discovered::WholeCommand(chunk) = found else { panic!("{found:?}") };
        assert_eq!((chunk.framework, chunk.junit.as_deref()), (Framework::Junit, Some("out/report.xml")));
    }

    #[test]
    fn tests_of_one_name_stay_together() {
        let mut suite = TestSuite::new(Framework::Pytest, &argv("pytest"));
        for name in ["a", "b", "a", "c", "b", "a"] {
            suite.tests.push(TestCase { name: name.to_owned(), target: None }.into());
        }
        suite.join_duplicates();
        let groups: Vec<Option<u32>> = suite.tests.iter().map(|test| test.together).collect();
        assert_eq!(groups, [Some(0), Some(1), Some(0), None, Some(1), Some(0)]);
    }
}
