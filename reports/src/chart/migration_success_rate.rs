//! Which orders to move a running task were followed, and how many of them arrived.

use super::{Chart, WIDTH};
use crate::drawing::{Anchor, Colour, Drawing, Panel};
use crate::figures::Figures;
use crate::metric::Metric;
use crate::text::{count, duration, or_unknown, percent, plural};
use benchmark_db::MigrationPiece;

/// The figure; absent while nothing was ordered to move.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let pieces = &figures.migrations_over_time;
    let all = &figures.migration_figures;
    let (first, last) = (pieces.first()?, pieces.last()?);
    if all.ordered == 0 {
        return None;
    }
    let (from, longest) = (first.from_s, last.to_s - first.from_s);
    let rate = Panel { left: 70.0, top: 72.0, right: WIDTH - 40.0, bottom: 192.0 };
    let orders = Panel { top: 258.0, bottom: 398.0, ..rate };
    let mut drawing = Drawing::new(WIDTH, 434.0);
    let words = format!(
        "{} of {} arrived ({}){}",
        count(all.arrived),
        plural(all.ordered, "order"),
        or_unknown(all.success_rate, percent),
        if all.under_way > 0 { format!(", {} still under way", count(all.under_way)) } else { String::new() },
    );
    drawing.text((rate.left, 18.0), words, Anchor::Start, Colour::Ink);
    drawing.heading(rate, "Share that arrived: since the beginning (line), and in each piece of time (squares)");
    drawing.share_axis(rate);
    drawing.time_axis(rate, longest);
    draw_rates(&mut drawing, rate, pieces);
    drawing.heading(orders, "Orders");
    let legend = [(Colour::Good, "arrived"), (Colour::Bad, "did not"), (Colour::Stopped, "under way")];
    drawing.legend((orders.left + 90.0, orders.top - 14.0), &legend);
    drawing.time_axis(orders, longest);
    draw_orders(&mut drawing, orders, pieces);
    let width = orders.width() / pieces.len() as f64;
    for (at, piece) in pieces.iter().enumerate() {
        let (begin, end) = (duration(piece.from_s - from), duration(piece.to_s - from));
        let words = format!("{begin} to {end}: {} arrived of {}", count(piece.arrived), plural(piece.ordered, "order"));
        drawing.hint((rate.left + width * at as f64, rate.top), (width, orders.bottom - rate.top), words);
    }
    Some(Chart {
        metric: Metric::MigrationSuccessRate,
        caption: "An order to move a running task arrived when the task stopped for it, its state was kept, and it went on at another \
                  worker. It did not when the order was withdrawn, the task could not save its state, came back, or ended first. Orders \
                  that are under way are not counted in the share."
            .into(),
        drawing,
    })
}

fn draw_rates(drawing: &mut Drawing, panel: Panel, pieces: &[MigrationPiece]) {
    let (mut arrived, mut over) = (0.0, 0.0);
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        arrived += piece.arrived as f64;
        over += (piece.ordered - piece.under_way) as f64;
        let across = |part: f64| (at as f64 + part) / pieces.len() as f64;
        if over > 0.0 {
            line.push(panel.at(across(1.0), arrived / over));
        }
        if let Some(rate) = piece.success_rate {
            let (x, y) = panel.at(across(0.5), rate);
            drawing.rect((x - 4.0, y - 4.0), (8.0, 8.0), Colour::Second, 1.0);
        }
    }
    drawing.line(line, Colour::Main, 2);
}

fn draw_orders(drawing: &mut Drawing, panel: Panel, pieces: &[MigrationPiece]) {
    let most = pieces.iter().map(|piece| piece.ordered).max().unwrap_or(0).max(1);
    let step = most.div_ceil(4).max(1);
    let highest = (step * most.div_ceil(step)) as f64;
    for tick in (0..=most.div_ceil(step)).map(|n| n * step) {
        let (x, y) = panel.at(0.0, tick as f64 / highest);
        drawing.line(vec![(x, y), (panel.right, y)], Colour::Grid, 1);
        drawing.text((x - 8.0, y), count(tick), Anchor::End, Colour::Faint);
    }
    let width = panel.width() / pieces.len() as f64;
    for (at, piece) in pieces.iter().enumerate() {
        let failed = piece.ordered - piece.arrived - piece.under_way;
        let mut below = 0.0;
        for (number, colour) in [(piece.arrived, Colour::Good), (failed, Colour::Bad), (piece.under_way, Colour::Stopped)] {
            if number > 0 {
                let (x, bottom) = panel.at(at as f64 / pieces.len() as f64, below);
                below += number as f64 / highest;
                let top = panel.at(0.0, below).1;
                drawing.rect((x + 2.0, top), (width - 4.0, bottom - top), colour, 1.0);
            }
        }
    }
}
