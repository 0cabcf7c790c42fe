//! What the balancer tells of itself.

use crate::fact::LoadForecast;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /api/loadbalancer/statistics`, and `balancer` in `GET /status` (F144). Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoadBalancerStats {
    /// The placement policy in force.
    pub policy: String,
    /// The upper threshold now in force.
    pub threshold_high: f64,
    /// The lower.
    pub threshold_low: f64,
    /// The upper threshold as configured.
    pub initial_threshold_high: f64,
    /// The lower.
    pub initial_threshold_low: f64,
    /// Mean share of slots in use at the last look; absent before the first one that found a worker.
    pub load: Option<f64>,
    /// Its mean over the performance window.
    pub window_load: Option<f64>,
    /// Its standard deviation over the performance window.
    pub window_deviation: Option<f64>,
    /// `increasing`, `stable` or `decreasing`.
    pub trend: String,
    /// What is expected; absent where nothing is predicted.
    pub forecast: Option<LoadForecast>,
    /// How good predictions were lately, 0 to 1; absent before the first one fell due.
    pub accuracy: Option<f64>,
    /// Error of all predictions beside that of expecting no change; below 1 is better than that. Absent where nothing changed.
    pub mase: Option<f64>,
    /// The share of loads that were within their predicted interval.
    pub coverage: Option<f64>,
    /// Predictions that fell due.
    pub predictions_due: u64,
    /// How uneven the fleet is, by what workers can be short of.
    pub imbalance: BTreeMap<String, ImbalanceView>,
    /// Whether it is too uneven, now or as forecast.
    pub uneven: bool,
    /// Workers that get no new work because others use them.
    pub held_back: Vec<String>,
    /// Moves of running tasks that were ordered.
    pub migrations_initiated: u64,
    /// Those that went on at their target with their state.
    pub migrations_successful: u64,
    /// Those under way.
    pub migrations_in_flight: u64,
    /// Share of those that are over that were successful; absent before one was.
    pub migration_success_rate: Option<f64>,
    /// Times that someone asked for work to be spread anew, in this life of the coordinator.
    pub rebalance_count: u64,
}

/// How uneven one thing is over the workers of which it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImbalanceView {
    /// The busiest worker.
    pub max: f64,
    /// The idlest.
    pub min: f64,
    /// The one less the other.
    pub spread: f64,
    /// Mean over the workers.
    pub mean: f64,
    /// Whether that is beyond the thresholds.
    pub uneven: bool,
    /// What the spread is expected to be; absent where it is not predicted.
    pub forecast: Option<f64>,
}

/// `POST /api/loadbalancer/rebalance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rebalanced {
    /// Running tasks that are on their way to another worker because of it.
    pub migrated: u32,
}
