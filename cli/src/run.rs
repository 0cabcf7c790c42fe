//! `evenkeel run`: lists a suite's tests, runs them as tasks, reports each test once.

mod daemon;
mod finish;
pub mod follow;
pub mod local;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod results;
mod target;

use crate::client::Connection;
use crate::screen::{Palette, count, print, print_json, say};
use crate::task_options::TaskOptions;
use anyhow::{Context, bail, ensure};
use finish::Finished;
use follow::{End, Follow, patiently};
use outcome::Tally;
use plan::{Listing, PlannedTask, batches};
use progress::Progress;
use shared::api::TaskRequest;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use target::Target;
use tokio::sync::mpsc;

/// The exit status of a run that the user interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// The options of `run`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "evenkeel run [OPTIONS] -- COMMAND…\n       evenkeel run [OPTIONS] SUITE.toml",
    after_help = "Examples:\n  evenkeel run --junit results.xml --report report.html -- pytest tests/\n  \
                  evenkeel run --local-workers 4 -- cargo nextest run --workspace\n  \
                  evenkeel run --coordinator http://farm:8080 --sync . -- pytest -m gpu --requires cuda\n  \
                  evenkeel run SUITE.toml\n  evenkeel run --junit-from report.xml -- make check\n\n\
                  Exit status: 0 all tests passed, 1 tests failed, 2 an error of usage or of the farm, 130 interrupted."
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Workers to start on this machine, when no coordinator is named
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = positive)]
    pub local_workers: usize,
    /// Tasks each of them runs at a time [default: the cores, shared among them]
    #[arg(long, value_name = "N", value_parser = positive)]
    slots_per_worker: Option<usize>,
    /// Where the log, the database and the workers' files are kept
    #[arg(long, value_name = "DIR", default_value = ".evenkeel")]
    data_dir: PathBuf,
    /// The metrics database [default: evenkeel.duckdb in the data folder]
    #[arg(long, value_name = "FILE")]
    db_path: Option<PathBuf>,
    /// Write the results as JUnit
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report of what happened as HTML
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the report's figures as PNG
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// The JUnit file that COMMAND writes, for commands whose tests cannot be listed
    #[arg(long, value_name = "FILE")]
    junit_from: Option<String>,
    #[command(flatten)]
    tasks: TaskOptions,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
    /// Show failures and the result only
    #[arg(short, long)]
    quiet: bool,
    /// A suite file
    #[arg(value_name = "SUITE.toml", conflicts_with = "command")]
    suite: Vec<String>,
    /// The suite's command: pytest, cargo nextest run, cargo test, ctest, go test
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Args {
    /// The suite's command, or its file.
    pub fn words(&self) -> anyhow::Result<Vec<String>> {
        let words = if self.command.is_empty() { &self.suite } else { &self.command };
        ensure!(!words.is_empty(), "there is nothing to run; try `evenkeel run -- pytest` or `evenkeel run SUITE.toml`");
        Ok(words.clone())
    }
}

/// A number from 1.
pub fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| "a number from 1 to 10000".to_owned())
}

/// A length of time above 0.
pub fn positive_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 1e7);
    seconds.ok_or_else(|| "a number of seconds above 0".to_owned())
}

/// Runs the suite; the exit status is the verdict.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let words = args.words()?;
    if !args.quiet {
        say(&format!("listing the tests of {}", words.join(" ")));
    }
    let (junit_from, sync) = (args.junit_from.clone(), args.tasks.sync.clone());
    let listing = tokio::task::spawn_blocking(move || Listing::make(words, junit_from, sync.as_deref()));
    let listing = listing.await.context("listing the tests")??;
    for note in listing.notes() {
        say(&format!("note: {note}"));
    }
    let (gave_up, mut given_up) = mpsc::channel(4);
    let target = Target::reach(&args, &gave_up).await?;
    let ended = follow_through(&args, &target, listing, &mut given_up).await;
    let (db_path, client) = target.leave().await;
    let mut run = ended?;
    for (what, path) in target::write_report(&args, db_path.as_deref(), &client).await {
        run.files.push((what, path));
    }
    finish(&args, run)
}

/// A run whose tasks are all decided, or were left.
struct Run {
    title: String,
    framework: Option<shared::task::Framework>,
    results: results::Results,
    end: End,
    wall_s: f64,
    files: Vec<(String, String)>,
}

