//! The production coordinator in virtual time: a scenario says which machines there are and what is submitted, simulated
//! workers speak the real protocol over a simulated network, and what happened is written in the words of a real run.
//!
//! The same scenario, policy and seed give byte-identical facts. Only the machine model reads the true times of the tasks:
//! the coordinator sees what a real one would see.

pub mod bound;
pub mod builtin;
mod clockwork;
pub mod command;
pub mod compare;
mod export;
pub mod faults;
mod fleet;
mod holding;
pub mod journal;
mod machine;
mod meter;
mod network;
mod options;
mod physics;
mod progress;
pub mod record;
pub mod replay;
mod run;
pub mod scenario;
mod settle;
mod source;
mod specs;
pub mod summary;
pub mod tables;
mod world;

pub use options::{Options, Setting};
pub use run::{Run, run};
pub use scenario::Scenario;
pub use source::Source;
pub use summary::Summary;

use std::path::{Path, PathBuf};

/// Why a scenario could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A row of a table is not what it should be.
    #[error("{}, line {line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// An option is not what it should be.
    #[error("{0}")]
    Option(String),
    /// A task cannot be put into words the coordinator understands.
    #[error("task `{task}`: {source}")]
    Task {
        /// The task.
        task: String,
        /// What is wrong with it.
        source: shared::requirement::InvalidRequirement,
    },
    /// The coordinator did not take what it was given.
    #[error("the coordinator did not take the tasks of the scenario: {0}")]
    NotAccepted(String),
    /// Something the coordinator promises of its state does not hold: a bug of ours.
    #[error("the coordinator is in a state it must never be in, {at_s} s into the run: {problem}")]
    Invariant {
        /// When.
        at_s: f64,
        /// Which.
        problem: String,
    },
    /// What was found cannot be printed.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl SimError {
    pub(crate) fn scenario(path: &Path, problem: String) -> Self {
        SimError::Scenario { path: path.into(), problem }
    }
}
