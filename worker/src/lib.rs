//! The worker daemon: processes, sockets and disks around `worker-core`.

mod args;
mod checkpoint;
mod clock;
mod criu;
mod disk;
mod driver;
mod files;
pub mod hardware;
pub mod output;
pub mod process;
mod runner;
mod runners;
mod session;
mod settings;
mod setup;
pub mod suite;
pub mod telemetry;
mod token;
mod workdir;

pub use args::{Args, Encoding, Endpoint};

use anyhow::{Context, Result};
use driver::{Driver, Surroundings};
use files::Blobs;
use hardware::Thoroughness;
use hardware::tree::Tree;
use runner::wire::{Exit, Kept};
use runners::Runners;
use settings::Settings;
use shared::id::BootNonce;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use telemetry::energy::Meter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use workdir::WorkDir;
use worker_core::{Event, Worker};

/// Events that wait for the core.
const EVENTS_MAX: usize = 1024;
/// What runners said that waits for the core, in batches.
const SAID_MAX: usize = 256;
/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Runs a worker until it is told to stop by SIGTERM, SIGINT or, where asked for, the end of its standard input.
///
/// Its tasks are held by a process of their own, see [`run_runner`]: when this one is killed they go on until their lease
/// ends, and the next worker on the same directory takes them over.
///
/// An error is one of usage or one that trying again cannot mend; it says what to do.
pub async fn run(args: Args) -> Result<()> {
    if let Some(kind) = args.probe {
        println!("{}", hardware::probe_here(kind).await);
        return Ok(());
    }
    if args.detect {
        return tell_hardware(&args);
    }
    let mut settings = Settings::new(&args)?;
    let criu = tokio::task::spawn_blocking(criu::check).await?;
    let label = if criu.is_ok() { "available" } else { "unavailable" };
    settings.machine.labels.insert(criu::LABEL.into(), label.into());
    let work = Arc::new(WorkDir::open(&settings.work_dir)?);
    let identity = work.identity()?;
    let (said, hears) = mpsc::channel(SAID_MAX);
    let (runners, kept, left) = Runners::find(work.clone(), &settings.env, settings.machine.slots as usize, said)
        .await
        .context("looking for what runs")?;
    let held: BTreeSet<_> = kept.iter().map(|kept| kept.attempt).chain(left.iter().map(|exit| exit.attempt)).collect();
    work.sweep(&held)?;
    files::prune(&work.layout().blobs(), files::CACHE_BYTES_MAX).context("clearing the cache of files")?;

    let (mut boot, mut seed) = ([0; 8], [0; 8]);
    getrandom::fill(&mut boot).and_then(|()| getrandom::fill(&mut seed)).context("drawing random numbers")?;
    let who = worker_core::Identity {
        worker: identity.worker,
        name: settings.name.clone(),
        boot: BootNonce(boot),
        cluster: identity.cluster,
        epoch_seen: identity.epoch_seen,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let found = kept.iter().map(held_of).chain(left.iter().map(|exit| held_of(&kept_of(exit)))).collect();
    let core = Worker::new(who, settings.machine.clone(), found, u64::from_le_bytes(seed));
    let (events, happened) = mpsc::channel(EVENTS_MAX);
    let around = Surroundings {
        blobs: Arc::new(Blobs::new(work.layout().blobs(), settings.endpoint.http_url(), settings.token.clone())),
        work: work.clone(),
        events: events.clone(),
    };
    let (order, orders) = mpsc::channel(4);
    listen_for_the_end(order, args.exit_with_parent)?;
    let meter = Meter::new(Tree::system());
    tokio::spawn(look(telemetry::Gauge::new(work.layout().root(), &settings.machine.devices, meter)?, events));
    tracing::info!(
        name = settings.name,
        slots = settings.machine.slots,
        work_dir = %work.layout().root().display(),
        held = held.len(),
        criu = criu.err().unwrap_or_else(|| label.into()),
        "worker for {}",
        settings.endpoint.authority
    );
    let mut driver = Driver::new(core, settings, identity, around, runners);
    driver.take_over(kept, left);
    driver.run(happened, hears, orders).await
}

/// Prints what hardware is found.
fn tell_hardware(args: &Args) -> Result<()> {
    let kinds = hardware::detect(&args.hardware, Thoroughness::Everything);
    let machine = telemetry::inventory(args, telemetry::host_name(), &kinds)?;
    let report = hardware::Report { machine: &machine, kinds: &kinds };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Is the runner whose folder is `dir`: a process that holds the tasks of a worker.
///
/// # Errors
/// The folder is not usable.
pub fn run_runner(dir: &Path, slots: Option<u32>) -> Result<()> {
    runner::run(dir, slots.unwrap_or(1) as usize)
}

/// An attempt of an earlier life, as the core takes it. What has stopped or ended follows as an event.
fn held_of(kept: &Kept) -> worker_core::Held {
    let found = match kept.ending {
        Some(reason) => worker_core::Found::Ending(reason),
        None => worker_core::Found::Running { since: kept.since, heard: kept.heard, save_until: kept.save_until },
    };
    let Kept { attempt, can_save, log_bytes, .. } = *kept;
    // What has ended has had its time, however long ago that was.
    let limits = if kept.exit.is_some() { shared::task::Timeouts::default() } else { kept.limits };
    worker_core::Held { attempt, limits, can_save, found, tests: kept.tests.clone(), log_bytes }
}

/// An attempt of which no more is left than how it ended.
fn kept_of(exit: &Exit) -> Kept {
    Kept {
        attempt: exit.attempt,
        limits: shared::task::Timeouts::default(),
        can_save: false,
        since: clock::now(),
        heard: clock::now(),
        save_until: None,
        stopped: None,
        ending: exit.by,
        tests: exit.tests.clone(),
        log_bytes: exit.log_bytes,
        exit: Some(exit.clone()),
    }
}

fn listen_for_the_end(order: mpsc::Sender<()>, exit_with_parent: bool) -> Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("listening for signals")?;
        let order = order.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && order.send(()).await.is_ok() {} });
    }
    if exit_with_parent {
        // A thread of its own: a read of the standard input cannot be given up, and must not hold up the end.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = order.blocking_send(());
        });
    }
    Ok(())
}

/// Measures how busy the machine is, again and again, where it may take its time.
async fn look(mut gauge: telemetry::Gauge, events: mpsc::Sender<Event>) {
    loop {
        let Ok((back, load)) = tokio::task::spawn_blocking(move || {
            let load = gauge.read();
            (gauge, load)
        })
        .await
        else {
            return;
        };
        gauge = back;
        if events.send(Event::Measured(load)).await.is_err() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