async fn follow_through(
    args: &Args,
    target: &Target,
    listing: Listing,
    given_up: &mut mpsc::Receiver<String>,
) -> anyhow::Result<Run> {
    let client = target.client();
    let (title, framework, tests, skipped) = (listing.title.clone(), listing.framework(), listing.tests(), listing.skipped());
    let files = match &args.tasks.sync {
        Some(folder) => Some(crate::sync::ship(client, folder).await?),
        None => None,
    };
    let away = |error: &crate::client::ClientError| say(&format!("warning: {error}"));
    let status = patiently(|| client.status(), away).await?;
    let recorded = match framework {
        Some(framework) => client.durations(&format!("{}::", framework.name())).await?.seconds,
        None => Default::default(),
    };
    let planned = listing.tasks(&recorded, target.slots(&status), &args.tasks, files);
    let slots = target.slots(&status);
    if !args.quiet {
        let (tests, tasks) = (count(tests as u64, "test"), count(planned.len() as u64, "task"));
        say(&format!("running {tests} as {tasks} on {} {}", count(slots as u64, "slot"), target.place()));
    }
    let began = Instant::now();
    let mut progress = Progress::new(tests, skipped.len(), args.quiet, args.tasks.retries.is_some_and(|retries| retries > 0));
    let mut tally = submit(client, planned).await?;
    if !target.is_local() {
        target::warn_of_folders(&status, args.tasks.sync.is_some());
    }
    let follow = Follow {
        client,
        from: status.facts,
        tally: &mut tally,
        progress: &mut progress,
        is_own_fleet: target.is_local(),
        gave_up: given_up,
    };
    let end = follow.run().await;
    progress.end();
    let mut results = tally.results();
    results.cases.extend(skipped);
    Ok(Run { title, framework, results, end, wall_s: began.elapsed().as_secs_f64(), files: Vec::new() })
}

/// Submits the tasks under keys of their own: what is sent twice because an answer was lost is accepted once.
pub async fn submit(client: &crate::client::Client, planned: Vec<PlannedTask>) -> anyhow::Result<Tally> {
    let run = run_id();
    let (mut requests, mut contents): (Vec<TaskRequest>, Vec<_>) =
        planned.into_iter().map(|task| (task.request, task.content)).unzip();
    for (request, n) in requests.iter_mut().zip(1..) {
        request.idempotency_key.get_or_insert_with(|| format!("{run}/{n}"));
        if request.tests.is_some() {
            // Two runs never share a process that a worker keeps for the next chunk.
            request.env.insert("EVENKEEL_RUN".into(), run.clone());
        }
    }
    let mut contents = contents.drain(..);
    let mut tally = Tally::default();
    for batch in batches(&requests) {
        let away = |error: &crate::client::ClientError| say(&format!("warning: {error}"));
        let accepted = patiently(|| client.submit(batch), away).await?;
        ensure!(accepted.task_ids.len() == batch.len(), "{} accepted another number of tasks than were submitted", client.base());
        for ((id, request), content) in accepted.task_ids.into_iter().zip(batch).zip(contents.by_ref()) {
            let name = request.name.clone().unwrap_or_else(|| request.command.join(" ").chars().take(60).collect());
            tally.add(id, &name, content);
        }
    }
    Ok(tally)
}

/// A word that no other run has.
fn run_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds these from the system's randomness.
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:08x}", random(), std::process::id())
}

fn finish(args: &Args, run: Run) -> anyhow::Result<ExitCode> {
    let Run { title, framework, results, end, wall_s, files } = run;
    let exit_code = match &end {
        End::Done => results.exit_code(),
        End::Interrupted => INTERRUPTED,
        End::GivenUp(_) => 2,
    };
    let name = args.tasks.name.as_deref().unwrap_or(&title);
    let mut finished = Finished { name, framework, results: &results, exit_code, wall_s, files };
    if let Some(path) = &args.junit {
        finished.write_junit(path)?;
        finished.files.push(("junit".to_owned(), path.display().to_string()));
    }
    let shown = if args.json { print_json(&finished.document()) } else { print(&finished.table(Palette::stdout())) };
    if let End::GivenUp(why) = &end {
        bail!("the run was given up: {why}");
    }
    match shown {
        // Whoever read along has left; the verdict stands.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::from(exit_code)),
    }
}
