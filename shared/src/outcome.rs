//! How executions end: the taxonomy of failure, the verdict on a task, the results of single tests.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why an attempt did not pass. Only [`Failure::is_of_the_task`] failures say anything about the work itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Failure {
    /// The work ran and failed: a non-zero exit, a failing test.
    Test,
    /// The machine or the farm failed: a full disk, a missing program, a file that could not be fetched.
    Infra,
    /// It waited in the queue for longer than it may.
    TimeoutQueue,
    /// Fetching its files and starting its process took longer than it may.
    TimeoutSetup,
    /// It ran for longer than it may.
    TimeoutRun,
    /// It printed nothing for longer than it may.
    TimeoutSilence,
    /// The machine killed it for the memory it used.
    Oom,
    /// The worker declined to start it.
    Refused,
    /// Its worker did not come back before the lease ended.
    Lost,
}

impl Failure {
    /// Whether the work is to blame, rather than the machine it ran on. The other kind is retried on another worker and
    /// never colours the verdict.
    pub fn is_of_the_task(self) -> bool {
        match self {
            Failure::Test | Failure::TimeoutQueue | Failure::TimeoutRun | Failure::TimeoutSilence | Failure::Oom => true,
            Failure::Infra | Failure::TimeoutSetup | Failure::Refused | Failure::Lost => false,
        }
    }

    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Test => "test",
            Failure::Infra => "infra",
            Failure::TimeoutQueue => "timeout_queue",
            Failure::TimeoutSetup => "timeout_setup",
            Failure::TimeoutRun => "timeout_run",
            Failure::TimeoutSilence => "timeout_silence",
            Failure::Oom => "oom",
            Failure::Refused => "refused",
            Failure::Lost => "lost",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The one and final word on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// The work passed, perhaps after retries.
    Passed,
    /// The work is to blame.
    Failed,
    /// No machine could bring it to an end: nothing is known about the work.
    Error,
    /// Someone asked for it to stop.
    Cancelled,
    /// It waited in the queue for longer than it may.
    Expired,
    /// It took down several workers and is kept from more.
    Quarantined,
}

impl Verdict {
    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Error => "error",
            Verdict::Cancelled => "cancelled",
            Verdict::Expired => "expired",
            Verdict::Quarantined => "quarantined",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an attempt ended, as its worker tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Ended {
    /// It passed.
    Passed,
    /// It did not.
    Failed(Failure),
    /// It was told to stop and all its processes are gone.
    Cancelled,
    /// It was told to save its state, did so, and stopped (exit status 75).
    Saved,
}

/// What an attempt used. A figure the system does not give is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Seconds of processor time in user code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_s: Option<f64>,
    /// Seconds of processor time in the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_s: Option<f64>,
    /// The largest resident set of any one process of the attempt, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
    /// Joules of the processor it is answerable for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    /// By how much that may be wrong, in joules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_error_j: Option<f64>,
}

impl Usage {
    /// What two processes used that ran one after the other.
    pub fn and(self, later: Usage) -> Usage {
        let sum = |a: Option<f64>, b: Option<f64>| a.map_or(b, |a| Some(a + b.unwrap_or(0.0)));
        Usage {
            user_s: sum(self.user_s, later.user_s),
            system_s: sum(self.system_s, later.system_s),
            memory_peak_bytes: self.memory_peak_bytes.max(later.memory_peak_bytes),
            energy_j: sum(self.energy_j, later.energy_j),
            energy_error_j: sum(self.energy_error_j, later.energy_error_j),
        }
    }
}

/// The result of an attempt, kept in the worker's outbox until the coordinator has it on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// The exit status of its process, where it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended its process, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What went wrong, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Seconds from the order to the start of the process.
    #[serde(default)]
    pub setup_s: f64,
    /// Seconds from the start of the process to its end.
    #[serde(default)]
    pub run_s: f64,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// Bytes of output it wrote, kept or not.
    #[serde(default)]
    pub log_bytes: u64,
}

impl Outcome {
    /// An attempt that passed or was stopped, with nothing else to say.
    pub fn bare(ended: Ended) -> Self {
        Self {
            ended,
            exit_code: None,
            signal: None,
            message: None,
            setup_s: 0.0,
            run_s: 0.0,
            usage: Usage::default(),
            log_bytes: 0,
        }
    }

    /// An attempt that failed before its work began, and why.
    pub fn failed(failure: Failure, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::bare(Ended::Failed(failure)) }
    }
}

/// How one test of a suite ended. The words are those of the frameworks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TestOutcome {
    /// It passed.
    Passed,
    /// An assertion in it failed.
    Failed,
    /// It broke outside its body: in a fixture, or its process died.
    Error,
    /// It was left out, with a reason.
    Skipped,
    /// It failed, as it was expected to.
    Xfailed,
    /// It passed although it was expected to fail, and that counts as passing.
    Xpassed,
}

impl TestOutcome {
    /// Whether a suite holding this result can be green.
    pub fn is_green(self) -> bool {
        match self {
            TestOutcome::Passed | TestOutcome::Skipped | TestOutcome::Xfailed | TestOutcome::Xpassed => true,
            TestOutcome::Failed | TestOutcome::Error => false,
        }
    }

    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            TestOutcome::Passed => "passed",
            TestOutcome::Failed => "failed",
            TestOutcome::Error => "error",
            TestOutcome::Skipped => "skipped",
            TestOutcome::Xfailed => "xfailed",
            TestOutcome::Xpassed => "xpassed",
        }
    }
}

/// The result of one test within an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Which test of the task's list, from 0.
    pub index: u32,
    /// Its name, where the list does not hold it: a report that was read when the command had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it ended.
    pub outcome: TestOutcome,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it failed or was skipped; at most [`crate::protocol::TEST_MESSAGE_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
