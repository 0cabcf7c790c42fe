//! How far long work is, on standard error: a bar where someone looks, else a line now and then.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Where nobody looks, so much time passes between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct Progress {
    of: usize,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

#[derive(Debug)]
struct Lines {
    done: usize,
    said: Instant,
}

impl Progress {
    /// Nothing of so many pieces of work is done.
    pub fn new(of: usize) -> Self {
        let shown = if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{pos}/{len} runs {wide_bar} {eta} left, {msg}");
            let bar = ProgressBar::new(of as u64);
            Shown::Bar(match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            })
        } else {
            Shown::Lines(Mutex::new(Lines { done: 0, said: Instant::now() }))
        };
        Self { of, shown }
    }

    /// A piece of work is done. Nobody listening is no error.
    pub fn done(&self, what: &str) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_message(what.to_owned());
                bar.inc(1);
            }
            Shown::Lines(lines) => {
                let mut lines = lines.lock().expect("nobody panics with the lock held");
                lines.done += 1;
                if lines.said.elapsed() >= BETWEEN_LINES {
                    lines.said = Instant::now();
                    let _ = writeln!(io::stderr().lock(), "{} of {} runs done, the last {what}", lines.done, self.of);
                }
            }
        }
    }

    /// All is done.
    pub fn end(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}
