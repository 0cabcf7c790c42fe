//! One attempt from order to result: its folder, its files, its processes, its end.

use crate::files::Blobs;
use crate::hardware;
use crate::output::OutputSink;
use crate::process::{Exit, Group, Launch, LaunchError};
use crate::suite::{self, WarmPool};
use crate::telemetry::energy::{Meter, Reading};
use crate::workdir::{WorkDir, cookie};
use shared::hardware::Device;
use shared::id::{Attempt, BootNonce};
use shared::outcome::{Ended, Failure, Outcome, TestResult, Usage};
use shared::protocol::{Start, TESTS_PER_MESSAGE_MAX};
use shared::task::{Chunk, TaskSpec, Work};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use worker_core::Event;

/// How long results of tests are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// How long output is gathered before it is told.
const GROWTH: Duration = Duration::from_millis(20);
/// How long a suite may take to end beyond its grace, before its processes are killed from under it.
const SUITE_END_MAX: Duration = Duration::from_secs(15);

/// What all attempts of a daemon share.
pub struct Surroundings {
    /// Where everything is kept.
    pub work: Arc<WorkDir>,
    /// The files of tasks.
    pub blobs: Blobs,
    /// What tasks find in their environment, beside their own.
    pub env: BTreeMap<OsString, OsString>,
    /// This life of the daemon, which makes cookies unique.
    pub boot: BootNonce,
    /// Processes kept from one chunk of a suite to the next.
    pub warm: WarmPool,
    /// Where what happens is told.
    pub events: mpsc::Sender<Event>,
    /// Processes the kernel had killed for memory when it was last asked.
    pub kernel_kills: AtomicU64,
    /// The devices of this machine, as the coordinator knows them.
    pub devices: Vec<Device>,
    /// Counts joules, where the machine tells.
    pub meter: Option<Arc<Meter>>,
}

/// The order to end an attempt: holds the grace once it was given.
pub type Order = watch::Receiver<Option<Duration>>;

/// How an attempt ended, and whether all its processes are gone.
type End = (Outcome, bool);

/// Runs an attempt and tells what happens to it; `Ended` is always the last word.
pub async fn run(start: Start, sink: OutputSink, around: Arc<Surroundings>, order: Order) {
    let (attempt, events) = (start.attempt, around.events.clone());
    let began = Instant::now();
    let inner = tokio::spawn({
        let sink = sink.clone();
        async move {
            tokio::select! {
                end = execute(&start, &sink, &around, order, began) => end,
                () = tell_growth(attempt, &sink, &around.events) => (Outcome::failed(Failure::Infra, "the daemon has ended"), false),
            }
        }
    });
    let (mut outcome, is_clean) = match inner.await {
        Ok(end) => end,
        Err(error) => (Outcome::failed(Failure::Infra, format!("the worker failed while it ran this attempt: {error}")), false),
    };
    outcome.log_bytes = sink.written();
    if let Some(failure) = sink.failure() {
        outcome.message = Some(outcome.message.map_or_else(|| failure.clone(), |message| format!("{message}; {failure}")));
    }
    let _ = events.send(Event::Ended { attempt, outcome, log_bytes: sink.total(), is_clean }).await;
}

/// Tells how far the output has grown, until the daemon ends.
async fn tell_growth(attempt: Attempt, sink: &OutputSink, events: &mpsc::Sender<Event>) {
    loop {
        sink.grown().await;
        if events.send(Event::OutputGrew { attempt, total: sink.total() }).await.is_err() {
            return;
        }
        sleep(GROWTH).await;
    }
}

async fn execute(start: &Start, sink: &OutputSink, around: &Surroundings, mut order: Order, began: Instant) -> End {
    let set_up = tokio::select! {
        set_up = prepare(start, around) => set_up,
        _ = ordered(&mut order) => Err(Outcome::bare(Ended::Cancelled)),
    };
    let place = match set_up {
        Ok(place) => place,
        Err(outcome) => return (Outcome { setup_s: began.elapsed().as_secs_f64(), ..outcome }, true),
    };
    let before = around.meter.as_ref().and_then(|meter| meter.read(Instant::now()));
    let (mut outcome, is_clean) = match &start.spec.work {
        Work::Command(argv) => command(start.attempt, argv, place, sink, around, order).await,
        Work::Tests(chunk) => tests(start, chunk, place, sink, around, order).await,
        // The core answers it; to be asked for it nevertheless is no reason to fail.
        Work::Noop => (Outcome::bare(Ended::Passed), true),
    };
    if let (Some(meter), Some(before)) = (&around.meter, before) {
        attribute_energy(&mut outcome.usage, meter, &before);
    }
    outcome.setup_s = (began.elapsed().as_secs_f64() - outcome.run_s).max(0.0);
    (outcome, is_clean)
}

