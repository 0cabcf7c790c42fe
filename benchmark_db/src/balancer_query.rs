//! Typed answers about the balancer: what it saw, foresaw and moved, and the published key figures. Views: balancer.sql, kpis.sql.

use crate::{Database, QueryError};

/// The balancer's looks at the fleet; where there are many, means over neighbouring ones.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in balancer.sql")]
pub struct LookRow {
    pub at_s: f64,
    pub load: f64,
    pub imbalance: f64,
    pub high: f64,
    pub low: f64,
}

/// Forecasts by when they fell due, beside the load that came; where there are many, means over neighbouring ones.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in balancer.sql")]
pub struct PredictionRow {
    pub due_s: f64,
    pub forecast: f64,
    pub low: f64,
    pub high: f64,
    /// Absent while it is not due.
    pub load: Option<f64>,
}

/// How good forecasts were.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionFigures {
    /// How many fell due.
    pub due: u64,
    /// The mean of |forecast - load|, as a share of the fleet.
    pub mean_error: Option<f64>,
    /// The share that lay within its bounds, which four of five should.
    pub inside: Option<f64>,
    /// The accuracy that the balancer told last, 0 to 1.
    pub accuracy: Option<f64>,
}

/// Orders to move a running task in one piece of the makespan.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in balancer.sql")]
pub struct MigrationPiece {
    pub from_s: f64,
    pub to_s: f64,
    pub ordered: u64,
    pub arrived: u64,
    pub under_way: u64,
    pub success_rate: Option<f64>,
}

/// What moving brought in all, in seconds.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in balancer.sql")]
pub struct MigrationFigures {
    pub ordered: u64,
    pub arrived: u64,
    pub under_way: u64,
    pub success_rate: Option<f64>,
    pub cost_s: Option<f64>,
    pub predicted_gain_s: Option<f64>,
    pub realised_gain_s: Option<f64>,
    pub mean_realised_gain_s: Option<f64>,
    pub judged: u64,
}

/// One order to move a running task.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in balancer.sql")]
pub struct MigrationRow {
    pub task: u64,
    pub from_worker: String,
    pub to_worker: String,
    pub outcome: String,
    pub predicted_gain_s: f64,
    pub cost_s: f64,
    pub realised_gain_s: Option<f64>,
}

/// The published key figures (F181 to F187); absent where nothing can be said.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in kpis.sql")]
pub struct Kpis {
    pub throughput_per_s: Option<f64>,
    pub average_latency_s: Option<f64>,
    pub ideal_tasks_per_worker: Option<f64>,
    pub load_balance_efficiency: Option<f64>,
    pub load_distribution_variance: Option<f64>,
    pub task_migration_rate: Option<f64>,
    pub mean_queue_latency_s: Option<f64>,
    pub p95_queue_latency_s: Option<f64>,
    pub utilization_efficiency: Option<f64>,
    pub fairness_index: Option<f64>,
    pub joules_per_passed_task: Option<f64>,
}

/// How a figure went from run to run.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the column of that name, defined in kpis.sql")]
pub struct TrendRow {
    pub figure: String,
    pub unit: String,
    pub runs: u64,
    pub mean: f64,
    pub slope_per_run: Option<f64>,
    pub r2: Option<f64>,
}

