//! How a coordinator is started: flags, and a TOML file whose keys are the flags' names. A flag wins over the file.

use anyhow::{Context, bail};
use clap::{ArgAction, Args as ClapArgs, Subcommand};
use serde::Deserialize;
use shared::config::{BalancerConfig, parse_duration_s};
use std::net::IpAddr;
use std::path::PathBuf;

/// What `coordinator` is asked for: to run, unless it is told something else.
#[derive(Debug, Clone, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Command {
    /// How to run.
    #[command(flatten)]
    pub args: Args,
    /// What to do instead.
    #[command(subcommand)]
    pub instead: Option<Instead>,
}

/// What `coordinator` does besides running.
#[derive(Debug, Clone, Subcommand)]
pub enum Instead {
    /// Keep what lies before the damage in a log, move the damaged log aside, and say what is lost
    #[command(
        after_help = "Example: the coordinator said that its log is damaged\n  coordinator salvage --data-dir ./benchmark_db.data"
    )]
    Salvage {
        /// The folder that holds the log
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// The flags of `coordinator`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "\
Example: a coordinator for this machine only, and two workers for it
  coordinator --db-path ./benchmark_db.duckdb --port 8080
  worker --coordinator ws://127.0.0.1:8080 --name a
  worker --coordinator ws://127.0.0.1:8080 --name b")]
pub struct Args {
    /// The metrics database. The log, which is the truth, lies in a folder beside it
    #[arg(long, value_name = "FILE")]
    pub db_path: Option<PathBuf>,
    /// Folder of the log, the output of tasks and shipped files [default: the database's name, ending in .data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address to listen on. Other than a loopback address it requires a token from every caller [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
    /// Port to listen on; 0 picks a free one [default: 8080]
    #[arg(long)]
    pub port: Option<u16>,
    /// A TOML file with the same options: `db_path`, `host`, `port`, `check_interval`, `enable_task_migration`, …
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How tasks find their workers, such as adaptive, fixed_threshold or fifo; `evenkeel simulate --list` lists them; one chosen while it runs holds after a restart too [default: adaptive]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// A file holding the token callers must have [env: EVENKEEL_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// POST each change of an alert to this address, as JSON with a line of text for chat systems
    #[arg(long, value_name = "URL", value_parser = crate::webhook::parse_url)]
    pub alert_webhook: Option<reqwest::Url>,
    /// Post a trace of each task that ends to this OpenTelemetry collector, by OTLP over HTTP, such as http://127.0.0.1:4318
    #[arg(long, value_name = "URL", value_parser = crate::trace::parse_collector)]
    pub otlp: Option<reqwest::Url>,
    /// Write the address to this file once it listens
    #[arg(long, value_name = "FILE")]
    pub announce: Option<PathBuf>,
    /// End when standard input closes: for programs that start a coordinator of their own
    #[arg(long)]
    pub exit_with_parent: bool,
    /// The published table of the balancer.
    #[command(flatten)]
    pub balancer: BalancerArgs,
}

/// The balancer's flags.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Balancer")]
pub struct BalancerArgs {
    /// Time between two looks at the fleet, each kept as a row of load_balancer_metrics [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration_s)]
    check_interval: Option<f64>,
    /// Share of a worker's slots above which it counts as overloaded [default: 0.85]
    #[arg(long, value_name = "0..1")]
    utilization_threshold_high: Option<f64>,
    /// Share below which it counts as underloaded [default: 0.2]
    #[arg(long, value_name = "0..1")]
    utilization_threshold_low: Option<f64>,
    /// How long measurements count [default: 5min]
    #[arg(long, value_name = "TIME", value_parser = parse_duration_s)]
    performance_window: Option<f64>,
    /// Running tasks that may move at a time [default: 2]
    #[arg(long, value_name = "N")]
    max_simultaneous_migrations: Option<u32>,
    /// How fast the thresholds follow the load [default: 0.05]
    #[arg(long, value_name = "0..1")]
    threshold_adjustment_rate: Option<f64>,
    /// Seconds of a task's time that saving a kilojoule is worth, 0 where only time counts [default: 0]
    #[arg(long, value_name = "SECONDS")]
    energy_weight: Option<f64>,
    /// How far ahead load is predicted [default: 3min]
    #[arg(long, value_name = "TIME", value_parser = parse_duration_s)]
    prediction_window: Option<f64>,
    /// Never move a running task
    #[arg(long, action = ArgAction::SetTrue)]
    disable_task_migration: bool,
    /// Keep the thresholds as they are configured
    #[arg(long, action = ArgAction::SetTrue)]
    disable_dynamic_thresholds: bool,
    /// Act on the load that is, not on the one predicted
    #[arg(long, action = ArgAction::SetTrue)]
    disable_predictive_balancing: bool,
    /// Move without weighing what a move costs against what it gains
    #[arg(long, action = ArgAction::SetTrue)]
    disable_cost_benefit_analysis: bool,
    /// Treat all kinds of hardware alike
    #[arg(long, action = ArgAction::SetTrue)]
    disable_hardware_specific_strategies: bool,
    /// Count neither joules nor the speed that a machine loses when it gets warm
    #[arg(long, action = ArgAction::SetTrue)]
    disable_resource_efficiency: bool,
}

/// The keys of the TOML file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
    db_path: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    host: Option<IpAddr>,
    port: Option<u16>,
    policy: Option<String>,
    token_file: Option<PathBuf>,
    alert_webhook: Option<String>,
    otlp: Option<String>,
}

/// Keys of the file that are not the balancer's.
const OWN_KEYS: [&str; 8] = ["db_path", "data_dir", "host", "port", "policy", "token_file", "alert_webhook", "otlp"];

