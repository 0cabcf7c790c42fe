//! Facts for tests, written as short as they are said.

use benchmark_db::{Database, Options};
use shared::fact::{Fact, StandstillEnd, StopReason, What};
use shared::hardware::{HardwareKind, Inventory};
use shared::id::{AttemptNumber, ClusterId, Epoch, Session, TaskId, WorkerId};
use shared::outcome::{Failure, TestOutcome, Usage, Verdict};
use shared::task::{Chunk, Framework, TaskSpec, Work};
use shared::time::Time;

pub const CLUSTER: ClusterId = ClusterId([7; 16]);

pub fn at(seconds: f64, what: What) -> Fact {
    Fact { at: Time((seconds * 1e6).round() as u64), what }
}

/// A database in a folder of its own that holds `facts`.
pub fn database(facts: &[Fact]) -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut database = Database::open(&folder.path().join("benchmark_db.duckdb"), Options::default()).expect("a new file");
    database.append(1, facts).expect("appended");
    (folder, database)
}

pub fn started_life(seconds: f64, wall_ms: u64) -> Fact {
    at(seconds, What::CoordinatorStarted { cluster: CLUSTER, epoch: Epoch(1), wall_ms, version: "0".into() })
}

pub fn spec(kind: &str, owner: &str, cores: u32) -> TaskSpec {
    TaskSpec {
        kind: kind.into(),
        requires: format!("cores>={cores}").parse().expect("a requirement"),
        owner: (!owner.is_empty()).then(|| owner.to_owned()),
        ..TaskSpec::new(format!("{kind}-task"), Work::Command(vec!["true".into()]))
    }
}

pub fn queued(seconds: f64, task: u64, kind: &str, owner: &str, cores: u32) -> Fact {
    at(seconds, What::TaskQueued { task: TaskId(task), spec: spec(kind, owner, cores).into(), key: None })
}

pub fn queued_chunk(seconds: f64, task: u64) -> Fact {
    let chunk = Chunk { framework: Framework::Pytest, argv: vec!["pytest".into()], targets: vec![], tests: vec![], junit: None };
    let spec = TaskSpec { work: Work::Tests(chunk), ..spec("chunk", "", 1) };
    at(seconds, What::TaskQueued { task: TaskId(task), spec: spec.into(), key: None })
}

pub fn joined(seconds: f64, worker: &str, slots: u32) -> [Fact; 2] {
    let inventory = Inventory { slots, cores: slots, ..Inventory::default() };
    let id = WorkerId([slots as u8; 16]);
    [
        at(seconds, What::WorkerJoined { worker: worker.into(), id, session: Session(1) }),
        at(seconds, What::WorkerDescribed { worker: worker.into(), inventory }),
    ]
}

pub fn left(seconds: f64, worker: &str) -> Fact {
    at(seconds, What::WorkerLeft { worker: worker.into(), why: "goodbye".into() })
}

pub fn number(ordinal: u32) -> AttemptNumber {
    AttemptNumber::new(Epoch(1), ordinal)
}

pub fn started(seconds: f64, task: u64, ordinal: u32, worker: &str, progress: f64) -> Fact {
    let (attempt, hardware) = (number(ordinal), HardwareKind::Cpu);
    at(seconds, What::AttemptStarted { task: TaskId(task), attempt, worker: worker.into(), hardware, progress })
}

pub fn stopped(seconds: f64, task: u64, ordinal: u32, worker: &str, reason: StopReason, progress: f64) -> Fact {
    stopped_with(seconds, task, ordinal, worker, (reason, progress, None, None))
}

pub fn stopped_with(
    seconds: f64,
    task: u64,
    ordinal: u32,
    worker: &str,
    (reason, progress, failure, message): (StopReason, f64, Option<Failure>, Option<&str>),
) -> Fact {
    at(
        seconds,
        What::AttemptStopped {
            task: TaskId(task),
            attempt: number(ordinal),
            worker: worker.into(),
            reason,
            progress,
            failure,
            exit_code: None,
            signal: None,
            message: message.map(str::to_owned),
            setup_s: 0.0,
            run_s: 0.0,
            usage: Usage::default(),
            log_bytes: 0,
        },
    )
}

pub fn requeued(seconds: f64, task: u64, why: Failure) -> Fact {
    at(seconds, What::TaskRequeued { task: TaskId(task), why: Some(why) })
}

pub fn finished(seconds: f64, task: u64, attempt: Option<u32>, verdict: Verdict) -> Fact {
    at(seconds, What::TaskFinished { task: TaskId(task), attempt: attempt.map(number), verdict, failure: None })
}

pub fn test(seconds: f64, (task, ordinal, index): (u64, u32, u32), name: &str, outcome: TestOutcome, took: f64) -> Fact {
    let message = (!outcome.is_green()).then(|| format!("{name} broke in attempt {ordinal}"));
    let attempt = number(ordinal);
    at(seconds, What::TestFinished { task: TaskId(task), attempt, index, test: name.into(), outcome, seconds: took, message })
}

pub fn sampled(seconds: f64, load: f64) -> Fact {
    at(seconds, What::LoadSampled { load, imbalance: 0.25, high: 0.85, low: 0.2, workers: 2, forecast: None, accuracy: None })
}

/// An order to move a running task, from one worker to another.
pub fn moved(seconds: f64, task: u64, ordinal: u32, (from, to): (&str, &str)) -> Fact {
    moved_for(seconds, task, ordinal, (from, to), (10.0, 2.0))
}

/// The same, with the seconds it is expected to gain and to cost.
pub fn moved_for(seconds: f64, task: u64, ordinal: u32, (from, to): (&str, &str), (gain_s, cost_s): (f64, f64)) -> Fact {
    let (task, attempt, hardware) = (TaskId(task), number(ordinal), HardwareKind::Cpu);
    let (from, to, why) = (from.into(), to.into(), "it ends sooner there".into());
    at(seconds, What::Migration { task, attempt, from, to, hardware, why, predicted_gain_s: gain_s, cost_s, decision: None })
}

pub fn stood_still(seconds: f64, task: u64, ordinal: u32, end: StandstillEnd) -> Fact {
    at(seconds, What::StandstillEnded { task: TaskId(task), attempt: number(ordinal), end, why: "so".into() })
}

pub fn judged(seconds: f64, task: u64, predicted_gain_s: f64, realised_gain_s: f64) -> Fact {
    at(seconds, What::MigrationJudged { task: TaskId(task), predicted_gain_s, realised_gain_s })
}
