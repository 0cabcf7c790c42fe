//! `evenkeel simulate`: a scenario in, facts and figures out; or many runs side by side.

use crate::builtin::{self, PREFIX};
use crate::compare::{self, Comparison};
use crate::options::{Options, Setting};
use crate::record::{self, Head, LOG};
use crate::source::Source;
use crate::{SimError, Summary, run as simulate};
use coordinator_core::policy::{self, NAMES};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  evenkeel simulate builtin:sudden-spike
  evenkeel simulate traces/day/scenario.toml --policy fifo --set check_interval=10s --out run/
  evenkeel simulate --list
  evenkeel simulate builtin:crash --seed 3 --write crash/
  evenkeel simulate builtin:all --compare adaptive,fifo --seeds 10 --markdown compared.md

Keys of --set, with their defaults: estimates=history (perfect: the coordinator is told the true times), heartbeat=30s, \
check_interval=30s, utilization_threshold_high=0.85, utilization_threshold_low=0.2, performance_window=5min, \
prediction_window=3min, threshold_adjustment_rate=0.05, max_simultaneous_migrations=2, and true or false for \
enable_task_migration, enable_dynamic_thresholds, enable_predictive_balancing, enable_cost_benefit_analysis, \
enable_hardware_specific_strategies, enable_resource_efficiency.

A seed is another instance of a built-in scenario. Of a scenario in files it changes the jitter of the network, no more.";

/// Run a scenario in virtual time, against the code that production runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// A scenario: a TOML file, `builtin:NAME`, or `builtin:all` [several with --compare or --write]
    #[arg(value_name = "SCENARIO", required_unless_present = "list")]
    pub scenarios: Vec<String>,
    /// The policy that chooses tasks and machines
    #[arg(long, value_name = "NAME", default_value = NAMES[0], conflicts_with = "compare")]
    pub policy: String,
    /// A setting, see below [may be repeated]
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<Setting>,
    /// Where the randomness begins, instead of where the scenario says
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The folder for facts.jsonl and summary.json [with --compare: a folder in it for each run]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write log.jsonl, too: all that `evenkeel replay` needs
    #[arg(long, requires = "out", conflicts_with = "compare")]
    pub log: bool,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    /// List the built-in scenarios and the policies
    #[arg(long, exclusive = true)]
    pub list: bool,
    /// Write the files of a built-in scenario to a folder, instead of running it [of several: a folder in it for each]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["compare", "out", "json"])]
    pub write: Option<PathBuf>,
    /// Run these policies with the same seeds and compare them, with the first one above all; `all` takes every policy
    #[arg(long, value_name = "P1,P2,…", value_delimiter = ',')]
    pub compare: Vec<String>,
    /// Seeds to compare with, one after the other from the first one on
    #[arg(long, value_name = "N", default_value_t = 5, requires = "compare", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: u32,
    /// Runs at a time
    #[arg(long, value_name = "N", default_value_t = 2, requires = "compare", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: u32,
    /// Write the comparison to a file in Markdown, too
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub markdown: Option<PathBuf>,
}

