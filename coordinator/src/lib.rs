//! The coordinator: sockets, the durable log and the HTTP API around `coordinator-core`.

mod auth;
mod blobs;
mod config;
mod driver;
mod http;
mod live;
mod log;
mod output;
mod recorded;
mod recorder;
mod release;
mod session;
mod trace;
mod web;
mod webhook;

pub use config::{Args, Command, Instead};
pub use log::LogError;
pub use log::salvage::{SalvageError, Salvaged};
pub use log::sqlite::SqliteLog;
pub use recorded::Recorded;

use anyhow::{Context, bail};
use config::Settings;
use coordinator_core::{Config, Coordinator, policy};
use driver::Clock;
use http::App;
use log::{LogHealth, Reserve, Writer};
use recorder::Recorder;
use shared::fact::What;
use shared::id::ClusterId;
use shared::time::Time;
use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How long requests may take to end when the coordinator is asked to stop.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Does what it is asked for.
///
/// # Errors
/// See [`run`] and [`salvage`].
pub async fn obey(command: Command) -> anyhow::Result<()> {
    let Command { args, instead } = command;
    let Some(Instead::Salvage { data_dir, json }) = instead else { return run(args).await };
    let salvaged = salvage(&data_dir)?;
    if json {
        println!("{}", serde_json::to_string(&salvaged)?);
        return Ok(());
    }
    let Salvaged { kept, lost_at_least, damage, aside } = salvaged;
    println!("kept {kept} records; at least {lost_at_least} are lost, from {damage}");
    println!("the damaged log lies in {}", aside.display());
    println!("tasks submitted after record {kept} are gone: submit them again; those whose results are gone run again");
    Ok(())
}

/// Keeps what lies before the damage in the log of a data folder that no coordinator uses.
///
/// # Errors
/// The folder is in use or holds no log, the log is sound, or the disk refuses.
pub fn salvage(data_dir: &Path) -> anyhow::Result<Salvaged> {
    if !data_dir.is_dir() {
        return Err(SalvageError::NoLog { path: data_dir.to_owned() }.into());
    }
    let _lock = lock(data_dir)?;
    Ok(log::salvage::salvage(data_dir)?)
}

/// How long the system may go on sending to someone who acknowledges nothing; by itself it would for a quarter of an hour.
const UNHEARD_MAX: Duration = Duration::from_secs(20);

/// Runs a coordinator until it is asked to stop (SIGTERM, ctrl-c, or standard input closed with `--exit-with-parent`).
///
/// # Errors
/// Anything that keeps it from starting: the port, the folder, the log, the database, the configuration.
pub async fn run(args: Args) -> anyhow::Result<()> {
    // The log may be a file on a full disk: what cannot be written is not worth dying for, as telling of it on stderr would be.
    let to_stderr = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()));
    // A host that embeds this may have set up its own.
    drop(to_stderr.try_init());
    let settings = Settings::from_args(&args)?;
    let _lock = lock(&settings.data_dir)?;
    let listener = listen(&settings).await?;
    let address = listener.local_addr().context("asking for the port")?;

    let log_path = settings.data_dir.join(recorded::LOG);
    let Memory { mut coordinator, log, cluster, wall_at } = Memory::of(&settings, &log_path)?;
    let recorder = Recorder::open(&settings, &log_path, cluster, log.last_seq())?;
    let (reports, recording) = (recorder.reports(), recorder.recording());

    let (wall_ms, known) = (wall_ms(), log.last_seq());
    let clock = Clock::starting_at(resume_at(coordinator.state().at, wall_at, wall_ms));
    let mut first = Vec::new();
    coordinator.begin(clock.now(), cluster, wall_ms, env!("CARGO_PKG_VERSION"), &mut first);
    let epoch = coordinator.state().epoch;
    let (durable_tx, durable) = watch::channel(log.last_seq());
    let health = LogHealth::default();
    let (core, batches) = driver::start(coordinator, clock, first, health.clone());
    let writer = Writer::new(log, Reserve::new(&settings.data_dir), health.clone(), durable_tx, batches);
    let writer = spawn("log", move || writer.run())?;
    let recorder = spawn("recorder", {
        let durable = durable.clone();
        move || recorder.run(durable)
    })?;
    // The epoch is on disk before anyone can connect.
    durable.clone().changed().await.context("the log ended before it began")?;

    let access = access(&settings, address)?;
    let output =
        output::OutputStore::start(&settings.data_dir.join("output"), health.clone()).context("making the folder for output")?;
    let sessions = session::Sessions { core: core.clone(), output: output.clone(), access: access.clone(), cluster, epoch };
    let blobs = blobs::Blobs::open(&settings.data_dir.join("blobs")).context("making the folder for shipped files")?;
    let webhook = settings.alert_webhook.clone().map(webhook::Webhook::start);
    let (live, feed) = live::stream();
    let app = App {
        core,
        sessions,
        output,
        blobs,
        access,
        live,
        health,
        recording,
        durable,
        log_path,
        reports,
        settings: Arc::new(settings),
    };
    let watching = tokio::spawn(live::run(app.clone(), feed, webhook));
    trace(&app, cluster, known);
    serve(listener, app, &args, address).await?;
    // It holds a way to the core, which ends when nobody does.
    watching.abort();
    tracing::info!("stopping: what is in the log is being recorded");
    let ended = tokio::task::spawn_blocking(move || writer.join().is_ok() && recorder.join().is_ok());
    if !ended.await.unwrap_or(false) {
        bail!("a thread of the coordinator panicked; what it had acknowledged is in the log");
    }
    Ok(())
}

