//! `evenkeel task`: one task and its attempts.

use super::task_id;
use crate::client::Connection;
use crate::screen::{duration, print, print_json, table};
use shared::api::{AttemptView, TaskView};
use shared::id::TaskId;
use std::process::ExitCode;

/// The options of `task`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel task 17")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The task's number
    #[arg(value_parser = task_id, value_name = "ID")]
    task: TaskId,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the task.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let task = args.connection.client()?.task(args.task).await?;
    if args.json {
        print_json(&task)?;
    } else {
        print(&describe(&task))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(task: &TaskView) -> String {
    let mut lines = vec![format!("task {}  {}: {}", task.task_id, task.name, state(task))];
    let owner = task.owner.as_deref().map(|owner| format!(", owner {owner}")).unwrap_or_default();
    let finished = task.finished_s.map(|at| format!(", done after {}", duration(at - task.submitted_s))).unwrap_or_default();
    lines.push(format!("priority {}{owner}, submitted at {}{finished}", task.priority.level(), duration(task.submitted_s)));
    if !task.attempts.is_empty() {
        let rows: Vec<Vec<String>> = task.attempts.iter().map(row).collect();
        lines.push(table(&["attempt", "worker", "hardware", "ran", "ended", "what"], &rows));
    }
    lines.join("\n")
}

/// Where a task is, or its verdict and why.
pub fn state(task: &TaskView) -> String {
    let Some(verdict) = task.verdict else {
        return format!("{:?}", task.state).to_lowercase();
    };
    let exit = task.exit_code.filter(|code| *code != 0).map(|code| format!(", exit status {code}")).unwrap_or_default();
    let failure = task.failure.map(|failure| format!(" ({failure}{exit})")).unwrap_or_default();
    format!("{verdict}{failure}")
}

fn row(attempt: &AttemptView) -> Vec<String> {
    let ran = match (attempt.started_s, attempt.stopped_s) {
        (Some(started), Some(stopped)) => duration(stopped - started),
        (Some(_), None) => "runs".to_owned(),
        (None, _) => "not started".to_owned(),
    };
    let what = attempt.message.clone().or_else(|| attempt.failure.map(|failure| failure.to_string()));
    vec![
        attempt.number.to_string(),
        attempt.worker.clone(),
        attempt.hardware.to_string(),
        ran,
        attempt.reason.map(|reason| reason.name().to_owned()).unwrap_or_default(),
        what.unwrap_or_default(),
    ]
}
