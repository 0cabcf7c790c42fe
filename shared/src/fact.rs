//! What happened. State is rebuilt from facts, and reports are drawn from facts; a simulated run and a real run have the
//! same ones. One fact is one JSON object: `{"t": seconds, "fact": "attempt_started", …}`.

mod about;
mod terms;

pub use crate::decision::{Decision, Rule, Weighed};
pub use terms::{Admission, BreakerState, Known, LoadForecast, StandstillEnd, StopReason};

use crate::config::BalancerConfig;
use crate::hardware::{HardwareKind, Inventory, Load};
use crate::id::{AttemptNumber, ClusterId, Epoch, Session, TaskId, WorkerId};
use crate::outcome::{Failure, TestOutcome, Usage, Verdict};
use crate::protocol::CheckpointRef;
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
    /// A worker told what it holds: from now on it may get work.
    WorkerReady {
        /// Its name.
        worker: Arc<str>,
    },
    /// A worker is connected and gets no new work for now.
    WorkerSuspected {
        /// Its name.
        worker: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// A worker gets no new work because others use it, or gets some again.
    WorkerHeldBack {
        /// Its name.
        worker: Arc<str>,
        /// Which of the two.
        is_held_back: bool,
    },
    /// A worker is trusted with work no longer, to see, or again.
    BreakerMoved {
        /// Its name.
        worker: Arc<str>,
        /// Where its breaker is now.
        breaker: BreakerState,
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
    /// The published table that holds from now on.
    BalancerConfigured {
        /// The table.
        balancer: BalancerConfig,
    },
    /// A policy was asked what to do now. The facts of what it decided follow at once.
    Planned {
        /// The policy.
        policy: Arc<str>,
        /// How many facts.
        moves: u32,
        /// The upper threshold it saw.
        high: f64,
        /// The lower.
        low: f64,
        /// Whether the balancer found the fleet uneven.
        uneven: bool,
        /// Whether someone asked for work to be spread anew.
        #[serde(default, skip_serializing_if = "is_false")]
        ordered: bool,
    },
    /// A worker was given an attempt. It is on disk before the order is sent.
    AttemptLeased {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// To whom.
        worker: Arc<str>,
        /// The kind of hardware it is to run on.
        #[serde(default)]
        hardware: HardwareKind,
        /// The device it is to run on, by its place in the worker's inventory; absent on the processor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<u32>,
        /// Whether another attempt of the task runs already: the first to end counts.
        #[serde(default, skip_serializing_if = "is_false")]
        hedge: bool,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed; absent where there was no choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Arc<Decision>>,
        /// A task that was given its place by the very same decision just before; `decision` stands there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided_with: Option<TaskId>,
    },
    /// The balancer decided to move a running task. Its attempt is asked for its state; when it stands still, the next one
    /// is given to the other worker.
    Migration {
        /// The task.
        task: TaskId,
        /// The attempt that is to stand still.
        attempt: AttemptNumber,
        /// Where it runs.
        from: Arc<str>,
        /// Where it shall go.
        to: Arc<str>,
        /// The kind of hardware it shall run on there.
        hardware: HardwareKind,
        /// The rule that chose it.
        why: Arc<str>,
        /// Seconds earlier it is expected to end.
        predicted_gain_s: f64,
        /// Seconds the move is expected to cost.
        cost_s: f64,
        /// What was weighed; absent where there was no choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Arc<Decision>>,
    },
    /// The balancer decided to stop a running task for a while, to make room. Its attempt is asked for its state; then the
    /// task waits again.
    Preemption {
        /// The task.
        task: TaskId,
        /// The attempt that is to stand still.
        attempt: AttemptNumber,
        /// Where it runs.
        worker: Arc<str>,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed; absent where there was no choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Arc<Decision>>,
    },
    /// A task that was moved has its verdict: what the move brought.
    MigrationJudged {
        /// The task.
        task: TaskId,
        /// Seconds earlier it was expected to end.
        predicted_gain_s: f64,
        /// Seconds earlier it ended than it was then expected to end where it ran.
        realised_gain_s: f64,
    },
    /// An attempt stands still, and its state is on its worker's disk.
    CheckpointSaved {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: AttemptNumber,
        /// The state.
        checkpoint: CheckpointRef,
    },
    /// The order to stand still, from a migration or a preemption, is over.
    StandstillEnded {
        /// The task.
        task: TaskId,
        /// The attempt that was asked for its state.
        attempt: AttemptNumber,
        /// Whether it was followed.
        end: StandstillEnd,
        /// What happened, in a sentence.
        why: Arc<str>,
    },
    /// How long tasks took elsewhere, told before they ran here.
    DurationsKnown {
        /// What was told.
        known: Vec<Known>,
    },
    /// Someone chose another policy.
    PolicyChosen {
        /// Its name.
        policy: Arc<str>,
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
        /// Why it is run again; absent where it goes on from the state it saved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Failure>,
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
    /// The thresholds moved.
    Thresholds {
        /// The upper threshold now in force, 0 to 1.
        high: f64,
        /// The lower.
        low: f64,
        /// The load they answer to.
        load: f64,
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
        /// What is expected; absent where nothing is predicted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<LoadForecast>,
        /// How good the predictions that fell due were, 0 to 1; absent before the first one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accuracy: Option<f64>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests;
