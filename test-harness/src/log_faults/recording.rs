//! A real run of appends, with the content of every file of the log after each step.

use super::below;
use anyhow::{Context, Result};
use coordinator::SqliteLog;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;
use shared::fact::{Fact, What};
use shared::id::{ClusterId, Epoch, TaskId};
use shared::time::Time;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Steps of one run.
const STEPS: usize = 24;

/// What lies on the disk: the log, its journal, the mark beside it. What is absent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub db: Vec<u8>,
    pub wal: Vec<u8>,
    pub mark: Vec<u8>,
}

/// From one state that was waited for to the next.
#[derive(Debug)]
pub struct Step {
    pub before: Files,
    pub after: Files,
    /// Facts that were acknowledged before it.
    pub facts_before: usize,
    /// Facts that are acknowledged after it.
    pub facts_after: usize,
}

/// One run.
#[derive(Debug)]
pub struct Recording {
    /// Every fact that was appended.
    pub facts: Vec<Fact>,
    pub steps: Vec<Step>,
}

impl Files {
    /// What lies in `folder`.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let [db, wal, mark] = paths(folder).map(|path| match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        });
        Ok(Self { db: db?, wal: wal?, mark: mark? })
    }

    /// Makes `folder` hold these files and nothing else; the path of the log.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir(folder)?;
        let paths = paths(folder);
        for (path, content) in paths.iter().zip([&self.db, &self.wal, &self.mark]) {
            if !content.is_empty() {
                fs::write(path, content)?;
            }
        }
        let [log, ..] = paths;
        Ok(log)
    }
}

fn paths(folder: &Path) -> [PathBuf; 3] {
    ["log.sqlite", "log.sqlite-wal", "log.mark"].map(|name| folder.join(name))
}

impl Recording {
    /// Records a run of commits small and large; now and then the journal is moved into the log's own file, as SQLite does
    /// by itself once the journal is long.
    pub fn make(within: &Path, seed: u64) -> Result<Self> {
        let folder = within.join(format!("run-{seed}"));
        fs::create_dir(&folder).context("making a folder for a recorded run")?;
        let mut random = Pcg64::seed_from_u64(seed);
        let mut log = SqliteLog::open_and_replay(&folder.join("log.sqlite"), |_| {})?;
        let beside = rusqlite::Connection::open(folder.join("log.sqlite")).context("opening the log beside its writer")?;
        let mut run = Self { facts: Vec::new(), steps: Vec::new() };
        let mut before = Files::read(&folder)?;
        while run.steps.len() < STEPS {
            let facts_before = run.facts.len();
            if below(&mut random, 5) == 0 {
                let how = ["PASSIVE", "FULL", "RESTART"][below(&mut random, 3)];
                let moved = beside.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()));
                moved.context("moving the journal into the log")?;
            } else {
                let count = if below(&mut random, 6) == 0 { 30 } else { 1 + below(&mut random, 4) };
                let at = run.facts.len();
                run.facts.extend((at..at + count).map(|number| fact(&mut random, number)));
                log.append(run.facts[at..].iter())?;
            }
            let after = Files::read(&folder)?;
            let step = Step { before, after: after.clone(), facts_before, facts_after: run.facts.len() };
            run.steps.push(step);
            before = after;
        }
        Ok(run)
    }
}

/// A fact of a length between a line and several pages.
fn fact(random: &mut Pcg64, number: usize) -> Fact {
    let letters = [20, 100, 400, 3_000, 9_000][below(random, 100).checked_sub(95).unwrap_or(below(random, 3))];
    let text: String = (0..letters).map(|_| char::from(b'a' + below(random, 26) as u8)).collect();
    let what = match below(random, 4) {
        _ if number == 0 => {
            What::CoordinatorStarted { cluster: ClusterId([9; 16]), epoch: Epoch(1), wall_ms: 1_700_000_000_000, version: text }
        }
        0 => What::WorkerLeft { worker: "w".into(), why: text },
        1 => What::WorkerReady { worker: text.into() },
        2 => What::CancelRequested { task: TaskId(number as u64) },
        _ => What::MigrationJudged { task: TaskId(number as u64), predicted_gain_s: letters as f64, realised_gain_s: 0.5 },
    };
    Fact { at: Time(number as u64 * 1_000), what }
}
