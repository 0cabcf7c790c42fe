//! How a run gets on, for people: a bar on a terminal, lines elsewhere; every failure at once, with its reason.

use super::outcome::Notice;
use super::results::{TestName, Try};
use crate::screen::{Paint, Palette, duration, say};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::outcome::TestOutcome;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a line tells the figures where there is no bar.
const FIGURES_EVERY: Duration = Duration::from_secs(10);
/// Lines of a failure's reason that are shown at once, from its beginning and from its end: some frameworks put the cause
/// first, some last. The report has them all.
const FIRST_LINES: usize = 12;
const LAST_LINES: usize = 18;
/// Suites of up to this many tests get a line for each where there is no bar.
const LINES_MAX: usize = 2000;

/// Different failures of machines that are shown.
const WARNINGS_MAX: usize = 100;

/// Shows how a run gets on.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    palette: Palette,
    is_quiet: bool,
    retries: bool,
    total: usize,
    done: usize,
    failed: usize,
    running: usize,
    told: Instant,
    began: Instant,
    warned: BTreeSet<(Arc<str>, String)>,
}

impl Progress {
    /// For a run of `total` known tests, `done` of which have their result already. With `retries`, a failure may not be
    /// the last word.
    pub fn new(total: usize, done: usize, is_quiet: bool, retries: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb") || std::env::var_os("CI").is_some();
        let bar = (io::stderr().is_terminal() && !is_quiet && !is_dumb).then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {pos}/{len} {msg} eta {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.set_position(done as u64);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let now = Instant::now();
        let palette = Palette::stderr();
        Self {
            bar,
            palette,
            is_quiet,
            retries,
            total,
            done,
            failed: 0,
            running: 0,
            told: now,
            began: now,
            warned: BTreeSet::new(),
        }
    }

    /// Says something beside the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Says that something is not as it should be.
    pub fn warn(&self, text: &str) {
        self.say(&format!("{} {text}", self.palette.paint(Paint::Odd, "warning:")));
    }

    /// Shows what happened.
    pub fn show(&mut self, notice: &Notice) {
        match notice {
            Notice::Began => self.running += 1,
            Notice::Stopped => self.running = self.running.saturating_sub(1),
            Notice::Tested { name, result, is_first, was_red } => self.tested(name, result, *is_first, *was_red),
            Notice::MachineFailed { task, worker, message } => {
                // A machine that lacks something fails every task it is given, each time in the same words.
                if self.warned.len() < WARNINGS_MAX && self.warned.insert((worker.clone(), message.clone())) {
                    self.warn(&format!(
                        "{worker} could not bring {task} to an end ({message}); it is tried elsewhere where it can be"
                    ));
                }
            }
            Notice::Finished { .. } => {}
        }
        if let Some(bar) = &self.bar {
            bar.set_length(self.total.max(self.done) as u64);
            bar.set_position(self.done as u64);
            let failed = format!("{} failed", self.failed);
            let failed = if self.failed > 0 { self.palette.paint(Paint::Bad, &failed) } else { failed };
            bar.set_message(format!("{failed}, {} running", self.running));
        }
    }

    /// Tells the figures from time to time where there is no bar.
    pub fn tick(&mut self) {
        if self.bar.is_none() && !self.is_quiet && self.told.elapsed() >= FIGURES_EVERY {
            self.told = Instant::now();
            let elapsed = duration(self.began.elapsed().as_secs_f64());
            let Self { done, total, failed, running, .. } = self;
            say(&format!("after {elapsed}: {done} of {total} done, {failed} failed, {running} running"));
        }
    }

    fn tested(&mut self, name: &TestName, result: &Try, is_first: bool, was_red: bool) {
        let is_green = result.outcome.is_green();
        self.done += usize::from(is_first);
        match (is_green, was_red) {
            (false, false) => self.failed += 1,
            (true, true) => self.failed = self.failed.saturating_sub(1),
            (true, false) | (false, true) => {}
        }
        let is_news = !is_green || was_red;
        if is_news && !(self.is_quiet && is_green) || self.has_lines() {
            self.say(&self.line(name, result, was_red));
        }
        if !is_green && let Some(message) = &result.message {
            self.say(&shortened(message));
        }
    }

    fn has_lines(&self) -> bool {
        self.bar.is_none() && !self.is_quiet && self.total <= LINES_MAX
    }

    fn line(&self, name: &TestName, result: &Try, was_red: bool) -> String {
        let (word, paint) = match result.outcome {
            TestOutcome::Passed if was_red => ("FLAKY", Paint::Odd),
            TestOutcome::Passed => ("PASS", Paint::Good),
            TestOutcome::Failed => ("FAIL", Paint::Bad),
            TestOutcome::Error => ("ERROR", Paint::Bad),
            TestOutcome::Skipped => ("SKIP", Paint::Dim),
            TestOutcome::Xfailed => ("XFAIL", Paint::Dim),
            TestOutcome::Xpassed => ("XPASS", Paint::Odd),
        };
        let word = self.palette.paint(paint, &format!("{word:>5}"));
        let attempt = if self.retries || result.attempt > 1 { format!(", attempt {}", result.attempt) } else { String::new() };
        let place = self.palette.paint(Paint::Dim, &format!("({}{attempt})", result.worker));
        format!("{word} [{:>9}] {} {place}", duration(result.seconds), name.full())
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A reason, indented; without its middle where it is long.
pub fn shortened(message: &str) -> String {
    let lines: Vec<&str> = message.trim_end().lines().collect();
    let left_out = lines.len().saturating_sub(FIRST_LINES + LAST_LINES);
    let indented = |lines: &[&str]| lines.iter().map(|line| format!("      {line}")).collect::<Vec<_>>();
    if left_out == 0 {
        return indented(&lines).join("\n");
    }
    let mut shown = indented(&lines[..FIRST_LINES]);
    shown.push(format!("      … {left_out} more lines in the JUnit file"));
    shown.extend(indented(&lines[FIRST_LINES + left_out..]));
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_passes_later_is_no_longer_counted_as_failed() {
        let mut progress = Progress::new(2, 0, true, true);
        let name = TestName::alone("a");
        let result = |attempt, outcome| Try { attempt, outcome, seconds: 0.1, message: None, worker: "w".into() };
        progress.tested(&name, &result(1, TestOutcome::Failed), true, false);
        assert_eq!((progress.done, progress.failed), (1, 1));
        progress.tested(&name, &result(2, TestOutcome::Passed), false, true);
        assert_eq!((progress.done, progress.failed), (1, 0));
    }

    #[test]
    fn a_long_reason_keeps_its_beginning_and_its_end() {
        let long: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let short = shortened(&long);
        assert!(short.contains("line 0\n") && short.contains("10 more lines") && short.ends_with("line 39"), "{short}");
        assert!(!short.contains("line 12\n") && short.contains("line 22\n"), "{short}");
    }
}
