//! `test-harness chaos` without the rest of the harness: it builds without DuckDB.

use clap::Parser;
use simulator::faults::command::{self, ChaosArgs};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "chaos", about = "Run the production cores in virtual time while everything goes wrong")]
struct Line {
    #[command(flatten)]
    args: ChaosArgs,
}

fn main() -> ExitCode {
    command::run(&Line::parse().args).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
