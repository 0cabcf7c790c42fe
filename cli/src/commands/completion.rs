//! `evenkeel completion`: completion scripts for shells.

use crate::args::Cli;
use crate::screen::print;
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

/// The options of `completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel completion bash > ~/.local/share/bash-completion/completions/evenkeel")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "evenkeel", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
