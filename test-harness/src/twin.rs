//! The same scenario on real daemons and in the simulator, under several policies.
//!
//! The machines are processes of this computer: their hardware is declared, their tasks do real work at the pace that the
//! scenario gives the machine. What is real is everything else: processes, sockets, the log, the coordinator's decisions.

mod farm;
mod figures;
mod work;

pub use work::{WORK, work};

use anyhow::{Context, Result, bail};
use clap::Parser;
use figures::{Comparison, Measured};
use simulator::{Scenario, builtin};
use std::path::PathBuf;

/// The scenario.
const SCENARIO: &str = "real-twin";
/// How long the scenario lasts at its own pace, in seconds, under a good policy.
const LASTS_S: f64 = 150.0;
/// The balancer looks at the fleet so often, in seconds of the scenario.
pub(crate) const CHECK_S: f64 = 5.0;

/// The flags.
#[derive(Debug, Parser)]
#[command(
    name = "run_test_adaptive_load_balancer",
    version,
    about = "Runs one load under several policies on real daemons, and beside it in the simulator",
    after_help = "Example: ten minutes on port 8082, reports in ./adaptive-test\n  run_test_adaptive_load_balancer --run-time 600"
)]
pub struct Options {
    /// Port of the coordinator under test; 0 takes a free one
    #[arg(long, default_value_t = 8082)]
    port: u16,
    /// Seconds for all policies together
    #[arg(long, default_value_t = 600.0)]
    run_time: f64,
    /// The policies, in order
    #[arg(long, value_delimiter = ',', default_values_t = ["fixed_threshold", "seed_v1", "adaptive"].map(String::from))]
    policies: Vec<String>,
    /// Which instance of the scenario
    #[arg(long, default_value_t = builtin::SEED)]
    seed: u64,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "adaptive-test")]
    output: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs it and prints the table.
///
/// # Errors
/// An option that makes no sense, or daemons that did not do what they should.
pub async fn run(options: &Options) -> Result<()> {
    if !(30.0..=86_400.0).contains(&options.run_time) {
        bail!("--run-time is {} s: it must be from 30 to 86400 seconds", options.run_time);
    }
    if let Some(unknown) = options.policies.iter().find(|name| coordinator_core::policy::by_name(name).is_none()) {
        bail!("no policy is called `{unknown}`: there are {}", coordinator_core::policy::NAMES.join(", "));
    }
    std::fs::create_dir_all(&options.output).with_context(|| format!("making the folder {}", options.output.display()))?;
    let mut scenario = builtin::by_name(SCENARIO)?.scenario(options.seed)?;
    // The real coordinator begins without a history.
    scenario.history.clear();
    // Every time of the scenario is multiplied by it.
    let scale = options.run_time / options.policies.len() as f64 / LASTS_S;
    let mut rows = Vec::new();
    for policy in &options.policies {
        eprintln!("{policy}: simulating, then running on real daemons at {scale:.2} times the scenario's pace");
        let simulated = simulate(&scenario, policy, scale)?;
        let report = options.output.join(format!("{policy}.html"));
        let real = farm::run(&scenario, farm::Terms { policy, scale, port: options.port, report: &report }).await?;
        rows.push(Comparison { policy: policy.clone(), real, simulated, report });
    }
    if options.json { figures::print_json(&rows) } else { figures::print(&rows) }
}

fn simulate(scenario: &Scenario, policy: &str, scale: f64) -> Result<Measured> {
    let settings = vec!["heartbeat=5s".parse(), format!("check_interval={CHECK_S}s").parse()];
    let settings = settings.into_iter().collect::<Result<_, String>>().map_err(anyhow::Error::msg)?;
    let options = simulator::Options { policy: policy.into(), settings, ..simulator::Options::default() };
    let summary = simulator::run(scenario, &options)?.summary;
    Ok(Measured {
        finished: summary.finished as u64,
        makespan_s: summary.makespan_s * scale,
        utilization: summary.utilization,
        mean_flow_s: summary.mean_flow_s * scale,
        p95_flow_s: summary.p95_flow_s * scale,
        migrations: summary.migrations as u64,
    })
}