/// What is known from the log when a life begins.
struct Memory {
    coordinator: Coordinator,
    log: SqliteLog,
    cluster: ClusterId,
    /// When the last life began, in the time of the run and by the wall clock.
    wall_at: Option<(Time, u64)>,
}

impl Memory {
    fn of(settings: &Settings, log_path: &Path) -> anyhow::Result<Self> {
        let config = Config { balancer: settings.balancer, ..Config::default() };
        let mut coordinator = Coordinator::new(config, policy::by_name(&settings.policy).expect("the settings were checked"));
        let (mut cluster, mut wall_at) = (None, None);
        let log = SqliteLog::open_and_replay(log_path, |fact| {
            if let What::CoordinatorStarted { cluster: found, wall_ms, .. } = &fact.what {
                (cluster, wall_at) = (Some(*found), Some((fact.at, *wall_ms)));
            }
            coordinator.replay(&fact);
        })?;
        Ok(Self { coordinator, log, cluster: cluster.unwrap_or_else(|| ClusterId(auth::random())), wall_at })
    }
}

/// Begins to post traces of the tasks that end from now on, where someone wants them.
fn trace(app: &App, cluster: ClusterId, known: u64) {
    let Some(collector) = app.settings.otlp.clone() else { return };
    let tracing = trace::Tracing { log_path: app.log_path.clone(), durable: app.durable.clone(), cluster, collector };
    tokio::spawn(tracing.run(known));
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work).context("starting a thread")
}

/// One coordinator at a time has a data folder: the lock is the system's, and is gone with the process.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let hint = "choose another with --data-dir or --db-path";
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("the data folder {} cannot be made; {hint}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("the data folder {} is not writable; {hint}", data_dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another coordinator runs with the data folder {}; stop it, or {hint}", data_dir.display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(settings.host, settings.port);
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use by another program: choose another port with --port (0 picks a free one)")
        }
        ErrorKind::AddrNotAvailable => anyhow::anyhow!("{address} is not an address of this machine: choose one with --host"),
        ErrorKind::PermissionDenied => {
            anyhow::anyhow!("listening on {address} is not allowed: choose a port above 1023 with --port")
        }
        _ => anyhow::Error::new(error).context(format!("listening on {address}")),
    })
}

