//! Everything the page tells, read once. Lists are cut to what a page can show; totals are not.

use benchmark_db::{
    AttemptRow, BalancerRow, Database, FailureRow, FlakyRow, OwnerRow, QueryError, RunRow, ShareRow, SlowRow, Summary, TaskTimes,
    WorkerRow,
};

/// More attempts than this are drawn as busy shares: single bars would be thinner than a pixel.
pub const TIMELINE_BARS_MAX: usize = 3000;
/// Rows of the failure table. The page says when there are more.
pub const FAILURES_MAX: usize = 200;
const WORKERS_MAX: usize = 1000;
const SLOWEST_MAX: usize = 20;
const FLAKY_MAX: usize = 100;
const RUNS_MAX: usize = 50;
const OWNERS_MAX: usize = 100;
const SAMPLES_MAX: usize = 2000;

/// The figures of a report.
#[derive(Debug)]
pub struct Figures {
    pub summary: Summary,
    pub workers: Vec<WorkerRow>,
    /// Absent when there are too many to draw one by one.
    pub attempts: Option<Vec<AttemptRow>>,
    pub shares: Vec<ShareRow>,
    pub times: TaskTimes,
    pub slowest: Vec<SlowRow>,
    pub flaky: Vec<FlakyRow>,
    /// One more than is shown, where there are more.
    pub failures: Vec<FailureRow>,
    pub test_outcomes: Vec<(String, u64)>,
    pub runs: Vec<RunRow>,
    pub owners: Vec<OwnerRow>,
    pub balancer: Vec<BalancerRow>,
    pub began: Option<String>,
    pub facts: u64,
    pub cluster: Option<String>,
    pub file: String,
}

impl Figures {
    /// Reads them from `db`.
    pub fn read(db: &Database) -> Result<Self, QueryError> {
        let attempts = db.attempts(TIMELINE_BARS_MAX + 1)?;
        Ok(Self {
            summary: db.summary()?,
            workers: db.workers(WORKERS_MAX)?,
            attempts: (attempts.len() <= TIMELINE_BARS_MAX).then_some(attempts),
            shares: db.utilization_over_time(WORKERS_MAX)?,
            times: db.task_times()?,
            slowest: db.slowest_tests(SLOWEST_MAX)?,
            flaky: db.flaky_tests(FLAKY_MAX)?,
            failures: db.failures(FAILURES_MAX + 1)?,
            test_outcomes: db.test_outcomes()?,
            runs: db.runs(RUNS_MAX)?,
            owners: db.owners(OWNERS_MAX)?,
            balancer: db.balancer(SAMPLES_MAX)?,
            began: db.began()?,
            facts: db.last_seq(),
            cluster: db.cluster().map(str::to_owned),
            file: db.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        })
    }
}
