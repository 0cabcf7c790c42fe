//! Benches of the real thing: the coordinator's and the workers' own programs, over real sockets, with the log on disk.

mod daemons;
mod dispatch;
mod plan;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "test-harness",
    version,
    about = "Measures Evenkeel",
    after_help = "\
Example: no-op tasks through four workers of 64 slots
  test-harness bench dispatch --tasks 100000 --workers 4 --slots 64 --json"
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
    let done = match Arguments::parse().command {
        Command::Bench(Bench::Dispatch(options)) => dispatch::run(&options).await,
        Command::Bench(Bench::Plan(options)) => plan::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test-harness: {error:#}");
            ExitCode::from(2)
        }
    }
}
