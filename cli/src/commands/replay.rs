//! `evenkeel replay`: what was decided in a run, decided again.

use anyhow::Context;
pub use simulator::replay::ReplayArgs as Args;
use simulator::replay::{self, Facts};
use std::path::Path;
use std::process::ExitCode;

/// Replays a run. It only reads and computes, so it leaves the threads that wait alone.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let replayed = tokio::task::spawn_blocking(move || replay::run(&args, facts_of_a_coordinator));
    Ok(replayed.await.context("the replay broke off; this is a bug of ours")??)
}

fn facts_of_a_coordinator(data_dir: &Path) -> Result<Facts, String> {
    let facts = coordinator::Recorded::open(data_dir).map_err(|error| error.to_string())?;
    Ok(Box::new(facts.map(|fact| fact.map_err(|error| error.to_string()))))
}
