//! How hot the machines were, and how near to where they slow down.

use super::heat::{self, HeatCell, HeatRow};
use super::{Chart, NAMES_WIDTH, WIDTH, worker_rows};
use crate::drawing::{Colour, Drawing, Panel};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::duration;
use benchmark_db::MachineRow;

/// Below this, in degrees Celsius, a cell is pale.
const COOL_C: f64 = 20.0;
/// Where a machine that tells no limit of its own is in full colour.
const HOT_C: f64 = 90.0;

/// The figure; absent where no worker told a temperature.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let from = figures.summary.from_s?;
    let longest = figures.summary.makespan_s.filter(|makespan| *makespan > 0.0)?;
    let (names, note) = worker_rows(figures);
    let told = |name: &&&str| figures.celsius.iter().any(|row| row.worker == **name);
    let names: Vec<&str> = names.iter().filter(told).copied().collect();
    if names.is_empty() {
        return None;
    }
    let panel = Panel { left: NAMES_WIDTH, top: 44.0, right: WIDTH - 230.0, bottom: 44.0 + heat::height(names.len()) };
    let mut drawing = Drawing::new(WIDTH, panel.bottom + 34.0);
    heat::scale(&mut drawing, (panel.right, 18.0), Colour::Second, ("20 °C", "at its limit"));
    drawing.legend((panel.left, 18.0), &[(Colour::Bad, "at or above its limit: it slows down")]);
    let x = |seconds: f64| panel.left + panel.width() * (seconds - from) / longest;
    let row = |name| HeatRow { name, cells: cells(figures, name, from, x), at_right: at_right(figures, name) };
    let rows: Vec<HeatRow<'_>> = names.into_iter().map(row).collect();
    heat::draw(&mut drawing, panel, &rows);
    drawing.time_axis(Panel { top: panel.bottom, ..panel }, longest);
    Some(Chart {
        metric: Metric::Temperature,
        caption: format!(
            "The highest temperature a worker told in each 120th of the makespan. Full colour is the temperature at which it slows \
             down, as its driver tells; {HOT_C:.0} °C where none tells. At the right stand the highest of all, and that limit.{note}"
        ),
        drawing,
    })
}

fn cells(figures: &Figures, name: &str, from: f64, x: impl Fn(f64) -> f64) -> Vec<HeatCell> {
    let limit = machine(figures, name).and_then(|machine| machine.throttle_c);
    let of_worker = figures.celsius.iter().filter(|row| row.worker == name);
    let cell = |row: &benchmark_db::MeasureRow| {
        let is_over = limit.is_some_and(|limit| row.value >= limit);
        HeatCell {
            left: x(row.from_s),
            right: x(row.to_s),
            strength: if is_over { 1.0 } else { ((row.value - COOL_C) / (limit.unwrap_or(HOT_C) - COOL_C)).clamp(0.0, 1.0) },
            colour: if is_over { Colour::Bad } else { Colour::Second },
            words: format!("{}: {:.1} °C", duration(row.from_s - from), row.value),
        }
    };
    of_worker.map(cell).collect()
}

fn at_right(figures: &Figures, name: &str) -> String {
    let Some(machine) = machine(figures, name) else { return String::new() };
    let hottest = machine.hottest_c.map(|celsius| format!("max {celsius:.0} °C"));
    let limit = machine.throttle_c.map(|celsius| format!("slows at {celsius:.0} °C"));
    [hottest, limit].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn machine<'a>(figures: &'a Figures, name: &str) -> Option<&'a MachineRow> {
    figures.machines.iter().find(|machine| machine.worker == name)
}
