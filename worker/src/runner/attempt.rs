//! One attempt from its folder being ready to its end: its processes, and saving its state where it is told to.

use super::outcome::{failure_of, outcome_of};
use crate::output::OutputSink;
use crate::process::{Exit, Group, Launch};
use crate::suite::{self, WarmPool};
use crate::telemetry::energy::Meter;
use crate::workdir::{Layout, cookie};
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestResult, Usage};
use shared::protocol::{Start, TESTS_PER_MESSAGE_MAX};
use shared::task::{Chunk, Work};
use shared::time::Time;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// What a process exits with that was told to save its state and did.
const SAVED: i32 = 75;
/// How long results of tests are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// How long output is gathered before it is told.
const GROWTH: Duration = Duration::from_millis(20);
/// How often the meter is read, at least.
const COUNT: Duration = Duration::from_secs(60);
/// How long a suite may take to end beyond its grace, before its processes are killed from under it.
const SUITE_END_MAX: Duration = Duration::from_secs(15);

/// What all attempts of a runner share.
pub struct Around {
    /// Where everything is kept.
    pub layout: Layout,
    /// The runner's name, which makes cookies unique.
    pub life: String,
    /// Processes kept from one chunk of a suite to the next.
    pub warm: WarmPool,
    /// Where what happens is told.
    pub happened: mpsc::Sender<(Attempt, Happened)>,
    /// Processes the kernel had killed for memory when it was last asked.
    pub kernel_kills: AtomicU64,
    /// Counts joules, where the machine tells.
    pub meter: Option<Meter>,
}

/// Something that happened to an attempt.
#[derive(Debug)]
pub enum Happened {
    /// Its process runs.
    Started,
    /// Tests have ended.
    Tests(Vec<TestResult>),
    /// It has printed so many bytes.
    Grew(u64),
    /// It was told to save and has stopped; whether it said that its state is saved.
    Stopped(bool),
    /// It is over: how, bytes of output, whether all its processes are gone.
    Ended(Box<Outcome>, u64, bool),
}

/// What an attempt is told while it runs.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Holds the grace once it is to end.
    pub end: watch::Receiver<Option<Duration>>,
    /// Whether it is to save its state and stop.
    pub save: watch::Receiver<bool>,
}

/// How an attempt ended, and whether all its processes are gone.
type End = (Outcome, bool);

/// Runs an attempt and tells what happens to it; `Ended` is always the last word.
pub async fn run(start: Start, ordered: Time, env: Arc<BTreeMap<OsString, OsString>>, around: Arc<Around>, orders: Orders) {
    let attempt = start.attempt;
    let sink = OutputSink::new(around.layout.output(attempt));
    let inner = tokio::spawn({
        let (sink, around) = (sink.clone(), around.clone());
        async move {
            tokio::select! {
                end = measured(&start, &env, &sink, &around, orders) => end,
                () = tell_growth(attempt, &sink, &around.happened) => (Outcome::failed(Failure::Infra, "the runner has ended"), false),
            }
        }
    });
    let (mut outcome, is_clean) = match inner.await {
        Ok(end) => end,
        Err(error) => (Outcome::failed(Failure::Infra, format!("the runner failed while it ran this attempt: {error}")), false),
    };
    outcome.setup_s = (crate::clock::now().since(ordered).as_secs_f64() - outcome.run_s).max(0.0);
    outcome.log_bytes = sink.written();
    if let Some(failure) = sink.failure() {
        outcome.message = Some(outcome.message.map_or_else(|| failure.clone(), |message| format!("{message}; {failure}")));
    }
    let _ = around.happened.send((attempt, Happened::Ended(Box::new(outcome), sink.total(), is_clean))).await;
}

/// Reads the meter often enough that none of its counters begins anew twice between two readings, until the runner ends.
pub async fn keep_counting(around: Arc<Around>) {
    while let Some(meter) = &around.meter {
        meter.read(Instant::now());
        sleep(COUNT).await;
    }
}

/// Runs an attempt and adds the energy it is answerable for, where its processor time is known.
async fn measured(start: &Start, env: &BTreeMap<OsString, OsString>, sink: &OutputSink, around: &Around, orders: Orders) -> End {
    let before = around.meter.as_ref().and_then(|meter| meter.read(Instant::now()));
    let (mut outcome, is_clean) = execute(start, env, sink, around, orders).await;
    let usage = &mut outcome.usage;
    if let (Some(meter), Some(before), Some(user_s), Some(system_s)) = (&around.meter, before, usage.user_s, usage.system_s) {
        let share = meter.read(Instant::now()).and_then(|now| now.share_since(&before, user_s + system_s));
        usage.energy_j = share.map(|share| share.joules);
        usage.energy_error_j = share.map(|share| share.error_j);
    }
    (outcome, is_clean)
}

