//! Who did what when: one row per worker, one bar per attempt.

use super::{Chart, NAMES_WIDTH as LEFT, WIDTH, worker_rows};
use crate::drawing::{Anchor, Colour, Drawing, Panel, fitted};
use crate::figures::{Figures, TIMELINE_BARS_MAX};
use crate::metric::Metric;
use crate::text::{duration, percent};
use benchmark_db::AttemptRow;

const TOP: f64 = 44.0;

/// What a bar's colour says.
const LEGEND: [(Colour, &str); 6] = [
    (Colour::Good, "passed"),
    (Colour::Bad, "failed"),
    (Colour::Moved, "moved or made room"),
    (Colour::Lost, "machine lost or failed"),
    (Colour::Stopped, "stopped on request"),
    (Colour::Main, "still running"),
];

/// The figure; absent while nothing has run.
pub fn chart(figures: &Figures) -> Option<Chart> {
    let from = figures.summary.from_s?;
    let (names, note) = worker_rows(figures);
    if names.is_empty() || figures.attempts.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    let metric = Metric::Timeline;
    let Some(attempts) = &figures.attempts else {
        let drawing = by_share(figures, &names)?;
        let caption = format!(
            "Each row is a worker; the height of a column is the share of its slots that were busy in that piece of time. \
             There are more than {TIMELINE_BARS_MAX} attempts, too many to draw one by one.{note}"
        );
        return Some(Chart { metric, caption, drawing });
    };
    let drawing = by_attempt(attempts, from, figures.summary.to_s, &names);
    let caption = format!(
        "Each bar is an attempt, from the start of its process to its end, in the row of its worker; time begins at the first \
         submit. Bars above each other ran at the same time.{note}"
    );
    Some(Chart { metric, caption, drawing })
}

