//! The end of a run: the table, the JUnit file, the JSON document.

use super::progress::shortened;
use super::results::{Case, Counts, Results, Trouble};
use crate::screen::{Paint, Palette, count, duration};
use anyhow::Context;
use serde::Serialize;
use shared::outcome::{TestOutcome, TestResult};
use shared::task::Framework;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use suite::junit::{CaseAttempt, CaseReport};

/// Red tests that are listed at the end; the JUnit file has them all.
const RED_SHOWN: usize = 50;
/// Slow tests that are listed.
const SLOW_SHOWN: usize = 5;

/// A run that is over, as a JSON document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// What ran.
    pub name: &'a str,
    /// The exit status.
    pub exit_code: u8,
    /// Seconds from the submission to the last verdict.
    pub wall_s: f64,
    /// How many tests ended in which way.
    pub counts: Counts,
    /// Tests that are not green.
    pub red: Vec<Line<'a>>,
    /// Tests that failed and passed later.
    pub flaky: Vec<&'a str>,
    /// What the farm is to blame for.
    pub troubles: Vec<String>,
    /// Files that were written.
    pub files: Vec<String>,
}

/// A test on a line.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    name: String,
    outcome: TestOutcome,
    seconds: f64,
    message: Option<&'a str>,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished<'a> {
    /// What people call it.
    pub name: &'a str,
    /// The framework; nothing for a suite file.
    pub framework: Option<Framework>,
    /// The results.
    pub results: &'a Results,
    /// The exit status.
    pub exit_code: u8,
    /// Seconds it took.
    pub wall_s: f64,
    /// Files that were written, with what they hold.
    pub files: Vec<(String, String)>,
}

