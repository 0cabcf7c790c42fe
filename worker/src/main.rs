//! The worker as a program of its own; `evenkeel worker` is the same.

use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Parser)]
#[command(name = "worker", version, about)]
struct Command {
    #[command(flatten)]
    args: worker::Args,
}

fn main() -> ExitCode {
    let args = Command::parse().args;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The log may be a file on a full disk: what cannot be written is not worth dying for, as telling of it on stderr would be.
    let to_stderr = tracing_subscriber::fmt().with_writer(std::io::stderr).log_internal_errors(false);
    to_stderr.with_env_filter(filter).init();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: worker::Args) -> anyhow::Result<()> {
    match args.runner {
        Some(dir) => worker::run_runner(&dir, args.slots),
        // One thread: it only passes things on, and handing them from thread to thread costs more than that.
        None => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(worker::run(args)),
    }
}
