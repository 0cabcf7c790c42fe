//! Typed answers about machines: what they are, drew and measured, and how their time was spent. Views: machines.sql.

use crate::{Database, QueryError};

/// One worker's machine.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in machines.sql")]
pub struct MachineRow {
    pub worker: String,
    /// The kinds of its devices, such as `cpu, cuda`.
    pub hardware: String,
    pub is_simulated: bool,
    pub throttle_c: Option<f64>,
    /// Where its joules are from: `measured`, or computed from the watts its owner `declared`; absent where nothing is known.
    pub basis: Option<String>,
    pub joules: Option<f64>,
    /// The highest temperature it told, and the lowest speed beside its own normal.
    pub hottest_c: Option<f64>,
    pub slowest: Option<f64>,
}

/// What a worker measured in one piece of the makespan.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureRow {
    /// The worker.
    pub worker: String,
    /// The beginning of the piece.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
    /// The figure: mean watts, or the highest temperature in degrees Celsius.
    pub value: f64,
}

/// How one worker's utilization is distributed over the pieces of the makespan in which it was present.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in machines.sql")]
pub struct SpreadRow {
    pub worker: String,
    pub p5: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
}

impl Database {
    /// At most `limit` machines, by the name of their worker.
    pub fn machines(&self, limit: usize) -> Result<Vec<MachineRow>, QueryError> {
        let sql = "SELECT worker, coalesce(hardware, ''), machines.is_simulated, throttle_c, basis, joules, hottest_c, slowest
            FROM machines JOIN energy USING (worker)
            LEFT JOIN (SELECT worker, max(celsius) AS hottest_c, min(speed) AS slowest FROM worker_samples GROUP BY worker) USING (worker)
            ORDER BY worker LIMIT ?";
        self.rows("listing machines", sql, limit, |row| {
            Ok(MachineRow {
                worker: row.get(0)?,
                hardware: row.get(1)?,
                is_simulated: row.get(2)?,
                throttle_c: row.get(3)?,
                basis: row.get(4)?,
                joules: row.get(5)?,
                hottest_c: row.get(6)?,
                slowest: row.get(7)?,
            })
        })
    }

    /// Mean watts over time of at most `limit` workers, by name, in order of time.
    pub fn power_over_time(&self, limit: usize) -> Result<Vec<MeasureRow>, QueryError> {
        self.measures("reading watts over time", "watts", "power_over_time", limit)
    }

    /// The highest temperatures over time of at most `limit` workers, by name, in order of time.
    pub fn celsius_over_time(&self, limit: usize) -> Result<Vec<MeasureRow>, QueryError> {
        self.measures("reading temperatures over time", "celsius", "samples_over_time", limit)
    }

    fn measures(&self, doing: &'static str, figure: &str, view: &str, limit: usize) -> Result<Vec<MeasureRow>, QueryError> {
        let sql = format!(
            "SELECT worker, from_s, to_s, {figure} FROM {view}
             WHERE {figure} IS NOT NULL AND worker IN (SELECT worker FROM machines ORDER BY worker LIMIT ?) ORDER BY worker, bucket"
        );
        self.rows(doing, &sql, limit, |row| {
            Ok(MeasureRow { worker: row.get(0)?, from_s: row.get(1)?, to_s: row.get(2)?, value: row.get(3)? })
        })
    }

    /// How the utilization of at most `limit` workers, by name, is distributed.
    pub fn utilization_spread(&self, limit: usize) -> Result<Vec<SpreadRow>, QueryError> {
        let sql = "SELECT worker, p5, p25, p50, p75, p95 FROM utilization_quantiles ORDER BY worker LIMIT ?";
        self.rows("reading how utilization is distributed", sql, limit, |row| {
            Ok(SpreadRow {
                worker: row.get(0)?,
                p5: row.get(1)?,
                p25: row.get(2)?,
                p50: row.get(3)?,
                p75: row.get(4)?,
                p95: row.get(5)?,
            })
        })
    }

    /// Share of present slot time spent at each tenth of utilization, from 0 to 10 % up; empty where there is no makespan.
    pub fn utilization_levels(&self) -> Result<Vec<f64>, QueryError> {
        let sql = "SELECT share FROM utilization_levels WHERE share IS NOT NULL ORDER BY level LIMIT ?";
        self.rows("reading levels of utilization", sql, 10, |row| row.get(0))
    }
}
