//! The worker daemon: processes, sockets and disks around `worker-core`.

mod args;
mod clock;
mod disk;
mod driver;
mod files;
pub mod hardware;
mod journal;
pub mod output;
pub mod process;
mod runner;
mod session;
mod settings;
pub mod suite;
pub mod telemetry;
mod token;
mod workdir;

pub use args::{Args, Encoding, Endpoint};

use anyhow::{Context, Result};
use driver::Driver;
use files::Blobs;
use hardware::Thoroughness;
use hardware::tree::Tree;
use runner::Surroundings;
use settings::Settings;
use shared::id::BootNonce;
use std::sync::Arc;
use std::time::Duration;
use suite::WarmPool;
use telemetry::energy::Meter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use workdir::WorkDir;
use worker_core::{Event, Worker};

/// Events of attempts that wait for the core.
const EVENTS_MAX: usize = 1024;
/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Runs a worker until it is told to stop by SIGTERM, SIGINT or, where asked for, the end of its standard input.
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
    let settings = Settings::new(&args)?;
    let work = Arc::new(WorkDir::open(&settings.work_dir)?);
    let identity = work.identity()?;
    let results = recover(&work).await?;
    let outputs = driver::outputs_of(&results, |attempt| work.output(attempt));
    let leftovers = results.into_iter().map(|stored| {
        let output = outputs.get(&stored.attempt);
        driver::leftover(stored, output)
    });

    let (mut boot, mut seed) = ([0; 8], [0; 8]);
    getrandom::fill(&mut boot).and_then(|()| getrandom::fill(&mut seed)).context("drawing random numbers")?;
    work.begin(BootNonce(boot))?;
    let who = worker_core::Identity {
        worker: identity.worker,
        name: settings.name.clone(),
        boot: BootNonce(boot),
        cluster: identity.cluster,
        epoch_seen: identity.epoch_seen,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let core = Worker::new(who, settings.machine.clone(), leftovers.collect(), u64::from_le_bytes(seed));
    let (events, happened) = mpsc::channel(EVENTS_MAX);
    let meter = Meter::new(Tree::system()).map(Arc::new);
    let around = Arc::new(Surroundings {
        blobs: Blobs::new(work.blobs(), settings.endpoint.http_url(), settings.token.clone()),
        env: settings.env.clone(),
        boot: BootNonce(boot),
        warm: WarmPool::new(work.root().join("warm"), settings.machine.slots as usize),
        events: events.clone(),
        work: work.clone(),
        kernel_kills: runner::kernel_kills().into(),
        meter: meter.clone(),
        devices: settings.machine.devices.clone(),
    });
    let (order, orders) = mpsc::channel(4);
    listen_for_the_end(order, args.exit_with_parent)?;
    tokio::spawn(look(telemetry::Gauge::new(work.root(), &settings.machine.devices, meter)?, events));
    tracing::info!(
        name = settings.name,
        slots = settings.machine.slots,
        work_dir = %work.root().display(),
        "worker for {}",
        settings.endpoint.authority
    );
    Driver::new(core, clock::Clock::start(), settings, identity, around, outputs).run(happened, orders).await
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

/// Clears away what an earlier life of the daemon left, but for results that were not acknowledged.
async fn recover(work: &Arc<WorkDir>) -> Result<Vec<workdir::Stored>> {
    let (results, cookies) = work.leftovers()?;
    // Before the first inventory: it must not leave out what still runs.
    let all_killed = tokio::task::spawn_blocking(move || process::kill_leftovers(cookies)).await?;
    if !all_killed {
        tracing::error!("processes of an earlier life of this worker cannot be killed; restart this machine to be rid of them");
    }
    work.sweep(&results)?;
    files::prune(&work.blobs(), files::CACHE_BYTES_MAX).context("clearing the cache of files")?;
    Ok(results)
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
