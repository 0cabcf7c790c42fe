//! Numbers and names as people read them.

/// `text` with the characters that mean something in HTML replaced, and control characters made visible.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` on one line without control characters, for a label.
pub fn label(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A duration: `85 ms`, `2.4 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = |seconds: f64| seconds.round() as u64;
    match seconds {
        s if s < 0.0005 => "0 s".into(),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{} s", trimmed(format!("{s:.2}"))),
        s if s < 59.95 => format!("{} s", trimmed(format!("{s:.1}"))),
        s if s < 3599.5 => two(whole(s) / 60, "min", whole(s) % 60, "s"),
        s if s < 86_370.0 => two(whole(s / 60.0) / 60, "h", whole(s / 60.0) % 60, "min"),
        s => two(whole(s / 3600.0) / 24, "d", whole(s / 3600.0) % 24, "h"),
    }
}

/// A duration that may be below zero, as a change: `+2.4 s`, `−1 min`.
pub fn signed(seconds: f64) -> String {
    match duration(seconds.abs()).as_str() {
        "0 s" => "0 s".into(),
        words if seconds < 0.0 => format!("\u{2212}{words}"),
        words => format!("+{words}"),
    }
}

/// Joules: `850 J`, `12.5 kJ`, `3.1 MJ`.
pub fn energy(joules: f64) -> String {
    scaled(joules, "J")
}

/// Watts: `85 W`, `1.2 kW`.
pub fn power(watts: f64) -> String {
    scaled(watts, "W")
}

/// A share of 1 as a percentage.
pub fn percent(share: f64) -> String {
    format!("{} %", trimmed(format!("{:.1}", share * 100.0)))
}

/// A count with thin groups of three.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 task`, `2 tasks`.
pub fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// What is said where a figure cannot be known.
pub const UNKNOWN: &str = "–";

/// The figure in words, or that there is none.
pub fn or_unknown(figure: Option<f64>, words: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| UNKNOWN.to_owned(), words)
}

fn scaled(value: f64, unit: &str) -> String {
    let (value, prefix) = match value {
        v if v >= 999_500.0 => (v / 1e6, "M"),
        v if v >= 999.5 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{} {prefix}{unit}", trimmed(format!("{value:.digits$}")))
}

fn two(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {small_unit}") }
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0.0, "0 s"),
            (0.0854, "85 ms"),
            (0.9996, "1 s"),
            (2.4, "2.4 s"),
            (59.96, "1 min"),
            (200.0, "3 min 20 s"),
            (3600.0, "1 h"),
            (7500.0, "2 h 5 min"),
            (90_000.0, "1 d 1 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn units_are_those_people_use() {
        let cases = [(0.0, "0 J"), (850.0, "850 J"), (999.6, "1 kJ"), (12_540.0, "12.5 kJ"), (3_144_000.0, "3.14 MJ")];
        for (joules, expected) in cases {
            assert_eq!(energy(joules), expected, "{joules}");
        }
        assert_eq!((power(85.4), power(1234.0)), ("85.4 W".into(), "1.23 kW".into()));
        assert_eq!((signed(2.4), signed(-60.0), signed(0.0)), ("+2.4 s".into(), "\u{2212}1 min".into(), "0 s".into()));
    }

    #[test]
    fn nothing_of_a_name_is_taken_for_markup() {
        assert_eq!(escape("<script>'\"&\u{1b}[31m"), "&lt;script&gt;&#39;&quot;&amp;\u{fffd}[31m");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