/// Tells how far the output has grown, until the runner ends.
async fn tell_growth(attempt: Attempt, sink: &OutputSink, happened: &mpsc::Sender<(Attempt, Happened)>) {
    loop {
        sink.grown().await;
        if happened.send((attempt, Happened::Grew(sink.total()))).await.is_err() {
            return;
        }
        sleep(GROWTH).await;
    }
}

async fn execute(start: &Start, env: &BTreeMap<OsString, OsString>, sink: &OutputSink, around: &Around, orders: Orders) -> End {
    let mut place = Place::of(start, env, around);
    if !place.dir.is_dir() {
        let hint = "start workers where the folder exists, or ship its files with `--sync`";
        let message = format!("the folder {} is not on this worker; {hint}", place.dir.display());
        return (Outcome::failed(Failure::Refused, message), true);
    }
    let mut standing = Standing { attempt: start.attempt, around, orders };
    match &start.spec.work {
        Work::Command(argv) => command(argv, &mut place, sink, &mut standing).await,
        Work::Tests(chunk) => tests(start, chunk, &mut place, sink, &mut standing).await,
        // The core answers it; to be asked for it nevertheless is no reason to fail.
        Work::Noop => (Outcome::bare(Ended::Passed), true),
    }
}

/// Where an attempt runs.
struct Place {
    dir: PathBuf,
    scratch: PathBuf,
    env: BTreeMap<OsString, OsString>,
    cookie: String,
    /// How often its work was begun, by attempts before it and by itself.
    begun: u32,
}

impl Place {
    fn of(start: &Start, base: &BTreeMap<OsString, OsString>, around: &Around) -> Self {
        let (attempt, spec) = (start.attempt, &start.spec);
        let folder = around.layout.attempt(attempt);
        let home = folder.join("home");
        let mut env = base.clone();
        env.extend(spec.env.iter().map(|(name, value)| (name.into(), value.into())));
        env.insert("EVENKEEL_TASK".into(), attempt.task.to_string().into());
        env.insert("EVENKEEL_HARDWARE".into(), start.hardware.name().into());
        if spec.checkpointable {
            env.insert("EVENKEEL_CHECKPOINT_DIR".into(), folder.join("checkpoint").into());
        }
        let dir = spec.cwd.as_ref().map_or_else(|| home.clone(), |cwd| home.join(cwd));
        let begun = attempt.number.ordinal();
        let mut place = Self { dir, scratch: folder.join("scratch"), env, cookie: cookie(&around.life, attempt), begun };
        place.number();
        place
    }

    /// The work is begun once more, from its state: to a program that is a further attempt.
    fn begin_again(&mut self) {
        self.begun += 1;
        self.number();
    }

    fn number(&mut self) {
        self.env.insert("EVENKEEL_ATTEMPT".into(), self.begun.to_string().into());
    }
}

/// An attempt that may be told to stand still.
struct Standing<'a> {
    attempt: Attempt,
    around: &'a Around,
    orders: Orders,
}

impl Standing<'_> {
    async fn tell(&self, happened: Happened) {
        let _ = self.around.happened.send((self.attempt, happened)).await;
    }

    /// It has stopped, with its state or without. True when it is to begin again, false when it is to end.
    async fn begins_again(&mut self, is_saved: bool) -> bool {
        if *self.orders.save.borrow() {
            self.tell(Happened::Stopped(is_saved)).await;
        }
        tokio::select! {
            biased;
            _ = ordered(&mut self.orders.end) => false,
            // When nobody can say so any more, the runner is ending.
            resumed = self.orders.save.wait_for(|save| !save) => resumed.is_ok(),
        }
    }
}

async fn command(argv: &[String], place: &mut Place, sink: &OutputSink, standing: &mut Standing<'_>) -> End {
    let (mut ran_s, mut used) = (0.0, Usage::default());
    let mut is_first = true;
    let env = std::mem::take(&mut place.env);
    let mut launch = Launch { argv: argv.to_vec(), dir: place.dir.clone(), env, stdin: false };
    loop {
        let mut group = match Group::launch(&launch, &place.cookie, sink) {
            Ok(group) => group,
            Err(error) => return (Outcome::failed(failure_of(&error), error.to_string()), true),
        };
        if std::mem::take(&mut is_first) {
            standing.tell(Happened::Started).await;
        }
        let (exit, is_asked) = until_end(&mut group, &mut standing.orders).await;
        let Some(mut exit) = exit else {
            return end_early(group, &mut standing.orders, ran_s, used).await;
        };
        (exit.run_s, exit.usage) = (exit.run_s + ran_s, used.and(exit.usage));
        let is_saved = exit.code == Some(SAVED);
        // A shell reports the SIGTERM of its child as 143.
        let by_order = exit.signal == Some(libc::SIGTERM) || exit.code == Some(128 + libc::SIGTERM);
        if !is_asked || !(is_saved || by_order) {
            return (outcome_of(exit, || standing.around.kernel_killed()), group.is_clear());
        }
        if !standing.begins_again(is_saved).await {
            return (Outcome { ended: Ended::Cancelled, ..outcome_of(exit, || false) }, group.is_clear());
        }
        (ran_s, used) = (exit.run_s, exit.usage);
        place.begin_again();
        launch.env.append(&mut place.env);
    }
}

