//! How soon a coordinator that was killed gives work again, with many tasks open and a long log to read.

use crate::farm::{COORDINATOR, Farm};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use shared::api::{BATCH_TASKS_MAX, RequestKind, TaskRequest};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The longest wait for anything.
const LIMIT: Duration = Duration::from_secs(300);
/// How often things are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The flags of `bench restart`.
#[derive(Debug, Args)]
pub struct Options {
    /// Tasks that are open at each kill
    #[arg(long, default_value_t = 100_000)]
    open: usize,
    /// Tasks that were done before, which only make the log longer
    #[arg(long, default_value_t = 0)]
    done: usize,
    /// How often the coordinator is killed
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured, from the start of the new process.
#[derive(Debug, Serialize)]
struct Figures {
    open: usize,
    done: usize,
    times: u32,
    facts: u64,
    listening_ms_p50: f64,
    listening_ms_max: f64,
    first_lease_ms_p50: f64,
    first_lease_ms_p99: f64,
    first_lease_ms_max: f64,
}

/// Measures and prints.
///
/// # Errors
/// The farm cannot be started, or does not work.
pub async fn run(options: &Options) -> Result<()> {
    if options.times == 0 || options.open == 0 {
        bail!("--open and --times must be at least 1");
    }
    let mut farm = Farm::start("adaptive", 2, 8)?;
    let noop = TaskRequest { name: Some("noop".into()), kind: RequestKind::Noop, ..TaskRequest::default() };
    submit(&farm, &noop, options.done).await?;
    wait_until(|| async { farm.open_tasks().await.is_ok_and(|open| open == 0) }).await?;
    let short = TaskRequest { command: vec!["sleep".into(), "0.2".into()], ..TaskRequest::default() };
    submit(&farm, &short, options.open).await?;
    let (mut listening, mut first_lease) = (Vec::new(), Vec::new());
    let mut from = 0;
    for _ in 0..options.times {
        from = newest(&farm).await?;
        lease_after(&mut from, &farm).await?;
        farm.kill(COORDINATOR)?;
        let began = Instant::now();
        farm.begin(COORDINATOR)?;
        wait_until(|| async { farm.get("/status").await.is_ok() }).await?;
        listening.push(began.elapsed().as_secs_f64() * 1e3);
        lease_after(&mut from, &farm).await?;
        first_lease.push(began.elapsed().as_secs_f64() * 1e3);
    }
    [&mut listening, &mut first_lease].into_iter().for_each(|times| times.sort_by(f64::total_cmp));
    let at = |times: &[f64], share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let figures = Figures {
        open: options.open,
        done: options.done,
        times: options.times,
        facts: from,
        listening_ms_p50: at(&listening, 0.5),
        listening_ms_max: at(&listening, 1.0),
        first_lease_ms_p50: at(&first_lease, 0.5),
        first_lease_ms_p99: at(&first_lease, 0.99),
        first_lease_ms_max: at(&first_lease, 1.0),
    };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let Figures { open, facts, times, listening_ms_p50, first_lease_ms_p50, first_lease_ms_max, .. } = figures;
    println!("{open} tasks open, {facts} facts, {times} kills");
    println!(
        "listening after {listening_ms_p50:.0} ms; first lease after {first_lease_ms_p50:.0} ms (p50), {first_lease_ms_max:.0} ms (longest)"
    );
    Ok(())
}

async fn submit(farm: &Farm, task: &TaskRequest, count: usize) -> Result<()> {
    wait_until(|| async { farm.get("/status").await.is_ok() }).await?;
    let mut left = count;
    while left > 0 {
        let batch = vec![task.clone(); left.min(BATCH_TASKS_MAX)];
        let answer = farm.http().post(format!("{}/api/tasks", farm.url)).json(&batch).send().await.context("submitting tasks")?;
        answer.error_for_status().context("submitting tasks")?;
        left -= batch.len();
    }
    Ok(())
}

async fn newest(farm: &Farm) -> Result<u64> {
    farm.get("/status").await?["facts"].as_u64().context("the status counts facts")
}

/// Waits for a lease after fact `from`, and moves on to it.
async fn lease_after(from: &mut u64, farm: &Farm) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let page = farm.get(&format!("/api/facts?from={from}&wait_s=5")).await?;
        *from = page["next"].as_u64().context("a page of facts says where to go on")?;
        let facts = page["facts"].as_array().context("a page of facts holds facts")?;
        if facts.iter().any(|fact| fact["fact"] == "attempt_leased") {
            return Ok(());
        }
    }
    bail!("no task was leased within {} s", LIMIT.as_secs())
}

async fn wait_until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) -> Result<()> {
    let began = Instant::now();
    while !is_so().await {
        if began.elapsed() > LIMIT {
            bail!("the coordinator was not ready within {} s", LIMIT.as_secs());
        }
        sleep(LOOK).await;
    }
    Ok(())
}
