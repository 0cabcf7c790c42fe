//! `test-harness chaos`: seeds of everything going wrong, and what did not hold.

use super::farm::{self, Story};
use super::setting::Setting;
use super::sights::Sight;
use super::sweep::{self, Failure, Sweep};
use super::trace::Trace;
use super::witness::{Moves, Violation};
use crate::SimError;
use crate::command::print;
use serde_json::json;
use std::process::ExitCode;

/// Lines of the trace that are shown of a run that went wrong.
const LINES: usize = 60;
/// Over so many seeds everything must have been seen.
const SEEDS_TO_SEE_ALL: u64 = 1_000;

const EXAMPLES: &str = "\
Examples: a thousand seeds of two hours each, then one seed in words
  test-harness chaos --seeds 1000 --hours 2
  test-harness chaos --seed 17 --trace

It ends with 1 when something did not hold, when two runs of a seed differ, or when over 1,000 seeds or more something that
must be reached was not. docs/chaos.md says what is simulated and what must hold.";

/// Run the production cores in virtual time while everything goes wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ChaosArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub seeds: u64,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub from: u64,
    /// Virtual hours of trouble for each seed
    #[arg(long, value_name = "H", default_value_t = 2.0, value_parser = hours)]
    pub hours: f64,
    /// Runs at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Run this one seed
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// Print all that happens in words
    #[arg(long, requires = "seed")]
    pub trace: bool,
    /// Plant one bug after the other and write how soon each is seen, in Markdown [needs a build with --cfg planted]
    #[cfg(planted)]
    #[arg(long, conflicts_with_all = ["seed", "json"])]
    pub planted: bool,
    /// Plant this bug
    #[cfg(planted)]
    #[arg(long, value_name = "N")]
    pub bug: Option<u8>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "it must be a number of hours, such as 2 or 0.5".to_owned())?;
    if (0.01..=1000.0).contains(&hours) { Ok(hours) } else { Err("it must be from 0.01 to 1000 hours".to_owned()) }
}

