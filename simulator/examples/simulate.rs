//! `evenkeel simulate` without the rest of the command line.

use clap::Parser;
use simulator::command::{self, SimulateArgs};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "simulate", about = "Run a scenario in virtual time")]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn main() -> ExitCode {
    command::run(&Line::parse().args).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
