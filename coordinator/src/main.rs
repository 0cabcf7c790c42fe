//! The coordinator daemon.

use clap::Parser;
use std::process::ExitCode;

/// Drives workers: keeps tasks, gives them out, records what happened.
#[derive(Debug, Parser)]
#[command(name = "coordinator", version)]
struct Command {
    #[command(flatten)]
    args: coordinator::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    match coordinator::run(command.args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coordinator: {error:#}");
            ExitCode::from(2)
        }
    }
}
