//! The tests, or tasks, that took longest.

use super::{Chart, WIDTH};
use crate::drawing::{Anchor, Colour, Drawing, Panel, fitted};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{duration, plural};

const NAME_WIDTH: f64 = 430.0;
const ROW: f64 = 24.0;
const TOP: f64 = 40.0;
const ROWS_MAX: usize = 15;

/// The figure; absent while nothing has a duration.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let rows = &figures.slowest[..figures.slowest.len().min(ROWS_MAX)];
    let longest = rows.iter().map(|row| row.max_s).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let bottom = TOP + rows.len() as f64 * ROW;
    let panel = Panel { left: NAME_WIDTH + 20.0, top: TOP, right: WIDTH - 200.0, bottom };
    let mut drawing = Drawing::new(WIDTH, bottom + 30.0);
    let repeated = rows.iter().any(|row| row.times > 1);
    let legend = [(Colour::Main, "mean"), (Colour::Second, "longest")];
    drawing.legend((panel.left, 18.0), if repeated { &legend } else { &legend[..1] });
    drawing.time_axis(panel, longest);
    for (at, row) in rows.iter().enumerate() {
        let middle = TOP + (at as f64 + 0.5) * ROW;
        let x = |seconds: f64| panel.left + panel.width() * seconds / longest;
        drawing.text((NAME_WIDTH + 10.0, middle), fitted(&row.name, NAME_WIDTH), Anchor::End, Colour::Ink);
        drawing.rect((panel.left, middle - 7.0), ((x(row.mean_s) - panel.left).max(1.0), 14.0), Colour::Main, 1.0);
        let mut words = duration(row.mean_s);
        let end = if row.times > 1 {
            words += &format!(", longest {}", duration(row.max_s));
            drawing.rect((x(row.max_s) - 1.5, middle - 9.0), (3.0, 18.0), Colour::Second, 1.0);
            x(row.max_s)
        } else {
            x(row.mean_s)
        };
        let hint = format!(
            "{}: mean {}, longest {}, {}",
            row.name,
            duration(row.mean_s),
            duration(row.max_s),
            plural(row.times, "time")
        );
        drawing.hint((0.0, middle - ROW / 2.0), (WIDTH, ROW), hint);
        drawing.text((end + 8.0, middle), words, Anchor::Start, Colour::Ink);
    }
    Some(Chart {
        metric: Metric::Slowest,
        caption: "Mean seconds of the tests, and of the tasks that are not part of a suite, over all times they ran here; for \
                  those that ran more than once a mark shows the longest time."
            .into(),
        drawing,
    })
}
