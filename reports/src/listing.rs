//! The rows behind a figure, for programs and for people.

use crate::ReportError;
use crate::advice::{self, Advice};
use crate::figures::Figures;
use crate::metric::Metric;
use benchmark_db::{Cell, Kpis, Listing};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Columns of a table for people are at most this wide.
const WIDTH_MAX: usize = 60;

/// Comma-separated, with a line of names.
pub fn csv(listing: &Listing) -> Result<Vec<u8>, ReportError> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| ReportError::Draw { figure: "the rows".into(), detail: error.to_string() };
    out.write_record(&listing.columns).map_err(failed)?;
    for row in &listing.rows {
        out.write_record(row.iter().map(|cell| match cell {
            Cell::Unknown => String::new(),
            Cell::Number(number) => number.to_string(),
            Cell::Whole(whole) => whole.to_string(),
            Cell::Truth(truth) => truth.to_string(),
            Cell::Text(text) => text.clone(),
        }))
        .map_err(failed)?;
    }
    out.into_inner().map_err(|error| ReportError::Draw { figure: "the rows".into(), detail: error.to_string() })
}

/// `{"metric", "query", "is_cut", "rows": [{column: value}]}`.
pub fn json(metric: Metric, listing: &Listing) -> String {
    let rows = listing.rows.iter().map(|row| {
        let fields = listing.columns.iter().zip(row).map(|(column, cell)| {
            let value = match cell {
                Cell::Unknown => Value::Null,
                Cell::Number(number) => json!(number),
                Cell::Whole(whole) => json!(whole),
                Cell::Truth(truth) => json!(truth),
                Cell::Text(text) => json!(text),
            };
            (column.clone(), value)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    });
    let rows: Vec<Value> = rows.collect();
    format!("{:#}\n", json!({ "metric": metric.name(), "query": metric.query(), "is_cut": listing.is_cut, "rows": rows }))
}

/// A table with aligned columns, under what it is about.
pub fn text(metric: Metric, listing: &Listing) -> String {
    let cells: Vec<Vec<String>> = listing.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let width = |at: usize| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(listing.columns[at].len());
    let widths: Vec<usize> = (0..listing.columns.len()).map(width).collect();
    let is_text = |at: usize| listing.rows.iter().any(|row| matches!(row[at], Cell::Text(_)));
    let mut text = format!("{}\n", metric.title());
    let mut line = |row: &[String]| {
        let padded = row.iter().enumerate().map(|(at, cell)| {
            let width = widths[at];
            if is_text(at) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(text, "{}", padded.collect::<Vec<_>>().join("  ").trim_end()).expect("text takes any length");
    };
    line(&listing.columns);
    cells.iter().for_each(|row| line(row));
    if listing.is_cut {
        writeln!(text, "… and more; --output FILE.csv has them").expect("text takes any length");
    }
    text + "query: " + metric.query() + "\n"
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Unknown => "-".into(),
        Cell::Whole(whole) => whole.to_string(),
        Cell::Truth(truth) => if *truth { "yes" } else { "no" }.into(),
        Cell::Number(number) if number.abs() >= 1e6 => format!("{number:.0}"),
        Cell::Number(number) => format!("{number:.3}"),
        Cell::Text(text) if text.chars().count() > WIDTH_MAX => text.chars().take(WIDTH_MAX - 1).chain(['…']).collect(),
        Cell::Text(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    }
}

/// The key figures and recommendations of everything.
pub fn overview(figures: &Figures) -> String {
    let Kpis {
        throughput_per_s,
        average_latency_s,
        ideal_tasks_per_worker,
        load_balance_efficiency,
        load_distribution_variance,
        task_migration_rate,
        mean_queue_latency_s,
        p95_queue_latency_s,
        utilization_efficiency,
        fairness_index,
        joules_per_passed_task,
    } = &figures.kpis;
    let summary = &figures.summary;
    let overview = json!({
        "tasks": summary.tasks, "passed": summary.passed, "unfinished": summary.unfinished, "workers": summary.workers,
        "makespan_s": summary.makespan_s, "utilization": summary.utilization, "load_stddev": summary.load_stddev,
        "is_simulated": figures.simulated().is_some(),
        "kpis": {
            "throughput_per_s": throughput_per_s, "average_latency_s": average_latency_s,
            "ideal_tasks_per_worker": ideal_tasks_per_worker, "load_balance_efficiency": load_balance_efficiency,
            "load_distribution_variance": load_distribution_variance, "task_migration_rate": task_migration_rate,
            "mean_queue_latency_s": mean_queue_latency_s, "p95_queue_latency_s": p95_queue_latency_s,
            "utilization_efficiency": utilization_efficiency, "fairness_index": fairness_index,
            "joules_per_passed_task": joules_per_passed_task,
        },
        "recommendations": advice::of(figures),
    });
    format!("{overview:#}\n")
}

/// Recommendations, each with its evidence.
pub fn advice_text(advice: &[Advice]) -> String {
    if advice.is_empty() {
        return "Nothing to recommend: no figure is beyond its limit.\n".into();
    }
    advice.iter().map(|advice| format!("{}\n  from: {}\n", advice.sentence, advice.query)).collect()
}