impl Database {
    /// The looks in order of time, as at most `limit` rows.
    pub fn looks(&self, limit: usize) -> Result<Vec<LookRow>, QueryError> {
        let sql = "SELECT avg(t), avg(load), avg(imbalance), avg(high), avg(low) FROM
            (SELECT *, (row_number() OVER (ORDER BY seq) - 1) // CAST(greatest(1, ceil(count(*) OVER () / ?)) AS BIGINT) AS neighbours FROM looks)
            GROUP BY neighbours ORDER BY neighbours";
        self.rows("reading the balancer's looks", sql, limit, |row| {
            Ok(LookRow { at_s: row.get(0)?, load: row.get(1)?, imbalance: row.get(2)?, high: row.get(3)?, low: row.get(4)? })
        })
    }

    /// The forecasts in order of when they fell due, as at most `limit` rows.
    pub fn predictions(&self, limit: usize) -> Result<Vec<PredictionRow>, QueryError> {
        let sql = "SELECT avg(due_s), avg(forecast), avg(forecast_low), avg(forecast_high), avg(load) FROM
            (SELECT *, (row_number() OVER (ORDER BY seq) - 1) // CAST(greatest(1, ceil(count(*) OVER () / ?)) AS BIGINT) AS neighbours
             FROM predictions)
            GROUP BY neighbours ORDER BY neighbours";
        self.rows("reading the forecasts", sql, limit, |row| {
            Ok(PredictionRow {
                due_s: row.get(0)?,
                forecast: row.get(1)?,
                low: row.get(2)?,
                high: row.get(3)?,
                load: row.get(4)?,
            })
        })
    }

    /// How good the forecasts were.
    pub fn prediction_figures(&self) -> Result<PredictionFigures, QueryError> {
        let sql = "SELECT count(load), avg(error), avg(CAST(is_inside AS INTEGER)),
            (SELECT last(accuracy ORDER BY seq) FROM looks WHERE accuracy IS NOT NULL) FROM predictions";
        self.one("judging the forecasts", sql, |row| {
            Ok(PredictionFigures { due: row.get(0)?, mean_error: row.get(1)?, inside: row.get(2)?, accuracy: row.get(3)? })
        })
    }

    /// Orders to move in equal pieces of the makespan, in order of time; empty where there is no makespan.
    pub fn migrations_over_time(&self) -> Result<Vec<MigrationPiece>, QueryError> {
        let sql =
            "SELECT from_s, to_s, ordered, arrived, under_way, success_rate FROM migrations_over_time ORDER BY bucket LIMIT ?";
        self.rows("counting migrations over time", sql, 1000, |row| {
            Ok(MigrationPiece {
                from_s: row.get(0)?,
                to_s: row.get(1)?,
                ordered: row.get(2)?,
                arrived: row.get(3)?,
                under_way: row.get(4)?,
                success_rate: row.get(5)?,
            })
        })
    }

    /// What moving brought.
    pub fn migration_figures(&self) -> Result<MigrationFigures, QueryError> {
        let sql = "SELECT ordered, arrived, under_way, success_rate, cost_s, predicted_gain_s, realised_gain_s,
            mean_realised_gain_s, judged FROM migration_figures";
        self.one("summing up migrations", sql, |row| {
            Ok(MigrationFigures {
                ordered: row.get(0)?,
                arrived: row.get(1)?,
                under_way: row.get(2)?,
                success_rate: row.get(3)?,
                cost_s: row.get(4)?,
                predicted_gain_s: row.get(5)?,
                realised_gain_s: row.get(6)?,
                mean_realised_gain_s: row.get(7)?,
                judged: row.get(8)?,
            })
        })
    }

    /// At most `limit` orders to move, evenly from all of them, in order of time.
    pub fn migrations(&self, limit: usize) -> Result<Vec<MigrationRow>, QueryError> {
        let sql = "SELECT task, from_worker, to_worker, outcome, predicted_gain_s, cost_s, realised_gain_s FROM
            (SELECT *, (row_number() OVER (ORDER BY seq) - 1) % CAST(greatest(1, ceil(count(*) OVER () / ?)) AS BIGINT) AS place FROM migrations)
            WHERE place = 0 ORDER BY seq";
        self.rows("listing migrations", sql, limit, |row| {
            Ok(MigrationRow {
                task: row.get(0)?,
                from_worker: row.get(1)?,
                to_worker: row.get(2)?,
                outcome: row.get(3)?,
                predicted_gain_s: row.get(4)?,
                cost_s: row.get(5)?,
                realised_gain_s: row.get(6)?,
            })
        })
    }

    /// The published key figures.
    pub fn kpis(&self) -> Result<Kpis, QueryError> {
        let sql = "SELECT throughput_per_s, average_latency_s, ideal_tasks_per_worker, load_balance_efficiency,
            load_distribution_variance, task_migration_rate, mean_queue_latency_s, p95_queue_latency_s, utilization_efficiency,
            fairness_index, joules_per_passed_task FROM kpis";
        self.one("computing the key figures", sql, |row| {
            Ok(Kpis {
                throughput_per_s: row.get(0)?,
                average_latency_s: row.get(1)?,
                ideal_tasks_per_worker: row.get(2)?,
                load_balance_efficiency: row.get(3)?,
                load_distribution_variance: row.get(4)?,
                task_migration_rate: row.get(5)?,
                mean_queue_latency_s: row.get(6)?,
                p95_queue_latency_s: row.get(7)?,
                utilization_efficiency: row.get(8)?,
                fairness_index: row.get(9)?,
                joules_per_passed_task: row.get(10)?,
            })
        })
    }

    /// How figures went from run to run, by name; a slope is absent with fewer than two runs.
    pub fn trends(&self) -> Result<Vec<TrendRow>, QueryError> {
        let sql = "SELECT figure, unit, runs, mean, CASE WHEN isfinite(slope_per_run) THEN slope_per_run END,
            CASE WHEN isfinite(r2) THEN r2 END FROM trends ORDER BY figure LIMIT ?";
        self.rows("computing trends", sql, 100, |row| {
            Ok(TrendRow {
                figure: row.get(0)?,
                unit: row.get(1)?,
                runs: row.get(2)?,
                mean: row.get(3)?,
                slope_per_run: row.get(4)?,
                r2: row.get(5)?,
            })
        })
    }
}