fn access(settings: &Settings, address: SocketAddr) -> anyhow::Result<auth::Access> {
    if address.ip().is_loopback() {
        return Ok(auth::Access::Open);
    }
    let (access, new) = auth::Access::with_token(settings.token.as_deref(), &settings.data_dir)?;
    tracing::warn!(
        "{address} can be reached from other machines and has no TLS: the token and all that is said travel in the clear"
    );
    if let Some(auth::NewToken(token)) = new {
        println!("Every caller needs this token. It is shown this once; only its hash is kept.\n\n  {token}\n");
        println!("On each machine that is to run tasks:\n  EVENKEEL_TOKEN={token} worker --coordinator ws://{address}\n");
        println!("Where you work (or put the token into ~/.config/evenkeel/token):");
        println!("  EVENKEEL_TOKEN={token} evenkeel status --coordinator http://{address}\n");
    }
    Ok(access)
}

fn announce(args: &Args, address: SocketAddr) -> anyhow::Result<()> {
    tracing::info!("listening on http://{address}");
    let Some(path) = &args.announce else { return Ok(()) };
    let partial = path.with_extension("partial");
    std::fs::write(&partial, format!("http://{address}\n"))
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("writing the address to {}", path.display()))
}

async fn serve(listener: TcpListener, app: App, args: &Args, address: SocketAddr) -> anyhow::Result<()> {
    use axum::serve::ListenerExt;
    // Who reads the address may ask it to stop at once.
    let terminate = signal(SignalKind::terminate()).expect("a process may listen for SIGTERM");
    announce(args, address)?;
    let listener = listener.tap_io(|socket| {
        let unheard = socket2::SockRef::from(&*socket).set_tcp_user_timeout(Some(UNHEARD_MAX));
        if let Err(error) = socket.set_nodelay(true).and(unheard) {
            tracing::debug!("a socket does not take its options: {error}");
        }
    });
    let (stop, stopped) = watch::channel(false);
    let router = http::router(app, stopped.clone());
    let mut asked = stopped.clone();
    let graceful = axum::serve(listener, router).with_graceful_shutdown(async move {
        // The sender is dropped only with this function.
        drop(asked.wait_for(|stopped| *stopped).await);
    });
    let server = tokio::spawn(graceful.into_future());
    shutdown_signal(terminate, args.exit_with_parent).await;
    stop.send_replace(true);
    match tokio::time::timeout(SHUTDOWN, server).await {
        Ok(Ok(served)) => served.context("serving"),
        Ok(Err(panic)) => Err(panic).context("serving"),
        Err(_) => Ok(()),
    }
}

async fn shutdown_signal(mut terminate: Signal, exit_with_parent: bool) {
    let parent = async {
        if !exit_with_parent {
            return std::future::pending().await;
        }
        let (closed, when_closed) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            // Anything but data means that the other end is gone.
            while matches!(std::io::Read::read(&mut std::io::stdin(), &mut [0; 256]), Ok(1..)) {}
            closed.send(())
        });
        drop(when_closed.await);
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = parent => {}
    }
}

fn wall_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// Where the time of the run goes on: after the last fact, plus how long the wall clock says the coordinator was away. A
/// clock that was set back adds nothing; nothing but what is shown depends on it.
fn resume_at(last: Time, began: Option<(Time, u64)>, wall_ms: u64) -> Time {
    let Some((at, then_ms)) = began else { return last };
    let by_wall = at + Duration::from_millis(wall_ms.saturating_sub(then_ms));
    let longest_away = Duration::from_secs(30 * 24 * 3600);
    by_wall.max(last).min(last + longest_away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_after_a_restart_whatever_the_wall_clock_did() {
        let last = Time(50_000_000);
        let began = Some((Time(10_000_000), 1_000_000));
        assert_eq!(resume_at(last, began, 1_100_000), Time(110_000_000));
        assert_eq!(resume_at(last, began, 0), last);
        assert_eq!(resume_at(last, began, u64::MAX), last + Duration::from_secs(30 * 24 * 3600));
        assert_eq!(resume_at(Time::ZERO, None, 5), Time::ZERO);
    }
}
