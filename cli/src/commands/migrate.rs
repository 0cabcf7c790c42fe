//! `evenkeel migrate`: moves a running task to another worker.

use super::task_id;
use crate::client::Connection;
use crate::screen::{print, print_json};
use shared::id::TaskId;
use std::process::ExitCode;

/// The options of `migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel migrate 17 --to gpu-2")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The task's number
    #[arg(value_parser = task_id, value_name = "ID")]
    task: TaskId,
    /// The worker it shall go on at
    #[arg(long, value_name = "WORKER")]
    to: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Orders the move. The task saves its state, stops, and goes on there; `evenkeel task` shows how it gets on.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { connection, task, to, json } = args;
    connection.client()?.migrate(task, &to).await?;
    if json {
        print_json(&serde_json::json!({ "task": task, "to": to }))?;
    } else {
        print(&format!("task {task}: asked to save its state and go on at {to}; `evenkeel task {task}` shows how it gets on"))?;
    }
    Ok(ExitCode::SUCCESS)
}
