//! How the machines' time was used: at which utilization they spent it, and how each worker's varied.

use super::{Chart, NAMES_WIDTH, WIDTH, worker_rows};
use crate::drawing::{Anchor, Colour, Drawing, Panel, fitted};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{or_unknown, percent};

const ROW: f64 = 22.0;

/// The figure; absent while there is no makespan.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let (names, note) = worker_rows(figures);
    if names.is_empty() || figures.levels.is_empty() {
        return None;
    }
    let levels = Panel { left: NAMES_WIDTH, top: 40.0, right: WIDTH - 90.0, bottom: 170.0 };
    let top = levels.bottom + 68.0;
    let spread = Panel { top, bottom: top + names.len() as f64 * ROW, ..levels };
    let mut drawing = Drawing::new(WIDTH, spread.bottom + 36.0);
    drawing.heading(levels, "All machines: share of their slot time at each utilization");
    draw_levels(&mut drawing, levels, &figures.levels);
    drawing.heading(spread, "Each worker: the middle, the middle half and 90 % of the pieces of its time");
    draw_spread(&mut drawing, spread, figures, &names);
    Some(Chart {
        metric: Metric::WorkerUtilization,
        caption: format!(
            "Utilization is busy slot-seconds divided by present slot-seconds, here in pieces of a 120th of the makespan. A bar goes from \
             a worker's 25th to its 75th percentile, a thin line from the 5th to the 95th, a tick marks the middle; the number is the \
             utilization over the whole makespan. A wide bar is a worker that was now full, now idle.{note}"
        ),
        drawing,
    })
}

fn draw_levels(drawing: &mut Drawing, panel: Panel, levels: &[f64]) {
    // Room for the number above the highest.
    let highest = 1.15 * levels.iter().copied().fold(0.05, f64::max);
    axis_below(drawing, panel);
    for (level, share) in levels.iter().enumerate() {
        let (left, top) = panel.at(level as f64 / 10.0, share / highest);
        let width = panel.width() / 10.0;
        drawing.rect((left + 2.0, top), (width - 4.0, panel.bottom - top), Colour::Main, 1.0);
        drawing.text((left + width / 2.0, top - 10.0), percent(*share), Anchor::Middle, Colour::Ink);
        let words = format!("{} of slot time at {} to {} % utilization", percent(*share), level * 10, level * 10 + 10);
        drawing.hint((left, panel.top), (width, panel.height()), words);
    }
}

fn draw_spread(drawing: &mut Drawing, panel: Panel, figures: &Figures, names: &[&str]) {
    axis_below(drawing, panel);
    for (at, name) in names.iter().enumerate() {
        let middle = panel.top + (at as f64 + 0.5) * ROW;
        drawing.text((NAMES_WIDTH - 10.0, middle), fitted(name, NAMES_WIDTH - 20.0), Anchor::End, Colour::Ink);
        let Some(row) = figures.spread.iter().find(|row| row.worker == *name) else { continue };
        let x = |share: f64| panel.at(share.clamp(0.0, 1.0), 0.0).0;
        drawing.rect((x(row.p5), middle - 1.0), (x(row.p95) - x(row.p5), 2.0), Colour::Main, 1.0);
        drawing.rect((x(row.p25), middle - 6.0), ((x(row.p75) - x(row.p25)).max(1.0), 12.0), Colour::Main, 1.0);
        drawing.rect((x(row.p50) - 1.5, middle - 9.0), (3.0, 18.0), Colour::Ink, 1.0);
        let whole = figures.workers.iter().find(|worker| worker.worker == *name).and_then(|worker| worker.utilization);
        let whole = or_unknown(whole, percent);
        let [p5, p25, p50, p75, p95] = [row.p5, row.p25, row.p50, row.p75, row.p95].map(percent);
        let words = format!("{name} · {whole} in all · middle {p50}, half of its time {p25} to {p75}, 90 % of it {p5} to {p95}");
        drawing.hint((panel.left, middle - ROW / 2.0), (panel.width(), ROW), words);
        drawing.text((panel.right + 10.0, middle), whole, Anchor::Start, Colour::Faint);
    }
}

/// Utilization from left to right.
fn axis_below(drawing: &mut Drawing, panel: Panel) {
    for fifth in 0..=5 {
        let x = panel.at(f64::from(fifth) / 5.0, 0.0).0;
        drawing.line(vec![(x, panel.top), (x, panel.bottom)], Colour::Grid, 1);
        drawing.text((x, panel.bottom + 16.0), format!("{} %", fifth * 20), Anchor::Middle, Colour::Faint);
    }
}
