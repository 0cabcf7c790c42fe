//! `evenkeel replay` of simulated runs, without the rest of the command line.

use clap::Parser;
use simulator::replay::{self, ReplayArgs};
use std::path::Path;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "replay", about = "Decide again what was decided in a run")]
struct Line {
    #[command(flatten)]
    args: ReplayArgs,
}

fn main() -> ExitCode {
    let none = |folder: &Path| Err(format!("{} holds no log.jsonl of a simulated run", folder.display()));
    replay::run(&Line::parse().args, none).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
