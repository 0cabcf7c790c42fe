//! Typed answers to what reports ask. Every list is bounded where the data is not.

use crate::row::{AttemptRow, FailureRow, FlakyRow, OwnerRow, RunRow, ShareRow, SlowRow, Summary, TaskTimes, WorkerRow};
use crate::{Database, QueryError};
use duckdb::{Row, params};

/// Into how many equal shares a distribution is cut.
pub const QUANTILES: usize = 200;

impl Database {
    /// The figures of everything here.
    pub fn summary(&self) -> Result<Summary, QueryError> {
        let sql = "SELECT tasks, passed, failed, error, cancelled, expired, quarantined, unfinished,
                attempts::UBIGINT, retries::UBIGINT, migrations::UBIGINT, workers, waste_s,
                from_s, to_s, makespan_s, utilization, goodput, load_stddev, imbalance, fairness,
                mean_wait_s, p50_wait_s, p95_wait_s, mean_flow_s, p50_flow_s, p95_flow_s, p99_flow_s, mean_slowdown, p99_slowdown
            FROM summary";
        self.one("summing up", sql, |row| {
            let (count, figure) = (|at| row.get::<_, u64>(at), |at| row.get::<_, Option<f64>>(at));
            Ok(Summary {
                tasks: count(0)?,
                passed: count(1)?,
                failed: count(2)?,
                error: count(3)?,
                cancelled: count(4)?,
                expired: count(5)?,
                quarantined: count(6)?,
                unfinished: count(7)?,
                attempts: count(8)?,
                retries: count(9)?,
                migrations: count(10)?,
                workers: count(11)?,
                waste_s: row.get(12)?,
                from_s: figure(13)?,
                to_s: figure(14)?,
                makespan_s: figure(15)?,
                utilization: figure(16)?,
                goodput: figure(17)?,
                load_stddev: figure(18)?,
                imbalance: figure(19)?,
                fairness: figure(20)?,
                mean_wait_s: figure(21)?,
                p50_wait_s: figure(22)?,
                p95_wait_s: figure(23)?,
                mean_flow_s: figure(24)?,
                p50_flow_s: figure(25)?,
                p95_flow_s: figure(26)?,
                p99_flow_s: figure(27)?,
                mean_slowdown: figure(28)?,
                p99_slowdown: figure(29)?,
            })
        })
    }

    /// At most `limit` workers, by name.
    pub fn workers(&self, limit: usize) -> Result<Vec<WorkerRow>, QueryError> {
        let sql = "SELECT worker, slots, present_slot_s, busy_slot_s, utilization, waste_slot_s, attempts, passed, failed, lost,
            moved_away FROM workers ORDER BY worker LIMIT ?";
        self.rows("listing workers", sql, limit, |row| {
            Ok(WorkerRow {
                worker: row.get(0)?,
                slots: row.get(1)?,
                present_slot_s: row.get(2)?,
                busy_slot_s: row.get(3)?,
                utilization: row.get(4)?,
                waste_slot_s: row.get(5)?,
                attempts: row.get(6)?,
                passed: row.get(7)?,
                failed: row.get(8)?,
                lost: row.get(9)?,
                moved_away: row.get(10)?,
            })
        })
    }

