//! A figure as data: shapes in pixels. Charts make drawings; how they become SVG or PNG is not their business.

use crate::render::text_width;
use crate::text::{duration, label};

/// What a shape is coloured by. Ink and grid follow the page's light or dark mode; the others read well on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text and axes.
    Ink,
    /// Text that may be overlooked.
    Faint,
    /// Lines behind the data.
    Grid,
    /// The ground of a row.
    Ground,
    /// Went well.
    Good,
    /// Failed.
    Bad,
    /// Was moved or made room.
    Moved,
    /// Its machine was lost.
    Lost,
    /// Was stopped, and nothing is wrong.
    Stopped,
    /// Runs, or a first series.
    Main,
    /// A second series.
    Second,
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At its left end.
    Start,
    /// In its middle.
    Middle,
    /// At its right end.
    End,
}

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A filled rectangle; `strength` from 0 (invisible) to 1.
    Rect { x: f64, y: f64, width: f64, height: f64, colour: Colour, strength: f64 },
    /// A line through points.
    Line { points: Vec<(f64, f64)>, colour: Colour, width: u32 },
    /// A filled polygon.
    Area { points: Vec<(f64, f64)>, colour: Colour, strength: f64 },
    /// Text, its vertical middle at `y`.
    Text { x: f64, y: f64, text: String, size: f64, anchor: Anchor, colour: Colour, is_bold: bool },
}

/// What is told of a place of a figure to those who point at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub text: String,
}

/// A figure of `width` by `height` pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub width: f64,
    pub height: f64,
    pub shapes: Vec<Shape>,
    /// Later ones lie above earlier ones.
    pub hints: Vec<Hint>,
}

/// The size of ordinary text.
pub const TEXT: f64 = 15.5;

/// A rectangle in which data is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Drawing {
    /// An empty figure.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new(), hints: Vec::new() }
    }

    /// Adds a rectangle.
    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: Colour, strength: f64) {
        self.shapes.push(Shape::Rect { x, y, width, height, colour, strength });
    }

    /// Adds a line.
    pub fn line(&mut self, points: Vec<(f64, f64)>, colour: Colour, width: u32) {
        self.shapes.push(Shape::Line { points, colour, width });
    }

    /// Adds a line of dashes through points: of two lines that cross, it is told apart without its colour.
    pub fn dashed(&mut self, points: &[(f64, f64)], colour: Colour, width: u32) {
        const DASH: f64 = 9.0;
        const GAP: f64 = 6.0;
        let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
        let (mut is_drawn, mut left) = (true, DASH);
        for pair in points.windows(2) {
            let (mut from, to) = (pair[0], pair[1]);
            loop {
                let length = (to.0 - from.0).hypot(to.1 - from.1);
                if length <= left {
                    left -= length;
                    dash.push(to);
                    break;
                }
                let share = left / length;
                from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
                dash.push(from);
                if is_drawn {
                    self.line(std::mem::take(&mut dash), colour, width);
                }
                (is_drawn, left) = (!is_drawn, if is_drawn { GAP } else { DASH });
                dash = vec![from];
            }
        }
        if is_drawn && dash.len() > 1 {
            self.line(dash, colour, width);
        }
    }

    /// Adds a line with the area under it, down to `bottom`, shaded.
    pub fn under(&mut self, outline: Vec<(f64, f64)>, bottom: f64, colour: Colour) {
        let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) else { return };
        let mut points = outline.clone();
        points.extend([(last.0, bottom), (first.0, bottom)]);
        self.shapes.push(Shape::Area { points, colour, strength: 0.25 });
        self.line(outline, colour, 2);
    }

    /// Says `text` to those who point at a rectangle.
    pub fn hint(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), text: impl Into<String>) {
        self.hints.push(Hint { x, y, width, height, text: text.into() });
    }

    /// Adds ordinary text.
    pub fn text(&mut self, (x, y): (f64, f64), text: impl Into<String>, anchor: Anchor, colour: Colour) {
        self.shapes.push(Shape::Text { x, y, text: text.into(), size: TEXT, anchor, colour, is_bold: false });
    }

    /// Adds a heading at the upper left of a panel.
    pub fn heading(&mut self, panel: Panel, text: &str) {
        let (x, y) = (panel.left, panel.top - 14.0);
        let text = text.to_owned();
        self.shapes.push(Shape::Text { x, y, text, size: TEXT, anchor: Anchor::Start, colour: Colour::Ink, is_bold: true });
    }

    /// Adds coloured squares with their meaning in one row from `x`, and tells where it ends.
    pub fn legend(&mut self, (mut x, y): (f64, f64), entries: &[(Colour, &str)]) -> f64 {
        for (colour, meaning) in entries {
            self.rect((x, y - 6.0), (12.0, 12.0), *colour, 1.0);
            self.text((x + 18.0, y), *meaning, Anchor::Start, Colour::Ink);
            x += 18.0 + text_width(meaning, TEXT, false) + 22.0;
        }
        x
    }

    /// Draws vertical lines and labels for a duration from 0 to `longest` seconds under a panel.
    pub fn time_axis(&mut self, panel: Panel, longest: f64) {
        for tick in time_ticks(longest, (panel.width() / 105.0) as usize) {
            let x = panel.left + panel.width() * tick / longest;
            self.line(vec![(x, panel.top), (x, panel.bottom)], Colour::Grid, 1);
            self.text((x, panel.bottom + 15.0), duration(tick), Anchor::Middle, Colour::Faint);
        }
        self.line(vec![(panel.left, panel.bottom), (panel.right, panel.bottom)], Colour::Grid, 1);
    }

    /// Draws horizontal lines at 0, 50 and 100 % with labels left of a panel.
    pub fn share_axis(&mut self, panel: Panel) {
        for share in [0.0, 0.5, 1.0] {
            let y = panel.bottom - panel.height() * share;
            self.line(vec![(panel.left, y), (panel.right, y)], Colour::Grid, 1);
            self.text((panel.left - 8.0, y), format!("{:.0} %", share * 100.0), Anchor::End, Colour::Faint);
        }
    }
}

