//! `evenkeel submit`: hands tasks to a coordinator, and waits for them where that is asked for.

use crate::client::{Client, Connection};
use crate::run::follow::{End, Follow};
use crate::run::outcome::{Content, Tally};
use crate::run::plan::PlannedTask;
use crate::run::progress::Progress;
use crate::run::results::Results;
use crate::screen::{print, print_json, say};
use crate::task_options::TaskOptions;
use anyhow::{Context, bail, ensure};
use shared::api::{Requirements, TaskRequest};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Tasks of one array.
const ARRAY_MAX: usize = 1_000_000;

/// The options of `submit`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "evenkeel submit [OPTIONS] -- COMMAND…\n       evenkeel submit [OPTIONS] --file TASKS.json|SUITE.toml",
    after_help = "Examples:\n  evenkeel submit --requires 'cuda && memory>=16GB' --wait -- python train.py\n  \
                  evenkeel submit --array 100 -- sh -c 'echo $EVENKEEL_ARRAY_INDEX'\n  evenkeel submit --file tasks.json\n\n\
                  With --wait, the exit status is 0 when all passed, 1 when one failed, 2 when the farm failed."
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    tasks: TaskOptions,
    /// The folder on the worker it runs in [default: a fresh one]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Submit what a file describes: the JSON of POST /api/tasks, or a suite file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "array"])]
    file: Option<PathBuf>,
    /// Submit so many copies, each told its EVENKEEL_ARRAY_INDEX from 1
    #[arg(long, value_name = "N", value_parser = array)]
    array: Option<usize>,
    /// The task saves its state when it is asked to
    #[arg(long)]
    checkpointable: bool,
    /// Kinds of hardware any one of which it can run on, such as cuda,cpu; the attempt finds its own in EVENKEEL_HARDWARE
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = hardware)]
    hardware: Vec<HardwareKind>,
    /// Seconds it is expected to take
    #[arg(long, value_name = "S", value_parser = crate::run::positive_seconds)]
    estimate: Option<f64>,
    /// Wait until every task is done
    #[arg(long)]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn hardware(text: &str) -> Result<HardwareKind, String> {
    HardwareKind::from_name(text).ok_or_else(|| format!("one of {}", HardwareKind::ALL.map(HardwareKind::name).join(", ")))
}

fn array(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=ARRAY_MAX).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {ARRAY_MAX}"))
}

/// Submits; prints the numbers, or waits and prints the verdicts.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let mut tasks = requests(&args)?;
    let files = match &args.tasks.sync {
        Some(folder) => Some(crate::sync::ship(&client, folder).await?),
        None => None,
    };
    for task in &mut tasks {
        args.tasks.apply(task);
        task.files = files.or(task.files);
        task.cwd = args.cwd.clone().or(task.cwd.take());
    }
    let from = client.status().await?.facts;
    let planned = tasks.into_iter().map(|request| PlannedTask { request, content: Content::Command });
    let mut tally = crate::run::submit(&client, planned.collect()).await?;
    let ids: Vec<TaskId> = tally.open().collect();
    if args.wait {
        return wait(&args, &client, from, &mut tally).await;
    }
    if args.json {
        print_json(&serde_json::json!({ "task_ids": ids }))?;
    } else {
        print(&ids.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn wait(args: &Args, client: &Client, from: u64, tally: &mut Tally) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new(tally.open().count(), 0, args.json, false);
    // Nobody sends: there are no daemons of our own here.
    let (_keep, mut gave_up) = mpsc::channel(1);
    let follow = Follow { client, from, tally, progress: &mut progress, is_own_fleet: false, gave_up: &mut gave_up };
    let end = follow.run().await;
    progress.end();
    let results = tally.results();
    match end {
        End::Done => verdict(args, &results),
        End::Interrupted => Ok(ExitCode::from(130)),
        End::GivenUp(why) => bail!("the tasks go on, but waiting for them was given up: {why}"),
    }
}

fn verdict(args: &Args, results: &Results) -> anyhow::Result<ExitCode> {
    for trouble in &results.troubles {
        say(&format!("task {} ({}): {}, {}", trouble.task, trouble.name, trouble.verdict, trouble.message));
    }
    let (counts, exit_code) = (results.counts(), results.exit_code());
    if args.json {
        print_json(&serde_json::json!({ "counts": counts, "exit_code": exit_code }))?;
    } else {
        print(&format!("{} passed, {} failed, {} without result", counts.passed, counts.failed, counts.errors))?;
    }
    Ok(ExitCode::from(exit_code))
}

fn requests(args: &Args) -> anyhow::Result<Vec<TaskRequest>> {
    if let Some(path) = &args.file {
        return read_file(path);
    }
    ensure!(
        !args.command.is_empty(),
        "there is nothing to submit; try `evenkeel submit -- COMMAND…` or `evenkeel submit --file FILE`"
    );
    let one = TaskRequest {
        name: args.tasks.name.clone(),
        command: args.command.clone(),
        checkpointable: args.checkpointable,
        hardware: args.hardware.clone(),
        estimate_s: args.estimate,
        ..TaskRequest::default()
    };
    let Some(copies) = args.array else { return Ok(vec![one]) };
    let name = args.tasks.name.clone().unwrap_or_else(|| args.command[0].clone());
    Ok((1..=copies)
        .map(|index| {
            let mut copy = TaskRequest { name: Some(format!("{name}-{index}")), group: Some(name.clone()), ..one.clone() };
            copy.env.insert("EVENKEEL_ARRAY_INDEX".to_owned(), index.to_string());
            copy.env.insert("EVENKEEL_ARRAY_COUNT".to_owned(), copies.to_string());
            copy
        })
        .collect())
}

fn read_file(path: &Path) -> anyhow::Result<Vec<TaskRequest>> {
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Ok(suite::read_suite_file(path)?);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    // An untagged value says of a mistake only that nothing fits; the kind that is there says which one it is.
    let tasks = match text.trim_start().starts_with('[') {
        true => serde_json::from_str::<Vec<TaskRequest>>(&text),
        false => serde_json::from_str::<TaskRequest>(&text).map(|task| vec![task]),
    };
    let tasks = tasks.with_context(|| format!("{} is not what POST /api/tasks takes", path.display()))?;
    ensure!(!tasks.is_empty(), "{} holds no tasks", path.display());
    for (task, n) in tasks.iter().zip(1..) {
        if let Some(Requirements::Expression(text)) = &task.requirements {
            text.parse::<shared::requirement::Requirement>().with_context(|| format!("task {n} of {}", path.display()))?;
        }
    }
    Ok(tasks)
}