/// What a coordinator runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The metrics database.
    pub db_path: PathBuf,
    /// The log, output and shipped files.
    pub data_dir: PathBuf,
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// The policy's name.
    pub policy: String,
    /// Where changes of alerts are posted.
    pub alert_webhook: Option<reqwest::Url>,
    /// Where traces are posted.
    pub otlp: Option<reqwest::Url>,
    /// The token callers must have, where the operator gave one.
    pub token: Option<String>,
    /// The published table.
    pub balancer: BalancerConfig,
}

impl Settings {
    /// Flags over file over defaults.
    ///
    /// # Errors
    /// The file cannot be read or holds what it should not, with the line; or values that make no sense together.
    pub fn from_args(args: &Args) -> anyhow::Result<Self> {
        let (file, balancer) = args.config.as_ref().map_or_else(|| Ok(Default::default()), read_file)?;
        let balancer = args.balancer.over(balancer);
        if let Some(problem) = balancer.problem() {
            bail!("the configuration makes no sense: {problem}");
        }
        let policy = args.policy.clone().or(file.policy).unwrap_or_else(|| coordinator_core::policy::NAMES[0].into());
        if coordinator_core::policy::by_name(&policy).is_none() {
            bail!("no policy is called `{policy}`: there are {}", coordinator_core::policy::NAMES.join(", "));
        }
        let db_path = args.db_path.clone().or(file.db_path).unwrap_or_else(|| "./benchmark_db.duckdb".into());
        let data_dir = args.data_dir.clone().or(file.data_dir).unwrap_or_else(|| db_path.with_extension("data"));
        let url = |key, text: Option<String>, parse: fn(&str) -> Result<reqwest::Url, String>| {
            text.as_deref().map(parse).transpose().map_err(|problem| anyhow::anyhow!("{key}: {problem}"))
        };
        let alert_webhook = url("alert_webhook", file.alert_webhook, crate::webhook::parse_url)?;
        let otlp = url("otlp", file.otlp, crate::trace::parse_collector)?;
        Ok(Self {
            db_path,
            data_dir,
            host: args.host.or(file.host).unwrap_or(IpAddr::from([127, 0, 0, 1])),
            port: args.port.or(file.port).unwrap_or(8080),
            policy,
            alert_webhook: args.alert_webhook.clone().or(alert_webhook),
            otlp: args.otlp.clone().or(otlp),
            token: token(args.token_file.clone().or(file.token_file))?,
            balancer,
        })
    }
}

fn token(file: Option<PathBuf>) -> anyhow::Result<Option<String>> {
    let Some(path) = file else {
        return Ok(std::env::var("EVENKEEL_TOKEN").ok().filter(|token| !token.trim().is_empty()));
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading the token file {}", path.display()))?;
    if text.trim().len() < 16 {
        bail!("the token file {} holds fewer than 16 characters: anyone could guess it", path.display());
    }
    Ok(Some(text.trim().into()))
}

fn read_file(path: &PathBuf) -> anyhow::Result<(ConfigFile, BalancerConfig)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the configuration {}", path.display()))?;
    parse_file(&text).with_context(|| format!("in the configuration {}", path.display()))
}

fn parse_file(text: &str) -> anyhow::Result<(ConfigFile, BalancerConfig)> {
    let own: ConfigFile = toml::from_str(text)?;
    let mut rest: toml::Table = toml::from_str(text)?;
    rest.retain(|key, _| !OWN_KEYS.contains(&key));
    let balancer = BalancerConfig::deserialize(toml::Value::Table(rest)).context("a key or a value is wrong")?;
    Ok((own, balancer))
}

impl BalancerArgs {
    fn over(&self, mut base: BalancerConfig) -> BalancerConfig {
        let set = |to: &mut f64, from: Option<f64>| *to = from.unwrap_or(*to);
        set(&mut base.check_interval_s, self.check_interval);
        set(&mut base.utilization_threshold_high, self.utilization_threshold_high);
        set(&mut base.utilization_threshold_low, self.utilization_threshold_low);
        set(&mut base.performance_window_s, self.performance_window);
        set(&mut base.threshold_adjustment_rate, self.threshold_adjustment_rate);
        set(&mut base.prediction_window_s, self.prediction_window);
        set(&mut base.energy_weight, self.energy_weight);
        base.max_simultaneous_migrations = self.max_simultaneous_migrations.unwrap_or(base.max_simultaneous_migrations);
        base.enable_task_migration &= !self.disable_task_migration;
        base.enable_dynamic_thresholds &= !self.disable_dynamic_thresholds;
        base.enable_predictive_balancing &= !self.disable_predictive_balancing;
        base.enable_cost_benefit_analysis &= !self.disable_cost_benefit_analysis;
        base.enable_hardware_specific_strategies &= !self.disable_hardware_specific_strategies;
        base.enable_resource_efficiency &= !self.disable_resource_efficiency;
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_the_flags_leave() {
        let (own, balancer) = parse_file("port = 9000\ncheck_interval = \"1min\"\nenable_task_migration = false").expect("valid");
        assert_eq!((own.port, balancer.check_interval_s, balancer.enable_task_migration), (Some(9000), 60.0, false));
        let flags = BalancerArgs { check_interval: Some(5.0), ..BalancerArgs::default() };
        assert_eq!(flags.over(balancer).check_interval_s, 5.0);
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line_and_an_unknown_key_by_name() {
        let broken = format!("{:#}", parse_file("port = 9000\nhost = = 3").expect_err("broken"));
        assert!(broken.contains("line 2"), "{broken}");
        let unknown = format!("{:#}", parse_file("chek_interval = 3").expect_err("unknown"));
        assert!(unknown.contains("chek_interval"), "{unknown}");
    }
}