fn by_attempt(attempts: &[AttemptRow], from: f64, to: Option<f64>, names: &[&str]) -> Drawing {
    let last = attempts.iter().map(|a| a.stopped_s.unwrap_or(a.started_s)).chain(to).fold(from, f64::max);
    let longest = (last - from).max(1e-3);
    let rows: Vec<(&str, Lanes<'_>)> =
        names.iter().map(|name| (*name, Lanes::pack(attempts.iter().filter(|a| a.worker == *name), last))).collect();
    let lane = lane_height(rows.iter().map(|(_, lanes)| lanes.count.max(1)).sum());
    let heights: Vec<f64> = rows.iter().map(|(_, lanes)| (lanes.count.max(1) as f64 * lane).max(16.0)).collect();
    let bottom = TOP + heights.iter().map(|height| height + 6.0).sum::<f64>();
    let panel = Panel { left: LEFT, top: TOP, right: WIDTH - 30.0, bottom };
    let mut drawing = Drawing::new(WIDTH, bottom + 30.0);
    let used: Vec<_> = LEGEND.into_iter().filter(|(colour, _)| attempts.iter().any(|a| outcome(a) == *colour)).collect();
    drawing.legend((LEFT, 18.0), &used);
    let mut y = TOP;
    for ((name, _), height) in rows.iter().zip(&heights) {
        drawing.rect((panel.left, y), (panel.width(), *height), Colour::Ground, 1.0);
        drawing.text((LEFT - 10.0, y + height / 2.0), fitted(name, LEFT - 20.0), Anchor::End, Colour::Ink);
        y += height + 6.0;
    }
    drawing.time_axis(panel, longest);
    let mut y = TOP;
    for ((_, lanes), height) in rows.iter().zip(&heights) {
        let lane = height / lanes.count.max(1) as f64;
        let gap = if lane >= 5.0 { 1.0 } else { 0.0 };
        for (attempt, at) in &lanes.bars {
            let x = panel.left + panel.width() * (attempt.started_s - from).max(0.0) / longest;
            let end = panel.left + panel.width() * (attempt.stopped_s.unwrap_or(last) - from) / longest;
            // A bar a little short of its end keeps two in a row apart; none vanishes.
            let width = (end - x - 0.6).max(0.8);
            let place = ((x, y + *at as f64 * lane + gap / 2.0), (width, lane - gap));
            drawing.rect(place.0, place.1, outcome(attempt), 1.0);
            drawing.hint(place.0, place.1, words(attempt, from));
        }
        y += height + 6.0;
    }
    drawing
}

fn by_share(figures: &Figures, names: &[&str]) -> Option<Drawing> {
    let longest = figures.summary.makespan_s.filter(|makespan| *makespan > 0.0)?;
    let from = figures.summary.from_s?;
    let height = (700.0 / names.len() as f64).clamp(18.0, 48.0);
    let top = 16.0;
    let bottom = top + names.len() as f64 * (height + 6.0);
    let panel = Panel { left: LEFT, top, right: WIDTH - 30.0, bottom };
    let mut drawing = Drawing::new(WIDTH, bottom + 30.0);
    for (at, name) in names.iter().enumerate() {
        let y = top + at as f64 * (height + 6.0);
        drawing.rect((panel.left, y), (panel.width(), height), Colour::Ground, 1.0);
        drawing.text((LEFT - 10.0, y + height / 2.0), fitted(name, LEFT - 20.0), Anchor::End, Colour::Ink);
        for share in figures.shares.iter().filter(|share| share.worker.as_deref() == Some(name)) {
            let busy = share.utilization.unwrap_or(0.0).clamp(0.0, 1.0);
            let x = panel.left + panel.width() * (share.from_s - from) / longest;
            let width = panel.width() * (share.to_s - share.from_s) / longest;
            drawing.rect((x, y + height * (1.0 - busy)), (width, height * busy), Colour::Main, 1.0);
            drawing.hint((x, y), (width, height), format!("{name} · {}: {} busy", duration(share.from_s - from), percent(busy)));
        }
    }
    drawing.time_axis(panel, longest);
    Some(drawing)
}

/// Attempts of one worker on as few lanes as they need not to overlap.
struct Lanes<'a> {
    bars: Vec<(&'a AttemptRow, usize)>,
    count: usize,
}

impl<'a> Lanes<'a> {
    /// `attempts` in the order of their start.
    fn pack(attempts: impl Iterator<Item = &'a AttemptRow>, last: f64) -> Self {
        let mut free_from: Vec<f64> = Vec::new();
        let mut bars = Vec::new();
        for attempt in attempts {
            let lane = free_from.iter().position(|free| *free <= attempt.started_s + 1e-6).unwrap_or(free_from.len());
            if lane == free_from.len() {
                free_from.push(0.0);
            }
            free_from[lane] = attempt.stopped_s.unwrap_or(last);
            bars.push((attempt, lane));
        }
        Self { bars, count: free_from.len() }
    }
}

/// What a bar says.
fn words(attempt: &AttemptRow, from: f64) -> String {
    let begins = duration((attempt.started_s - from).max(0.0));
    let ran = attempt
        .stopped_s
        .map_or_else(|| "still runs".to_owned(), |stopped| format!("ran {}", duration(stopped - attempt.started_s)));
    let outcome = LEGEND.iter().find(|(colour, _)| *colour == outcome(attempt)).map_or("", |(_, meaning)| *meaning);
    format!("task {}, attempt {} · {} · at {begins}, {ran} · {outcome}", attempt.task, attempt.ordinal, attempt.worker)
}

/// High enough to see, low enough that the figure fits a screen or two.
fn lane_height(lanes: usize) -> f64 {
    (620.0 / lanes.max(1) as f64).clamp(2.0, 14.0)
}

fn outcome(attempt: &AttemptRow) -> Colour {
    match (attempt.reason.as_deref(), attempt.failure.as_deref()) {
        (None, _) => Colour::Main,
        (Some("lost" | "failed"), _) | (_, Some("infra" | "lost" | "refused" | "timeout_setup")) => Colour::Lost,
        (Some("migrated" | "preempted" | "retracted"), _) => Colour::Moved,
        (Some("cancelled" | "hedged"), _) => Colour::Stopped,
        (Some(_), Some(_)) => Colour::Bad,
        (Some(_), None) => Colour::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(started_s: f64, stopped_s: Option<f64>) -> AttemptRow {
        let (worker, reason) = ("a".to_owned(), stopped_s.map(|_| "finished".to_owned()));
        AttemptRow { task: 1, ordinal: 1, worker, started_s, stopped_s, reason, failure: None }
    }

    #[test]
    fn attempts_at_the_same_time_get_lanes_and_a_free_lane_is_used_again() {
        let attempts = [attempt(0.0, Some(5.0)), attempt(1.0, Some(3.0)), attempt(3.0, None), attempt(5.0, Some(6.0))];
        let lanes = Lanes::pack(attempts.iter(), 9.0);
        assert_eq!(lanes.bars.iter().map(|(_, lane)| *lane).collect::<Vec<_>>(), [0, 1, 1, 0]);
        assert_eq!(lanes.count, 2);
    }
}
