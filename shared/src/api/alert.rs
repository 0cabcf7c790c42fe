//! What is not as it should be, and what keeps tasks waiting.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Severity {
    /// Someone should look at it.
    Warning,
    /// Work is held up or at risk now.
    Critical,
}

/// What an alert is about (F175 to F178).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AlertKind {
    /// Facts cannot be written: new work is refused.
    LogUnwritable,
    /// The metrics database is not available.
    DatabaseUnavailable,
    /// A disk is nearly full.
    DiskFull,
    /// A worker is not heard.
    WorkerSilent,
    /// Attempts in a row failed on a worker for reasons that were not theirs: its breaker is not closed.
    WorkerDistrusted,
    /// A worker runs slower than its normal, or as hot as it may.
    WorkerThrottled,
    /// Some workers are full while others idle.
    LoadDeviation,
    /// Tasks take long from being given to a worker to running there.
    StartLatency,
    /// A task has waited for long.
    QueueAge,
    /// Tasks wait that no worker could ever run.
    TasksImpossible,
}

impl AlertKind {
    /// The name used in the API, in logs and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            AlertKind::LogUnwritable => "log_unwritable",
            AlertKind::DatabaseUnavailable => "database_unavailable",
            AlertKind::DiskFull => "disk_full",
            AlertKind::WorkerSilent => "worker_silent",
            AlertKind::WorkerDistrusted => "worker_distrusted",
            AlertKind::WorkerThrottled => "worker_throttled",
            AlertKind::LoadDeviation => "load_deviation",
            AlertKind::StartLatency => "start_latency",
            AlertKind::QueueAge => "queue_age",
            AlertKind::TasksImpossible => "tasks_impossible",
        }
    }
}

/// Something that is not as it should be, from when it is raised until it is cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// A worker's name, `coordinator`, or `fleet`.
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// When it was raised, in seconds since the run began.
    pub since_s: f64,
    /// What was measured last; its unit is in the message.
    pub value: f64,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

/// `GET /api/alerts`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertList {
    /// Those that are raised, the worst first.
    pub alerts: Vec<Alert>,
}

/// Waiting tasks that ask for the same, and what keeps them (F178).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bottleneck {
    /// The requirement and the hardware they ask for.
    pub needs: String,
    /// How many tasks wait.
    pub tasks: u64,
    /// For how long the oldest has waited, in seconds.
    pub oldest_s: f64,
    /// Workers that could ever run them.
    pub able: u64,
    /// Of those, without room.
    pub full: u64,
    /// Of those, cordoned or draining.
    pub closed: u64,
    /// Of those, kept from new work because others use them.
    pub held_back: u64,
    /// Of those, kept from new work because attempts in a row failed there.
    pub distrusted: u64,
    /// Of those, not heard.
    pub absent: u64,
    /// All of it in a sentence: `3 tasks wait for cuda: 2 workers have it, both full`.
    pub words: String,
}
