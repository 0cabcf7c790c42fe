//! Drawings as SVG for the page and as PNG, with fonts that come with the program: a bare machine has none.

use crate::drawing::{Anchor, Colour, Drawing, Shape};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::path::Path;
use std::sync::Once;

/// The family the fonts are registered under; a browser takes its own of that name.
const FAMILY: &str = "sans-serif";

/// PNG pixels per drawing pixel, for screens and print.
const PNG_SCALE: f64 = 2.0;

/// Draws as SVG, without a ground of its own. Ink, faint text, grid and ground are left to the page's style sheet.
pub fn svg(drawing: &Drawing) -> Result<String, String> {
    let mut text = String::new();
    {
        let size = (drawing.width.ceil() as u32, drawing.height.ceil() as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        paint(drawing, &area, Medium { scale: 1.0, last_pixel: 0, lift: 0.0 })?;
        area.present().map_err(|error| error.to_string())?;
    }
    // The backend knows only fixed colours: those of the four are stand-ins that occur nowhere else.
    for colour in [Colour::Ink, Colour::Faint, Colour::Grid, Colour::Ground] {
        text = text.replace(&hex(colour), variable(colour));
    }
    Ok(text)
}

/// Draws as a PNG file on white.
pub fn png(drawing: &Drawing, path: &Path) -> Result<(), String> {
    let size = ((drawing.width * PNG_SCALE).ceil() as u32, (drawing.height * PNG_SCALE).ceil() as u32);
    let area = BitMapBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    paint(drawing, &area, Medium { scale: PNG_SCALE, last_pixel: 1, lift: 0.1 })?;
    area.present().map_err(|error| error.to_string())
}

/// Where the two backends differ.
struct Medium {
    scale: f64,
    /// The bitmap backend fills the pixel at the far corner too, which would paint the seam of two neighbours twice.
    last_pixel: i32,
    /// The bitmap backend centres text with the room for its descenders: by this share of its size it stands too high.
    lift: f64,
}

/// How wide `text` is in pixels.
pub fn text_width(text: &str, size: f64, is_bold: bool) -> f64 {
    register();
    let style = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = FontDesc::new(FontFamily::SansSerif, size, style);
    font.box_size(text).map_or(text.chars().count() as f64 * size * 0.6, |(width, _)| f64::from(width))
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (style, font) in [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())] {
            assert!(register_font(FAMILY, style, font).is_ok(), "a font that comes with the program is a font");
        }
    });
}

fn paint<DB: DrawingBackend>(drawing: &Drawing, area: &DrawingArea<DB, Shift>, medium: Medium) -> Result<(), String> {
    register();
    let scale = medium.scale;
    let pixel = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
    let pixels = |points: &[(f64, f64)]| points.iter().map(|point| pixel(*point)).collect::<Vec<_>>();
    for shape in &drawing.shapes {
        let drawn = match shape {
            Shape::Rect { x, y, width, height, colour, strength } => {
                let (from, to) = (pixel((*x, *y)), pixel((x + width, y + height)));
                let corners = [from, ((to.0 - medium.last_pixel).max(from.0), (to.1 - medium.last_pixel).max(from.1))];
                area.draw(&Rectangle::new(corners, rgb(*colour).mix(*strength).filled()))
            }
            Shape::Line { points, colour, width } => {
                let style = rgb(*colour).stroke_width((f64::from(*width) * scale).round() as u32);
                area.draw(&PathElement::new(pixels(points), style))
            }
            Shape::Area { points, colour, strength } => {
                area.draw(&Polygon::new(pixels(points), rgb(*colour).mix(*strength).filled()))
            }
            Shape::Text { x, y, text, size, anchor, colour, is_bold } => {
                let style = if *is_bold { FontStyle::Bold } else { FontStyle::Normal };
                let horizontal = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let ink = rgb(*colour);
                let style = TextStyle::from(FontDesc::new(FontFamily::SansSerif, size * scale, style))
                    .color(&ink)
                    .pos(Pos::new(horizontal, VPos::Center));
                area.draw(&Text::new(text.clone(), pixel((*x, y + medium.lift * size)), style))
            }
        };
        drawn.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn rgb(colour: Colour) -> RGBColor {
    match colour {
        Colour::Ink => RGBColor(0x1b, 0x20, 0x28),
        Colour::Faint => RGBColor(0x5c, 0x66, 0x73),
        Colour::Grid => RGBColor(0xdd, 0xe2, 0xe8),
        Colour::Ground => RGBColor(0xf0, 0xf3, 0xf6),
        Colour::Good => RGBColor(0x2f, 0x9e, 0x77),
        Colour::Bad => RGBColor(0xd6, 0x45, 0x55),
        Colour::Moved => RGBColor(0x8f, 0x6b, 0xd1),
        Colour::Lost => RGBColor(0xe0, 0x8e, 0x1b),
        Colour::Stopped => RGBColor(0x8a, 0x95, 0xa3),
        Colour::Main => RGBColor(0x3b, 0x82, 0xd6),
        Colour::Second => RGBColor(0xd9, 0x7a, 0x2b),
    }
}

fn hex(colour: Colour) -> String {
    let RGBColor(red, green, blue) = rgb(colour);
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn variable(colour: Colour) -> &'static str {
    match colour {
        Colour::Faint => "var(--faint)",
        Colour::Grid => "var(--grid)",
        Colour::Ground => "var(--ground)",
        _ => "currentColor",
    }
}
