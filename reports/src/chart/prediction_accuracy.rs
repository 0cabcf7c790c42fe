//! What the balancer foresaw, beside what came.

use super::{Chart, WIDTH};
use crate::drawing::{Anchor, Colour, Drawing, Panel, Shape};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{count, duration, or_unknown, percent};
use benchmark_db::PredictionRow;

/// The figure; absent while no forecast has fallen due.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let due: Vec<&PredictionRow> = figures.predictions.iter().filter(|row| row.load.is_some()).collect();
    let [first, .., last] = due.as_slice() else { return None };
    let from = figures.summary.from_s.unwrap_or(first.due_s).min(first.due_s);
    let longest = last.due_s - from;
    if longest <= 0.0 {
        return None;
    }
    let panel = Panel { left: 70.0, top: 72.0, right: WIDTH - 40.0, bottom: 332.0 };
    let mut drawing = Drawing::new(WIDTH, 368.0);
    let legend = [(Colour::Main, "load that came"), (Colour::Second, "forecast of it (dashed), and its bounds")];
    drawing.legend((panel.left, 18.0), &legend);
    let quality = &figures.prediction_figures;
    let words = format!(
        "{} forecasts: mean error {}, {} within their bounds (80 % should be), accuracy {}",
        count(quality.due),
        or_unknown(quality.mean_error, percent),
        or_unknown(quality.inside, percent),
        or_unknown(quality.accuracy, |accuracy| format!("{accuracy:.2}")),
    );
    drawing.text((panel.left, 44.0), words, Anchor::Start, Colour::Ink);
    let x = |row: &PredictionRow| panel.left + panel.width() * (row.due_s - from) / longest;
    let curve =
        |figure: fn(&PredictionRow) -> f64| due.iter().map(|row| (x(row), panel.at(0.0, figure(row)).1)).collect::<Vec<_>>();
    let points = curve(|row| row.high).into_iter().chain(curve(|row| row.low).into_iter().rev()).collect();
    drawing.shapes.push(Shape::Area { points, colour: Colour::Second, strength: 0.2 });
    drawing.time_axis(panel, longest);
    drawing.share_axis(panel);
    drawing.dashed(&curve(|row| row.forecast), Colour::Second, 2);
    drawing.line(curve(|row| row.load.unwrap_or(0.0)), Colour::Main, 2);
    let width = panel.width() / due.len() as f64;
    for row in &due {
        let [load, forecast, low, high] = [row.load.unwrap_or(0.0), row.forecast, row.low, row.high].map(percent);
        let words = format!("{}: load {load}, foreseen {forecast} ({low} to {high})", duration(row.due_s - from));
        drawing.hint((x(row) - width / 2.0, panel.top), (width, panel.height()), words);
    }
    Some(Chart {
        metric: Metric::PredictionAccuracy,
        caption: "Each forecast of the mean share of slots in use stands at the time it was made for. Its error is its distance from \
                  the load that came, as a share of the fleet; accuracy is what the balancer itself says of its forecasts, 1 is perfect."
            .into(),
        drawing,
    })
}
