//! What moves cost, what they were expected to bring, and what they brought.

use super::{Chart, WIDTH};
use crate::drawing::{Anchor, Colour, Drawing, Panel, Shape};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{count, duration, or_unknown, signed};

/// Times that may have a label, in seconds, and as much below zero; the important ones first, for which others make room.
const TICKS: [f64; 15] = [0.0, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0, 3.0, 30.0, 300.0, 1800.0, 0.3, 5.0, 2.0];
/// Labels are at least this far apart, as a share of the axis.
const TICKS_APART: f64 = 0.07;

/// The figure; absent while nothing was ordered to move.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let rows = &figures.migrations;
    let all = &figures.migration_figures;
    if rows.is_empty() {
        return None;
    }
    let panel = Panel { left: 110.0, top: 92.0, right: WIDTH - 40.0, bottom: 432.0 };
    let mut drawing = Drawing::new(WIDTH, 492.0);
    drawing.legend((panel.left, 18.0), &[(Colour::Second, "expected gain (small)"), (Colour::Main, "gain that came (large)")]);
    let words = format!(
        "{} moves judged: expected {}, gained {}; all moves that arrived cost {}",
        count(all.judged),
        or_unknown(all.predicted_gain_s, signed),
        or_unknown(all.realised_gain_s, signed),
        or_unknown(all.cost_s, duration),
    );
    drawing.text((panel.left, 44.0), words, Anchor::Start, Colour::Ink);
    let costs = Axis::over(rows.iter().map(|row| row.cost_s));
    let gains = Axis::over(rows.iter().flat_map(|row| [Some(row.predicted_gain_s), row.realised_gain_s]).flatten());
    draw_axes(&mut drawing, panel, &costs, &gains);
    for row in rows {
        let (x, expected) = panel.at(costs.share(row.cost_s), gains.share(row.predicted_gain_s));
        drawing.rect((x - 2.5, expected - 2.5), (5.0, 5.0), Colour::Second, 1.0);
        let came = row.realised_gain_s.map(|gain| panel.at(0.0, gains.share(gain)).1);
        if let Some(came) = came {
            drawing.rect((x - 3.5, came - 3.5), (7.0, 7.0), Colour::Main, 0.75);
        }
        let words = format!(
            "task {}, {} to {} · {} · cost {}, expected {}, gained {}",
            row.task,
            row.from_worker,
            row.to_worker,
            row.outcome,
            duration(row.cost_s),
            signed(row.predicted_gain_s),
            or_unknown(row.realised_gain_s, signed),
        );
        for y in [Some(expected), came].into_iter().flatten() {
            drawing.hint((x - 5.0, y - 5.0), (10.0, 10.0), words.clone());
        }
    }
    Some(Chart {
        metric: Metric::CostBenefit,
        caption: "Each order to move a running task: what saving, carrying and loading its state was expected to cost, against how much \
                  sooner it was expected to end, the cost already taken off, and how much sooner it did end than was then expected where it \
                  ran. Below zero it ended later. Both axes are logarithmic beyond one second."
            .into(),
        drawing,
    })
}

fn draw_axes(drawing: &mut Drawing, panel: Panel, costs: &Axis, gains: &Axis) {
    let zero = panel.at(0.0, gains.share(0.0)).1;
    let points = vec![(panel.left, zero), (panel.right, zero), (panel.right, panel.bottom), (panel.left, panel.bottom)];
    drawing.shapes.push(Shape::Area { points, colour: Colour::Bad, strength: 0.06 });
    drawing.heading(Panel { left: 20.0, ..panel }, "Gain");
    for tick in gains.ticks() {
        let (x, y) = panel.at(0.0, gains.share(tick));
        drawing.line(vec![(x, y), (panel.right, y)], Colour::Grid, if tick == 0.0 { 2 } else { 1 });
        drawing.text((x - 8.0, y), signed(tick), Anchor::End, Colour::Faint);
    }
    for tick in costs.ticks() {
        let (x, y) = panel.at(costs.share(tick), 0.0);
        drawing.line(vec![(x, panel.top), (x, y)], Colour::Grid, 1);
        drawing.text((x, y + 16.0), duration(tick), Anchor::Middle, Colour::Faint);
    }
    drawing.text(((panel.left + panel.right) / 2.0, panel.bottom + 40.0), "expected cost", Anchor::Middle, Colour::Ink);
}

/// Seconds, logarithmic on both sides of zero.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values.fold((0.0, 1.0), |(least, most): (f64, f64), value| (least.min(value), most.max(value)));
        // Room for the marks at the ends.
        let room = 0.04 * (most.asinh() - least.asinh());
        Self { least: if least < 0.0 { least.asinh() - room } else { 0.0 }, most: most.asinh() + room }
    }

    fn share(&self, value: f64) -> f64 {
        (value.asinh() - self.least) / (self.most - self.least)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks: Vec<f64> = Vec::new();
        for tick in TICKS.into_iter().flat_map(|tick| [tick, -tick]) {
            let is_free = |other: &f64| (self.share(*other) - self.share(tick)).abs() >= TICKS_APART;
            if (self.least..=self.most).contains(&tick.asinh()) && ticks.iter().all(is_free) {
                ticks.push(tick);
            }
        }
        ticks
    }
}
