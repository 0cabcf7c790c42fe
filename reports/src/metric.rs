//! What can be analysed and drawn by name, each with the question it answers and the query its figures are from.

use std::fmt;
use std::str::FromStr;

/// A figure of a report, as it is named on the command line, in the API and in file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Who ran what, when.
    Timeline,
    /// How busy the machines were over time.
    SystemLoad,
    /// How each worker's utilization is distributed.
    WorkerUtilization,
    /// Load and imbalance between the thresholds.
    ThresholdAdaptation,
    /// Moves that were ordered, and the share that arrived.
    MigrationSuccessRate,
    /// What moves cost and what they brought.
    CostBenefit,
    /// Forecasts beside what came.
    PredictionAccuracy,
    /// How long tasks waited and took.
    TaskTimes,
    /// What took longest.
    Slowest,
    /// What machines drew.
    Energy,
    /// How hot machines were.
    Temperature,
}

/// Nothing is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no metric `{0}`; there are {list}", list = Metric::ALL.map(Metric::name).join(", "))]
pub struct UnknownMetric(String);

impl Metric {
    /// All of them, in the order of a report.
    pub const ALL: [Metric; 11] = [
        Metric::Timeline,
        Metric::SystemLoad,
        Metric::WorkerUtilization,
        Metric::TaskTimes,
        Metric::Slowest,
        Metric::ThresholdAdaptation,
        Metric::PredictionAccuracy,
        Metric::MigrationSuccessRate,
        Metric::CostBenefit,
        Metric::Energy,
        Metric::Temperature,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Timeline => "timeline",
            Metric::SystemLoad => "system_load",
            Metric::WorkerUtilization => "worker_utilization",
            Metric::ThresholdAdaptation => "threshold_adaptation",
            Metric::MigrationSuccessRate => "migration_success_rate",
            Metric::CostBenefit => "cost_benefit",
            Metric::PredictionAccuracy => "prediction_accuracy",
            Metric::TaskTimes => "task_times",
            Metric::Slowest => "slowest",
            Metric::Energy => "energy",
            Metric::Temperature => "temperature",
        }
    }

    /// What people read above it.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Timeline => "Who ran what, when",
            Metric::SystemLoad => "How busy the machines were",
            Metric::WorkerUtilization => "How machine time was used",
            Metric::ThresholdAdaptation => "What the balancer saw",
            Metric::MigrationSuccessRate => "Which moves arrived",
            Metric::CostBenefit => "What moves cost and brought",
            Metric::PredictionAccuracy => "What the balancer foresaw",
            Metric::TaskTimes => "How long tasks waited and took",
            Metric::Slowest => "What took longest",
            Metric::Energy => "What the machines drew",
            Metric::Temperature => "How hot the machines were",
        }
    }

    /// The rows it is about, newest first where there is an order in time. The views are defined in `benchmark_db/*.sql`.
    pub fn query(self) -> &'static str {
        match self {
            Metric::Timeline => {
                "SELECT task, ordinal AS attempt, worker, hardware, started_s, stopped_s, reason, failure FROM attempts \
                 WHERE started_s IS NOT NULL ORDER BY started_s DESC"
            }
            Metric::SystemLoad => {
                "SELECT from_s, to_s, utilization, busy_slot_s, present_slot_s FROM utilization_over_time WHERE worker IS NULL \
                 ORDER BY from_s DESC"
            }
            Metric::WorkerUtilization => {
                "SELECT worker, utilization, p5, p25, p50, p75, p95 FROM workers JOIN utilization_quantiles USING (worker) \
                 ORDER BY worker"
            }
            Metric::ThresholdAdaptation => "SELECT t, load, imbalance, high, low FROM looks ORDER BY t DESC",
            Metric::MigrationSuccessRate => {
                "SELECT from_s, to_s, ordered, arrived, under_way, success_rate FROM migrations_over_time WHERE ordered > 0 \
                 ORDER BY from_s DESC"
            }
            Metric::CostBenefit => {
                "SELECT ordered_s, task, from_worker, to_worker, outcome, cost_s, predicted_gain_s, realised_gain_s \
                 FROM migrations ORDER BY ordered_s DESC"
            }
            Metric::PredictionAccuracy => {
                "SELECT made_s, due_s, forecast, forecast_low, forecast_high, load, error, is_inside, accuracy FROM predictions \
                 ORDER BY made_s DESC"
            }
            Metric::TaskTimes => {
                "SELECT kind, count(*) AS tasks, avg(wait_s) AS mean_wait_s, quantile_cont(wait_s, 0.95) AS p95_wait_s, \
                 avg(flow_s) AS mean_flow_s, quantile_cont(flow_s, 0.95) AS p95_flow_s FROM tasks GROUP BY kind ORDER BY kind"
            }
            Metric::Slowest => "SELECT name, times, mean_s, max_s, slowest_on FROM slowest_tests ORDER BY mean_s DESC, name",
            Metric::Energy => "SELECT worker, basis, joules, is_simulated FROM energy WHERE joules IS NOT NULL ORDER BY worker",
            Metric::Temperature => {
                "SELECT worker, max(celsius) AS hottest_c, avg(celsius) AS mean_c, min(speed) AS slowest_speed FROM samples_over_time \
                 WHERE celsius IS NOT NULL GROUP BY worker ORDER BY worker"
            }
        }
    }

    /// What has to be recorded before there is anything to draw.
    pub fn needs(self) -> &'static str {
        match self {
            Metric::Timeline => "no attempt of a task has started",
            Metric::SystemLoad | Metric::WorkerUtilization => "no task has come to an end on a worker",
            Metric::ThresholdAdaptation => {
                "the balancer has not looked at the fleet twice; it does so every check_interval while workers are there"
            }
            Metric::PredictionAccuracy => {
                "no forecast has fallen due; forecasts are made at every check_interval, for prediction_window ahead, unless \
                 they are switched off"
            }
            Metric::MigrationSuccessRate | Metric::CostBenefit => "no running task was ordered to move",
            Metric::TaskTimes => "no task has started",
            Metric::Slowest => "nothing that ran has a duration",
            Metric::Energy => "no worker told or declared what it draws",
            Metric::Temperature => "no worker told a temperature",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let name = text.trim().to_lowercase().replace('-', "_");
        Metric::ALL.into_iter().find(|metric| metric.name() == name).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_its_metric_and_a_wrong_one_lists_all() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(metric.name().replace('_', "-").to_uppercase().parse(), Ok(metric));
        }
        let error = "latency".parse::<Metric>().expect_err("no such metric").to_string();
        assert!(error.contains("`latency`") && error.contains("threshold_adaptation, prediction_accuracy"), "{error}");
    }
}
