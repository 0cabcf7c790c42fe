//! What the balancer saw: load and imbalance between its two thresholds.

use super::{Chart, WIDTH};
use crate::drawing::{Colour, Drawing, Panel, Shape};
use crate::figures::Figures;
use benchmark_db::BalancerRow;

/// The figure; absent while the balancer has not looked twice.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let samples = &figures.balancer;
    let [first, .., last] = samples.as_slice() else { return None };
    let from = figures.summary.from_s.unwrap_or(first.at_s).min(first.at_s);
    let longest = last.at_s - from;
    if longest <= 0.0 {
        return None;
    }
    let panel = Panel { left: 70.0, top: 44.0, right: WIDTH - 40.0, bottom: 264.0 };
    let mut drawing = Drawing::new(WIDTH, 300.0);
    let legend =
        [(Colour::Main, "load"), (Colour::Second, "imbalance"), (Colour::Stopped, "thresholds, the band between them shaded")];
    drawing.legend((panel.left, 18.0), &legend);
    let place = |sample: &BalancerRow, share: f64| {
        let x = panel.left + panel.width() * (sample.at_s - from) / longest;
        (x, panel.bottom - panel.height() * share.clamp(0.0, 1.0))
    };
    let curve = |figure: fn(&BalancerRow) -> f64| samples.iter().map(|s| place(s, figure(s))).collect::<Vec<_>>();
    let (high, low) = (curve(|s| s.high), curve(|s| s.low));
    let points = high.iter().chain(low.iter().rev()).copied().collect();
    drawing.shapes.push(Shape::Area { points, colour: Colour::Stopped, strength: 0.12 });
    drawing.time_axis(panel, longest);
    drawing.share_axis(panel);
    for line in [high, low] {
        drawing.line(line, Colour::Stopped, 2);
    }
    drawing.line(curve(|s| s.imbalance), Colour::Second, 2);
    drawing.line(curve(|s| s.load), Colour::Main, 2);
    Some(Chart {
        name: "thresholds",
        title: "What the balancer saw",
        caption:
            "Load is the mean share of slots in use, imbalance the largest share less the smallest. Above the upper threshold \
                  a worker counts as overloaded, below the lower one as underloaded."
                .into(),
        drawing,
    })
}
