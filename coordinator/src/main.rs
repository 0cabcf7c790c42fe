//! The coordinator daemon.

use clap::Parser;
use std::process::ExitCode;

/// Drives workers: keeps tasks, gives them out, records what happened.
#[derive(Debug, Parser)]
#[command(name = "coordinator", version)]
struct Program {
    #[command(flatten)]
    command: coordinator::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Program { command } = Program::parse();
    match coordinator::obey(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coordinator: {error:#}");
            ExitCode::from(2)
        }
    }
}
