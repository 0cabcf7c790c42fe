//! Benches of the real thing: the coordinator's and the workers' own programs, over real sockets, with the log on disk; and chaos:
//! the cores of both in virtual time, while everything goes wrong.

mod daemons;
mod dispatch;
mod plan;

use clap::{Parser, Subcommand};
use simulator::faults::command::{self as chaos, ChaosArgs};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "test-harness",
    version,
    about = "Measures Evenkeel",
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
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// What it costs to give tasks to workers
    Dispatch(dispatch::Options),
    /// What a plan costs, at growing sizes
    Plan(plan::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended = match command {
        Command::Bench(Bench::Dispatch(options)) => dispatch::run(&options).await.map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Plan(options)) => plan::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Chaos(args) => chaos::run(&args).map_err(Into::into),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("test-harness: {error:#}");
        ExitCode::from(2)
    })
}