/// Adds the energy an attempt is answerable for, where its processor time is known.
fn attribute_energy(usage: &mut Usage, meter: &Meter, before: &Reading) {
    let (Some(user_s), Some(system_s)) = (usage.user_s, usage.system_s) else { return };
    let share = meter.read(Instant::now()).and_then(|now| now.share_since(before, user_s + system_s));
    usage.energy_j = share.map(|share| share.joules);
    usage.energy_error_j = share.map(|share| share.error_j);
}

/// Where an attempt runs.
struct Place {
    dir: PathBuf,
    scratch: PathBuf,
    env: BTreeMap<OsString, OsString>,
    cookie: String,
}

async fn prepare(start: &Start, around: &Surroundings) -> Result<Place, Outcome> {
    let (attempt, spec) = (start.attempt, &start.spec);
    let cookie = cookie(around.boot, attempt);
    let folder = make_folders(around, attempt, spec).map_err(|error| {
        let folder = around.work.attempt(attempt);
        Outcome::failed(Failure::Infra, format!("making the folder of the attempt in {}: {error}", folder.display()))
    })?;
    let home = folder.join("home");
    if let Some(manifest) = spec.files {
        let placed = around.blobs.materialise(manifest, &home).await;
        placed.map_err(|error| Outcome::failed(error.failure(), error.to_string()))?;
    }
    let dir = spec.cwd.as_ref().map_or_else(|| home.clone(), |cwd| home.join(cwd));
    if !dir.is_dir() {
        let hint = "start workers where the folder exists, or ship its files with `--sync`";
        return Err(Outcome::failed(Failure::Refused, format!("the folder {} is not on this worker; {hint}", dir.display())));
    }
    let mut env = around.env.clone();
    env.extend(spec.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.insert("EVENKEEL_TASK".into(), attempt.task.to_string().into());
    env.insert("EVENKEEL_ATTEMPT".into(), attempt.number.ordinal().to_string().into());
    env.insert("EVENKEEL_HARDWARE".into(), start.hardware.name().into());
    let device = start.device.map_or_else(Vec::new, |place| hardware::variables(&around.devices, place));
    env.extend(device.into_iter().map(|(name, value)| (name.into(), value.into())));
    if spec.checkpointable {
        env.insert("EVENKEEL_CHECKPOINT_DIR".into(), folder.join("checkpoint").into());
    }
    Ok(Place { dir, scratch: folder.join("scratch"), env, cookie })
}

/// Makes what this attempt needs and no more: on a fast stream of short tasks folders are what costs.
fn make_folders(around: &Surroundings, attempt: Attempt, spec: &TaskSpec) -> std::io::Result<PathBuf> {
    let folder = around.work.prepare(attempt)?;
    if matches!(spec.work, Work::Tests(_)) {
        std::fs::create_dir(folder.join("scratch"))?;
    }
    if spec.checkpointable {
        std::fs::create_dir(folder.join("checkpoint"))?;
    }
    Ok(folder)
}

async fn command(
    attempt: Attempt,
    argv: &[String],
    place: Place,
    sink: &OutputSink,
    around: &Surroundings,
    mut order: Order,
) -> End {
    let launch = Launch { argv: argv.to_vec(), dir: place.dir, env: place.env, stdin: false };
    let mut group = match Group::launch(&launch, &place.cookie, sink) {
        Ok(group) => group,
        Err(error) => return (Outcome::failed(failure_of(&error), error.to_string()), true),
    };
    let _ = around.events.send(Event::Started { attempt }).await;
    let exit = tokio::select! {
        exit = group.wait() => Some(exit),
        _ = ordered(&mut order) => None,
    };
    if let Some(exit) = exit {
        return (outcome_of(exit, || around.kernel_killed()), group.is_clear());
    }
    let is_clean = loop {
        let grace = order.borrow_and_update().unwrap_or_default();
        tokio::select! {
            is_clean = group.end(grace) => break is_clean,
            // A shorter grace replaces the one that runs.
            Ok(()) = order.changed() => {}
        }
    };
    let outcome = if is_clean { outcome_of(group.wait().await, || false) } else { Outcome::bare(Ended::Failed(Failure::Infra)) };
    (Outcome { ended: Ended::Cancelled, ..outcome }, is_clean)
}

async fn tests(start: &Start, chunk: &Chunk, place: Place, sink: &OutputSink, around: &Surroundings, order: Order) -> End {
    let attempt = start.attempt;
    let began = Instant::now();
    let _ = around.events.send(Event::Started { attempt }).await;
    let (results, arriving) = mpsc::channel(4 * TESTS_PER_MESSAGE_MAX);
    let cx = suite::Context {
        dir: place.dir,
        scratch: place.scratch,
        env: place.env,
        output: sink.clone(),
        results,
        cancelled: order.clone(),
        skip: start.skip.clone(),
        cookie: place.cookie.clone(),
        warm: &around.warm,
    };
    let overdue = async {
        let mut order = order;
        let grace = ordered(&mut order).await;
        sleep(grace + SUITE_END_MAX).await;
    };
    let suite = async {
        tokio::select! {
            outcome = suite::run(chunk, cx) => Some(outcome),
            () = overdue => None,
        }
    };
    // The sender goes with the suite, so the gathering ends when all its results are told.
    let (outcome, ()) = tokio::join!(suite, gather(attempt, arriving, &around.events));
    let ended_by_force = outcome.is_none();
    let mut outcome = outcome.unwrap_or_else(|| Outcome::failed(Failure::Infra, "the suite did not end when it was told to"));
    if outcome.run_s == 0.0 {
        outcome.run_s = began.elapsed().as_secs_f64();
    }
    let cookie = place.cookie;
    let is_clean =
        !ended_by_force || tokio::task::spawn_blocking(move || crate::process::kill_leftovers([cookie])).await.unwrap_or(false);
    (outcome, is_clean)
}

/// Tells the results of tests, many at a time, none later than [`GATHER`].
async fn gather(attempt: Attempt, mut arriving: mpsc::Receiver<TestResult>, events: &mpsc::Sender<Event>) {
    while let Some(first) = arriving.recv().await {
        let mut results = vec![first];
        let rest = async {
            while results.len() < TESTS_PER_MESSAGE_MAX {
                match arriving.recv().await {
                    Some(result) => results.push(result),
                    None => return,
                }
            }
        };
        let _ = timeout(GATHER, rest).await;
        if events.send(Event::Tests { attempt, results }).await.is_err() {
            return;
        }
    }
}

/// Waits for the order to end; a daemon that is gone gives it too, without grace.
async fn ordered(order: &mut Order) -> Duration {
    match order.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}

fn failure_of(error: &LaunchError) -> Failure {
    match error {
        // Another worker may have the program.
        LaunchError::NotFound { .. } | LaunchError::NotExecutable { .. } | LaunchError::System { .. } => Failure::Infra,
        LaunchError::NoFolder { .. } | LaunchError::Empty => Failure::Refused,
    }
}

fn outcome_of(exit: Exit, kernel_killed: impl FnOnce() -> bool) -> Outcome {
    // A shell reports the SIGKILL of its child as 137.
    let was_killed = exit.signal == Some(libc::SIGKILL) || exit.code == Some(128 + libc::SIGKILL);
    let (ended, message) = match (exit.code, exit.signal) {
        (Some(0), _) => (Ended::Passed, None),
        _ if was_killed && kernel_killed() => (
            Ended::Failed(Failure::Oom),
            Some("the system killed it for the memory it used; ask for more with `memory>=…`".into()),
        ),
        (Some(_), _) => (Ended::Failed(Failure::Test), None),
        (None, Some(signal)) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or_else(|_| signal.to_string(), |name| name.to_string());
            (Ended::Failed(Failure::Test), Some(format!("it was ended by signal {name}")))
        }
        (None, None) => (Ended::Failed(Failure::Infra), Some("its exit status was lost: something else collected it".into())),
    };
    let bare = Outcome::bare(ended);
    Outcome { exit_code: exit.code, signal: exit.signal, message, run_s: exit.run_s, usage: exit.usage, ..bare }
}

impl Surroundings {
    /// Whether the kernel has killed a process for memory since this was last asked. Reading its counters is dear, so it is
    /// asked only about a process that was killed.
    fn kernel_killed(&self) -> bool {
        let kills = kernel_kills();
        self.kernel_kills.swap(kills, Ordering::Relaxed) < kills
    }
}

/// Processes that the kernel has killed for memory since it started; none where it does not tell.
pub fn kernel_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod claims {
    use super::*;

    #[test]
    fn only_a_kill_that_the_kernel_owns_up_to_is_for_memory() {
        let exit = |code, signal| Exit { code, signal, usage: Usage::default(), run_s: 1.0 };
        let ended = |exit, kernel| outcome_of(exit, || kernel).ended;
        assert_eq!(ended(exit(None, Some(9)), true), Ended::Failed(Failure::Oom));
        assert_eq!(ended(exit(Some(137), None), true), Ended::Failed(Failure::Oom));
        assert_eq!(ended(exit(None, Some(9)), false), Ended::Failed(Failure::Test));
        assert_eq!(ended(exit(Some(1), None), true), Ended::Failed(Failure::Test));
        assert_eq!(ended(exit(Some(0), None), true), Ended::Passed);
    }
}