impl Panel {
    /// A point in it: `across` and `up` from 0 at its lower left to 1.
    pub fn at(self, across: f64, up: f64) -> (f64, f64) {
        (self.left + self.width() * across, self.bottom - self.height() * up.clamp(0.0, 1.0))
    }

    /// Its width.
    pub fn width(self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    pub fn height(self) -> f64 {
        self.bottom - self.top
    }
}

/// Round times from 0 to `longest` seconds, at most `most` and at least one of them beside 0.
pub fn time_ticks(longest: f64, most: usize) -> Vec<f64> {
    const ROUND: [f64; 18] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0,
        86_400.0,
    ];
    let wanted = longest / most.max(1) as f64;
    let decade = 10f64.powf(wanted.max(1e-6).log10().floor());
    let below_a_second = [decade, 2.0 * decade, 5.0 * decade, 10.0 * decade];
    let step = if wanted <= 0.5 {
        below_a_second.into_iter().find(|step| *step >= wanted).unwrap_or(1.0)
    } else {
        ROUND.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| 86_400.0 * (wanted / 86_400.0).ceil())
    };
    (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick <= longest * 1.000_001).take(most + 2).collect()
}

/// `name` cut in the middle until it is at most `room` pixels wide: the ends of test names tell them apart.
pub fn fitted(name: &str, room: f64) -> String {
    let name = label(name);
    if text_width(&name, TEXT, false) <= room {
        return name;
    }
    let characters: Vec<char> = name.chars().collect();
    let fits = |kept: usize| {
        let head = kept / 3;
        let cut: String =
            characters[..head].iter().chain(['…'].iter()).chain(&characters[characters.len() - (kept - head)..]).collect();
        (text_width(&cut, TEXT, false) <= room).then_some(cut)
    };
    let (mut low, mut high) = (0, characters.len().min(400));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle).is_some() { low = middle } else { high = middle - 1 }
    }
    fits(low).unwrap_or_else(|| "…".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(time_ticks(95.0, 10), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
        assert_eq!(time_ticks(7200.0, 5), [0.0, 1800.0, 3600.0, 5400.0, 7200.0]);
        for exponent in -4..9 {
            let longest = 3.7 * 10f64.powi(exponent);
            let ticks = time_ticks(longest, 8);
            assert!((2..=10).contains(&ticks.len()), "{longest}: {ticks:?}");
        }
    }

    #[test]
    fn dashes_follow_the_line_and_leave_gaps() {
        let mut drawing = Drawing::new(100.0, 10.0);
        drawing.dashed(&[(0.0, 0.0), (5.0, 0.0), (40.0, 0.0)], Colour::Ink, 1);
        let ends = |shape: &Shape| match shape {
            Shape::Line { points, .. } => (points[0].0, points[points.len() - 1].0),
            other => panic!("{other:?}"),
        };
        let dashes: Vec<_> = drawing.shapes.iter().map(ends).collect();
        assert_eq!(dashes, [(0.0, 9.0), (15.0, 24.0), (30.0, 39.0)]);
    }

    #[test]
    fn a_long_name_keeps_its_ends_and_fits() {
        let name = "tests/integration/test_scheduler.py::TestBackpressure::test_a_full_queue_refuses_with_retry_after[slow]";
        let cut = fitted(name, 220.0);
        assert!(text_width(&cut, TEXT, false) <= 220.0);
        assert!(cut.contains('…') && cut.ends_with("[slow]") && cut.starts_with("tests"), "{cut}");
        assert_eq!(fitted("short", 220.0), "short");
    }
}
