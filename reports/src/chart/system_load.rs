//! How busy the fleet and each worker were over time.

use super::heat::{self, HeatCell, HeatRow};
use super::{Chart, NAMES_WIDTH, WIDTH, worker_rows};
use crate::drawing::{Colour, Drawing, Panel};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{duration, or_unknown, percent};
use benchmark_db::ShareRow;

const FLEET_TOP: f64 = 40.0;
const FLEET_HEIGHT: f64 = 130.0;

/// The figure; absent while there is no makespan.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let from = figures.summary.from_s?;
    let longest = figures.summary.makespan_s.filter(|makespan| *makespan > 0.0)?;
    let (names, note) = worker_rows(figures);
    if names.is_empty() || figures.shares.is_empty() {
        return None;
    }
    let fleet = Panel { left: NAMES_WIDTH, top: FLEET_TOP, right: WIDTH - 90.0, bottom: FLEET_TOP + FLEET_HEIGHT };
    let top = fleet.bottom + 58.0;
    let heat = Panel { top, bottom: top + heat::height(names.len()), ..fleet };
    let mut drawing = Drawing::new(WIDTH, heat.bottom + 34.0);
    let x = |seconds: f64| fleet.left + fleet.width() * (seconds - from) / longest;
    let words = |share: &ShareRow| {
        let busy = or_unknown(share.utilization, percent);
        format!("{} to {}: {busy} busy", duration(share.from_s - from), duration(share.to_s - from))
    };

    drawing.heading(fleet, "Fleet");
    drawing.time_axis(fleet, longest);
    drawing.share_axis(fleet);
    draw_fleet(&mut drawing, fleet, figures.shares.iter().filter(|share| share.worker.is_none()), x, words);

    drawing.heading(heat, "Each worker");
    heat::scale(&mut drawing, (heat.right, heat.top - 14.0), Colour::Main, ("idle", "busy"));
    let rows: Vec<HeatRow<'_>> = names.iter().map(|name| row(figures, name, x, words)).collect();
    heat::draw(&mut drawing, heat, &rows);
    drawing.time_axis(Panel { top: heat.bottom, ..heat }, longest);
    Some(Chart {
        metric: Metric::SystemLoad,
        caption: format!(
            "Busy slot-seconds divided by present slot-seconds, in pieces of a 120th of the makespan; an empty place means \
             that the worker was not there. The number at the right is the worker's utilization over the whole makespan.{note}"
        ),
        drawing,
    })
}

fn row<'a>(figures: &'a Figures, name: &'a str, x: impl Fn(f64) -> f64, words: impl Fn(&ShareRow) -> String) -> HeatRow<'a> {
    let cell = |share: &ShareRow| {
        let strength = share.utilization?.clamp(0.0, 1.0);
        Some(HeatCell { left: x(share.from_s), right: x(share.to_s), strength, colour: Colour::Main, words: words(share) })
    };
    let whole = figures.workers.iter().find(|worker| worker.worker == *name).and_then(|worker| worker.utilization);
    HeatRow {
        name,
        cells: figures.shares.iter().filter(|share| share.worker.as_deref() == Some(name)).filter_map(cell).collect(),
        at_right: whole.map(percent).unwrap_or_default(),
    }
}

fn draw_fleet<'a>(
    drawing: &mut Drawing,
    panel: Panel,
    shares: impl Iterator<Item = &'a ShareRow>,
    x: impl Fn(f64) -> f64,
    words: impl Fn(&ShareRow) -> String,
) {
    let mut outline = Vec::new();
    for share in shares {
        let y = panel.bottom - panel.height() * share.utilization.unwrap_or(0.0).clamp(0.0, 1.0);
        let (left, right) = (x(share.from_s), x(share.to_s));
        outline.extend([(left, y), (right, y)]);
        drawing.hint((left, panel.top), (right - left, panel.height()), words(share));
    }
    drawing.under(outline, panel.bottom, Colour::Main);
}
