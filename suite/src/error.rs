//! What can go wrong before any test runs. All of these end a run with the exit status for errors of usage, 2.

use std::io;
use std::path::PathBuf;

/// Why the tests of a command could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The command is none of those whose tests can be listed.
    #[error(
        "`{command}` is not a suite that can be listed; give one of: pytest …, python -m pytest …, cargo nextest run …, \
         cargo test …, ctest …, go test …, a SUITE.toml, or any command with --junit-from FILE, the JUnit report it writes"
    )]
    Unrecognised {
        /// The command.
        command: String,
    },
    /// The framework found nothing to run.
    #[error("{framework} found no tests for `{command}`: check its paths and filters")]
    NoTests {
        /// Who looked.
        framework: &'static str,
        /// The command.
        command: String,
    },
    /// The program is not there.
    #[error("{program} is not installed or not on the path: {hint}")]
    Missing {
        /// What was started.
        program: String,
        /// How to get it.
        hint: String,
    },
    /// An option contradicts running the suite in parts.
    #[error("{option} cannot be used here: {hint}")]
    Option {
        /// The option as it was given.
        option: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// The framework listed nothing because of errors of its own, which its output names.
    #[error("{framework} could not list the tests (exit status {status}); correct what it says and run again:\n{output}")]
    Listing {
        /// Who failed.
        framework: &'static str,
        /// Its exit status, or the signal that ended it.
        status: String,
        /// Its own words; empty where they went to the terminal already.
        output: String,
    },
    /// What the framework printed is not what this version of Evenkeel understands.
    #[error("could not understand how {framework} lists its tests: {problem}")]
    Format {
        /// Whose words.
        framework: &'static str,
        /// What was wrong with them.
        problem: String,
    },
    /// A suite file says something that makes no sense.
    #[error("{path}:{line}: {problem}", path = path.display())]
    SuiteFile {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What, and what would.
        problem: String,
    },
    /// A file or a process of ours failed.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl DiscoverError {
    /// For `map_err`: what was being done when the system refused.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
