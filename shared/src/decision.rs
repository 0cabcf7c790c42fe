//! What was weighed when a task was given a place: every term of every score, as it was.

use crate::hardware::HardwareKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a task went where it went. Of two scores the lower is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// How the terms make a score.
    pub rule: Rule,
    /// How many places were weighed.
    pub weighed: u32,
    /// The winner, then the others, the best first; at most eight in all.
    pub candidates: Vec<Weighed>,
    /// Where the task runs already, for one that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<Weighed>,
    /// By how much the winner's score is lower than that of where the task runs or, for one that waits, of the runner-up; below
    /// zero where a better place had no room.
    pub gain: f64,
}

/// How the terms make a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Rule {
    /// What it costs there by the prices of hardware, beside what it costs where it costs least: the score is `cost`.
    Price,
    /// When it ends there: the score is `wait_weight · wait_s + seconds + cost`.
    Finish {
        /// What a second of waiting counts.
        wait_weight: f64,
    },
}

/// A place, and what it was weighed by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Weighed {
    /// A worker; it stands for all that are like it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub worker: Arc<str>,
    /// Its hardware.
    pub hardware: HardwareKind,
    /// Seconds until it has room.
    pub wait_s: f64,
    /// Seconds the task is expected to take there.
    pub seconds: f64,
    /// What else counts: seconds or, by prices, times what the task costs where it costs least.
    pub cost: f64,
    /// What the terms come to.
    pub score: f64,
}
