//! The HTTP API as its callers see it: what is sent and what comes back.

mod alert;
mod balancer;
mod live;
mod why;

pub use alert::{Alert, AlertKind, AlertList, Bottleneck, Severity};
pub use balancer::{ImbalanceView, LoadBalancerStats, Rebalanced};
pub use live::{
    ALERTS_MAX, AttemptName, EVENTS_MAX, HISTORY_MAX, HardwareUse, HistoryPoint, LiveEvent, LiveFrame, PulseView, RUNNING_MAX,
    RunningRow, WorkerRow,
};
pub use why::{Placement, Why, WhyCode, WhyWorker};

use crate::config::BalancerConfig;
use crate::fact::{Admission, BreakerState, Fact, StopReason};
use crate::hardware::{HardwareKind, Inventory, Load};
use crate::id::{AttemptNumber, Digest, TaskId, WorkerId};
use crate::outcome::{Failure, Verdict};
use crate::task::{Chunk, Priority, Timeouts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tasks in one `POST /api/tasks`.
pub const BATCH_TASKS_MAX: usize = 10_000;
/// The body of one request other than a blob, in bytes.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// One task of `POST /api/tasks`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRequest {
    /// What people call it; by default the command's first words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `command`, `tests` or `noop`.
    #[serde(rename = "type")]
    pub kind: RequestKind,
    /// The program and its arguments, for `command`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The chunk, for `tests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<Chunk>,
    /// Tasks with the same word here are expected to take equally long; by default the name without its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// See [`crate::task::TaskSpec::cwd`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// See [`crate::task::TaskSpec::env`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The digest of an uploaded manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// `"cores>=8 && memory>=16GB"`, or `{"cpu_cores": ">=8", "available_memory": ">=16GB"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Requirements>,
    /// 1 to 10, higher is more urgent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Seconds it may run: short for `timeouts.run_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
    /// All four limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// How often a failure of the work is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u8>,
    /// The kinds of hardware any one of which it can run on; empty means what the requirement names, or a processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<HardwareKind>,
    /// Memory it keeps to itself on a device that has its own, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bytes: Option<u64>,
    /// Whether it saves its state when told to.
    pub checkpointable: bool,
    /// How large that state is expected to be, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
    /// Within how long after its submission it is wanted, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<f64>,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Sending the same key again returns the same task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Seconds it is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<f64>,
}

/// What kind of work a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// A program.
    #[default]
    Command,
    /// Tests of a suite.
    Tests,
    /// Nothing: for measuring what dispatching costs.
    Noop,
}

/// Requirements as one expression or by name (F27).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Requirements {
    /// One expression.
    Expression(String),
    /// `name: ">=16GB"`, all of which must hold.
    ByName(BTreeMap<String, String>),
}

/// The body of `POST /api/tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Submission {
    /// Several; at most [`BATCH_TASKS_MAX`].
    Many(Vec<TaskRequest>),
    /// One.
    One(Box<TaskRequest>),
}

/// The answer to `POST /api/tasks`, given when the tasks are on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// In the order of the request.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<u64>))]
    pub task_ids: Vec<TaskId>,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TaskPhase {
    /// It waits.
    Queued,
    /// A worker has it and has not started it.
    Leased,
    /// It runs.
    Running,
    /// It is on its way from one worker to another.
    Migrating,
    /// It has its verdict.
    Done,
}

/// `GET /api/tasks/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskView {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub task_id: TaskId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: TaskPhase,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// What did not go well.
    pub failure: Option<Failure>,
    /// The exit status of the attempt that decided it.
    pub exit_code: Option<i32>,
    /// 1 to 10.
    #[cfg_attr(feature = "openapi", schema(value_type = u8))]
    pub priority: Priority,
    /// Who asked for it.
    pub owner: Option<String>,
    /// When it was accepted, in seconds since the run began.
    pub submitted_s: f64,
    /// When it got its verdict.
    pub finished_s: Option<f64>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// One attempt of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptView {
    /// From 1.
    pub number: u32,
    /// The fence, under which its output is kept.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub fence: AttemptNumber,
    /// Where.
    pub worker: String,
    /// On which kind of hardware.
    pub hardware: HardwareKind,
    /// When its process began.
    pub started_s: Option<f64>,
    /// When it was over.
    pub stopped_s: Option<f64>,
    /// Why it was over.
    pub reason: Option<StopReason>,
    /// What did not go well.
    pub failure: Option<Failure>,
    /// What went wrong, in a sentence.
    pub message: Option<String>,
    /// Bytes of output it wrote, once it is over.
    pub log_bytes: Option<u64>,
}

/// `GET /api/tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskList {
    /// How many there are in that state.
    pub total: u64,
    /// One page of them.
    pub tasks: Vec<TaskView>,
}

/// A worker as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerView {
    /// Its name.
    pub name: String,
    /// Its identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: WorkerId,
    /// Whether it is there.
    pub state: WorkerState,
    /// Which work it receives.
    pub admission: Admission,
    /// Whether it is trusted with work.
    pub breaker: BreakerState,
    /// Share of attempts that came to an end there, newer ones counting more, 0 to 1.
    pub reliability: f64,
    /// Slots in use.
    pub busy_slots: u32,
    /// The tasks it holds.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<u64>))]
    pub tasks: Vec<TaskId>,
    /// What it has.
    pub inventory: Inventory,
    /// How busy it is, as it last said.
    pub load: Load,
    /// Seconds since it was last heard.
    pub silent_s: f64,
}

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WorkerState {
    /// It is there.
    Ready,
    /// It was not heard for a while: it gets no new work.
    Suspect,
    /// Its connection ended; its lease still runs.
    Disconnected,
    /// It left, or its lease ended.
    Gone,
}

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// The version of the coordinator.
    pub version: String,
    /// Its cluster.
    pub cluster: String,
    /// Which life it is in.
    pub epoch: u32,
    /// Seconds since the run began.
    pub now_s: f64,
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
    /// Verdicts given.
    pub verdicts: BTreeMap<String, u64>,
    /// Workers by state.
    pub workers: BTreeMap<String, u64>,
    /// Slots of workers that are there.
    pub slots: u64,
    /// Slots in use.
    pub busy_slots: u64,
    /// Tasks that no registered worker could ever run.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<u64>))]
    pub impossible: Vec<TaskId>,
    /// What waits and for what, most tasks first.
    #[serde(default)]
    pub bottlenecks: Vec<Bottleneck>,
    /// The placement policy in force.
    pub policy: String,
    /// What the balancer knows.
    #[serde(default)]
    pub balancer: LoadBalancerStats,
    /// Facts on disk.
    pub facts: u64,
    /// Facts the metrics database has; absent while it is not available.
    pub facts_recorded: Option<u64>,
    /// What is wrong with the metrics database, where something is.
    pub database_problem: Option<String>,
    /// Whether the log can be written; new work is refused while it cannot.
    pub log_problem: Option<String>,
}

/// `GET /api/facts?from=SEQ&first_task=&last_task=&wait_s=`: facts in the order of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactPage {
    /// Where to go on from.
    pub next: u64,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// `GET /api/config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigView {
    /// The address it listens on.
    pub listen: String,
    /// Its metrics database.
    pub db_path: String,
    /// The placement policy.
    pub policy: String,
    /// The published table.
    #[serde(flatten)]
    pub balancer: BalancerConfig,
}

/// Recorded seconds of tests: `GET /api/durations?prefix=`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Durations {
    /// By the test's id (see [`Chunk::test_id`]).
    pub seconds: BTreeMap<String, f64>,
}

/// Every error of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What was wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// For programs.
    pub code: String,
    /// What was wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}
