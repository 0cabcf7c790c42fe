//! Runs one chunk of a suite: knows which framework's way to take and how the results of single tests make one outcome.

mod ctest;
mod gotest;
mod junit;
mod libtest;
mod pytest;
mod report;
mod step;
pub mod warm;

pub use warm::WarmPool;

use crate::output::OutputSink;
use report::Report;
use shared::outcome::{Ended, Failure, Outcome, TestResult};
use shared::task::{Chunk, Framework};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use step::Steps;
use tokio::sync::{mpsc, watch};

/// Where and with what a chunk runs.
pub struct Context<'a> {
    /// The folder of the task: the suite's command is run here.
    pub dir: PathBuf,
    /// A folder of the attempt's own for files that come and go; it exists.
    pub scratch: PathBuf,
    /// The whole environment of the processes.
    pub env: BTreeMap<OsString, OsString>,
    /// Where what the tests print goes.
    pub output: OutputSink,
    /// Where each test's result goes as soon as it is known.
    pub results: mpsc::Sender<TestResult>,
    /// Holds a grace period once the attempt is to end.
    pub cancelled: watch::Receiver<Option<Duration>>,
    /// Whether the attempt is to stop between two tests, where its framework can.
    pub save: watch::Receiver<bool>,
    /// Tests that already have their result, by index.
    pub skip: Vec<u32>,
    /// The mark by which the processes of the attempt are found.
    pub cookie: String,
    /// Processes kept from one chunk to the next.
    pub warm: &'a WarmPool,
}

/// Why a chunk stopped before all of its tests had a result.
#[derive(Debug)]
enum Stop {
    /// The attempt was told to end, and its processes are gone.
    Cancelled,
    /// The attempt was told to save: the tests that have ended are its state.
    Saved,
    /// The framework itself could not run; nothing is known about the tests without a result.
    Infra(String),
    /// The command is to blame beyond what single results say.
    Test(String),
}

/// Runs the tests of `chunk` that are not in `cx.skip`, sends each result, and says how the chunk as a whole ended.
///
/// A chunk without tests runs its targets, or its command, as a whole; its results carry their names.
pub async fn run(chunk: &Chunk, cx: Context<'_>) -> Outcome {
    let began = Instant::now();
    let Context { dir, scratch, env, output, results, cancelled, save, skip, cookie, warm } = cx;
    let mut report = Report::new(chunk.tests.len(), &skip, results);
    let mut steps = Steps::new(dir, scratch, env, output, cancelled, save, cookie);
    let ran = match chunk.framework {
        Framework::Pytest => pytest::run(chunk, &mut steps, &mut report, warm).await,
        Framework::Libtest => libtest::run(chunk, &mut steps, &mut report).await,
        Framework::Ctest => ctest::run(chunk, &mut steps, &mut report).await,
        Framework::Gotest => gotest::run(chunk, &mut steps, &mut report).await,
        Framework::Junit => junit::run(chunk, &mut steps, &mut report).await,
    };
    let (ended, message) = match ran {
        Err(Stop::Cancelled) => (Ended::Cancelled, None),
        Err(Stop::Saved) => (Ended::Saved, None),
        Err(Stop::Infra(message)) => (Ended::Failed(Failure::Infra), Some(message)),
        Err(Stop::Test(message)) => (Ended::Failed(Failure::Test), Some(message)),
        Ok(()) if report.red() > 0 => {
            let message = format!("{} of {} tests did not pass", report.red(), report.sent());
            (Ended::Failed(Failure::Test), Some(message))
        }
        Ok(()) => (Ended::Passed, None),
    };
    let last = steps.last_exit();
    Outcome {
        exit_code: last.and_then(|exit| exit.code),
        signal: last.and_then(|exit| exit.signal),
        message,
        run_s: began.elapsed().as_secs_f64(),
        usage: steps.usage(),
        ..Outcome::bare(ended)
    }
}
