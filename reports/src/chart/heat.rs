//! Rows of cells, one row per worker, the stronger the more: pale to full colour, which reads without telling hues apart.

use super::NAMES_WIDTH;
use crate::drawing::{Anchor, Colour, Drawing, Panel, TEXT, fitted};
use crate::render::text_width;

/// Space between two rows.
const GAP: f64 = 3.0;

/// One row.
pub struct HeatRow<'a> {
    /// The worker.
    pub name: &'a str,
    /// Its cells, in order of time.
    pub cells: Vec<HeatCell>,
    /// What stands at its right.
    pub at_right: String,
}

/// One piece of time.
pub struct HeatCell {
    /// From which x …
    pub left: f64,
    /// … to which.
    pub right: f64,
    /// How full its colour is, 0 to 1.
    pub strength: f64,
    /// Its colour.
    pub colour: Colour,
    /// What it says when pointed at.
    pub words: String,
}

/// The height of rows, so that all of them fit a screen.
pub fn row_height(rows: usize) -> f64 {
    (420.0 / rows.max(1) as f64).clamp(10.0, 22.0)
}

/// The height of `rows` together.
pub fn height(rows: usize) -> f64 {
    rows as f64 * (row_height(rows) + GAP)
}

/// Draws the rows from the top of `panel` down.
pub fn draw(drawing: &mut Drawing, panel: Panel, rows: &[HeatRow<'_>]) {
    let row_height = row_height(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let y = panel.top + at as f64 * (row_height + GAP);
        drawing.text((NAMES_WIDTH - 10.0, y + row_height / 2.0), fitted(row.name, NAMES_WIDTH - 20.0), Anchor::End, Colour::Ink);
        let mut fill = |cells: &[HeatCell], colour, strength| {
            let (first, last) = (&cells[0], &cells[cells.len() - 1]);
            drawing.rect((first.left, y), (last.right - first.left, row_height), colour, strength);
        };
        row.cells.chunk_by(touch).for_each(|present| fill(present, Colour::Ground, 1.0));
        for alike in row.cells.chunk_by(|a, b| touch(a, b) && look_alike(a, b)).filter(|cells| cells[0].strength > 0.0) {
            fill(alike, alike[0].colour, alike[0].strength);
        }
        for cell in &row.cells {
            drawing.hint((cell.left, y), (cell.right - cell.left, row_height), format!("{} · {}", row.name, cell.words));
        }
        drawing.text((panel.right + 10.0, y + row_height / 2.0), row.at_right.clone(), Anchor::Start, Colour::Faint);
    }
}

/// Draws what the strengths mean, ending at `right`.
pub fn scale(drawing: &mut Drawing, (right, y): (f64, f64), colour: Colour, (low, high): (&str, &str)) {
    let mut x = right - text_width(high, TEXT, false);
    drawing.text((x, y), high, Anchor::Start, Colour::Ink);
    x -= 8.0;
    for strength in [1.0, 0.8, 0.6, 0.4, 0.2, 0.0] {
        x -= 18.0;
        drawing.rect((x, y - 6.0), (18.0, 12.0), Colour::Ground, 1.0);
        drawing.rect((x, y - 6.0), (18.0, 12.0), colour, strength);
    }
    drawing.text((x - 8.0, y), low, Anchor::End, Colour::Ink);
}

/// Neighbours that touch are drawn together where they may be: fewer shapes, and no seams.
fn touch(a: &HeatCell, b: &HeatCell) -> bool {
    (a.right - b.left).abs() < 0.01
}

fn look_alike(a: &HeatCell, b: &HeatCell) -> bool {
    a.colour == b.colour && (a.strength - b.strength).abs() < 0.004
}
