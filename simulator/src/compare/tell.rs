//! A comparison as text, as Markdown and as JSON.

use super::Table;
use super::columns::{Better, COLUMNS, Column};
use super::statistics::{Estimate, Paired};
use serde_json::{Map, Value, json};

/// A table with the figures of one policy in a row.
struct Grid {
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// What is said in one place, and how sure it is.
#[derive(Default)]
struct Cell {
    said: String,
    sure: String,
    is_best: bool,
}

/// For people.
pub fn text(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables {
        text += &format!("{}\n{}\n", title(table), plain(&figures(table)));
        if let Some(ratios) = ratios(table) {
            text += &format!("{}\n{}\n", ratio_title(table), plain(&ratios));
        }
    }
    text + LEGEND + "\n"
}

/// For a document.
pub fn markdown(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables {
        text += &format!("## {}\n\n{}\n", title(table), piped(&figures(table)));
        if let Some(ratios) = ratios(table) {
            text += &format!("{}\n\n{}\n", ratio_title(table), piped(&ratios));
        }
    }
    text + LEGEND + "\n"
}

const LEGEND: &str = "Simulated. Medians over the seeds, with bootstrap intervals of 95 %; the best of a column is marked. \
`never`: tasks were lost. The bound is what no schedule can beat, not even one that knows the future.";

/// For programs. Figures without a value, such as the makespan of a run that lost tasks, are null.
pub fn json(tables: &[Table]) -> String {
    let all: Vec<Value> = tables.iter().map(table_json).collect();
    serde_json::to_string_pretty(&Value::from(all)).expect("figures can be written") + "\n"
}

fn title(table: &Table) -> String {
    let (first, count) = (table.seeds.first().copied().unwrap_or_default(), table.seeds.len());
    let tasks = table.policies.first().and_then(|(_, runs)| runs.first()).map_or(0, |summary| summary.tasks);
    match count {
        1 => format!("{} (seed {first}, {tasks} tasks)", table.scenario),
        _ => format!("{} ({count} seeds from {first}, {tasks} tasks with the first)", table.scenario),
    }
}

fn ratio_title(table: &Table) -> String {
    let first = table.policies.first().map_or("", |(name, _)| name);
    format!("Relative to {first} in the same runs (p: sign test)")
}

fn seen(runs: &[crate::Summary], column: &Column) -> Vec<f64> {
    runs.iter().map(column.of).collect()
}

fn figures(table: &Table) -> Grid {
    let heads = std::iter::once("policy").chain(COLUMNS.iter().map(|column| column.head)).map(str::to_owned).collect();
    let name = |name: &String| Cell { said: name.clone(), ..Cell::default() };
    let mut rows: Vec<Vec<Cell>> = table.policies.iter().map(|(policy, _)| vec![name(policy)]).collect();
    for column in &COLUMNS {
        let medians: Vec<Estimate> = table.policies.iter().map(|(_, runs)| Estimate::of(&seen(runs, column))).collect();
        let best = best(table, column, &medians);
        for (row, estimate) in rows.iter_mut().zip(medians) {
            let cell = cell(estimate, table.seeds.len());
            row.push(Cell { is_best: best.as_ref() == Some(&cell.said), ..cell });
        }
    }
    Grid { heads, rows }
}

/// The best median of those who finished the most, as it is said: what looks the same is as good. Nothing where all do.
fn best(table: &Table, column: &Column, medians: &[Estimate]) -> Option<String> {
    let finished = |runs: &[crate::Summary]| runs.iter().map(|summary| summary.finished).sum::<usize>();
    let most = table.policies.iter().map(|(_, runs)| finished(runs)).max()?;
    let fair = table.policies.iter().zip(medians).filter(|((_, runs), _)| finished(runs) == most);
    let fair = fair.map(|(_, estimate)| estimate.median).filter(|median| median.is_finite());
    let best = match column.better {
        Better::Less => fair.min_by(f64::total_cmp),
        Better::More => fair.max_by(f64::total_cmp),
        Better::Neither => None,
    };
    let best = short(best?);
    medians.iter().any(|estimate| short(estimate.median) != best).then_some(best)
}

fn cell(estimate: Estimate, runs: usize) -> Cell {
    let sure = if runs > 1 { format!("{}..{}", short(estimate.low), short(estimate.high)) } else { String::new() };
    Cell { said: short(estimate.median), sure, is_best: false }
}

/// Every other policy relative to the first; nothing where there is no other.
fn ratios(table: &Table) -> Option<Grid> {
    let ((_, first), others) = table.policies.split_first().filter(|(_, others)| !others.is_empty())?;
    let paired = || COLUMNS.iter().filter(|column| column.is_paired);
    let heads = paired().flat_map(|column| [without_unit(column.head), "p".to_owned()]);
    let row = |(policy, runs): &(String, Vec<crate::Summary>)| {
        let mut row = vec![Cell { said: policy.clone(), ..Cell::default() }];
        for column in paired() {
            let (ratio, p) = match Paired::of(&seen(runs, column), &seen(first, column)) {
                Some(paired) => (cell(paired.ratio, runs.len()), format!("{:.3}", paired.p)),
                None => (Cell { said: "-".into(), ..Cell::default() }, "-".into()),
            };
            row.push(ratio);
            row.push(Cell { said: p, ..Cell::default() });
        }
        row
    };
    Some(Grid { heads: std::iter::once("policy".to_owned()).chain(heads).collect(), rows: others.iter().map(row).collect() })
}

fn without_unit(head: &str) -> String {
    head.rsplit_once(' ').map_or(head, |(name, _)| name).to_owned()
}

/// A number in about four digits.
fn short(number: f64) -> String {
    match number.abs() {
        size if size.is_nan() => "-".into(),
        size if size.is_infinite() => "never".into(),
        size if number.fract() == 0.0 && size < 1e6 => format!("{number}"),
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        size if size >= 10.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Aligned columns, the intervals on lines of their own.
fn plain(grid: &Grid) -> String {
    let said = |cell: &Cell| if cell.is_best { format!("{}*", cell.said) } else { cell.said.clone() };
    let mut lines: Vec<Vec<String>> = vec![grid.heads.clone()];
    for row in &grid.rows {
        lines.push(row.iter().map(said).collect());
        if row.iter().any(|cell| !cell.sure.is_empty()) {
            lines.push(row.iter().map(|cell| cell.sure.clone()).collect());
        }
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..grid.heads.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = format!("{:<1$}", line[0], widths[0]);
        line.iter().zip(&widths).skip(1).for_each(|(word, width)| row += &format!("  {word:>width$}"));
        text += row.trim_end();
        text += "\n";
    }
    text
}

fn piped(grid: &Grid) -> String {
    let said = |cell: &Cell| {
        let said = if cell.is_best { format!("**{}**", cell.said) } else { cell.said.clone() };
        if cell.sure.is_empty() { said } else { format!("{said} ({})", cell.sure) }
    };
    let mut text = format!("| {} |\n|---{}|\n", grid.heads.join(" | "), "|---:".repeat(grid.heads.len() - 1));
    for row in &grid.rows {
        text += &format!("| {} |\n", row.iter().map(said).collect::<Vec<_>>().join(" | "));
    }
    text
}

fn table_json(table: &Table) -> Value {
    let first = table.policies.first();
    let policies = table.policies.iter().map(|(policy, runs)| {
        let mut figures = Map::new();
        let mut relative = Map::new();
        for column in &COLUMNS {
            let seen_here = seen(runs, column);
            let mut figure = estimate_json(Estimate::of(&seen_here));
            figure["runs"] = json!(seen_here);
            figures.insert(column.key.into(), figure);
            let paired = first.filter(|_| column.is_paired).and_then(|(_, first)| Paired::of(&seen_here, &seen(first, column)));
            if let Some(paired) = paired {
                let mut ratio = estimate_json(paired.ratio);
                ratio["p"] = json!(paired.p);
                relative.insert(column.key.into(), ratio);
            }
        }
        json!({ "policy": policy, "figures": figures, "relative_to_first": relative })
    });
    let policies: Vec<Value> = policies.collect();
    json!({ "scenario": table.scenario, "simulated": true, "seeds": table.seeds, "policies": policies })
}

fn estimate_json(estimate: Estimate) -> Value {
    json!({ "median": estimate.median, "low": estimate.low, "high": estimate.high })
}
