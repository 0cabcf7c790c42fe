//! Everything the page tells, read once. Lists are cut to what a page can show; totals are not.

use benchmark_db::{
    AttemptRow, Database, FailureRow, FlakyRow, Kpis, LookRow, MachineRow, MeasureRow, MigrationFigures, MigrationPiece,
    MigrationRow, OwnerRow, PredictionFigures, PredictionRow, QueryError, RunRow, ShareRow, SlowRow, SpreadRow, Summary,
    TaskTimes, TrendRow, WorkerRow,
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
/// Points of a curve over time.
const POINTS_MAX: usize = 400;
/// Moves that are drawn one by one.
const MIGRATIONS_MAX: usize = 1000;

/// The figures of a report.
#[derive(Debug)]
pub struct Figures {
    pub summary: Summary,
    pub kpis: Kpis,
    pub trends: Vec<TrendRow>,
    pub workers: Vec<WorkerRow>,
    pub machines: Vec<MachineRow>,
    /// Absent when there are too many to draw one by one.
    pub attempts: Option<Vec<AttemptRow>>,
    pub shares: Vec<ShareRow>,
    pub spread: Vec<SpreadRow>,
    pub levels: Vec<f64>,
    pub power: Vec<MeasureRow>,
    pub celsius: Vec<MeasureRow>,
    pub times: TaskTimes,
    pub slowest: Vec<SlowRow>,
    pub flaky: Vec<FlakyRow>,
    /// One more than is shown, where there are more.
    pub failures: Vec<FailureRow>,
    pub test_outcomes: Vec<(String, u64)>,
    pub runs: Vec<RunRow>,
    pub owners: Vec<OwnerRow>,
    pub looks: Vec<LookRow>,
    pub predictions: Vec<PredictionRow>,
    pub prediction_figures: PredictionFigures,
    pub migrations: Vec<MigrationRow>,
    pub migrations_over_time: Vec<MigrationPiece>,
    pub migration_figures: MigrationFigures,
    pub began: Option<String>,
    pub days: Option<f64>,
    pub facts: u64,
    pub cluster: Option<String>,
    pub file: String,
}

impl Figures {
    /// Reads them from a snapshot, which covers the last `days`, or everything.
    pub fn read(db: &Database, days: Option<f64>) -> Result<Self, QueryError> {
        let attempts = db.attempts(TIMELINE_BARS_MAX + 1)?;
        Ok(Self {
            summary: db.summary()?,
            kpis: db.kpis()?,
            trends: db.trends()?,
            workers: db.workers(WORKERS_MAX)?,
            machines: db.machines(WORKERS_MAX)?,
            attempts: (attempts.len() <= TIMELINE_BARS_MAX).then_some(attempts),
            shares: db.utilization_over_time(WORKERS_MAX)?,
            spread: db.utilization_spread(WORKERS_MAX)?,
            levels: db.utilization_levels()?,
            power: db.power_over_time(WORKERS_MAX)?,
            celsius: db.celsius_over_time(WORKERS_MAX)?,
            times: db.task_times()?,
            slowest: db.slowest_tests(SLOWEST_MAX)?,
            flaky: db.flaky_tests(FLAKY_MAX)?,
            failures: db.failures(FAILURES_MAX + 1)?,
            test_outcomes: db.test_outcomes()?,
            runs: db.runs(RUNS_MAX)?,
            owners: db.owners(OWNERS_MAX)?,
            looks: db.looks(POINTS_MAX)?,
            predictions: db.predictions(POINTS_MAX)?,
            prediction_figures: db.prediction_figures()?,
            migrations: db.migrations(MIGRATIONS_MAX)?,
            migrations_over_time: db.migrations_over_time()?,
            migration_figures: db.migration_figures()?,
            began: db.began()?,
            days,
            facts: db.last_seq(),
            cluster: db.cluster().map(str::to_owned),
            file: db.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        })
    }

    /// What is said where machines were simulated; nothing where all are real.
    pub fn simulated(&self) -> Option<String> {
        let simulated = self.machines.iter().filter(|machine| machine.is_simulated).count();
        match simulated {
            0 => None,
            all if all == self.machines.len() => {
                Some("Simulated: every machine here is a model, and nothing was measured on a real one.".into())
            }
            some => Some(format!("{some} of {} workers are simulated: what they tell was not measured.", self.machines.len())),
        }
    }
}
