//! What happened. State is rebuilt from facts, and reports are drawn from facts; a simulated run and a real run have the
//! same ones. One fact is one JSON object: `{"t": seconds, "fact": "attempt_started", …}`.

use crate::hardware::{HardwareKind, Inventory, Load};
use crate::id::{AttemptNumber, ClusterId, Epoch, Session, TaskId, WorkerId};
use crate::outcome::{Failure, TestOutcome, Usage, Verdict};
use crate::task::TaskSpec;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// When, since the run began.
    #[serde(rename = "t")]
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened, in the past tense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum What {
    /// A coordinator began a life.
    CoordinatorStarted {
        /// The cluster.
        cluster: ClusterId,
        /// Which life.
        epoch: Epoch,
        /// The wall clock at this moment, in milliseconds since 1970: only for people to read.
        wall_ms: u64,
        /// The version of the program.
        version: String,
    },
    /// A task was accepted.
    TaskQueued {
        /// The task.
        task: TaskId,
        /// What it is.
        spec: Arc<TaskSpec>,
        /// The submitter's name for this submission, under which it may be repeated safely.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Arc<str>>,
    },
    /// A worker registered.
    WorkerJoined {
        /// Its name.
        worker: Arc<str>,
        /// Its identity.
        id: WorkerId,
        /// The session.
        session: Session,
    },
    /// A worker told what it has.
    WorkerDescribed {
        /// Its name.
        worker: Arc<str>,
        /// What it has.
        inventory: Inventory,
    },
    /// A worker's connection ended; its attempts may still run.
    WorkerDisconnected {
        /// Its name.
        worker: Arc<str>,
        /// How it ended.
        why: String,
    },
    /// A worker said goodbye, or did not come back before its lease ended.
    WorkerLeft {
        /// Its name.
        worker: Arc<str>,
        /// Which of the two.
        why: String,
    },
    /// An operator changed which work a worker receives.
    WorkerSet {
        /// Its name.
        worker: Arc<str>,
        /// What it receives from now on.
        admission: Admission,
    },
    /// A worker told how busy it is.
    WorkerSampled {
        /// Its name.
        worker: Arc<str>,
        /// How busy.
        load: Load,
        /// Slots in use.
        busy_slots: u32,
        /// Slots it has.
        slots: u32,
    },
    /// A worker was given an attempt. It is on disk before the order is sent.
    AttemptLeased {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// To whom.
        worker: Arc<str>,
        /// The rule that chose it.
        why: Arc<str>,
    },
    /// The process of an attempt began.
    AttemptStarted {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// Where.
        worker: Arc<str>,
        /// On which kind of hardware.
        hardware: HardwareKind,
        /// Share of the work already done, 0 to 1.
        progress: f64,
    },
    /// A test of a chunk ended.
    TestFinished {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// The test's index in the chunk.
        index: u32,
        /// The test.
        test: Arc<str>,
        /// How it ended.
        outcome: TestOutcome,
        /// Seconds it took.
        seconds: f64,
        /// Why it failed or was skipped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An attempt is over.
    AttemptStopped {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// Where it was.
        worker: Arc<str>,
        /// Why it is over.
        reason: StopReason,
        /// Share of the work done, 0 to 1.
        progress: f64,
        /// What did not go well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// The exit status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// The signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        /// What went wrong, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Seconds before its process started.
        #[serde(default)]
        setup_s: f64,
        /// Seconds its process ran.
        #[serde(default)]
        run_s: f64,
        /// What it used.
        #[serde(default)]
        usage: Usage,
        /// Bytes of output it wrote.
        #[serde(default)]
        log_bytes: u64,
    },
    /// A task whose attempt is over waits again.
    TaskRequeued {
        /// The task.
        task: TaskId,
        /// Why it is run again.
        why: Failure,
    },
    /// Someone asked for a task to stop.
    CancelRequested {
        /// The task.
        task: TaskId,
    },
    /// The one verdict on a task.
    TaskFinished {
        /// The task.
        task: TaskId,
        /// The attempt that decided it; absent where none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<AttemptNumber>,
        /// The verdict.
        verdict: Verdict,
        /// What did not go well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// A worker spoke about an attempt that was not its to speak of.
    Fenced {
        /// Who spoke.
        worker: Arc<str>,
        /// The task.
        task: TaskId,
        /// The attempt it named.
        attempt: AttemptNumber,
        /// What it said.
        said: String,
    },
    /// The balancer looked at the fleet.
    LoadSampled {
        /// Mean share of slots in use, 0 to 1.
        load: f64,
        /// The largest share less the smallest.
        imbalance: f64,
        /// The upper threshold in force.
        high: f64,
        /// The lower threshold in force.
        low: f64,
        /// Workers that were present.
        workers: u32,
    },
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl What {
    /// The task it is about; absent where it is about none.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            What::TaskQueued { task, .. }
            | What::AttemptLeased { task, .. }
            | What::AttemptStarted { task, .. }
            | What::TestFinished { task, .. }
            | What::AttemptStopped { task, .. }
            | What::TaskRequeued { task, .. }
            | What::CancelRequested { task }
            | What::TaskFinished { task, .. }
            | What::Fenced { task, .. } => Some(*task),
            What::CoordinatorStarted { .. }
            | What::WorkerJoined { .. }
            | What::WorkerDescribed { .. }
            | What::WorkerDisconnected { .. }
            | What::WorkerLeft { .. }
            | What::WorkerSet { .. }
            | What::WorkerSampled { .. }
            | What::LoadSampled { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;

    #[test]
    fn a_fact_is_one_flat_object_with_its_time_in_seconds() {
        let fact = Fact {
            at: Time(1_500_000),
            what: What::AttemptStarted {
                task: TaskId(7),
                attempt: AttemptNumber::new(Epoch(1), 1),
                worker: "gpu-1".into(),
                hardware: HardwareKind::Cuda,
                progress: 0.0,
            },
        };
        let text = serde_json::to_string(&fact).expect("serialisable");
        assert_eq!(
            text,
            r#"{"t":1.5,"fact":"attempt_started","task":7,"attempt":4294967297,"worker":"gpu-1","hardware":"cuda","progress":0.0}"#
        );
        assert_eq!(serde_json::from_str::<Fact>(&text).expect("what was written"), fact);
    }
}
