//! What the balancer saw: load and imbalance between its two thresholds.

use super::{Chart, WIDTH};
use crate::drawing::{Colour, Drawing, Panel, Shape};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{duration, percent};
use benchmark_db::LookRow;

/// The figure; absent while the balancer has not looked twice.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let looks = &figures.looks;
    let [first, .., last] = looks.as_slice() else { return None };
    let from = figures.summary.from_s.unwrap_or(first.at_s).min(first.at_s);
    let longest = last.at_s - from;
    if longest <= 0.0 {
        return None;
    }
    let panel = Panel { left: 70.0, top: 44.0, right: WIDTH - 40.0, bottom: 304.0 };
    let mut drawing = Drawing::new(WIDTH, 340.0);
    let legend = [(Colour::Main, "load"), (Colour::Second, "imbalance (dashed)"), (Colour::Stopped, "between the thresholds")];
    drawing.legend((panel.left, 18.0), &legend);
    let x = |look: &LookRow| panel.left + panel.width() * (look.at_s - from) / longest;
    let curve =
        |figure: fn(&LookRow) -> f64| looks.iter().map(|look| (x(look), panel.at(0.0, figure(look)).1)).collect::<Vec<_>>();
    let (high, low) = (curve(|look| look.high), curve(|look| look.low));
    let points = high.iter().chain(low.iter().rev()).copied().collect();
    drawing.shapes.push(Shape::Area { points, colour: Colour::Stopped, strength: 0.18 });
    drawing.time_axis(panel, longest);
    drawing.share_axis(panel);
    for line in [high, low] {
        drawing.line(line, Colour::Stopped, 2);
    }
    drawing.dashed(&curve(|look| look.imbalance), Colour::Second, 2);
    drawing.line(curve(|look| look.load), Colour::Main, 2);
    let width = panel.width() / looks.len() as f64;
    for look in looks {
        let [load, imbalance, high, low] = [look.load, look.imbalance, look.high, look.low].map(percent);
        let words = format!("{}: load {load}, imbalance {imbalance}, thresholds {high} and {low}", duration(look.at_s - from));
        drawing.hint((x(look) - width / 2.0, panel.top), (width, panel.height()), words);
    }
    Some(Chart {
        metric: Metric::ThresholdAdaptation,
        caption:
            "Load is the mean share of slots in use, imbalance the largest share less the smallest. Above the upper threshold \
                  a worker counts as overloaded, below the lower one as underloaded; both follow the load."
                .into(),
        drawing,
    })
}
