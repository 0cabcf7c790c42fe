//! What is shown: lines that may not reach anyone, colours where they are wanted, tables, durations in words.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Writes `text` and a line break to standard output.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes a value to standard output as one JSON document.
pub fn print_json<T: Serialize>(value: &T) -> io::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// Tells the user something beside the output proper. Nobody listening is no error.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A colour that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// All is well.
    Good,
    /// Something to look at.
    Odd,
    /// Something failed.
    Bad,
    /// Less important.
    Dim,
    /// More important.
    Strong,
}

/// Where colours go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    is_on: bool,
}

impl Palette {
    /// For standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout().is_terminal())
    }

    /// For standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr().is_terminal())
    }

    /// Without any colour.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { is_on: false }
    }

    fn new(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { is_on: is_terminal && !refused && !is_dumb }
    }

    /// `text` in that colour, where colours are wanted.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Good => "32",
            Paint::Odd => "33",
            Paint::Bad => "31",
            Paint::Dim => "2",
            Paint::Strong => "1",
        };
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Columns under their heads, as wide as their widest cell.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count()))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heads.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// A length of time as people say it.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{} min {:02} s", s as u64 / 60, s as u64 % 60),
        s => format!("{} h {:02} min", s as u64 / 3600, s as u64 / 60 % 60),
    }
}

/// A number of bytes as people say it.
pub fn bytes(count: u64) -> String {
    match count as f64 {
        b if b < 1e4 => format!("{count} B"),
        b if b < 1e7 => format!("{:.1} kB", b / 1e3),
        b if b < 1e10 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// `count` things, in the singular where there is one.
pub fn count(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells() {
        let rows = vec![vec!["1".to_owned(), "größer".to_owned()], vec!["200".to_owned(), "b".to_owned()]];
        assert_eq!(table(&["id", "name"], &rows), "id   name\n1    größer\n200  b");
    }

    #[test]
    fn durations_grow_in_their_units() {
        let words = [0.0114, 1.5, 59.0, 119.94, 125.0, 7260.0].map(duration);
        assert_eq!(words, ["11 ms", "1.50 s", "59.0 s", "119.9 s", "2 min 05 s", "2 h 01 min"]);
    }

    #[test]
    fn without_a_terminal_nothing_is_coloured() {
        assert_eq!(Palette::plain().paint(Paint::Bad, "x"), "x");
    }
}
