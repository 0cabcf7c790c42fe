//! `evenkeel status`: how a coordinator and its farm are.

use crate::client::Connection;
use crate::screen::{count, duration, print, print_json};
use shared::api::Status;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The options of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel status --coordinator http://farm:8080")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the status.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let status = client.status().await?;
    if args.json {
        print_json(&status)?;
    } else {
        print(&describe(&status, client.base()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(status: &Status, base: &str) -> String {
    let mut lines = vec![
        format!("coordinator  {base}, version {}, up for life {} of cluster {}", status.version, status.epoch, status.cluster),
        format!("time         {} since the run began, {} on disk", duration(status.now_s), count(status.facts, "fact")),
        format!("tasks        {}", figures(&status.tasks)),
        format!("verdicts     {}", figures(&status.verdicts)),
        format!("workers      {}", figures(&status.workers)),
        format!("slots        {} of {} in use", status.busy_slots, status.slots),
        format!("policy       {}", status.policy),
    ];
    match (&status.database_problem, status.facts_recorded) {
        (Some(problem), _) => lines.push(format!("database     {problem}")),
        (None, Some(recorded)) => {
            lines.push(format!("database     {} behind", count(status.facts.saturating_sub(recorded), "fact")))
        }
        (None, None) => lines.push("database     not available".to_owned()),
    }
    lines.extend(status.log_problem.iter().map(|problem| format!("LOG          {problem}; no new work is accepted")));
    if !status.impossible.is_empty() {
        let some: Vec<String> = status.impossible.iter().take(5).map(ToString::to_string).collect();
        let tasks = count(status.impossible.len() as u64, "task");
        lines.push(format!("impossible   {tasks} that no registered worker can run: {} (see evenkeel why ID)", some.join(", ")));
    }
    lines.join("\n")
}

/// Counts by name, on one line.
pub fn figures(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> =
        counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
