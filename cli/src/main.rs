//! The `evenkeel` command: runs suites and tasks, looks after a farm, and is the daemons' program too.

mod args;
mod client;
mod commands;
mod live;
mod run;
mod screen;
mod sync;
mod task_options;

use args::{Cli, Command};
use clap::Parser;
use commands::{
    cancel, completion, config, logs, migrate, replay, report, simulate, status, submit, task, tasks, top, watch, why, workers,
};
use std::io::ErrorKind;
use std::process::ExitCode;

/// The exit status for errors of usage and of the farm.
const ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Worker(args) = &cli.command
        && let Some(dir) = &args.runner
    {
        return ended(worker::run_runner(dir, args.slots).map(|()| ExitCode::SUCCESS));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen::say(&format!("error: could not start threads: {error}; see `ulimit -u`"));
            return ExitCode::from(ERROR);
        }
    };
    let result = runtime.block_on(dispatch(cli.command));
    // Something that still waits, such as for a file system that is away, does not keep the program from ending.
    runtime.shutdown_background();
    ended(result)
}

fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let word = screen::Palette::stderr().paint(screen::Paint::Bad, "error:");
            screen::say(&format!("{word} {error:#}"));
            ExitCode::from(ERROR)
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(*args).await,
        Command::Submit(args) => submit::run(*args).await,
        Command::Status(args) => status::run(args).await,
        Command::Top(args) => top::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Tasks(args) => tasks::run(args).await,
        Command::Task(args) => task::run(args).await,
        Command::Logs(args) => logs::run(args).await,
        Command::Cancel(args) => cancel::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Workers(args) => workers::run(args).await,
        Command::Drain(args) => workers::set("drain", args).await,
        Command::Cordon(args) => workers::set("cordon", args).await,
        Command::Uncordon(args) => workers::set("uncordon", args).await,
        Command::Why(args) => why::run(args).await,
        Command::Report(args) => report::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Simulate(args) => simulate::run(*args).await,
        Command::Config(args) => config::run(args).await,
        Command::Completion(args) => completion::run(&args),
        Command::Coordinator(command) => coordinator::obey(*command).await.map(|()| ExitCode::SUCCESS),
        Command::Worker(args) => worker::run(*args).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Whether the reader of our output has left, which is how `evenkeel … | head` ends.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}