/// Waits until the leader has ended, or is to end: then there is no exit. Also whether it was asked to save.
async fn until_end(group: &mut Group, orders: &mut Orders) -> (Option<Exit>, bool) {
    let mut is_asked = false;
    loop {
        tokio::select! {
            exit = group.wait() => return (Some(exit), is_asked),
            _ = ordered(&mut orders.end) => return (None, is_asked),
            Ok(_) = orders.save.wait_for(|save| *save), if !is_asked => {
                is_asked = true;
                group.terminate();
            }
        }
    }
}

async fn end_early(mut group: Group, orders: &mut Orders, ran_s: f64, used: Usage) -> End {
    let is_clean = loop {
        let grace = orders.end.borrow_and_update().unwrap_or_default();
        tokio::select! {
            is_clean = group.end(grace) => break is_clean,
            // A shorter grace replaces the one that runs.
            Ok(()) = orders.end.changed() => {}
        }
    };
    if !is_clean {
        return (Outcome { ended: Ended::Cancelled, ..Outcome::bare(Ended::Failed(Failure::Infra)) }, false);
    }
    let exit = group.wait().await;
    let exit = Exit { run_s: exit.run_s + ran_s, usage: used.and(exit.usage), ..exit };
    (Outcome { ended: Ended::Cancelled, ..outcome_of(exit, || false) }, true)
}

async fn tests(start: &Start, chunk: &Chunk, place: &mut Place, sink: &OutputSink, standing: &mut Standing<'_>) -> End {
    standing.tell(Happened::Started).await;
    let (mut skip, mut ran_s) = (start.skip.clone(), 0.0);
    loop {
        let (mut outcome, told, is_clean) = some_tests(chunk, &skip, place, sink, standing).await;
        outcome.run_s += ran_s;
        if outcome.ended != Ended::Saved {
            return (outcome, is_clean);
        }
        if !standing.begins_again(true).await {
            return (Outcome { ended: Ended::Cancelled, ..outcome }, is_clean);
        }
        skip.extend(told);
        ran_s = outcome.run_s;
        place.begin_again();
    }
}

/// Runs the tests that are not in `skip` until all have ended or the attempt is told otherwise; also which have ended.
async fn some_tests(
    chunk: &Chunk,
    skip: &[u32],
    place: &Place,
    sink: &OutputSink,
    standing: &Standing<'_>,
) -> (Outcome, Vec<u32>, bool) {
    let began = crate::clock::now();
    let (results, arriving) = mpsc::channel(4 * TESTS_PER_MESSAGE_MAX);
    let cx = suite::Context {
        dir: place.dir.clone(),
        scratch: place.scratch.clone(),
        env: place.env.clone(),
        output: sink.clone(),
        results,
        cancelled: standing.orders.end.clone(),
        save: standing.orders.save.clone(),
        skip: skip.to_vec(),
        cookie: place.cookie.clone(),
        warm: &standing.around.warm,
    };
    let overdue = async {
        let mut end = standing.orders.end.clone();
        let grace = ordered(&mut end).await;
        sleep(grace + SUITE_END_MAX).await;
    };
    let suite = async {
        tokio::select! {
            outcome = suite::run(chunk, cx) => Some(outcome),
            () = overdue => None,
        }
    };
    // The sender goes with the suite, so the gathering ends when all its results are told.
    let (outcome, told) = tokio::join!(suite, gather(arriving, standing));
    let ended_by_force = outcome.is_none();
    let mut outcome = outcome.unwrap_or_else(|| Outcome::failed(Failure::Infra, "the suite did not end when it was told to"));
    if outcome.run_s == 0.0 {
        outcome.run_s = crate::clock::now().since(began).as_secs_f64();
    }
    let cookie = place.cookie.clone();
    let is_clean =
        !ended_by_force || tokio::task::spawn_blocking(move || crate::process::kill_leftovers([cookie])).await.unwrap_or(false);
    (outcome, told, is_clean)
}

/// Tells the results of tests, many at a time, none later than [`GATHER`]; the answer is which tests they are of.
async fn gather(mut arriving: mpsc::Receiver<TestResult>, standing: &Standing<'_>) -> Vec<u32> {
    let mut told = Vec::new();
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
        told.extend(results.iter().map(|result| result.index));
        standing.tell(Happened::Tests(results)).await;
    }
    told
}

/// Waits for the order to end; a runner that is ending gives it too, without grace.
async fn ordered(end: &mut watch::Receiver<Option<Duration>>) -> Duration {
    match end.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}
