//! Why a task is where it is.

use super::TaskPhase;
use crate::fact::Decision;
use crate::id::TaskId;
use crate::requirement::Unmet;
use serde::{Deserialize, Serialize};

/// `GET /api/tasks/{id}/why`: why a task is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub task_id: TaskId,
    /// Where it is.
    pub state: TaskPhase,
    /// The whole answer in a sentence.
    pub summary: String,
    /// How many tasks are in front of it; absent when it does not wait.
    pub queue_position: Option<u64>,
    /// Whether no worker that is registered could ever run it. Never set because the fleet is busy.
    pub impossible: bool,
    /// What each worker lacks.
    pub workers: Vec<WhyWorker>,
    /// Where it ran and which rule chose that, newest last.
    pub placements: Vec<Placement>,
}

/// What one worker lacks to run a task now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhyWorker {
    /// Its name.
    pub worker: String,
    /// For programs.
    pub code: WhyCode,
    /// The first condition it does not meet.
    pub unmet: Option<Unmet>,
}

/// What keeps a task from a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WhyCode {
    /// Nothing: it can start there.
    Ready,
    /// The machine lacks something the task requires.
    Requirement,
    /// The task asks for more than the whole machine has.
    TooLarge,
    /// Its slots are taken.
    Busy,
    /// Its memory is promised to other tasks.
    MemoryBusy,
    /// An operator cordoned or drains it.
    NotAdmitting,
    /// Others use it: it gets no new work until they use less.
    Overloaded,
    /// Attempts failed there in a row: it gets no new work for a while, and then one attempt.
    Distrusted,
    /// It is not heard.
    Absent,
    /// The task failed there for a reason that was not the task's.
    Avoided,
}

/// Where an attempt was placed, and by which rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Placement {
    /// From 1.
    pub attempt: u32,
    /// Where.
    pub worker: String,
    /// The rule.
    pub why: String,
    /// What was weighed; absent where there was no choice, and where it is too long ago to be remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}
