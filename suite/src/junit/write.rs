//! Writes a report.

use super::{CaseAttempt, CaseReport, Counts};
use shared::outcome::TestOutcome;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes a report named `name` on `cases`, each test once. Suites come in the order of their first test.
pub fn write(out: &mut impl Write, name: &str, cases: &[CaseReport]) -> io::Result<()> {
    let mut order: Vec<&str> = Vec::new();
    let mut suites: BTreeMap<&str, Vec<&CaseReport>> = BTreeMap::new();
    for case in cases {
        let members = suites.entry(&case.suite).or_default();
        if members.is_empty() {
            order.push(&case.suite);
        }
        members.push(case);
    }
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    write!(out, "<testsuites")?;
    totals(out, name, &cases.iter().collect::<Vec<_>>())?;
    for suite in order {
        let members = &suites[suite];
        write!(out, "  <testsuite")?;
        totals(out, suite, members)?;
        for case in members {
            write_case(out, case)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn totals(out: &mut impl Write, name: &str, cases: &[&CaseReport]) -> io::Result<()> {
    let Counts { tests, failures, errors, skipped } = Counts::of(cases.iter().copied());
    let seconds: f64 = cases.iter().filter_map(|case| case.deciding()).map(|attempt| attempt.seconds).sum();
    writeln!(
        out,
        r#" name="{}" tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.3}">"#,
        attribute(name)
    )
}

fn write_case(out: &mut impl Write, case: &CaseReport) -> io::Result<()> {
    let Some(deciding) = case.deciding() else { return Ok(()) };
    write!(out, r#"    <testcase classname="{}" name="{}""#, attribute(&case.classname), attribute(&case.name))?;
    if let Some(file) = &case.file {
        write!(out, r#" file="{}""#, attribute(file))?;
    }
    writeln!(out, r#" time="{}">"#, deciding.seconds)?;
    match deciding.outcome {
        TestOutcome::Passed | TestOutcome::Xpassed => {}
        TestOutcome::Failed => element(out, "failure", deciding, false)?,
        TestOutcome::Error => element(out, "error", deciding, false)?,
        TestOutcome::Skipped => element(out, "skipped", deciding, false)?,
        // The word by which pytest's own reports tell it from a test that was left out.
        TestOutcome::Xfailed => {
            let kind = Some("pytest.xfail".to_owned());
            element(out, "skipped", &CaseAttempt { kind, ..deciding.clone() }, false)?;
        }
    }
    let green = case.outcome().is_green();
    let others = if green { &case.attempts[..case.attempts.len() - 1] } else { &case.attempts[1..] };
    for other in others.iter().filter(|other| !other.outcome.is_green()) {
        let name = match (green, other.outcome) {
            (true, TestOutcome::Error) => "flakyError",
            (true, _) => "flakyFailure",
            (false, TestOutcome::Error) => "rerunError",
            (false, _) => "rerunFailure",
        };
        element(out, name, other, true)?;
    }
    printed(out, deciding)?;
    writeln!(out, "    </testcase>")
}

/// Why an attempt was not a plain pass. A repetition also says how long it took and what it printed.
fn element(out: &mut impl Write, name: &str, attempt: &CaseAttempt, repetition: bool) -> io::Result<()> {
    write!(out, "      <{name}")?;
    if let Some(summary) = &attempt.summary {
        write!(out, r#" message="{}""#, attribute(summary))?;
    }
    if let Some(kind) = &attempt.kind {
        write!(out, r#" type="{}""#, attribute(kind))?;
    }
    if repetition {
        write!(out, r#" time="{}""#, attempt.seconds)?;
    }
    write!(out, ">{}", attempt.text.as_deref().map(text).unwrap_or_default())?;
    if repetition {
        printed(out, attempt)?;
    }
    writeln!(out, "</{name}>")
}

fn printed(out: &mut impl Write, attempt: &CaseAttempt) -> io::Result<()> {
    for (name, output) in [("system-out", &attempt.system_out), ("system-err", &attempt.system_err)] {
        if let Some(output) = output {
            write!(out, "<{name}>{}</{name}>", text(output))?;
        }
    }
    Ok(())
}

/// Whether XML 1.0 can hold the character, in whatever form.
fn is_valid(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn text(raw: &str) -> String {
    escape(raw, "&<>\r")
}

/// White space in attributes would be read back as spaces.
fn attribute(raw: &str) -> String {
    escape(raw, "&<>\"\t\n\r")
}

fn escape(raw: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for c in raw.chars() {
        if !is_valid(c) {
            escaped.push(char::REPLACEMENT_CHARACTER);
        } else if special.contains(c) {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                other => escaped.push_str(&format!("&#{};", u32::from(other))),
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}