    /// At most `limit` attempts that started, the longest ones when there are more, in order of their start.
    pub fn attempts(&self, limit: usize) -> Result<Vec<AttemptRow>, QueryError> {
        let sql = "SELECT * FROM (SELECT task, ordinal, worker, started_s, stopped_s, reason, failure FROM attempts, span
                WHERE started_s IS NOT NULL ORDER BY coalesce(stopped_s, last_s) - started_s DESC, task LIMIT ?)
            ORDER BY started_s, task, ordinal";
        self.rows("listing attempts", sql, limit, |row| {
            Ok(AttemptRow {
                task: row.get(0)?,
                ordinal: row.get(1)?,
                worker: row.get(2)?,
                started_s: row.get(3)?,
                stopped_s: row.get(4)?,
                reason: row.get(5)?,
                failure: row.get(6)?,
            })
        })
    }

    /// At most `limit` tests and tasks that did not pass, newest first.
    pub fn failures(&self, limit: usize) -> Result<Vec<FailureRow>, QueryError> {
        let sql =
            "SELECT task, name, outcome, seconds, worker, message FROM results WHERE is_red ORDER BY task DESC, name LIMIT ?";
        self.rows("listing failures", sql, limit, |row| {
            Ok(FailureRow {
                task: row.get(0)?,
                name: row.get(1)?,
                outcome: row.get(2)?,
                seconds: row.get(3)?,
                worker: row.get(4)?,
                message: row.get(5)?,
            })
        })
    }

    /// At most `limit` names whose results took longest on average.
    pub fn slowest_tests(&self, limit: usize) -> Result<Vec<SlowRow>, QueryError> {
        let sql = "SELECT name, times, mean_s, max_s, slowest_on FROM slowest_tests LIMIT ?";
        self.rows("listing the slowest tests", sql, limit, |row| {
            Ok(SlowRow {
                name: row.get(0)?,
                times: row.get(1)?,
                mean_s: row.get(2)?,
                max_s: row.get(3)?,
                slowest_on: row.get(4)?,
            })
        })
    }

    /// At most `limit` flaky names, those that failed most often first.
    pub fn flaky_tests(&self, limit: usize) -> Result<Vec<FlakyRow>, QueryError> {
        let sql = "SELECT name, times, red::UBIGINT, green::UBIGINT, message FROM flaky_tests LIMIT ?";
        self.rows("listing flaky tests", sql, limit, |row| {
            Ok(FlakyRow { name: row.get(0)?, times: row.get(1)?, red: row.get(2)?, green: row.get(3)?, message: row.get(4)? })
        })
    }

    /// At most `limit` runs, newest first.
    pub fn runs(&self, limit: usize) -> Result<Vec<RunRow>, QueryError> {
        let sql = "SELECT run, from_s, makespan_s, tasks, passed, not_passed, unfinished, mean_wait_s, utilization FROM runs
            ORDER BY run DESC LIMIT ?";
        self.rows("listing runs", sql, limit, |row| {
            Ok(RunRow {
                run: row.get(0)?,
                from_s: row.get(1)?,
                makespan_s: row.get(2)?,
                tasks: row.get(3)?,
                passed: row.get(4)?,
                not_passed: row.get(5)?,
                unfinished: row.get(6)?,
                mean_wait_s: row.get(7)?,
                utilization: row.get(8)?,
            })
        })
    }

    /// At most `limit` owners, by name; the empty name stands for tasks without one.
    pub fn owners(&self, limit: usize) -> Result<Vec<OwnerRow>, QueryError> {
        let sql = "SELECT owner, tasks, mean_wait_s, mean_flow_s, mean_slowdown FROM owners ORDER BY owner LIMIT ?";
        self.rows("listing owners", sql, limit, |row| {
            Ok(OwnerRow {
                owner: row.get(0)?,
                tasks: row.get(1)?,
                mean_wait_s: row.get(2)?,
                mean_flow_s: row.get(3)?,
                mean_slowdown: row.get(4)?,
            })
        })
    }

    /// How many tests ended in each way, by the name of the way.
    pub fn test_outcomes(&self) -> Result<Vec<(String, u64)>, QueryError> {
        let sql = "SELECT outcome, count(*) FROM tests GROUP BY outcome ORDER BY outcome LIMIT ?";
        self.rows("counting tests", sql, 100, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// When the first task was accepted, in UTC, as people read it; absent where no coordinator told its wall clock.
    pub fn began(&self) -> Result<Option<String>, QueryError> {
        let sql = "SELECT strftime(make_timestamp(wall_offset_us + (from_s * 1e6)::BIGINT), '%Y-%m-%d %H:%M:%S UTC')
            FROM meta, span WHERE from_s IS NOT NULL AND wall_offset_us IS NOT NULL LIMIT ?";
        Ok(self.rows("reading when it began", sql, 1, |row| row.get(0))?.pop())
    }

    /// Busy shares over time of at most `limit` workers, by name, and of the fleet, in order of time.
    pub fn utilization_over_time(&self, limit: usize) -> Result<Vec<ShareRow>, QueryError> {
        let sql = "SELECT worker, from_s, to_s, utilization FROM utilization_over_time
            WHERE worker IS NULL OR worker IN (SELECT worker FROM workers ORDER BY worker LIMIT ?)
            ORDER BY worker NULLS FIRST, bucket";
        self.rows("reading utilization over time", sql, limit, |row| {
            Ok(ShareRow { worker: row.get(0)?, from_s: row.get(1)?, to_s: row.get(2)?, utilization: row.get(3)? })
        })
    }

    /// Verdicts in each minute since the first submit, for at most the first `limit` minutes.
    pub fn throughput_per_minute(&self, limit: usize) -> Result<Vec<u64>, QueryError> {
        let sql = "SELECT finished FROM throughput_per_minute ORDER BY minute LIMIT ?";
        self.rows("reading throughput", sql, limit, |row| row.get(0))
    }

    /// How waits and flows are distributed.
    pub fn task_times(&self) -> Result<TaskTimes, QueryError> {
        let quantiles = |figure: &str| {
            let shares: Vec<String> = (0..=QUANTILES).map(|n| format!("{}", n as f64 / QUANTILES as f64)).collect();
            let sql = format!(
                "SELECT value FROM (SELECT unnest(quantile_cont({figure}, [{}])) AS value FROM tasks) WHERE value IS NOT NULL LIMIT ?",
                shares.join(",")
            );
            self.rows("reading how long tasks took", &sql, QUANTILES + 1, |row| row.get::<_, f64>(0))
        };
        Ok(TaskTimes { wait_s: quantiles("wait_s")?, flow_s: quantiles("flow_s")? })
    }

    /// The one row of `sql`.
    pub(crate) fn one<T>(
        &self,
        doing: &'static str,
        sql: &str,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<T, QueryError> {
        self.connection.query_row(sql, [], read).map_err(|source| QueryError::new(doing, source))
    }

    /// Every row of `sql`, whose one parameter is `limit`.
    pub(crate) fn rows<T>(
        &self,
        doing: &'static str,
        sql: &str,
        limit: usize,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, QueryError> {
        let read_all = || {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(params![i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut read_rows = Vec::new();
            while let Some(row) = rows.next()? {
                read_rows.push(read(row)?);
            }
            Ok(read_rows)
        };
        read_all().map_err(|source| QueryError::new(doing, source))
    }
}