/// Runs the command. The exit code is 0 when the simulation ran, whatever became of its tasks.
///
/// # Errors
/// What could not be read, understood, run or written.
pub fn run(args: &SimulateArgs) -> Result<ExitCode, SimError> {
    if args.list {
        print(&list())?;
    } else if let Some(folder) = &args.write {
        write(args, folder)?;
    } else if args.compare.is_empty() {
        run_one(args)?;
    } else {
        compare_policies(args)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let scenarios = builtin::ALL.iter().map(|builtin| format!("  {PREFIX}{:<17} {}\n", builtin.name, builtin.about));
    let policies = policy::ALL.iter().map(|policy| format!("  {:<25} {}\n", policy.name, policy.about));
    format!("Scenarios:\n{}\nPolicies:\n{}", scenarios.collect::<String>(), policies.collect::<String>())
}

pub(crate) fn print(text: &str) -> Result<(), SimError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn write(args: &SimulateArgs, folder: &Path) -> Result<(), SimError> {
    let sources = Source::find_all(&args.scenarios)?;
    for source in &sources {
        let Source::Builtin(builtin) = source else {
            return Err(SimError::Option(format!("--write writes built-in scenarios; `{}` is in files already", source.name())));
        };
        let folder = if sources.len() == 1 { folder.to_owned() } else { folder.join(builtin.name) };
        builtin.write(args.seed.unwrap_or(builtin::SEED), &folder)?;
        print(&format!("{}\n", folder.join("scenario.toml").display()))?;
    }
    Ok(())
}

fn run_one(args: &SimulateArgs) -> Result<(), SimError> {
    let mut sources = Source::find_all(&args.scenarios)?;
    let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
        return Err(SimError::Option("several scenarios are run with --compare POLICY,…".into()));
    };
    let seed = args.seed.unwrap_or(source.seed());
    let scenario = match source {
        Source::File(scenario) => *scenario,
        Source::Builtin(builtin) => builtin.scenario(seed)?,
    };
    let options = Options { policy: args.policy.clone(), seed: Some(seed), settings: args.settings.clone(), log: args.log };
    let run = simulate(&scenario, &options)?;
    if let Some(out) = &args.out {
        run.write(out)?;
        if args.log {
            record::write(&out.join(LOG), &Head::of(&args.scenarios[0], seed, &options), &run.log)?;
        }
    }
    if args.json {
        return print(&run.summary.to_json());
    }
    let written = args.out.as_ref().map(|out| format!("\nfacts and figures are in {}\n", out.display()));
    print(&(table(&run.summary) + &written.unwrap_or_default()))
}

fn compare_policies(args: &SimulateArgs) -> Result<(), SimError> {
    let comparison = Comparison {
        sources: Source::find_all(&args.scenarios)?,
        policies: compare::policies(&args.compare)?,
        settings: args.settings.clone(),
        seed: args.seed,
        seeds: args.seeds,
        jobs: args.jobs,
        out: args.out.clone(),
    };
    let tables = comparison.run()?;
    if let Some(path) = &args.markdown {
        let text = compare::markdown(&tables);
        std::fs::write(path, text).map_err(|source| SimError::Write { path: path.clone(), source })?;
    }
    print(&if args.json { compare::json(&tables) } else { compare::text(&tables) })
}

/// The figures for people.
fn table(summary: &Summary) -> String {
    let s = summary;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = [
        ("scenario", format!("{} (simulated, seed {})", s.scenario, s.seed)),
        ("policy", format!("{} (durations known from: {})", s.policy, s.estimates)),
        ("tasks", format!("{} of {} finished, {} lost, {} impossible", s.finished, s.tasks, s.lost, s.impossible)),
        (
            "makespan",
            format!("{:.2} s, {:.3} x the lower bound of {:.2} s ({})", s.makespan_s, s.gap, s.lower_bound_s, s.lower_bound_how),
        ),
        ("flow", format!("mean {:.2} s, p95 {:.2} s, p99 {:.2} s", s.mean_flow_s, s.p95_flow_s, s.p99_flow_s)),
        ("slowdown", format!("mean {:.2}, p99 {:.2}", s.mean_slowdown, s.p99_slowdown)),
        ("wait", format!("mean {:.2} s", s.mean_wait_s)),
        ("utilization", percent(s.utilization)),
        ("load", format!("standard deviation {:.3}, imbalance {:.3}", s.load_stddev, s.imbalance)),
        ("fairness", format!("{:.3}", s.jain_fairness)),
        ("energy", format!("{:.1} kJ, lower bound {:.1} kJ", s.energy_j / 1e3, s.energy_lower_bound_j / 1e3)),
        ("cost", format!("{:.2}", s.cost)),
        ("deadlines missed", s.deadline_misses.to_string()),
        ("moved", format!("{} migrations, {} preemptions, {} hedges", s.migrations, s.preemptions, s.hedges)),
        ("wasted", format!("{:.1} s of work, {} attempts lost", s.wasted_s, s.lost_attempts)),
        ("settled after", format!("{:.2} s", s.settle_s)),
        ("took", format!("{:.2} s of real time", s.wall_s)),
    ];
    rows.iter().map(|(name, text)| format!("{name:<17} {text}\n")).collect()
}
