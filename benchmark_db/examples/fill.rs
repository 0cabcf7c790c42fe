//! A database of any size, to see how a report copes: `cargo run -p benchmark_db --example fill FILE [facts]`.
//!
//! The facts are made up: commands on 200 workers, five facts each, with what workers measure and the balancer sees every 30 s.
//! Every 50th task fails once, every 100th moves.

use benchmark_db::{Database, Options};
use shared::fact::{Fact, StandstillEnd, StopReason, What};
use shared::hardware::{HardwareKind, Inventory, Load, Power};
use shared::id::{AttemptNumber, Epoch, Session, TaskId, WorkerId};
use shared::outcome::{Failure, Usage, Verdict};
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::sync::Arc;
use std::time::Instant;

const WORKERS: u64 = 200;
/// Seconds between two submits.
const EVERY_S: f64 = 0.02;
/// Seconds between two looks at the fleet.
const LOOK_S: f64 = 30.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name the file to fill")?;
    let total: u64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let options = Options { memory_limit_mb: 1024, ..Options::default() };
    let mut database = Database::open(path.as_ref(), options)?;
    let began = Instant::now();
    let mut pending = fleet();
    let mut task = 0;
    let mut look = 0;
    while database.last_seq() < total {
        for _ in 0..5_000 {
            task += 1;
            run(&mut pending, task);
        }
        let now = task as f64 * EVERY_S;
        while f64::from(look) * LOOK_S < now {
            measure(&mut pending, f64::from(look) * LOOK_S);
            look += 1;
        }
        pending.sort_by_key(|fact| fact.at);
        // What ends later than the next task begins waits for it.
        let due = pending.partition_point(|fact| fact.at.seconds() < now);
        let later = pending.split_off(due);
        database.append(database.last_seq() + 1, &pending)?;
        pending = later;
    }
    println!("{} facts of {task} tasks in {:.0} s", database.last_seq(), began.elapsed().as_secs_f64());
    Ok(())
}

fn at(seconds: f64, what: What) -> Fact {
    Fact { at: Time((seconds * 1e6) as u64), what }
}

fn name(worker: u64) -> Arc<str> {
    format!("rack-{}", worker % WORKERS + 1).into()
}

fn fleet() -> Vec<Fact> {
    let mut facts = Vec::new();
    for n in 0..WORKERS {
        let power = Some(Power { idle_w: 80.0, busy_w: 350.0 });
        let inventory = Inventory { slots: 4, cores: 4, power, ..Inventory::default() };
        facts.push(at(0.0, What::WorkerJoined { worker: name(n), id: WorkerId([n as u8; 16]), session: Session(n) }));
        facts.push(at(0.0, What::WorkerDescribed { worker: name(n), inventory }));
    }
    facts
}

fn run(facts: &mut Vec<Fact>, number: u64) {
    let task = TaskId(number);
    let submitted = number as f64 * EVERY_S;
    let seconds = 0.5 + 5.0 * ((number.wrapping_mul(2_654_435_761) % 1000) as f64 / 1000.0).powi(3);
    let command = vec!["sh".into(), "-c".into(), format!("./check --case {number}")];
    let spec = TaskSpec {
        kind: format!("kind-{}", number % 40),
        owner: Some(format!("team-{}", number % 7)),
        ..TaskSpec::new(format!("tests/unit/test_{}::case_{}", number % 300, number % 5000), Work::Command(command))
    };
    facts.push(at(submitted, What::TaskQueued { task, spec: spec.into(), key: None }));
    let (mut from, mut ordinal) = (submitted + 0.2, 1);
    if number.is_multiple_of(50) {
        attempt(facts, (task, 1), number, (from, from + seconds / 2.0), (StopReason::Finished, Some(Failure::Test), (0.0, 1.0)));
        from += seconds / 2.0;
        facts.push(at(from, What::TaskRequeued { task, why: Some(Failure::Test) }));
        ordinal = 2;
    } else if number % 100 == 1 {
        let (worker, hardware, attempt_number) = (name(number), HardwareKind::Cpu, AttemptNumber::new(Epoch(1), 1));
        attempt(facts, (task, 1), number, (from, from + seconds / 2.0), (StopReason::Migrated, None, (0.0, 0.5)));
        from += seconds / 2.0;
        let (to, why) = (name(number + 1), "it ends sooner there".into());
        let (predicted_gain_s, cost_s, attempt) = (2.0, 0.5, attempt_number);
        let order = What::Migration { task, attempt, from: worker, to, hardware, why, predicted_gain_s, cost_s, decision: None };
        facts.push(at(from - 0.05, order));
        facts.push(at(from, What::StandstillEnded { task, attempt, end: StandstillEnd::Followed, why: "it moved".into() }));
        ordinal = 2;
    }
    let end = from + seconds;
    attempt(facts, (task, ordinal), number + u64::from(ordinal) - 1, (from, end), (StopReason::Finished, None, (0.0, 1.0)));
    let attempt = Some(AttemptNumber::new(Epoch(1), ordinal));
    facts.push(at(end, What::TaskFinished { task, attempt, verdict: Verdict::Passed, failure: None }));
}

fn attempt(
    facts: &mut Vec<Fact>,
    (task, ordinal): (TaskId, u32),
    worker: u64,
    (from, to): (f64, f64),
    (reason, failure, (begins, progress)): (StopReason, Option<Failure>, (f64, f64)),
) {
    let (worker, hardware, attempt) = (name(worker), HardwareKind::Cpu, AttemptNumber::new(Epoch(1), ordinal));
    facts.push(at(
        from - 0.1,
        What::AttemptLeased {
            task,
            attempt,
            worker: worker.clone(),
            hardware,
            device: None,
            hedge: false,
            why: "adaptive: the batch ends soonest so".into(),
            decision: None,
            decided_with: None,
        },
    ));
    facts.push(at(from, What::AttemptStarted { task, attempt, worker: worker.clone(), hardware, progress: begins }));
    facts.push(at(
        to,
        What::AttemptStopped {
            task,
            attempt,
            worker,
            reason,
            progress,
            failure,
            exit_code: Some(i32::from(failure.is_some())),
            signal: None,
            message: failure.map(|_| "the check failed".into()),
            setup_s: 0.01,
            run_s: to - from,
            usage: Usage { user_s: Some(0.31), system_s: Some(0.02), memory_peak_bytes: Some(18_231_296), ..Usage::default() },
            log_bytes: 2231,
        },
    ));
}

fn measure(facts: &mut Vec<Fact>, seconds: f64) {
    for n in 0..WORKERS {
        let load = Load { temperature_c: Some(40.0 + (n % 30) as f64), power_w: Some(210.0), ..Load::default() };
        facts.push(at(seconds, What::WorkerSampled { worker: name(n), load, busy_slots: 2, slots: 4 }));
    }
    let (load, imbalance, high, low, workers) = (0.5, 0.25, 0.85, 0.2, WORKERS as u32);
    facts.push(at(seconds, What::LoadSampled { load, imbalance, high, low, workers, forecast: None, accuracy: None }));
}
