//! The words facts are made of, beside tasks, attempts and workers.

use crate::hardware::HardwareKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the load is expected to be some time ahead. Shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoadForecast {
    /// How far ahead, in seconds.
    pub window_s: f64,
    /// The mean share of slots in use.
    pub load: f64,
    /// It is between this …
    pub low: f64,
    /// … and this in four of five cases.
    pub high: f64,
    /// How narrow that is, 0 to 1.
    pub confidence: f64,
    /// The largest share of a worker less the smallest.
    pub imbalance: f64,
}

/// What became of an order to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandstillEnd {
    /// The attempt saved its state and ended; the task goes on from there.
    Followed,
    /// All is as if nobody had asked.
    Withdrawn,
    /// The attempt cannot save its state, and will not be asked again.
    Unable,
}

/// What a task of a kind took on a kind of hardware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The kind of task.
    pub kind: Arc<str>,
    /// The hardware.
    pub hardware: HardwareKind,
    /// Seconds of work at speed 1.
    pub seconds: f64,
    /// How many tasks took that long.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// Where the breaker of a worker is: whether it is trusted with work after attempts that failed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BreakerState {
    /// It is.
    #[default]
    Closed,
    /// It is not, for a while.
    Open,
    /// It gets one attempt, to see.
    HalfOpen,
}

impl BreakerState {
    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }
}

/// Which work a worker receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Admission {
    /// Any it can run.
    #[default]
    Open,
    /// None that is new; what runs there stays.
    Cordoned,
    /// None that is new; what runs there is moved away or ends, and then the worker may go.
    Draining,
}

/// Why an attempt is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum StopReason {
    /// Its work came to an end, well or badly.
    Finished,
    /// It failed for a reason that is not the work's.
    Failed,
    /// It was moved to another worker with its state.
    Migrated,
    /// It was stopped to make room.
    Preempted,
    /// Its worker did not come back.
    Lost,
    /// Another attempt of the same task was faster.
    Hedged,
    /// Someone asked for it to stop.
    Cancelled,
    /// It was taken back before it started.
    Retracted,
}

impl StopReason {
    /// The name used in facts, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            StopReason::Finished => "finished",
            StopReason::Failed => "failed",
            StopReason::Migrated => "migrated",
            StopReason::Preempted => "preempted",
            StopReason::Lost => "lost",
            StopReason::Hedged => "hedged",
            StopReason::Cancelled => "cancelled",
            StopReason::Retracted => "retracted",
        }
    }
}
