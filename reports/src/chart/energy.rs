//! What the machines drew: the fleet's watts over time, and each worker's joules.

use super::{Chart, NAMES_WIDTH, WIDTH, worker_rows};
use crate::drawing::{Anchor, Colour, Drawing, Panel, fitted};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{duration, energy, power};
use benchmark_db::MachineRow;
use std::collections::BTreeMap;

const ROW: f64 = 22.0;

/// The figure; absent where no worker told or declared what it draws.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let from = figures.summary.from_s?;
    let longest = figures.summary.makespan_s.filter(|makespan| *makespan > 0.0)?;
    let (names, note) = worker_rows(figures);
    let machine = |name: &str| figures.machines.iter().find(|machine| machine.worker == name);
    let rows: Vec<(&MachineRow, f64)> = names.iter().filter_map(|name| Some((machine(name)?, machine(name)?.joules?))).collect();
    if rows.is_empty() {
        return None;
    }
    let fleet = Panel { left: NAMES_WIDTH, top: 40.0, right: WIDTH - 210.0, bottom: 170.0 };
    let top = fleet.bottom + 58.0;
    let each = Panel { top, bottom: top + rows.len() as f64 * ROW, ..fleet };
    let mut drawing = Drawing::new(WIDTH, each.bottom + 16.0);
    drawing.heading(fleet, "Fleet, watts");
    drawing.time_axis(fleet, longest);
    draw_fleet(&mut drawing, fleet, figures, (from, longest));
    drawing.heading(each, "Each worker, energy over the makespan");
    let most = rows.iter().map(|(_, joules)| *joules).fold(1e-9, f64::max);
    for (at, (row, joules)) in rows.iter().enumerate() {
        let middle = each.top + (at as f64 + 0.5) * ROW;
        drawing.text((NAMES_WIDTH - 10.0, middle), fitted(&row.worker, NAMES_WIDTH - 20.0), Anchor::End, Colour::Ink);
        let colour = if row.basis.as_deref() == Some("measured") { Colour::Main } else { Colour::Stopped };
        let width = (each.width() * joules / most).max(1.0);
        drawing.rect((each.left, middle - 7.0), (width, 14.0), colour, 1.0);
        let words = format!("{}, {}", energy(*joules), row.basis.as_deref().unwrap_or_default());
        drawing.hint((each.left, middle - ROW / 2.0), (each.width(), ROW), format!("{} · {words}", row.worker));
        drawing.text((each.left + width + 8.0, middle), words, Anchor::Start, Colour::Ink);
    }
    let untold = figures.machines.len() - figures.machines.iter().filter(|machine| machine.joules.is_some()).count();
    let untold = match untold {
        0 => String::new(),
        1 => " Of one worker nothing is known, and it is left out.".to_owned(),
        more => format!(" Of {more} workers nothing is known, and they are left out."),
    };
    Some(Chart {
        metric: Metric::Energy,
        caption: format!(
            "Measured is the sum of what a worker told over time. Declared is computed from what its owner says it draws, idle and \
             busy, by the share of its slots that was busy.{untold}{note}"
        ),
        drawing,
    })
}

fn draw_fleet(drawing: &mut Drawing, panel: Panel, figures: &Figures, (from, longest): (f64, f64)) {
    // By the piece of time, in its order: pieces have the same bounds for every worker.
    let mut pieces: BTreeMap<u64, (f64, f64, f64)> = BTreeMap::new();
    for row in &figures.power {
        let piece = pieces.entry(((row.from_s - from).max(0.0) * 1e6) as u64).or_insert((row.from_s, row.to_s, 0.0));
        piece.2 += row.value;
    }
    let most = pieces.values().map(|(_, _, watts)| *watts).fold(1e-9, f64::max);
    for share in [0.0, 0.5, 1.0] {
        let (x, y) = panel.at(0.0, share);
        drawing.line(vec![(x, y), (panel.right, y)], Colour::Grid, 1);
        drawing.text((x - 8.0, y), power(most * share), Anchor::End, Colour::Faint);
    }
    let mut outline = Vec::new();
    for (begin, end, watts) in pieces.values() {
        let (left, y) = panel.at((begin - from) / longest, watts / most);
        let right = panel.at((end - from) / longest, 0.0).0;
        outline.extend([(left, y), (right, y)]);
        let words = format!("{} to {}: {}", duration(begin - from), duration(end - from), power(*watts));
        drawing.hint((left, panel.top), (right - left, panel.height()), words);
    }
    drawing.under(outline, panel.bottom, Colour::Main);
}