/// Runs the command.
///
/// # Errors
/// What was found cannot be printed.
pub fn run(args: &ChaosArgs) -> Result<ExitCode, SimError> {
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), usize::from);
    #[cfg(planted)]
    if args.planted {
        let (table, unseen) = super::planted::table(args.seeds, args.hours, jobs);
        print(&table)?;
        return Ok(if unseen == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let prepare = || {
        #[cfg(planted)]
        shared::planted::plant(args.bug.unwrap_or(0));
    };
    prepare();
    if let Some(seed) = args.seed {
        return run_one(args, seed);
    }
    let sweep = sweep::sweep(args.from..args.from.saturating_add(args.seeds), args.hours, jobs, 10, prepare);
    let missing = if sweep.seeds >= SEEDS_TO_SEE_ALL { sweep.sights.missing() } else { Vec::new() };
    print(&if args.json { json_of(args, &sweep) } else { text_of(args, &sweep, &missing) })?;
    Ok(if sweep.failures.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_one(args: &ChaosArgs, seed: u64) -> Result<ExitCode, SimError> {
    let kept = if args.trace { usize::MAX / 4 } else { LINES };
    let story = farm::run(Setting::drawn(seed, args.hours), Trace::in_words(kept));
    if args.trace {
        print(&story.lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    }
    let Some(violation) = &story.violation else {
        let (events, tasks, attempts) = (story.events, story.tasks, story.attempts);
        print(&format!(
            "seed {seed}: all holds; {events} events, {tasks} tasks, {attempts} attempts, hash {:016x}\n",
            story.hash
        ))?;
        return Ok(ExitCode::SUCCESS);
    };
    print(&told(&story, violation, args.hours, !args.trace))?;
    Ok(ExitCode::FAILURE)
}

/// A violation, with what happened last and the command that shows it again.
fn told(story: &Story, violation: &Violation, hours: f64, with_lines: bool) -> String {
    let from = story.lines.len().saturating_sub(LINES);
    let last: String =
        if with_lines { story.lines[from..].iter().map(|line| format!("  {line}\n")).collect() } else { String::new() };
    format!(
        "{last}seed {}: {} does not hold {:.6} s into the run: {}\nall of it: test-harness chaos --seed {} --hours {hours} --trace\n",
        story.seed,
        violation.invariant,
        violation.at.seconds(),
        violation.what,
        story.seed,
    )
}

fn text_of(args: &ChaosArgs, sweep: &Sweep, missing: &[Sight]) -> String {
    let mut text = String::new();
    for failure in &sweep.failures {
        match failure {
            Failure::Violated(story) => {
                // The run again, in words this time: it is the same.
                let again = farm::run(Setting::drawn(story.seed, args.hours), Trace::in_words(LINES));
                let violation = again.violation.as_ref().or(story.violation.as_ref()).expect("it went wrong");
                text += &format!("{}\n", told(&again, violation, args.hours, true));
            }
            Failure::Differs(seed) => text += &format!("seed {seed}: two runs of it differ\n"),
        }
    }
    text += "seen\n";
    for sight in Sight::ALL {
        text += &format!("  {:>10}  {}\n", sweep.sights.times(*sight), sight.text());
    }
    for sight in missing {
        text += &format!("never seen: {}\n", sight.text());
    }
    let Moves { done, called_off, stranded } = sweep.moves;
    text + &format!(
        "{} seeds, {} went wrong, {} of {} run twice were the same\n{:.0} virtual hours, {} tasks, {} attempts, {} events\n\
         {} moves of running tasks were ordered: {} done, {} called off, {} stranded\n\
         {:.1} s of processor time, {:.3} s a seed, {:.1} virtual hours for each second of a processor\n",
        sweep.seeds,
        sweep.failures.len(),
        sweep.rerun,
        sweep.rerun + sweep.failures.iter().filter(|failure| matches!(failure, Failure::Differs(_))).count() as u64,
        sweep.virtual_hours,
        sweep.tasks,
        sweep.attempts,
        sweep.events,
        done + called_off + stranded,
        done,
        called_off,
        stranded,
        sweep.cpu_s,
        sweep.cpu_s / sweep.seeds.max(1) as f64,
        sweep.virtual_hours_per_cpu_s(),
    )
}

fn json_of(args: &ChaosArgs, sweep: &Sweep) -> String {
    let failures = sweep.failures.iter().map(|failure| match failure {
        Failure::Violated(story) => {
            let violation = story.violation.as_ref().expect("it went wrong");
            json!({
                "seed": story.seed, "invariant": violation.invariant, "what": violation.what, "at_s": violation.at.seconds(),
                "replay": format!("test-harness chaos --seed {} --hours {} --trace", story.seed, args.hours),
            })
        }
        Failure::Differs(seed) => json!({ "seed": seed, "invariant": "same seed, same run", "what": "two runs of it differ" }),
    });
    let seen = Sight::ALL.iter().map(|sight| (sight.text().to_owned(), sweep.sights.times(*sight).into()));
    let figures = json!({
        "seeds": sweep.seeds,
        "from": args.from,
        "hours": args.hours,
        "virtual_hours": sweep.virtual_hours,
        "cpu_s": sweep.cpu_s,
        "virtual_hours_per_cpu_s": sweep.virtual_hours_per_cpu_s(),
        "tasks": sweep.tasks,
        "attempts": sweep.attempts,
        "moves": { "done": sweep.moves.done, "called_off": sweep.moves.called_off, "stranded": sweep.moves.stranded },
        "events": sweep.events,
        "rerun_same": sweep.rerun,
        "failures": failures.collect::<Vec<_>>(),
        "seen": serde_json::Value::Object(seen.collect()),
    });
    format!("{figures:#}\n")
}
