//! The rows that queries answer with: plain values, named as the columns of the views.

/// The figures of everything in the database. Times in seconds, shares 0 to 1, absent where nothing can be said yet.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in views.sql")]
pub struct Summary {
    pub tasks: u64,
    pub passed: u64,
    pub failed: u64,
    pub error: u64,
    pub cancelled: u64,
    pub expired: u64,
    pub quarantined: u64,
    pub unfinished: u64,
    pub attempts: u64,
    pub retries: u64,
    pub migrations: u64,
    pub workers: u64,
    pub waste_s: f64,
    pub from_s: Option<f64>,
    pub to_s: Option<f64>,
    pub makespan_s: Option<f64>,
    pub utilization: Option<f64>,
    pub goodput: Option<f64>,
    pub load_stddev: Option<f64>,
    pub imbalance: Option<f64>,
    pub fairness: Option<f64>,
    pub mean_wait_s: Option<f64>,
    pub p50_wait_s: Option<f64>,
    pub p95_wait_s: Option<f64>,
    pub mean_flow_s: Option<f64>,
    pub p50_flow_s: Option<f64>,
    pub p95_flow_s: Option<f64>,
    pub p99_flow_s: Option<f64>,
    pub mean_slowdown: Option<f64>,
    pub p99_slowdown: Option<f64>,
}

/// One worker over the makespan; slot-seconds.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in views.sql")]
pub struct WorkerRow {
    pub worker: String,
    pub slots: Option<f64>,
    pub present_slot_s: Option<f64>,
    pub busy_slot_s: f64,
    pub utilization: Option<f64>,
    pub waste_slot_s: f64,
    pub attempts: u64,
    pub passed: u64,
    pub failed: u64,
    pub lost: u64,
    pub moved_away: u64,
}

/// One attempt that started. `stopped_s` is absent while it runs.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in views.sql")]
pub struct AttemptRow {
    pub task: u64,
    pub ordinal: u64,
    pub worker: String,
    pub started_s: f64,
    pub stopped_s: Option<f64>,
    pub reason: Option<String>,
    pub failure: Option<String>,
}

/// A test or task that did not pass.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in series.sql")]
pub struct FailureRow {
    pub task: u64,
    pub name: String,
    pub outcome: String,
    pub seconds: Option<f64>,
    pub worker: Option<String>,
    pub message: Option<String>,
}

/// How long the results of one name took.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in series.sql")]
pub struct SlowRow {
    pub name: String,
    pub times: u64,
    pub mean_s: f64,
    pub max_s: f64,
    pub slowest_on: Option<String>,
}

/// A name whose results differ although the code did not.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in series.sql")]
pub struct FlakyRow {
    pub name: String,
    pub times: u64,
    pub red: u64,
    pub green: u64,
    pub message: Option<String>,
}

/// One run: a stretch in which some task had no verdict.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in series.sql")]
pub struct RunRow {
    pub run: u64,
    pub from_s: f64,
    pub makespan_s: Option<f64>,
    pub tasks: u64,
    pub passed: u64,
    pub not_passed: u64,
    pub unfinished: u64,
    pub mean_wait_s: Option<f64>,
    pub utilization: Option<f64>,
}

/// What one owner's work met with.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in views.sql")]
pub struct OwnerRow {
    pub owner: String,
    pub tasks: u64,
    pub mean_wait_s: Option<f64>,
    pub mean_flow_s: Option<f64>,
    pub mean_slowdown: Option<f64>,
}

/// Busy share of a worker, or of the fleet, in one piece of the makespan; absent while it was not there.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in series.sql")]
pub struct ShareRow {
    /// Absent for the fleet.
    pub worker: Option<String>,
    pub from_s: f64,
    pub to_s: f64,
    pub utilization: Option<f64>,
}

/// How waits and flows are distributed: the value below which each of `QUANTILES` equal shares of tasks lies, rising.
/// Empty where no task has the figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskTimes {
    /// Seconds from submit to the first start.
    pub wait_s: Vec<f64>,
    /// Seconds from submit to a verdict of passed or failed.
    pub flow_s: Vec<f64>,
}
