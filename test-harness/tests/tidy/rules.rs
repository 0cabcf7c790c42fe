//! The rules one source file must keep.

use crate::code::{Function, functions, line_of, polling_loops, squeezed, test_regions, words};
use crate::mask::mask;
use std::fmt;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// A rule that is broken: where, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub file: String,
    pub line: usize,
    pub advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.advice)
    }
}

/// Code that may stand nowhere, and what to write in its place.
const NOWHERE: &[(&str, &str)] = &[
    (".unwrap()", "say why it holds: `expect(\"…\")`, or return the error"),
    ("todo!(", "write it, or leave it out"),
    ("unimplemented!(", "write it, or leave it out"),
    ("dbg!(", "remove it; shells speak through `tracing`"),
    ("#[allow(", "use `#[expect(…, reason = \"…\")]`"),
    ("#![allow(", "use `#![expect(…, reason = \"…\")]`"),
    ("unbounded_channel(", "give the channel a bound and say what happens at it"),
    ("unbounded_channel::<", "give the channel a bound and say what happens at it"),
    ("mpsc::channel()", "std's `channel` has no bound: use `sync_channel(n)`"),
    ("mpsc::channel::<", "a channel without a bound? pass its capacity, and leave the type to inference"),
];

/// Code that a core may not hold: it would know the clock, the disk, the network, a thread or chance.
const NOT_IN_CORES: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::process::Command",
    "std::thread",
    "thread::spawn",
    "thread_rng",
    "std::env",
    "RandomState",
    "println!(",
];

const BAD_ENDINGS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Handler"];

/// Everything that is wrong with one file; `path` is relative to the workspace, with forward slashes.
pub fn check_file(path: &str, source: &str) -> Vec<Violation> {
    let masked = mask(source);
    let functions = functions(&masked);
    let mut found = Vec::new();
    let mut report = |line: usize, advice: String| found.push(Violation { file: path.to_owned(), line, advice });
    sizes(source, &functions, &mut report);
    if !source.starts_with("//!") {
        report(1, "open the file with `//!`: what it knows".to_owned());
    }
    let (text, lines) = squeezed(&masked);
    for (needle, advice) in NOWHERE {
        for (at, _) in text.match_indices(needle) {
            report(lines[at], format!("`{needle}`: {advice}"));
        }
    }
    if path.contains("/core/src/") {
        for needle in NOT_IN_CORES {
            for (at, _) in text.match_indices(needle) {
                report(lines[at], format!("`{needle}` in a core: time, chance and the world come in as events"));
            }
        }
    }
    names(&masked, &mut report);
    sleeps(path, &masked, &mut report);
    found
}

fn sizes(source: &str, functions: &[Function], report: &mut impl FnMut(usize, String)) {
    let lines = source.lines().count();
    if lines > FILE_LINES_MAX {
        report(FILE_LINES_MAX + 1, format!("{lines} lines; split the file by noun, {FILE_LINES_MAX} are allowed"));
    }
    for function in functions {
        let length = function.last - function.first + 1;
        if length > FUNCTION_LINES_MAX {
            let advice = format!("`{}` has {length} lines; {FUNCTION_LINES_MAX} are allowed: name its parts", function.name);
            report(function.first, advice);
        }
    }
}

fn names(masked: &str, report: &mut impl FnMut(usize, String)) {
    let mut declares = false;
    for (at, word) in words(masked) {
        if declares && BAD_ENDINGS.iter().any(|ending| word.ends_with(ending)) {
            report(line_of(masked, at), format!("`{word}` does not say what it is: name it after its noun"));
        }
        declares = matches!(word, "struct" | "enum" | "trait" | "type" | "union");
    }
}

/// A test that sleeps for a fixed time waits too long or not long enough. A loop that looks again and again may.
fn sleeps(path: &str, masked: &str, report: &mut impl FnMut(usize, String)) {
    let file_name = path.rsplit('/').next().unwrap_or(path);
    let whole_file = path.contains("/tests/") || file_name == "tests.rs" || file_name.ends_with("_tests.rs");
    let (regions, loops) = (test_regions(masked), polling_loops(masked));
    let within = |places: &[(usize, usize)], line: usize| places.iter().any(|&(first, last)| (first..=last).contains(&line));
    for (at, _) in words(masked).filter(|&(_, word)| word == "sleep") {
        let line = line_of(masked, at);
        let in_test = whole_file || within(&regions, line);
        let called = masked[at + "sleep".len()..].starts_with('(');
        if in_test && called && !within(&loops, line) {
            let advice = "a sleep in a test: poll the condition with a deadline, in a `while` or a `loop`";
            report(line, advice.to_owned());
        }
    }
}
