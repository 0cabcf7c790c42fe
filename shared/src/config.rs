//! The balancer's published configuration (F77 to F90): flags of `coordinator`, keys of its TOML file, `GET /api/config`.

use serde::{Deserialize, Serialize};

/// Every option of the published table, with its default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BalancerConfig {
    /// Seconds between two looks at the fleet.
    pub check_interval_s: f64,
    /// A worker above this share is overloaded, 0 to 1.
    pub utilization_threshold_high: f64,
    /// A worker below this share is underloaded, 0 to 1.
    pub utilization_threshold_low: f64,
    /// Seconds of measurements that count.
    pub performance_window_s: f64,
    /// Move running tasks.
    pub enable_task_migration: bool,
    /// Migrations in flight at a time.
    pub max_simultaneous_migrations: u32,
    /// Let the thresholds follow the load.
    pub enable_dynamic_thresholds: bool,
    /// Act on predicted imbalance.
    pub enable_predictive_balancing: bool,
    /// Weigh what a move costs against what it gains.
    pub enable_cost_benefit_analysis: bool,
    /// Treat kinds of hardware differently.
    pub enable_hardware_specific_strategies: bool,
    /// Count joules and heat.
    pub enable_resource_efficiency: bool,
    /// How fast the thresholds follow.
    pub threshold_adjustment_rate: f64,
    /// How far ahead to predict, in seconds.
    pub prediction_window_s: f64,
}

impl Default for BalancerConfig {
    fn default() -> Self {
        Self {
            check_interval_s: 30.0,
            utilization_threshold_high: 0.85,
            utilization_threshold_low: 0.2,
            performance_window_s: 300.0,
            enable_task_migration: true,
            max_simultaneous_migrations: 2,
            enable_dynamic_thresholds: true,
            enable_predictive_balancing: true,
            enable_cost_benefit_analysis: true,
            enable_hardware_specific_strategies: true,
            enable_resource_efficiency: true,
            threshold_adjustment_rate: 0.05,
            prediction_window_s: 180.0,
        }
    }
}

impl BalancerConfig {
    /// What is wrong with these values; nothing when they make sense together.
    pub fn problem(&self) -> Option<String> {
        let share = 0.0..=1.0;
        let positive = [
            ("check_interval_s", self.check_interval_s),
            ("performance_window_s", self.performance_window_s),
            ("prediction_window_s", self.prediction_window_s),
        ];
        if let Some((name, value)) = positive.into_iter().find(|(_, value)| !(0.01..=1e7).contains(value)) {
            return Some(format!("{name} = {value}: it must be from 0.01 to 10000000 seconds"));
        }
        if !share.contains(&self.utilization_threshold_high) || !share.contains(&self.utilization_threshold_low) {
            return Some("utilization_threshold_high and utilization_threshold_low must be from 0 to 1".into());
        }
        if self.utilization_threshold_low >= self.utilization_threshold_high {
            return Some("utilization_threshold_low must be below utilization_threshold_high".into());
        }
        if !share.contains(&self.threshold_adjustment_rate) {
            return Some("threshold_adjustment_rate must be from 0 to 1".into());
        }
        None
    }
}
