//! What people ask to have run.

use crate::hardware::HardwareKind;
use crate::id::Digest;
use crate::requirement::{Demand, Requirement};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// 1 to 10, default 5, higher is more urgent (F28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// The priority `level`, or nothing when it is not from 1 to 10.
    pub fn new(level: u8) -> Option<Self> {
        (1..=10).contains(&level).then_some(Self(level))
    }

    /// The level, from 1 to 10.
    pub fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = i64::deserialize(deserializer)?;
        u8::try_from(level)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| serde::de::Error::custom(format!("priority {level} is not from 1 (can wait) to 10 (urgent)")))
    }
}

/// The four limits on how long a task may take, in seconds (F44). Absent is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Waiting in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_s: Option<f64>,
    /// Fetching files and starting the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_s: Option<f64>,
    /// From the start of the process to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_s: Option<f64>,
    /// Without a byte of output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_s: Option<f64>,
}

/// Seconds as people write them, as a duration; nothing for none, not a number, negative or beyond a century.
pub fn seconds(limit_s: Option<f64>) -> Option<Duration> {
    limit_s.filter(|s| (0.0..=3.2e9).contains(s)).map(Duration::from_secs_f64)
}

/// A framework whose tests Evenkeel can list, split and read the results of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// pytest: tests run one after another in a process that is kept for the next chunk.
    Pytest,
    /// Rust's libtest, listed by `cargo nextest` or `cargo test`: one process a test.
    Libtest,
    /// CTest.
    Ctest,
    /// `go test`.
    Gotest,
    /// Any command that writes a JUnit file: one task, read when it ends.
    Junit,
}

impl Framework {
    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Framework::Pytest => "pytest",
            Framework::Libtest => "libtest",
            Framework::Ctest => "ctest",
            Framework::Gotest => "gotest",
            Framework::Junit => "junit",
        }
    }
}

/// What several tests of a chunk run with: a test binary, a Go package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// What people call it: the crate and its target, the import path.
    pub name: String,
    /// The program and its first arguments; empty where the framework needs none.
    #[serde(default)]
    pub argv: Vec<String>,
    /// The folder it runs in; absent means the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment it needs beside the task's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// One test of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestCase {
    /// The name by which its framework selects it.
    pub name: String,
    /// What it runs with: an index into the chunk's targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

/// Some tests of a suite, run by one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Who knows how to run them.
    pub framework: Framework,
    /// The suite's command as the user typed it.
    pub argv: Vec<String>,
    /// What the tests run with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// The tests, in order.
    pub tests: Vec<TestCase>,
    /// Where the command writes its JUnit report, for [`Framework::Junit`]; relative to the task's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub junit: Option<String>,
}

impl Chunk {
    /// The name under which a test's durations and results are kept across runs.
    pub fn test_id(&self, index: u32) -> Option<String> {
        let test = self.tests.get(index as usize)?;
        Some(match test.target.and_then(|at| self.targets.get(at as usize)) {
            Some(target) => format!("{}::{}", target.name, test.name),
            None => test.name.clone(),
        })
    }
}

/// The work itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Run a program. The arguments are passed as they are: no shell reads them.
    Command(Vec<String>),
    /// Run some tests of a suite and report each.
    Tests(Chunk),
    /// Start nothing and pass at once: what remains is the cost of dispatching, which is what it measures.
    Noop,
}

/// A task as submitted, checked and with its defaults filled in (F25, F26).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// What people call it.
    pub name: String,
    /// Tasks of one kind are expected to take about as long as each other on the same hardware.
    pub kind: String,
    /// What to run.
    pub work: Work,
    /// Where to run it; absent means a fresh folder of its own, filled with `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment beside the few variables every task gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The manifest of the files it needs, by content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// Which machines can run it, and what it keeps to itself there.
    #[serde(default, skip_serializing_if = "Requirement::is_nothing")]
    pub requires: Requirement,
    /// The kinds of hardware any one of which it can run on; each attempt runs on one. Empty means the kind its requirement
    /// names, or a processor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<HardwareKind>,
    /// Memory it keeps to itself on the device, in bytes, when it runs on one that has its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpu_memory_bytes: u64,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// How long it may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How often a failing test is tried again.
    #[serde(default)]
    pub retries: u8,
    /// Whether it saves its state when told to (see `EVENKEEL_CHECKPOINT_DIR`).
    #[serde(default)]
    pub checkpointable: bool,
    /// How large the state it saves is expected to be, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub state_bytes: u64,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How long the submitter expects it to take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<f64>,
    /// Within how long after its submission it is wanted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TaskSpec {
    /// Work that is like no other kind and asks for nothing in particular.
    pub fn new(name: impl Into<String>, work: Work) -> Self {
        let name = name.into();
        Self {
            kind: name.clone(),
            name,
            work,
            cwd: None,
            env: BTreeMap::new(),
            files: None,
            requires: Requirement::default(),
            hardware: Vec::new(),
            gpu_memory_bytes: 0,
            priority: Priority::default(),
            timeouts: Timeouts::default(),
            retries: 0,
            checkpointable: false,
            state_bytes: 0,
            owner: None,
            estimate_s: None,
            deadline_s: None,
        }
    }

    /// The kinds of hardware any one of which it can run on, never empty.
    pub fn runs_on(&self) -> Vec<HardwareKind> {
        if self.hardware.is_empty() { vec![self.requires.hardware().unwrap_or(HardwareKind::Cpu)] } else { self.hardware.clone() }
    }

    /// What it keeps to itself while it runs.
    pub fn demand(&self) -> Demand {
        Demand { gpu_memory_bytes: self.gpu_memory_bytes, ..self.requires.demand() }
    }
}

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative path with `/`; never `..`, never absolute.
    pub path: String,
    /// Its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
}

/// The working files of a task, kept and shipped by content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// The files, ordered by path.
    pub files: Vec<FileEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_from_one_to_ten() {
        assert_eq!(serde_json::from_str::<Priority>("10").ok(), Priority::new(10));
        for wrong in ["0", "11", "-1", "300", "\"high\""] {
            assert!(serde_json::from_str::<Priority>(wrong).is_err(), "{wrong}");
        }
    }
}
