//! How long tasks waited and how long they took, as distributions.

use super::{Chart, WIDTH};
use crate::drawing::{Anchor, Colour, Drawing, Panel, TEXT, time_ticks};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::render::text_width;
use crate::text::{duration, or_unknown, percent};

/// Distributions whose longest value is this many times their middle are drawn on a logarithmic axis.
const LOGARITHMIC_FROM: f64 = 20.0;

/// The figure; absent while no task has started.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let times = &figures.times;
    if times.wait_s.is_empty() && times.flow_s.is_empty() {
        return None;
    }
    let axis = Axis::over(&[&times.wait_s, &times.flow_s]);
    let panel = Panel { left: 70.0, top: 44.0, right: WIDTH - 40.0, bottom: 324.0 };
    let mut drawing = Drawing::new(WIDTH, 364.0);
    drawing.legend(
        (panel.left, 18.0),
        &[(Colour::Second, "wait: submit to first start"), (Colour::Main, "flow: submit to verdict")],
    );
    drawing.share_axis(panel);
    for tick in axis.ticks() {
        let x = axis.place(tick, panel);
        drawing.line(vec![(x, panel.top), (x, panel.bottom)], Colour::Grid, 1);
        drawing.text((x, panel.bottom + 16.0), duration(tick), Anchor::Middle, Colour::Faint);
    }
    // What the curves cover is no place for words.
    let curves = [&times.wait_s, &times.flow_s].into_iter().flat_map(|values| curve(panel, &axis, values));
    let mut taken: Vec<[f64; 4]> = curves.map(|(x, y)| [x - 2.0, y - 2.0, x + 2.0, y + 2.0]).collect();
    hints(&mut drawing, panel, figures);
    for (values, colour, name) in [(&times.wait_s, Colour::Second, "wait"), (&times.flow_s, Colour::Main, "flow")] {
        drawing.line(curve(panel, &axis, values), colour, 2);
        for share in [0.5, 0.95] {
            draw_mark(&mut drawing, panel, &axis, (values, share), (colour, name), &mut taken);
        }
    }
    let scale = if axis.is_logarithmic { " The axis is logarithmic." } else { "" };
    Some(Chart {
        metric: Metric::TaskTimes,
        caption: format!(
            "For each time, the share of tasks that waited, or took, at most that long. Half of all tasks lie left of p50, 95 % left \
             of p95. Flow counts tasks that passed or failed.{scale}"
        ),
        drawing,
    })
}

/// The times of each twentieth of all tasks, to those who point at its height.
fn hints(drawing: &mut Drawing, panel: Panel, figures: &Figures) {
    let step = panel.height() / 20.0;
    for twentieth in 1..=20 {
        let share = f64::from(twentieth) / 20.0;
        let at = |values: &[f64]| {
            let value = values.get((share * (values.len().max(1) - 1) as f64).round() as usize);
            or_unknown(value.copied(), duration)
        };
        let times = &figures.times;
        let text =
            format!("{} of tasks waited at most {}, and took at most {}", percent(share), at(&times.wait_s), at(&times.flow_s));
        drawing.hint((panel.left, panel.bottom - step * f64::from(twentieth)), (panel.width(), step), text);
    }
}

fn curve(panel: Panel, axis: &Axis, values: &[f64]) -> Vec<(f64, f64)> {
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut points: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(at, value)| (axis.place(*value, panel), panel.bottom - panel.height() * at as f64 / last))
        .collect();
    // Beyond the longest value, all of them are shorter.
    points.extend(points.last().map(|_| (panel.right, panel.top)));
    points
}

/// A dot on the curve with its value beside it, on whichever side nothing stands yet.
fn draw_mark(
    drawing: &mut Drawing,
    panel: Panel,
    axis: &Axis,
    (values, share): (&[f64], f64),
    (colour, name): (Colour, &str),
    taken: &mut Vec<[f64; 4]>,
) {
    let Some(value) = values.get((share * (values.len().max(1) - 1) as f64).round() as usize) else { return };
    let (x, y) = (axis.place(*value, panel), panel.bottom - panel.height() * share);
    drawing.rect((x - 4.0, y - 4.0), (8.0, 8.0), colour, 1.0);
    let text = format!("{name} p{:.0} {}", share * 100.0, duration(*value));
    let width = text_width(&text, TEXT, false);
    // Waits lie left of flows: beside its own curve, away from the other one, there is most room.
    let (left, right) = (x - 12.0 - width, x + 12.0);
    let places = if name == "wait" {
        [(left, y - 14.0), (left, y - 1.0), (right, y + 16.0), (right, y - 22.0), (right, y - 44.0), (right, y + 36.0)]
    } else {
        [(right, y + 16.0), (right, y + 36.0), (right, y + 56.0), (right, y - 22.0), (left, y - 14.0), (left, y + 18.0)]
    };
    let free = |(left, middle): &(f64, f64)| {
        let inside = *left >= panel.left && left + width <= WIDTH - 4.0 && *middle > panel.top + 12.0;
        inside && taken.iter().all(|[l, t, r, b]| left + width < *l || left > r || middle + 9.0 < *t || middle - 9.0 > *b)
    };
    let crowded = (places[0].0.clamp(panel.left, WIDTH - 4.0 - width), places[0].1);
    let (left, middle) = places.into_iter().find(free).unwrap_or(crowded);
    taken.push([left, middle - 9.0, left + width, middle + 9.0]);
    drawing.text((left, middle), text, Anchor::Start, Colour::Ink);
}

/// From 0 to the longest value, or logarithmic from a small one where the values span decades.
struct Axis {
    shortest: f64,
    longest: f64,
    is_logarithmic: bool,
}

impl Axis {
    fn over(series: &[&Vec<f64>]) -> Self {
        let longest = series.iter().flat_map(|values| values.last()).fold(1e-3, |a: f64, b| a.max(*b));
        let middle = series.iter().filter_map(|values| values.get(values.len() / 2)).fold(0.0, |a: f64, b| a.max(*b));
        let shortest = 10f64.powf((middle / 100.0).max(1e-3).log10().floor());
        Self { shortest, longest, is_logarithmic: longest > LOGARITHMIC_FROM * middle && longest > 10.0 * shortest }
    }

    fn place(&self, value: f64, panel: Panel) -> f64 {
        let share = if self.is_logarithmic {
            (value.max(self.shortest) / self.shortest).ln() / (self.longest / self.shortest).ln()
        } else {
            value / self.longest
        };
        panel.left + panel.width() * share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        const ROUND: [f64; 17] = [
            0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 1200.0, 3600.0, 14_400.0, 86_400.0, 604_800.0,
        ];
        if self.is_logarithmic {
            ROUND.into_iter().filter(|tick| (self.shortest..=self.longest).contains(tick)).collect()
        } else {
            time_ticks(self.longest, 10)
        }
    }
}
