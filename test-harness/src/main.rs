//! The command `test-harness`.

use clap::{Parser, Subcommand};
use simulator::faults::command::{self as chaos, ChaosArgs};
use std::process::ExitCode;
use test_harness::{disk_faults, dispatch, link_faults, log_faults, plan, restart, storm};

#[derive(Debug, Parser)]
#[command(
    name = "test-harness",
    version,
    about = "Measures Evenkeel, and what it survives",
    after_help = "\
Example: no-op tasks through four workers of 64 slots
  test-harness bench dispatch --tasks 100000 --workers 4 --slots 64 --json

Example: a thousand seeds of everything going wrong
  test-harness chaos --seeds 1000"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures one thing and prints figures
    #[command(subcommand)]
    Bench(Bench),
    /// Runs the cores of coordinator and workers in virtual time while everything goes wrong
    Chaos(ChaosArgs),
    /// Cuts the power and damages the disk under logs, and says what their reader makes of it
    LogFaults(log_faults::Options),
    /// Fills the disk under the log, the workers' spool and the metrics database, and says what comes of it; needs root
    DiskFaults(disk_faults::Options),
    /// Puts bad networks between workers and coordinators, and measures how soon both sides act on it
    LinkFaults(link_faults::Options),
    /// Kills and stops real coordinators and workers while real tasks run, and says whether anything was lost
    Storm(storm::Options),
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// What it costs to give tasks to workers
    Dispatch(dispatch::Options),
    /// What a plan costs, at growing sizes
    Plan(plan::Options),
    /// How soon a killed coordinator gives work again
    Restart(restart::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Bench(Bench::Dispatch(options)) => dispatch::run(&options).await.map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Plan(options)) => plan::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Restart(options)) => restart::run(&options).await.map(|()| ExitCode::SUCCESS),
        Command::Chaos(args) => chaos::run(&args).map_err(Into::into),
        Command::LogFaults(options) => log_faults::run(&options).map(|()| ExitCode::SUCCESS),
        Command::DiskFaults(options) => disk_faults::run(&options).await.map(|()| ExitCode::SUCCESS),
        Command::LinkFaults(options) => link_faults::run(&options).await.map(|()| ExitCode::SUCCESS),
        Command::Storm(options) => storm::run(&options).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("test-harness: {error:#}");
        ExitCode::from(2)
    })
}
