//! `evenkeel simulate`: scenarios in virtual time.

use anyhow::Context;
pub use simulator::command::SimulateArgs as Args;
use std::process::ExitCode;

/// Runs a scenario, or compares policies. It only computes, so it leaves the threads that wait alone.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let simulated = tokio::task::spawn_blocking(move || simulator::command::run(&args));
    Ok(simulated.await.context("the simulation broke off; this is a bug of ours")??)
}
