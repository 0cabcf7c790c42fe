//! What to do about what was found (F172): each recommendation names the figure it rests on and the query it is from.

use crate::figures::Figures;
use crate::text::{duration, percent, signed};
use benchmark_db::TrendRow;
use serde::Serialize;

/// The standard deviation of busy share from which load counts as uneven.
const SPREAD_MAX: f64 = 0.3;
/// Waiting for longer than this on average counts as slow, in seconds.
const WAIT_S_MAX: f64 = 0.5;
/// A fleet busier than this is full: no policy can make its tasks wait less.
const FULL_FROM: f64 = 0.85;
/// A trend is told when a line explains at least this much of it …
const TREND_R2_MIN: f64 = 0.5;
/// … over at least so many runs …
const TREND_RUNS_MIN: u64 = 4;
/// … and the figure changed by this share of its mean from the first run to the last.
const TREND_CHANGE_MIN: f64 = 0.1;
/// Moves are judged from so many on.
const JUDGED_MIN: u64 = 5;

/// One recommendation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// What was found and what to do, in a sentence or two.
    pub sentence: String,
    /// The name of the figure it rests on.
    pub figure: String,
    /// Its value: a share, or seconds.
    pub value: f64,
    /// What it is from.
    pub query: String,
}

/// All that follows from the figures, the gravest first.
pub fn of(figures: &Figures) -> Vec<Advice> {
    let found = [spread(figures), wait(figures), moves(figures)];
    found.into_iter().flatten().chain(figures.trends.iter().filter_map(trend)).collect()
}

fn spread(figures: &Figures) -> Option<Advice> {
    let value = figures.summary.load_stddev.filter(|spread| *spread > SPREAD_MAX)?;
    let sentence = format!(
        "The machines were unevenly loaded: the standard deviation of their busy share was {} on average over time, above {}. Try \
         `coordinator --policy resource_aware`, which looks at what each machine has left.",
        percent(value),
        percent(SPREAD_MAX)
    );
    Some(advice(sentence, "load_stddev", value, "SELECT load_stddev FROM summary"))
}

fn wait(figures: &Figures) -> Option<Advice> {
    let value = figures.kpis.mean_queue_latency_s.filter(|wait| *wait > WAIT_S_MAX)?;
    let utilization = figures.summary.utilization?;
    let (waited, limit, busy) = (duration(value), duration(WAIT_S_MAX), percent(utilization));
    let sentence = if utilization >= FULL_FROM {
        format!(
            "Tasks waited {waited} on average, longer than {limit}, and the machines were {busy} busy: they were full. More workers or \
             slots would shorten the wait, another policy would not."
        )
    } else {
        format!(
            "Tasks waited {waited} on average, longer than {limit}, although the machines were only {busy} busy. Try `coordinator \
             --policy latency_based`; `evenkeel why TASK` says what keeps a waiting task from each worker."
        )
    };
    let query = "SELECT mean_queue_latency_s FROM kpis; SELECT utilization FROM summary";
    Some(advice(sentence, "mean_queue_latency_s", value, query))
}

fn moves(figures: &Figures) -> Option<Advice> {
    let all = &figures.migration_figures;
    let value = all.mean_realised_gain_s.filter(|gain| *gain < 0.0 && all.judged >= JUDGED_MIN)?;
    let sentence = format!(
        "Moving running tasks did not pay: those that were moved ended {} later on average than they would have where they ran. Try \
         `coordinator --disable-task-migration`, or look at the costs of moves below.",
        duration(-value)
    );
    Some(advice(sentence, "mean_realised_gain_s", value, "SELECT mean_realised_gain_s FROM migration_figures"))
}

fn trend(row: &TrendRow) -> Option<Advice> {
    let slope = row.slope_per_run.filter(|_| row.runs >= TREND_RUNS_MIN && row.r2.is_some_and(|r2| r2 >= TREND_R2_MIN))?;
    let change = slope * (row.runs - 1) as f64;
    if change.abs() < TREND_CHANGE_MIN * row.mean.abs() || change == 0.0 {
        return None;
    }
    let by = if row.unit == "s" {
        signed(change)
    } else {
        format!("{}{}", if change < 0.0 { "\u{2212}" } else { "+" }, percent(change.abs()))
    };
    let mean = if row.unit == "s" { duration(row.mean) } else { percent(row.mean) };
    let what = match (row.figure.as_str(), change > 0.0) {
        ("utilization", true) => "The fleet fills up: plan for more workers before it is full.",
        ("utilization", false) => "The fleet empties: fewer workers would do.",
        ("tasks that did not pass", true) => "More and more fails: look at what failed, and at the flaky tests.",
        ("tasks that did not pass", false) => "Less and less fails.",
        (_, true) => "It grows from run to run: look at what took longest, and at the workers that left.",
        (_, false) => "It shrinks from run to run: whatever was changed, it helped.",
    };
    let sentence =
        format!("Trend over {} runs: {} {by} from the first to the last, {mean} on average. {what}", row.runs, row.figure);
    let query = format!("SELECT slope_per_run, r2 FROM trends WHERE figure = '{}'", row.figure);
    Some(Advice { sentence, figure: row.figure.clone(), value: slope, query })
}

fn advice(sentence: String, figure: &str, value: f64, query: &str) -> Advice {
    Advice { sentence, figure: figure.into(), value, query: query.into() }
}
