//! `evenkeel watch`: the farm live, until nothing is left to do.

use super::status::figures;
use crate::client::{Client, Connection};
use crate::screen::{count, duration, print, print_json, table};
use shared::api::{Status, TaskView, WorkerView};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

/// Running tasks that are shown.
const SHOWN: u64 = 20;

/// The options of `watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel watch --coordinator http://farm:8080")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Seconds between two looks
    #[arg(long, default_value_t = 1.0, value_parser = crate::run::positive_seconds)]
    interval: f64,
    /// Print one JSON document for each look
    #[arg(long)]
    json: bool,
}

/// Shows the farm until every task has its verdict or the user interrupts.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let is_terminal = io::stdout().is_terminal() && !args.json;
    loop {
        let status = client.status().await?;
        if args.json {
            print_json(&status)?;
        } else if is_terminal {
            let picture = picture(&client, &status).await?;
            print(&format!("\x1b[H\x1b[2J{picture}"))?;
        } else {
            print(&format!("{}  tasks: {}", duration(status.now_s), figures(&status.tasks)))?;
        }
        let open: u64 = status.tasks.iter().filter(|(state, _)| *state != "done").map(|(_, count)| count).sum();
        if open == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(args.interval)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn picture(client: &Client, status: &Status) -> anyhow::Result<String> {
    let workers: Vec<WorkerView> = client.get("/api/workers", "list the workers").await?;
    let running = client.tasks(Some("running"), SHOWN, 0).await?;
    let mut parts = vec![
        format!("tasks: {}   verdicts: {}", figures(&status.tasks), figures(&status.verdicts)),
        super::workers::list(&workers),
    ];
    let rows: Vec<Vec<String>> = running.tasks.iter().map(|task| row(task, status.now_s)).collect();
    if !rows.is_empty() {
        parts.push(table(&["running", "for", "worker", "name"], &rows));
    }
    let more = running.total.saturating_sub(SHOWN);
    if more > 0 {
        parts.push(format!("and {}", count(more, "task")));
    }
    Ok(parts.join("\n\n"))
}

fn row(task: &TaskView, now_s: f64) -> Vec<String> {
    let attempt = task.attempts.last();
    let started = attempt.and_then(|attempt| attempt.started_s);
    vec![
        task.task_id.to_string(),
        started.map(|at| duration((now_s - at).max(0.0))).unwrap_or_default(),
        attempt.map(|attempt| attempt.worker.clone()).unwrap_or_default(),
        task.name.clone(),
    ]
}
