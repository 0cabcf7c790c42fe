//! The command line: every subcommand and its options.

use crate::commands::{
    cancel, completion, config, logs, migrate, replay, report, simulate, status, submit, task, tasks, top, watch, why, workers,
};
use crate::run;
use clap::{Parser, Subcommand};

/// Run test suites and tasks over a fleet of unlike machines.
#[derive(Debug, Parser)]
#[command(
    name = "evenkeel",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  evenkeel run --junit results.xml -- pytest tests/\n  evenkeel run SUITE.toml\n  \
                  evenkeel submit --coordinator http://farm:8080 --wait -- make bench\n  evenkeel why 17\n\n\
                  Exit status: 0 all is well, 1 tests failed, 2 an error of usage or of the farm, 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a test suite, on this machine or on a farm, and report each test.
    Run(Box<run::Args>),
    /// Submit tasks to a coordinator and print their numbers.
    Submit(Box<submit::Args>),
    /// Show how a coordinator and its farm are.
    Status(status::Args),
    /// Show the whole farm live in the terminal: workers, load, what waits, what runs, alerts.
    Top(top::Args),
    /// Show live how tasks get on, until nothing is left to do.
    Watch(watch::Args),
    /// List tasks.
    Tasks(tasks::Args),
    /// Show one task and its attempts.
    Task(task::Args),
    /// Print what a task wrote, byte for byte.
    Logs(logs::Args),
    /// Stop tasks.
    Cancel(cancel::Args),
    /// Move a running task, with the state it saves, to another worker.
    Migrate(migrate::Args),
    /// List the workers.
    Workers(workers::Args),
    /// Empty a worker for maintenance: it gets no new work, and what runs there ends or moves.
    #[command(after_help = "Example:\n  evenkeel drain gpu-1")]
    Drain(workers::SetArgs),
    /// Give a worker no new work; what runs there stays.
    #[command(after_help = "Example:\n  evenkeel cordon gpu-1")]
    Cordon(workers::SetArgs),
    /// Give a worker work again.
    #[command(after_help = "Example:\n  evenkeel uncordon gpu-1")]
    Uncordon(workers::SetArgs),
    /// Say why a task waits, or why it ran where it ran.
    Why(why::Args),
    /// Draw the HTML report of what happened.
    Report(report::Args),
    /// Run a scenario in virtual time against the code that production runs, or compare policies.
    Simulate(Box<simulate::Args>),
    /// Decide again what was decided in a run, by the same policy or by another.
    Replay(replay::Args),
    /// Show the configuration a coordinator works with.
    Config(config::Args),
    /// Print the completion script of a shell.
    Completion(completion::Args),
    /// Run the coordinator daemon.
    #[command(after_help = "Example:\n  evenkeel coordinator --db-path ./benchmark_db.duckdb --host 127.0.0.1 --port 8080")]
    Coordinator(Box<coordinator::Command>),
    /// Run a worker daemon.
    #[command(after_help = "Example:\n  evenkeel worker --coordinator http://farm:8080 --name gpu-1")]
    Worker(Box<worker::Args>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_two_dashes_belongs_to_the_suite() {
        let cli = parse("evenkeel run --junit a.xml -- pytest -x --junit b.xml").expect("well formed");
        let Command::Run(args) = cli.command else { panic!("not a run") };
        assert_eq!(args.words().expect("one command"), ["pytest", "-x", "--junit", "b.xml"]);
        assert_eq!(args.junit.as_deref(), Some(std::path::Path::new("a.xml")));
    }

    #[test]
    fn a_suite_file_needs_no_dashes() {
        let cli = parse("evenkeel run SUITE.toml --local-workers 2").expect("well formed");
        let Command::Run(args) = cli.command else { panic!("not a run") };
        assert_eq!((args.words().expect("one command").join(" "), args.local_workers), ("SUITE.toml".to_owned(), 2));
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "evenkeel run --no-such-flag -- pytest",
            "evenkeel run --priority 11 -- pytest",
            "evenkeel run --requires cores>>1 -- pytest",
            "evenkeel run --timeout -1 -- pytest",
            "evenkeel run --local-workers 0 -- pytest",
            "evenkeel task x",
            "evenkeel",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_subcommand_has_an_example() {
        let mut command = Cli::command();
        command.build();
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", sub.get_name());
        }
    }
}
