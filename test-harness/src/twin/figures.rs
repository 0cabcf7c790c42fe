//! What was measured, beside what was simulated.

use anyhow::Result;
use serde::Serialize;
use shared::fact::{Fact, What};
use shared::id::TaskId;
use shared::time::Time;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The figures of a run; times in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Measured {
    pub finished: u64,
    pub makespan_s: f64,
    pub utilization: f64,
    pub mean_flow_s: f64,
    pub p95_flow_s: f64,
    pub migrations: u64,
}

/// A policy on real daemons and in the simulator.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub policy: String,
    pub real: Measured,
    pub simulated: Measured,
    pub report: PathBuf,
}

/// The figures of a real run, by the definitions of a simulated one.
pub(super) fn of(facts: &[Fact]) -> Measured {
    let mut tasks: BTreeMap<TaskId, (Time, Option<Time>)> = BTreeMap::new();
    let mut present: BTreeMap<&str, (Time, u32)> = BTreeMap::new();
    let mut started = BTreeMap::new();
    let (mut busy_s, mut migrations) = (0.0, 0);
    for Fact { at, what } in facts {
        match what {
            What::TaskQueued { task, .. } => drop(tasks.insert(*task, (*at, None))),
            What::WorkerDescribed { worker, inventory } => {
                present.entry(worker).or_insert((*at, inventory.slots));
            }
            What::AttemptStarted { task, attempt, .. } => drop(started.insert((*task, *attempt), *at)),
            What::AttemptStopped { task, attempt, .. } => {
                let from = started.remove(&(*task, *attempt));
                busy_s += from.map_or(0.0, |from| at.since(from).as_secs_f64());
            }
            What::Migration { .. } => migrations += 1,
            What::TaskFinished { task, .. } => {
                if let Some((_, finished)) = tasks.get_mut(task) {
                    *finished = Some(*at);
                }
            }
            _ => {}
        }
    }
    let first = tasks.values().map(|(queued, _)| *queued).min().unwrap_or(Time::ZERO);
    let last = tasks.values().filter_map(|(_, finished)| *finished).max().unwrap_or(first);
    let from = |joined: Time| last.since(joined.max(first)).as_secs_f64();
    let offered_s: f64 = present.values().map(|(joined, slots)| from(*joined) * f64::from(*slots)).sum();
    let ended = tasks.values().filter_map(|(queued, finished)| Some(finished.as_ref()?.since(*queued).as_secs_f64()));
    let mut flows: Vec<f64> = ended.collect();
    flows.sort_by(f64::total_cmp);
    let p95 = flows.get((flows.len().saturating_sub(1) as f64 * 0.95).round() as usize);
    Measured {
        finished: flows.len() as u64,
        makespan_s: last.since(first).as_secs_f64(),
        utilization: if offered_s > 0.0 { busy_s / offered_s } else { 0.0 },
        mean_flow_s: flows.iter().sum::<f64>() / flows.len().max(1) as f64,
        p95_flow_s: p95.copied().unwrap_or(0.0),
        migrations,
    }
}

pub(super) fn print_json(rows: &[Comparison]) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "runs": rows }))?);
    Ok(())
}

/// A line for each policy and figure: real, simulated, and how far apart they are.
pub(super) fn print(rows: &[Comparison]) -> Result<()> {
    println!("\n{:<18} {:<14} {:>10} {:>10} {:>8}", "policy", "figure", "real", "simulated", "apart");
    for Comparison { policy, real, simulated, report } in rows {
        let figures = [
            ("finished", real.finished as f64, simulated.finished as f64),
            ("makespan_s", real.makespan_s, simulated.makespan_s),
            ("utilization", real.utilization, simulated.utilization),
            ("mean_flow_s", real.mean_flow_s, simulated.mean_flow_s),
            ("p95_flow_s", real.p95_flow_s, simulated.p95_flow_s),
            ("migrations", real.migrations as f64, simulated.migrations as f64),
        ];
        for (name, real, simulated) in figures {
            let apart = if simulated == 0.0 { String::new() } else { format!("{:+.1} %", (real / simulated - 1.0) * 100.0) };
            println!("{policy:<18} {name:<14} {real:>10.3} {simulated:>10.3} {apart:>8}");
        }
        println!("{policy:<18} report         {}", report.display());
    }
    Ok(())
}
