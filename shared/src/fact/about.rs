//! Which task a fact is about.

use super::What;
use crate::id::TaskId;

impl What {
    /// The task it is about; absent where it is about none.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            What::TaskQueued { task, .. }
            | What::AttemptLeased { task, .. }
            | What::Migration { task, .. }
            | What::Preemption { task, .. }
            | What::MigrationJudged { task, .. }
            | What::CheckpointSaved { task, .. }
            | What::StandstillEnded { task, .. }
            | What::AttemptStarted { task, .. }
            | What::TestFinished { task, .. }
            | What::AttemptStopped { task, .. }
            | What::TaskRequeued { task, .. }
            | What::CancelRequested { task }
            | What::TaskFinished { task, .. }
            | What::Fenced { task, .. } => Some(*task),
            What::CoordinatorStarted { .. }
            | What::DurationsKnown { .. }
            | What::PolicyChosen { .. }
            | What::BalancerConfigured { .. }
            | What::Planned { .. }
            | What::WorkerJoined { .. }
            | What::WorkerDescribed { .. }
            | What::WorkerReady { .. }
            | What::WorkerSuspected { .. }
            | What::WorkerHeldBack { .. }
            | What::BreakerMoved { .. }
            | What::WorkerDisconnected { .. }
            | What::WorkerLeft { .. }
            | What::WorkerSet { .. }
            | What::WorkerSampled { .. }
            | What::Thresholds { .. }
            | What::LoadSampled { .. } => None,
        }
    }
}
