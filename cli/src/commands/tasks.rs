//! `evenkeel tasks`: the list of tasks.

use super::task::state;
use crate::client::Connection;
use crate::screen::{count, print, print_json, say, table};
use std::process::ExitCode;

/// The options of `tasks`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel tasks --state queued --limit 50")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Only those in this state
    #[arg(long, value_parser = ["queued", "leased", "running", "migrating", "done"])]
    state: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
    /// How many to leave out first
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints one page.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let list = args.connection.client()?.tasks(args.state.as_deref(), args.limit, args.offset).await?;
    if args.json {
        print_json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = list
        .tasks
        .iter()
        .map(|task| {
            let worker = task.attempts.last().map(|attempt| attempt.worker.clone()).unwrap_or_default();
            vec![task.task_id.to_string(), state(task), task.attempts.len().to_string(), worker, task.name.clone()]
        })
        .collect();
    print(&table(&["id", "state", "attempts", "worker", "name"], &rows))?;
    let shown = args.offset + rows.len() as u64;
    if shown < list.total {
        say(&format!("{} more; go on with --offset {shown}", count(list.total - shown, "task")));
    }
    Ok(ExitCode::SUCCESS)
}
