//! How busy the fleet and each worker were over time.

use super::{Chart, WIDTH, worker_rows};
use crate::drawing::{Anchor, Colour, Drawing, Panel, Shape, fitted};
use crate::figures::Figures;
use crate::text::percent;
use benchmark_db::ShareRow;

const LEFT: f64 = 150.0;
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
    let row = (420.0 / names.len() as f64).clamp(10.0, 22.0);
    let fleet = Panel { left: LEFT, top: FLEET_TOP, right: WIDTH - 90.0, bottom: FLEET_TOP + FLEET_HEIGHT };
    let top = fleet.bottom + 58.0;
    let bottom = top + names.len() as f64 * (row + 3.0);
    let heat = Panel { top, bottom, ..fleet };
    let mut drawing = Drawing::new(WIDTH, bottom + 34.0);
    let x = |seconds: f64| fleet.left + fleet.width() * (seconds - from) / longest;

    drawing.heading(fleet, "Fleet");
    drawing.time_axis(fleet, longest);
    drawing.share_axis(fleet);
    draw_fleet(&mut drawing, fleet, figures.shares.iter().filter(|share| share.worker.is_none()), x);

    drawing.heading(heat, "Each worker, pale is idle, full colour is busy");
    for (at, name) in names.iter().enumerate() {
        let y = top + at as f64 * (row + 3.0);
        drawing.text((LEFT - 10.0, y + row / 2.0), fitted(name, LEFT - 20.0), Anchor::End, Colour::Ink);
        for share in figures.shares.iter().filter(|share| share.worker.as_deref() == Some(name)) {
            let Some(busy) = share.utilization else { continue };
            let (left, right) = (x(share.from_s), x(share.to_s));
            drawing.rect((left, y), (right - left, row), Colour::Ground, 1.0);
            drawing.rect((left, y), (right - left, row), Colour::Main, busy.clamp(0.0, 1.0));
        }
        let whole = figures.workers.iter().find(|worker| worker.worker == *name).and_then(|worker| worker.utilization);
        if let Some(whole) = whole {
            drawing.text((heat.right + 10.0, y + row / 2.0), percent(whole), Anchor::Start, Colour::Faint);
        }
    }
    drawing.time_axis(Panel { top: bottom, ..heat }, longest);
    Some(Chart {
        name: "utilization",
        title: "How busy the machines were",
        caption: format!(
            "Busy slot-seconds divided by present slot-seconds, in pieces of a 120th of the makespan; an empty place means \
             that the worker was not there. The number at the right is the worker's utilization over the whole makespan.{note}"
        ),
        drawing,
    })
}

fn draw_fleet<'a>(drawing: &mut Drawing, panel: Panel, shares: impl Iterator<Item = &'a ShareRow>, x: impl Fn(f64) -> f64) {
    let mut outline = Vec::new();
    for share in shares {
        let y = panel.bottom - panel.height() * share.utilization.unwrap_or(0.0).clamp(0.0, 1.0);
        outline.extend([(x(share.from_s), y), (x(share.to_s), y)]);
    }
    let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) else { return };
    let mut points = outline.clone();
    points.extend([(last.0, panel.bottom), (first.0, panel.bottom)]);
    drawing.shapes.push(Shape::Area { points, colour: Colour::Main, strength: 0.25 });
    drawing.line(outline, Colour::Main, 2);
}