impl Finished<'_> {
    /// Writes the JUnit file.
    pub fn write_junit(&self, path: &Path) -> anyhow::Result<()> {
        let cases: Vec<CaseReport> = self.results.cases.iter().map(|case| self.case(case)).collect();
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut out = BufWriter::new(File::create(path)?);
            suite::junit::write(&mut out, self.name, &cases)?;
            out.flush()
        };
        write().with_context(|| format!("writing the JUnit file {}", path.display()))
    }

    fn case(&self, case: &Case) -> CaseReport {
        let mut attempts: Vec<CaseAttempt> = case
            .tries
            .iter()
            .map(|one| {
                let (outcome, seconds, message) = (one.outcome, one.seconds, one.message.clone());
                CaseAttempt::from(&TestResult { index: 0, name: None, outcome, seconds, message })
            })
            .collect();
        if attempts.is_empty() {
            let summary = case.note.clone();
            attempts.push(CaseAttempt { summary, text: case.note.clone(), ..CaseAttempt::new(case.outcome, 0.0) });
        }
        if let Some(last) = attempts.last_mut() {
            last.system_out = case.output.clone();
        }
        let (target, name) = (Some(case.name.target.as_str()).filter(|target| !target.is_empty()), &case.name.name);
        match self.framework {
            Some(framework) => CaseReport::named(framework, target, name, attempts),
            None => {
                let suite = self.name.to_owned();
                CaseReport { id: name.clone(), classname: suite.clone(), suite, name: name.clone(), file: None, attempts }
            }
        }
    }

    /// The JSON document.
    pub fn document(&self) -> Document<'_> {
        let red = self.red().map(|case| Line {
            name: case.name.full(),
            outcome: case.outcome,
            seconds: case.seconds(),
            message: case.message(),
        });
        Document {
            name: self.name,
            exit_code: self.exit_code,
            wall_s: self.wall_s,
            counts: self.results.counts(),
            red: red.collect(),
            flaky: self.results.cases.iter().filter(|case| case.is_flaky()).map(|case| &*case.name.name).collect(),
            troubles: self.troubles(),
            files: self.files.iter().map(|(_, path)| path.clone()).collect(),
        }
    }

    fn red(&self) -> impl Iterator<Item = &Case> {
        self.results.cases.iter().filter(|case| !case.outcome.is_green())
    }

    fn troubles(&self) -> Vec<String> {
        let mut alike: Vec<(&Trouble, u64)> = Vec::new();
        for trouble in &self.results.troubles {
            match alike.iter_mut().find(|(first, _)| (first.verdict, &first.message) == (trouble.verdict, &trouble.message)) {
                Some((_, more)) => *more += 1,
                None => alike.push((trouble, 0)),
            }
        }
        let line = |(first, more): (&Trouble, u64)| {
            let others = if more > 0 { format!(" and {}", count(more, "other task")) } else { String::new() };
            format!("{} (task {}){others}: {}, {}", first.name, first.task, first.verdict, first.message)
        };
        alike.into_iter().map(line).collect()
    }

    /// The table for people.
    pub fn table(&self, palette: Palette) -> String {
        let mut lines = Vec::new();
        lines.extend(self.red_lines(palette));
        let flaky: Vec<&Case> = self.results.cases.iter().filter(|case| case.is_flaky()).collect();
        for case in flaky.iter().take(RED_SHOWN) {
            let text = format!("{} passed at attempt {}", case.name.full(), case.tries.last().map_or(0, |one| one.attempt));
            lines.push(format!("{} {text}", palette.paint(Paint::Odd, "FLAKY")));
        }
        for trouble in self.troubles() {
            lines.push(format!("{} {trouble}", palette.paint(Paint::Bad, "TROUBLE")));
        }
        lines.extend(self.slowest());
        for (what, path) in &self.files {
            lines.push(format!("{what:<8} {path}"));
        }
        lines.push(self.summary(palette));
        lines.join("\n")
    }

    fn red_lines(&self, palette: Palette) -> Vec<String> {
        let (ran, never): (Vec<&Case>, Vec<&Case>) = self.red().partition(|case| !case.tries.is_empty());
        let mut lines = Vec::new();
        for case in ran.iter().take(RED_SHOWN) {
            let word = if case.outcome == TestOutcome::Error { "ERROR" } else { " FAIL" };
            lines.push(format!("{} {}", palette.paint(Paint::Bad, word), case.name.full()));
            // The reason of a test was shown when it failed; what a command wrote was not.
            lines.extend(case.output.as_deref().map(shortened));
        }
        if ran.len() > RED_SHOWN {
            lines.push(format!("      and {}; the JUnit file has them all", count((ran.len() - RED_SHOWN) as u64, "test")));
        }
        let mut alike: Vec<(&Case, u64)> = Vec::new();
        for case in never {
            match alike.iter_mut().find(|(first, _)| first.note == case.note) {
                Some((_, more)) => *more += 1,
                None => alike.push((case, 0)),
            }
        }
        for (first, more) in alike.iter().take(RED_SHOWN) {
            let others = if *more > 0 { format!(" and {}", count(*more, "other test")) } else { String::new() };
            lines.push(format!("{} {}{others}", palette.paint(Paint::Bad, "ERROR"), first.name.full()));
            lines.extend(first.note.as_deref().map(shortened));
        }
        lines
    }

    fn slowest(&self) -> Vec<String> {
        let mut slow: Vec<&Case> = self.results.cases.iter().filter(|case| case.seconds() > 0.0).collect();
        slow.sort_by(|a, b| b.seconds().total_cmp(&a.seconds()));
        if slow.len() <= 1 {
            return Vec::new();
        }
        let shown = slow.iter().take(SLOW_SHOWN).map(|case| format!("  {:>10}  {}", duration(case.seconds()), case.name.full()));
        ["slowest".to_owned()].into_iter().chain(shown).collect()
    }

    fn summary(&self, palette: Palette) -> String {
        let counts = self.results.counts();
        let parts = [
            (counts.passed, "passed", Paint::Good),
            (counts.failed, "failed", Paint::Bad),
            (counts.errors, if counts.errors == 1 { "error" } else { "errors" }, Paint::Bad),
            (counts.skipped, "skipped", Paint::Dim),
            (counts.xfailed, "xfailed", Paint::Dim),
            (counts.xpassed, "xpassed", Paint::Odd),
            (counts.flaky, "flaky", Paint::Odd),
        ];
        let shown = parts.iter().filter(|(count, word, _)| *count > 0 || *word == "passed");
        let shown: Vec<String> = shown.map(|(count, word, paint)| palette.paint(*paint, &format!("{count} {word}"))).collect();
        let tests = palette.paint(Paint::Strong, &count(counts.tests as u64, "test"));
        format!("{tests} in {}: {}", duration(self.wall_s), shown.join(", "))
    }
}
