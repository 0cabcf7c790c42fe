//! Drawings as SVG and PNG, with fonts that come with the program: a bare machine has none.

use crate::drawing::{Anchor, Colour, Drawing, Hint, Shape};
use crate::text::escape;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::fmt::Write;
use std::sync::Once;

/// The family the fonts are registered under; a browser takes its own of that name.
const FAMILY: &str = "sans-serif";

/// PNG pixels per drawing pixel, for screens and print.
const PNG_SCALE: f64 = 2.0;

/// Draws as SVG for a page, without a ground of its own. Ink, faint text, grid and ground are left to the page's style sheet.
/// What a place says when it is pointed at is its `title`.
pub fn svg(drawing: &Drawing) -> Result<String, String> {
    let mut text = plain_svg(drawing)?;
    // The backend knows only fixed colours: those of the four are stand-ins that occur nowhere else.
    for colour in [Colour::Ink, Colour::Faint, Colour::Grid, Colour::Ground] {
        text = text.replace(&hex(colour), variable(colour));
    }
    let end = text.rfind("</svg>").expect("the backend closes what it opened");
    let mut hints = String::from("<g class=\"hints\">\n");
    for Hint { x, y, width, height, text } in &drawing.hints {
        let title = escape(text);
        writeln!(
            hints,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{title}</title></rect>"
        )
        .expect("text takes any length");
    }
    text.insert_str(end, &(hints + "</g>\n"));
    Ok(text)
}

/// Draws as an SVG file of its own, on white.
pub fn svg_file(drawing: &Drawing) -> Result<String, String> {
    let text = plain_svg(drawing)?;
    let begin = text.find(">\n").map_or(0, |end| end + 2);
    Ok(format!("{}<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{}", &text[..begin], &text[begin..]))
}

fn plain_svg(drawing: &Drawing) -> Result<String, String> {
    let mut text = String::new();
    let size = (drawing.width.ceil() as u32, drawing.height.ceil() as u32);
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    paint(drawing, &area, Medium { scale: 1.0, last_pixel: 0, lift: 0.0 })?;
    area.present().map_err(|error| error.to_string())?;
    drop(area);
    Ok(text)
}

/// Draws as the bytes of a PNG file, on white.
pub fn png(drawing: &Drawing) -> Result<Vec<u8>, String> {
    let (width, height) = ((drawing.width * PNG_SCALE).ceil() as u32, (drawing.height * PNG_SCALE).ceil() as u32);
    let mut pixels = vec![0xff; width as usize * height as usize * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    paint(drawing, &area, Medium { scale: PNG_SCALE, last_pixel: 1, lift: 0.1 })?;
    area.present().map_err(|error| error.to_string())?;
    drop(area);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    // Flat areas, as figures are made of, become smallest without a filter, by a thorough search for repetitions.
    encoder.set_compression(png::Compression::Default);
    encoder.set_filter(png::FilterType::NoFilter);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&pixels).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Where the two backends differ.
struct Medium {
    scale: f64,
    /// Where it blends, the bitmap backend fills the pixel at the far corner too, and would paint the seam of two neighbours twice.
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
                let last = if *strength < 1.0 { medium.last_pixel } else { 0 };
                let corners = [from, ((to.0 - last).max(from.0), (to.1 - last).max(from.1))];
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

/// Those that stand beside each other differ in lightness too, for eyes that do not tell their hues apart and for black print.
fn rgb(colour: Colour) -> RGBColor {
    match colour {
        Colour::Ink => RGBColor(0x1b, 0x20, 0x28),
        Colour::Faint => RGBColor(0x5c, 0x66, 0x73),
        Colour::Grid => RGBColor(0xdd, 0xe2, 0xe8),
        Colour::Ground => RGBColor(0xf0, 0xf3, 0xf6),
        Colour::Good => RGBColor(0x35, 0xa8, 0x80),
        Colour::Bad => RGBColor(0xb4, 0x1f, 0x3c),
        Colour::Moved => RGBColor(0x7b, 0x5c, 0xc4),
        Colour::Lost => RGBColor(0xf0, 0xa8, 0x30),
        Colour::Stopped => RGBColor(0x8a, 0x95, 0xa3),
        Colour::Main => RGBColor(0x2f, 0x78, 0xd0),
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
