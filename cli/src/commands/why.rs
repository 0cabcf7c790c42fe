//! `evenkeel why`: why a task waits, or why it ran where it ran.

use super::task_id;
use crate::client::Connection;
use crate::screen::{print, print_json, table};
use shared::api::{Placement, Why};
use shared::fact::Rule;
use shared::id::TaskId;
use std::process::ExitCode;

/// The options of `why`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel why 17")]
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

/// Prints the answer.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let why = args.connection.client()?.why(args.task).await?;
    if args.json {
        print_json(&why)?;
    } else {
        print(&describe(&why))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer for people: the summary, what each worker lacks, the place in the queue, where it ran.
pub fn describe(why: &Why) -> String {
    let mut parts = vec![why.summary.clone()];
    if let Some(position) = why.queue_position {
        parts.push(match position {
            0 => "It is the next in the queue.".to_owned(),
            1 => "One task is in front of it.".to_owned(),
            more => format!("{more} tasks are in front of it."),
        });
    }
    if !why.workers.is_empty() {
        let rows: Vec<Vec<String>> = why
            .workers
            .iter()
            .map(|worker| {
                let code = serde_json::to_value(worker.code).ok().and_then(|code| code.as_str().map(str::to_owned));
                let (needs, has) =
                    worker.unmet.as_ref().map(|unmet| (unmet.needs.clone(), unmet.has.clone())).unwrap_or_default();
                vec![worker.worker.clone(), code.unwrap_or_default(), needs, has]
            })
            .collect();
        parts.push(table(&["worker", "obstacle", "the task needs", "the worker has"], &rows));
    }
    if !why.placements.is_empty() {
        let rows: Vec<Vec<String>> = why
            .placements
            .iter()
            .map(|placement| vec![placement.attempt.to_string(), placement.worker.clone(), placement.why.clone()])
            .collect();
        parts.push(table(&["attempt", "worker", "because"], &rows));
        parts.extend(why.placements.iter().filter_map(weighed));
    }
    parts.join("\n")
}

/// What was weighed when an attempt was placed: the winner, the runner-up and others, and where the task ran before.
fn weighed(placement: &Placement) -> Option<String> {
    let decision = placement.decision.as_ref()?;
    let roles = ["winner", "runner-up"].into_iter().chain(std::iter::repeat(""));
    let stays = decision.stays.iter().map(|stays| ("where it ran", stays));
    let rows = roles.zip(&decision.candidates).chain(stays).map(|(role, place)| {
        let number = |value: f64| format!("{value:.3}");
        let (wait, seconds) = (number(place.wait_s), number(place.seconds));
        let name = place.hardware.name().to_owned();
        vec![role.to_owned(), place.worker.to_string(), name, wait, seconds, number(place.cost), number(place.score)]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let by = match decision.rule {
        Rule::Price => "the price of the hardware, beside where it is lowest".to_owned(),
        Rule::Finish { wait_weight } => format!("{wait_weight} x wait + time + other"),
    };
    let title = format!(
        "attempt {}: {} places weighed by {by}; the winner is better by {:.3}",
        placement.attempt, decision.weighed, decision.gain
    );
    Some(format!("{title}\n{}", table(&["", "worker", "hardware", "wait", "time", "other", "score"], &rows)))
}
