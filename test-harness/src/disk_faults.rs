//! What full disks do: one small disk each for the log, for a worker's files and for the metrics database, filled to the last
//! byte and freed again, over and over, while tasks run.

mod small_disk;

use crate::daemons::Daemons;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use shared::api::{Accepted, TaskRequest};
use small_disk::SmallDisk;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Within how long work is refused once there is no space, and taken again once there is.
const REFUSED_S: f64 = 1.0;
const HEALED_S: f64 = 5.0;
/// The longest wait for anything.
const LIMIT: Duration = Duration::from_secs(30);
/// How often things are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The flags of `disk-faults`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: as root, twenty times each, all three at once
  test-harness disk-faults --cycles 20")]
pub struct Options {
    /// How often each disk is filled and freed
    #[arg(long, default_value_t = 3)]
    cycles: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured; times are the longest of all cycles, in seconds.
#[derive(Debug, Default, Serialize)]
struct Figures {
    cycles: u32,
    log: Log,
    spool: Spool,
    database: Database,
}

#[derive(Debug, Default, Serialize)]
struct Log {
    refused_after_s: f64,
    longest_answer_s: f64,
    results_while_full: u64,
    healed_after_s: f64,
    acknowledged: u64,
    acknowledged_and_lost: u64,
    workers_lost: u64,
}

#[derive(Debug, Default, Serialize)]
struct Spool {
    passed_while_full: u64,
    healed_after_s: f64,
    workers_lost: u64,
}

#[derive(Debug, Default, Serialize)]
struct Database {
    accepted_while_full: u64,
    healed_after_s: f64,
}

/// Fills and frees all three disks, and prints what came of it.
///
/// # Errors
/// A promise does not hold, or disks cannot be mounted here.
pub async fn run(options: &Options) -> Result<()> {
    let cycles = options.cycles;
    let (log, spool, database) = tokio::try_join!(log(cycles), spool(cycles), database(cycles))?;
    let figures = Figures { cycles, log, spool, database };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    }
    let Figures { log, spool, database, .. } = &figures;
    if log.acknowledged_and_lost > 0 || log.workers_lost > 0 || spool.workers_lost > 0 {
        bail!("a full disk cost tasks or workers");
    }
    for (what, found, bound) in [
        ("work was refused", log.refused_after_s, REFUSED_S),
        ("a submit was answered", log.longest_answer_s, REFUSED_S),
        ("work was taken again", log.healed_after_s, HEALED_S),
        ("output was whole again", spool.healed_after_s, HEALED_S),
        ("the metrics database went on", database.healed_after_s, HEALED_S),
    ] {
        if found > bound {
            bail!("{what} after {found:.1} s; {bound:.1} s are promised");
        }
    }
    Ok(())
}

fn sh(script: &str) -> TaskRequest {
    TaskRequest { command: ["sh", "-c", script].map(String::from).to_vec(), ..TaskRequest::default() }
}

async fn state(daemons: &Daemons, id: u64) -> Result<Value> {
    daemons.get(&format!("/api/tasks/{id}")).await
}

/// Waits for the verdict `passed` of a task.
async fn passes(daemons: &Daemons, id: u64) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        match state(daemons, id).await?["verdict"].as_str() {
            Some("passed") => return Ok(()),
            Some(other) => bail!("task {id} ended as {other}"),
            None => sleep(LOOK).await,
        }
    }
    bail!("task {id} had no verdict after {} s", LIMIT.as_secs())
}

/// Facts that say that a worker was lost, or was about to be.
async fn workers_lost(daemons: &Daemons) -> Result<u64> {
    let (mut from, mut found) = (0, 0);
    loop {
        let page = daemons.get(&format!("/api/facts?from={from}")).await?;
        let facts = page["facts"].as_array().context("a page of facts holds facts")?;
        if facts.is_empty() {
            return Ok(found);
        }
        let is_loss = |fact: &&Value| {
            fact["fact"].as_str().is_some_and(|name| ["worker_suspected", "worker_disconnected", "worker_left"].contains(&name))
        };
        found += facts.iter().filter(is_loss).count() as u64;
        from = page["next"].as_u64().context("a page of facts says where to go on")?;
    }
}

/// Submits one task and says how it was answered: its number, or nothing where it was refused with 503.
async fn submit_one(daemons: &Daemons, found: &mut Log) -> Result<Option<u64>> {
    let began = Instant::now();
    let answer = daemons.try_submit(&[sh("true")]).await?;
    found.longest_answer_s = found.longest_answer_s.max(began.elapsed().as_secs_f64());
    match answer.status().as_u16() {
        202 => Ok(answer.json::<Accepted>().await?.task_ids.first().map(|id| id.0)),
        503 => {
            let said = answer.text().await?;
            if !said.contains("disk") {
                bail!("a submit was refused without saying that it is the disk: {said}");
            }
            Ok(None)
        }
        other => bail!("a submit was answered {other}"),
    }
}

