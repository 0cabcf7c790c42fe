//! Benches and ordeals of the real thing: the coordinator's and the workers' own programs, over real sockets, with the log on
//! disk.

mod daemons;
mod disk_faults;
mod dispatch;
mod farm;
mod link_faults;
mod log_faults;
mod plan;
mod proxy;
mod restart;
mod storm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "test-harness",
    version,
    about = "Measures Evenkeel, and what it survives",
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
    /// How soon a killed coordinator gives work again
    Restart(restart::Options),
    /// What a plan costs, at growing sizes
    Plan(plan::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Bench(Bench::Dispatch(options)) => dispatch::run(&options).await,
        Command::LogFaults(options) => log_faults::run(&options),
        Command::Bench(Bench::Restart(options)) => restart::run(&options).await,
        Command::DiskFaults(options) => disk_faults::run(&options).await,
        Command::LinkFaults(options) => link_faults::run(&options).await,
        Command::Storm(options) => storm::run(&options).await,
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
