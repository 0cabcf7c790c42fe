//! A storm over real processes: coordinator and workers are killed and stopped while real tasks run, and the tasks keep a
//! ledger of their own. What the log says is then held against what the tasks say.

mod audit;
mod ledger;
mod load;
mod trouble;

use crate::farm::Farm;
use anyhow::{Context, Result, bail};
use audit::Audit;
use clap::Args;
use ledger::Ledger;
use load::Load;
use serde::Serialize;
use std::time::{Duration, Instant};
use trouble::Troubles;

/// How long it may take, once the storm is over, until one more task ends: longer than a lease and its margin.
const CALM: Duration = Duration::from_secs(90);

/// How often it is told how far the storm is, in seconds.
const TELL_S: u64 = 30;

/// The flags of `storm`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: ten minutes of it
  test-harness storm --minutes 10 --json")]
pub struct Options {
    /// How long the storm lasts
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tasks submitted each second
    #[arg(long, default_value_t = 110)]
    rate: u32,
    /// Workers
    #[arg(long, default_value_t = 4)]
    workers: u32,
    /// Slots of each worker
    #[arg(long, default_value_t = 16)]
    slots: u32,
    /// The policy; one that begins a task twice on purpose would be told as an overlap
    #[arg(long, default_value = "fifo")]
    policy: String,
    /// The longest a process is stopped, in seconds; the shortest is 5
    #[arg(long, default_value_t = 60)]
    stop_s_max: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Figures {
    minutes: f64,
    seed: u64,
    accepted: u64,
    tasks_per_s: f64,
    #[serde(flatten)]
    troubles: Troubles,
    #[serde(flatten)]
    audit: Audit,
}

/// Lets the storm rage, waits for the calm, holds log against ledger and prints.
///
/// # Errors
/// A promise does not hold, or the farm cannot be started.
pub async fn run(options: &Options) -> Result<()> {
    if options.workers == 0 || options.slots == 0 || options.rate == 0 || options.stop_s_max < 5 {
        bail!("--workers, --slots and --rate must be at least 1, and --stop-s-max at least 5");
    }
    let mut farm = Farm::start(&options.policy, options.workers, options.slots)?;
    let figures = tokio::select! {
        figures = rage(options, &mut farm) => figures?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted; every process is stopped"),
    };
    drop(farm);
    print(&figures, options.json)?;
    let Audit { lost, unfinished, duplicates, overlaps, unexplained, .. } = figures.audit;
    if lost + unfinished + duplicates + overlaps + unexplained > 0 {
        bail!("a promise does not hold: see the counts above");
    }
    Ok(())
}

async fn rage(options: &Options, farm: &mut Farm) -> Result<Figures> {
    let load = Load::begin(options, farm)?;
    let began = Instant::now();
    let mut troubles = Troubles::new(options);
    let until = began + Duration::from_secs_f64(options.minutes * 60.0);
    let mut told = 0;
    while Instant::now() < until {
        troubles.next(farm, until).await?;
        let seconds = began.elapsed().as_secs();
        if seconds / TELL_S > told {
            told = seconds / TELL_S;
            eprintln!("{seconds:>4} s: {} tasks accepted, {troubles}", load.accepted());
        }
    }
    troubles.calm(farm)?;
    let accepted = load.end().await?;
    let (mut fewest, mut since) = (u64::MAX, Instant::now());
    while fewest > 0 {
        let open = farm.open_tasks().await.unwrap_or(u64::MAX);
        if open < fewest {
            (fewest, since) = (open, Instant::now());
        }
        if since.elapsed() > CALM {
            eprintln!("{fewest} tasks are open, and none ended within {} s after the storm", CALM.as_secs());
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    farm.end();
    let ledger = Ledger::read(&load::ledger(farm)).context("reading the ledger of the tasks")?;
    let audit = Audit::of(&farm.data_dir(), &accepted, &ledger, troubles.worker_troubles())?;
    Ok(Figures {
        minutes: options.minutes,
        seed: options.seed,
        accepted: accepted.len() as u64,
        tasks_per_s: ledger.starts() as f64 / seconds,
        troubles,
        audit,
    })
}

fn print(figures: &Figures, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
        return Ok(());
    }
    let Figures { minutes, accepted, tasks_per_s, troubles, audit, .. } = figures;
    println!("{minutes} minutes: {accepted} tasks, {tasks_per_s:.0} real processes a second, {troubles}");
    println!("{audit}");
    Ok(())
}
