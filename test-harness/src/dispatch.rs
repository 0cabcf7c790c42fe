//! What dispatching costs: tasks a second from the first submit to the last verdict, the way of a single task from submit
//! to known result, and the coordinator's memory per waiting task.

use crate::daemons::Daemons;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use shared::api::{BATCH_TASKS_MAX, RequestKind, TaskRequest};
use std::time::{Duration, Instant};

/// Single tasks whose way is timed.
const SINGLE_TASKS: usize = 100;
/// The whole run ends after this long, done or not.
const LIMIT: Duration = Duration::from_secs(300);

/// The flags of `bench dispatch`.
#[derive(Debug, Args)]
pub struct Options {
    /// How many tasks
    #[arg(long, default_value_t = 100_000)]
    tasks: usize,
    /// How many workers
    #[arg(long, default_value_t = 4)]
    workers: u32,
    /// Slots of each worker
    #[arg(long, default_value_t = 64)]
    slots: u32,
    /// Start the program `true` for each task, instead of nothing
    #[arg(long)]
    exec: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    tasks: usize,
    workers: u32,
    slots: u32,
    exec: bool,
    tasks_per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    coordinator_cpu_s: f64,
    rss_kb: u64,
    bytes_per_task: f64,
    fsyncs: u64,
}

/// Measures and prints.
pub async fn run(options: &Options) -> Result<()> {
    if options.tasks == 0 || options.workers == 0 || options.slots == 0 {
        bail!("--tasks, --workers and --slots must be at least 1");
    }
    let bytes_per_task = queued_bytes(options).await?;
    let mut daemons = Daemons::start().await?;
    daemons.add_workers(options.workers, options.slots).await?;
    let mut single = Vec::with_capacity(SINGLE_TASKS);
    let mut cursor = 0;
    for _ in 0..SINGLE_TASKS {
        single.push(time_one(&daemons, options, &mut cursor).await?);
    }
    single.sort_unstable();
    let (before, commits) = (daemons.used()?, daemons.metric("evenkeel_log_commits_total").await?);
    let began = Instant::now();
    submit_all(&daemons, options).await?;
    wait_for(&daemons, (options.tasks + SINGLE_TASKS) as u64, began).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = daemons.used()?;
    let quantile = |share: f64| single[((single.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    let figures = Figures {
        tasks: options.tasks,
        workers: options.workers,
        slots: options.slots,
        exec: options.exec,
        tasks_per_s: options.tasks as f64 / seconds,
        p50_ms: quantile(0.5),
        p95_ms: quantile(0.95),
        p99_ms: quantile(0.99),
        coordinator_cpu_s: after.cpu_s - before.cpu_s,
        rss_kb: after.rss_kb,
        bytes_per_task,
        fsyncs: (daemons.metric("evenkeel_log_commits_total").await? - commits) as u64,
    };
    print(&figures, options.json)
}

fn print(figures: &Figures, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
        return Ok(());
    }
    let Figures { tasks, workers, slots, tasks_per_s, p50_ms, p95_ms, p99_ms, .. } = figures;
    println!("{tasks} tasks through {workers} workers of {slots} slots: {tasks_per_s:.0} tasks/s");
    println!(
        "one task, submit to known result: p50 {p50_ms:.1} ms, p95 {p95_ms:.1} ms, p99 {p99_ms:.1} ms ({SINGLE_TASKS} tasks)"
    );
    println!(
        "coordinator: {:.1} s of processor, {} kB resident, {} commits",
        figures.coordinator_cpu_s, figures.rss_kb, figures.fsyncs
    );
    println!("a waiting task takes {:.0} bytes of its memory", figures.bytes_per_task);
    Ok(())
}

fn task(options: &Options) -> TaskRequest {
    if options.exec {
        return TaskRequest { name: Some("true".into()), command: vec!["true".into()], ..TaskRequest::default() };
    }
    TaskRequest { name: Some("noop".into()), kind: RequestKind::Noop, ..TaskRequest::default() }
}

async fn submit_all(daemons: &Daemons, options: &Options) -> Result<()> {
    let mut left = options.tasks;
    while left > 0 {
        let batch = vec![task(options); left.min(BATCH_TASKS_MAX)];
        daemons.submit(&batch).await?;
        left -= batch.len();
    }
    Ok(())
}

/// How much the coordinator grows by a task that waits: all of them are queued while there is no worker.
async fn queued_bytes(options: &Options) -> Result<f64> {
    let daemons = Daemons::start().await?;
    daemons.submit(&vec![task(options); BATCH_TASKS_MAX]).await?;
    let before = daemons.used()?.rss_kb;
    submit_all(&daemons, options).await?;
    let after = daemons.used()?.rss_kb;
    Ok(after.saturating_sub(before) as f64 * 1024.0 / options.tasks as f64)
}

async fn time_one(daemons: &Daemons, options: &Options, cursor: &mut u64) -> Result<Duration> {
    let began = Instant::now();
    let id = *daemons.submit(&[task(options)]).await?.first().context("no task was accepted")?;
    while began.elapsed() < LIMIT {
        let page = daemons.get(&format!("/api/facts?from={cursor}&first_task={id}&last_task={id}&wait_s=10")).await?;
        *cursor = page["next"].as_u64().context("a page of facts says where to go on")?;
        let facts = page["facts"].as_array().context("a page of facts holds facts")?;
        if let Some(finished) = facts.iter().find(|fact| fact["fact"] == "task_finished") {
            if finished["verdict"] != "passed" {
                bail!("task {id} did not pass: {finished}");
            }
            return Ok(began.elapsed());
        }
    }
    bail!("task {id} had no verdict after {} s", LIMIT.as_secs())
}

async fn wait_for(daemons: &Daemons, tasks: u64, began: Instant) -> Result<()> {
    while began.elapsed() < LIMIT {
        let status = daemons.get("/status").await?;
        if status["verdicts"]["passed"].as_u64() == Some(tasks) {
            return Ok(());
        }
        if status["tasks"]["done"].as_u64() == Some(tasks) {
            bail!("not every task passed: {}", status["verdicts"]);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the tasks had no verdict after {} s: {}", LIMIT.as_secs(), daemons.get("/status").await?)
}
