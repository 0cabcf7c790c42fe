//! pytest: the tests of a chunk run one after another in a process that collected the whole suite once and then takes
//! orders, chunk after chunk.

mod process;

pub use process::Warm;

use super::Stop;
use super::report::Report;
use super::step::{Steps, in_words};
use super::warm::{Key, WarmPool};
use process::{Order, Served, StartFailure};
use shared::outcome::TestOutcome;
use shared::task::Chunk;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// The variable by which a submitter marks the tasks of one run; two runs never share a process.
const RUN_VARIABLE: &str = "EVENKEEL_RUN";
/// Processes started in a row that bring no test to an end, after which the machine is to blame.
const FRUITLESS_MAX: u32 = 2;

pub async fn run(chunk: &Chunk, steps: &mut Steps, report: &mut Report, pool: &WarmPool) -> Result<(), Stop> {
    let (key, own) = key(chunk, steps);
    let occurrences = occurrences(chunk);
    let mut fruitless = 0;
    while !report.remaining().is_empty() {
        steps.boundary()?;
        let (mut process, is_new) = match pool.take(&key) {
            Some(process) => (process, false),
            None => (start(&key, steps, pool).await?, true),
        };
        let remaining = report.remaining();
        let tests = remaining.iter().map(|index| (chunk.tests[*index as usize].name.as_str(), occurrences[*index as usize]));
        let order = Order { tests: tests.collect(), env: &own };
        let before = report.sent();
        match process.serve(&order, &remaining, steps, report).await {
            // No other chunk can have a folder of the attempt's own.
            Served::Done if steps.scratch.parent().is_some_and(|own| key.dir.starts_with(own)) => {
                drop(tokio::spawn(process.close()))
            }
            Served::Done => pool.put(key.clone(), process),
            // Its files were edited while it waited.
            Served::Stale => drop(tokio::spawn(process.close())),
            Served::Cancelled(grace) => {
                process.end(grace).await;
                return Err(Stop::Cancelled);
            }
            Served::Saved => {
                process.end(Duration::ZERO).await;
                return Err(Stop::Saved);
            }
            Served::Died { exit, running, tail } => {
                steps.count(exit);
                process.remove_folder();
                if let Some(index) = running {
                    let why = format!("the process died ({}) while it ran\n{tail}", in_words(exit));
                    report.tell(index, TestOutcome::Error, 0.0, Some(&why)).await;
                }
                // One that died while it waited says nothing about this chunk.
                if report.sent() == before && is_new {
                    fruitless += 1;
                }
                if fruitless >= FRUITLESS_MAX {
                    return Err(Stop::Infra(format!("pytest ended ({}) before it ran a test\n{tail}", in_words(exit))));
                }
            }
        }
    }
    Ok(())
}

async fn start(key: &Key, steps: &mut Steps, pool: &WarmPool) -> Result<Warm, Stop> {
    match Warm::start(key, steps, pool).await {
        Ok(process) => Ok(process),
        Err(StartFailure::Cancelled) => Err(Stop::Cancelled),
        Err(StartFailure::System(problem)) => Err(Stop::Infra(problem)),
        Err(StartFailure::Ended { exit, tail }) => {
            steps.count(exit);
            Err(Stop::Infra(format!("pytest ended ({}) before it had collected the tests\n{tail}", in_words(exit))))
        }
    }
}

/// What this chunk's process must match, and the variables that each chunk sets anew.
fn key(chunk: &Chunk, steps: &Steps) -> (Key, BTreeMap<String, String>) {
    let (mut env, mut own) = (BTreeMap::<OsString, OsString>::new(), BTreeMap::new());
    for (name, value) in &steps.env {
        let text = name.to_string_lossy();
        if text.starts_with("EVENKEEL_") && text != RUN_VARIABLE {
            own.insert(text.into_owned(), value.to_string_lossy().into_owned());
        } else if !(["TMPDIR", "TMP", "TEMP"].map(OsStr::new).contains(&name.as_os_str()) && lies_in(value, steps)) {
            env.insert(name.clone(), value.clone());
        }
    }
    own.remove(crate::process::COOKIE);
    (Key { argv: chunk.argv.clone(), dir: steps.dir.clone(), env }, own)
}

fn lies_in(value: &OsStr, steps: &Steps) -> bool {
    std::path::Path::new(value).starts_with(&steps.scratch)
}

/// Which of the tests of its name each test is: pytest can collect one name several times.
fn occurrences(chunk: &Chunk) -> Vec<usize> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = |name| {
        let seen = seen.entry(name).or_default();
        *seen += 1;
        *seen - 1
    };
    chunk.tests.iter().map(|test| count(test.name.as_str())).collect()
}
