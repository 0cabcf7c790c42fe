//! `evenkeel replay`: what was decided in a run, decided again.

use crate::options::{Options, Setting};
use crate::record::{self, Head, LOG};
use crate::{SimError, Summary, command::print, run as simulate};
use coordinator_core::replay::{Action, Choice, Question, Replay, Report};
use serde::Serialize;
use serde_json::json;
use shared::fact::{Fact, What};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Decide again what was decided in a run, by the same policy or by another.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  evenkeel replay --from runs/monday\n  evenkeel replay --from runs/monday --policy fifo --limit 20\n  \
                        evenkeel replay --from ~/farm-data --set enable_task_migration=false\n\n\
                        Exit status: 0 the same was decided, or another policy was asked; 1 something else was decided; 2 an error."
)]
pub struct ReplayArgs {
    /// The run: a folder that `evenkeel simulate --log` wrote, or the data folder of a coordinator that is stopped.
    #[arg(long, value_name = "RUN")]
    pub from: PathBuf,
    /// Ask this policy instead of the one that decided.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Ask with this option of the balancer instead of what held. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<Setting>,
    /// Show so many differences; all are counted.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The facts of a run, in order.
pub type Facts = Box<dyn Iterator<Item = Result<Fact, String>>>;

/// One main figure by both policies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in `summary.json`.
    pub name: &'static str,
    /// As it was.
    pub recorded: f64,
    /// As it is now.
    pub now: f64,
}

/// Why a run could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its record cannot be replayed.
    #[error(transparent)]
    Replay(#[from] coordinator_core::replay::ReplayError),
    /// Its scenario cannot be simulated, or its record not be read.
    #[error(transparent)]
    Simulation(#[from] SimError),
    /// Its record cannot be read.
    #[error("{0}")]
    Record(String),
}

/// Runs the command. `real` opens the facts of a run that was not simulated, from the data folder of its coordinator.
///
/// # Errors
/// What could not be read, understood, simulated or printed.
pub fn run(args: &ReplayArgs, real: impl FnOnce(&Path) -> Result<Facts, String>) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let file = if args.from.is_file() { args.from.clone() } else { args.from.join(LOG) };
    let (head, facts): (Option<Head>, Facts) = if file.is_file() && file.extension().is_some_and(|end| end == "jsonl") {
        let (head, facts) = record::read(&file)?;
        (Some(head), Box::new(facts.map(|fact| fact.map_err(|error| error.to_string()))))
    } else {
        (None, real(&args.from).map_err(Error::Record)?)
    };
    let report = replay(args, facts)?;
    let took_s = began.elapsed().as_secs_f64();
    let is_other = args.policy.is_some() || !args.settings.is_empty();
    let figures = match &head {
        Some(head) if is_other => Some(figures(args, head, file.parent().unwrap_or(Path::new(".")))?),
        _ => None,
    };
    if args.json {
        let told = json!({"identical": report.is_identical(), "report": report, "figures": figures, "took_s": took_s});
        print(&format!("{told:#}\n"))?;
    } else {
        print(&in_words(&report, figures.as_deref(), is_other, took_s))?;
    }
    Ok(ExitCode::from(u8::from(!is_other && !report.is_identical())))
}

/// Decides everything again.
///
/// # Errors
/// The record cannot be read or replayed, or a setting does not exist.
pub fn replay(args: &ReplayArgs, facts: impl Iterator<Item = Result<Fact, String>>) -> Result<Report, Error> {
    let mut asked = Replay::new(Question { policy: args.policy.clone(), limit: args.limit })?;
    for fact in facts {
        let mut fact = fact.map_err(Error::Record)?;
        if let What::BalancerConfigured { balancer } = &mut fact.what
            && !args.settings.is_empty()
        {
            let now = Options { settings: args.settings.clone(), ..Options::default() }.balancer(*balancer)?;
            asked.use_table(now);
        }
        asked.take(&fact)?;
    }
    Ok(asked.finish())
}

/// The main figures of the scenario by both policies.
fn figures(args: &ReplayArgs, head: &Head, beside: &Path) -> Result<Vec<Figure>, Error> {
    let scenario = head.load_scenario(beside)?;
    let recorded = head.options()?;
    let mut other = recorded.clone();
    other.policy = args.policy.clone().unwrap_or(other.policy);
    other.settings.extend(args.settings.iter().cloned());
    let (then, now) = (simulate(&scenario, &recorded)?.summary, simulate(&scenario, &other)?.summary);
    type Pick = (&'static str, fn(&Summary) -> f64);
    let picks: [Pick; 10] = [
        ("makespan_s", |s| s.makespan_s),
        ("gap", |s| s.gap),
        ("mean_flow_s", |s| s.mean_flow_s),
        ("p99_flow_s", |s| s.p99_flow_s),
        ("mean_slowdown", |s| s.mean_slowdown),
        ("mean_wait_s", |s| s.mean_wait_s),
        ("utilization", |s| s.utilization),
        ("energy_j", |s| s.energy_j),
        ("cost", |s| s.cost),
        ("migrations", |s| s.migrations as f64),
    ];
    Ok(picks.into_iter().map(|(name, pick)| Figure { name, recorded: pick(&then), now: pick(&now) }).collect())
}

fn in_words(report: &Report, figures: Option<&[Figure]>, is_other: bool, took_s: f64) -> String {
    let r = report;
    let mut text = format!(
        "{} facts, {} plans and {} decisions in {took_s:.2} s\n{} decisions are the same, {} differ, {} plans have another order\n",
        r.facts, r.plans, r.recorded, r.same, r.different, r.reordered
    );
    if r.plans == 0 {
        text += "the run holds no plans: it was recorded by a version that did not keep them\n";
    }
    for difference in &r.first {
        let told = |choice: &Option<Choice>| choice.as_ref().map_or_else(|| "nothing".to_owned(), choice_in_words);
        let (then, now) = (told(&difference.recorded), told(&difference.now));
        text += &format!("{:>12.6} s  task {}: {then}; now: {now}\n", difference.at.seconds(), difference.task);
    }
    let hidden = (r.different as usize).saturating_sub(r.first.len());
    if hidden > 0 {
        text += &format!("… and {hidden} more: --limit N shows them\n");
    }
    match figures {
        Some(figures) => {
            text += "\nfigure             recorded            now       change\n";
            for Figure { name, recorded, now } in figures {
                let change = if *recorded == 0.0 { f64::NAN } else { 100.0 * (now / recorded - 1.0) };
                let change = if change.is_finite() { format!("{change:+.2} %") } else { "-".into() };
                text += &format!("{name:<14} {recorded:>12.3} {now:>14.3} {change:>12}\n");
            }
        }
        None if is_other => text += "figures need a scenario: only a simulated run has one\n",
        None if report.is_identical() => text += "the same was decided, bit for bit\n",
        None => text += "something else was decided than was recorded\n",
    }
    text
}

fn choice_in_words(choice: &Choice) -> String {
    let action = match choice.action {
        Action::Lease => "begin",
        Action::Hedge => "begin again",
        Action::Migrate => "move",
        Action::Preempt => "set aside",
    };
    let to = choice.worker.as_deref().map_or_else(String::new, |worker| format!(" on {worker}"));
    let hardware = choice.hardware.map_or_else(String::new, |hardware| format!(" ({})", hardware.name()));
    let gain = choice.gain_and_cost_s.map_or_else(String::new, |(gain, cost)| format!(", gain {gain:.3} s for {cost:.3} s"));
    format!("{action}{to}{hardware}{gain} [{}]", choice.why)
}
