//! `evenkeel cancel`: stops tasks.

use super::task_id;
use crate::client::Connection;
use crate::screen::{print, print_json, say};
use shared::id::TaskId;
use std::process::ExitCode;

/// The options of `cancel`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel cancel 17 18 19")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The tasks' numbers
    #[arg(required = true, value_parser = task_id, value_name = "ID")]
    tasks: Vec<TaskId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Cancels each; those that could not be cancelled are named, and make the whole fail.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let mut asked = Vec::new();
    for task in &args.tasks {
        match client.cancel(*task).await {
            Ok(()) => asked.push(*task),
            Err(error) if error.is_passing() => return Err(error.into()),
            Err(error) => say(&format!("error: {error}")),
        }
    }
    if args.json {
        print_json(&serde_json::json!({ "cancelled": asked }))?;
    } else {
        for task in &asked {
            print(&format!("task {task}: asked to stop"))?;
        }
    }
    Ok(ExitCode::from(if asked.len() == args.tasks.len() { 0 } else { 2 }))
}
