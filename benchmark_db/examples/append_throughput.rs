//! How many facts a second the database takes in: `cargo run --release -p benchmark_db --example append_throughput [facts [batch]]`.

use benchmark_db::{Database, Options};
use shared::fact::{Fact, StopReason, What};
use shared::hardware::HardwareKind;
use shared::id::{AttemptNumber, Epoch, TaskId};
use shared::outcome::{Usage, Verdict};
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let total: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let batch: usize = arguments.next().map_or(Ok(2048), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let mut database = Database::open(&folder.path().join("throughput.duckdb"), Options::default())?;
    let facts = facts(total);
    let started = Instant::now();
    let mut seq = 1;
    for batch in facts.chunks(batch) {
        database.append(seq, batch)?;
        seq += batch.len() as u64;
    }
    let seconds = started.elapsed().as_secs_f64();
    let summed = Instant::now();
    let summary = database.summary()?;
    println!(
        "{total} facts in batches of {batch}: {seconds:.2} s, {:.0} facts/s; summary of {} tasks {:.2} s; resident {}",
        total as f64 / seconds,
        summary.tasks,
        summed.elapsed().as_secs_f64(),
        peak_memory(),
    );
    Ok(())
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    format!("peak {}", peak.trim())
}

/// Tasks of four facts each, one after another.
fn facts(total: usize) -> Vec<Fact> {
    let spec = std::sync::Arc::new(TaskSpec::new("true", Work::Command(vec!["true".into()])));
    let (attempt, worker): (_, std::sync::Arc<str>) = (AttemptNumber::new(Epoch(1), 1), "worker-1".into());
    let one = |index: usize| {
        let task = TaskId(index as u64 / 4 + 1);
        let what = match index % 4 {
            0 => What::TaskQueued { task, spec: spec.clone(), key: None },
            1 => What::AttemptStarted { task, attempt, worker: worker.clone(), hardware: HardwareKind::Cpu, progress: 0.0 },
            2 => What::AttemptStopped {
                task,
                attempt,
                worker: worker.clone(),
                reason: StopReason::Finished,
                progress: 1.0,
                failure: None,
                exit_code: Some(0),
                signal: None,
                message: None,
                setup_s: 0.001,
                run_s: 0.01,
                usage: Usage::default(),
                log_bytes: 0,
            },
            _ => What::TaskFinished { task, attempt: Some(attempt), verdict: Verdict::Passed, failure: None },
        };
        Fact { at: Time(index as u64 * 100), what }
    };
    (0..total).map(one).collect()
}