async fn log(cycles: u32) -> Result<Log> {
    let disk = SmallDisk::mount(16)?;
    let data_dir = disk.path().join("data").display().to_string();
    let mut daemons = Daemons::start_with(&["--data-dir", &data_dir]).await?;
    let url = daemons.url.clone();
    daemons.add_worker("w", &url, 4)?;
    daemons.wait_for_workers(1).await?;
    let (mut found, mut acknowledged) = (Log::default(), BTreeSet::new());
    for _ in 0..cycles {
        let running = daemons.submit(&[sh("sleep 2"), sh("sleep 2")]).await?;
        for id in &running {
            while state(&daemons, *id).await?["state"] != "running" {
                sleep(LOOK).await;
            }
        }
        acknowledged.extend(&running);
        disk.fill()?;
        let full = Instant::now();
        while let Some(id) = submit_one(&daemons, &mut found).await? {
            acknowledged.insert(id);
            if full.elapsed() > LIMIT {
                bail!("work was taken for {} s after the disk was full", LIMIT.as_secs());
            }
        }
        found.refused_after_s = found.refused_after_s.max(full.elapsed().as_secs_f64());
        for id in running {
            passes(&daemons, id).await.context("while the disk was full")?;
            found.results_while_full += 1;
        }
        if submit_one(&daemons, &mut found).await?.is_some() {
            bail!("work was taken while the disk was full");
        }
        disk.free()?;
        let freed = Instant::now();
        while freed.elapsed() < LIMIT {
            if let Some(id) = submit_one(&daemons, &mut found).await? {
                acknowledged.insert(id);
                break;
            }
            sleep(LOOK).await;
        }
        found.healed_after_s = found.healed_after_s.max(freed.elapsed().as_secs_f64());
    }
    for id in &acknowledged {
        found.acknowledged_and_lost += u64::from(passes(&daemons, *id).await.is_err());
    }
    found.acknowledged = acknowledged.len() as u64;
    found.workers_lost = workers_lost(&daemons).await?;
    Ok(found)
}

async fn spool(cycles: u32) -> Result<Spool> {
    let disk = SmallDisk::mount(16)?;
    let mut daemons = Daemons::start().await?;
    let url = daemons.url.clone();
    daemons.add_worker_in(&disk.path().join("work"), "w", &url, 4)?;
    daemons.wait_for_workers(1).await?;
    let print = "head -c 100000 /dev/zero | tr '\\0' x";
    let mut found = Spool::default();
    for _ in 0..cycles {
        let running = daemons.submit(&[sh(&format!("sleep 0.5; {print}; sleep 0.5"))]).await?;
        disk.fill()?;
        let more = daemons.submit(&[sh(print), sh("true")]).await?;
        for id in running.iter().chain(&more) {
            passes(&daemons, *id).await.context("while the disk under the worker was full")?;
            found.passed_while_full += 1;
        }
        disk.free()?;
        let freed = Instant::now();
        while freed.elapsed() < LIMIT {
            let id = daemons.submit(&[sh(print)]).await?[0];
            passes(&daemons, id).await?;
            let attempts = state(&daemons, id).await?["attempts"].clone();
            if attempts[0]["log_bytes"] == 100_000 {
                break;
            }
        }
        found.healed_after_s = found.healed_after_s.max(freed.elapsed().as_secs_f64());
    }
    found.workers_lost = workers_lost(&daemons).await?;
    Ok(found)
}

async fn database(cycles: u32) -> Result<Database> {
    let disk = SmallDisk::mount(64)?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let (db_path, data_dir) = (disk.path().join("metrics.duckdb"), folder.path().join("data"));
    let (db_path, data_dir) = (db_path.display().to_string(), data_dir.display().to_string());
    let daemons = Daemons::start_with(&["--db-path", &db_path, "--data-dir", &data_dir]).await?;
    let mut found = Database::default();
    for _ in 0..cycles {
        disk.fill()?;
        let full = Instant::now();
        while daemons.get("/status").await?["database_problem"].is_null() {
            found.accepted_while_full += daemons.submit(&vec![sh("true"); 500]).await?.len() as u64;
            if full.elapsed() > LIMIT {
                bail!("nobody was told that the disk under the metrics database is full");
            }
            sleep(LOOK * 5).await;
        }
        disk.free()?;
        let freed = Instant::now();
        loop {
            let status = daemons.get("/status").await?;
            if status["database_problem"].is_null() && !status["facts_recorded"].is_null() {
                break;
            }
            if freed.elapsed() > LIMIT {
                bail!("the metrics database does not go on: {}", status["database_problem"]);
            }
            sleep(LOOK).await;
        }
        found.healed_after_s = found.healed_after_s.max(freed.elapsed().as_secs_f64());
    }
    Ok(found)
}
