//! Keeps what lies before the damage in a log. The damaged log is moved aside whole: nothing is dropped from the middle, and
//! nothing is deleted.

use super::error::LogError;
use super::mark::{Mark, Reached, path_of};
use super::sqlite::{LogReader, SqliteLog};
use crate::recorded::LOG;
use serde::Serialize;
use shared::fact::{Fact, What};
use shared::id::Epoch;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Facts in one commit of the new log.
const BATCH_FACTS: usize = 4_096;
/// Folders of damaged logs beside each other before a person has to look.
const ASIDE_MAX: u32 = 1_000;

/// What was kept of a log, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// Facts that were kept: the first ones, as they were written.
    pub kept: u64,
    /// Facts that are lost, as far as the mark beside the log tells.
    pub lost_at_least: u64,
    /// What is wrong with the first that is lost.
    pub damage: String,
    /// The folder that holds the damaged log now.
    pub aside: PathBuf,
}

/// A log that was not salvaged; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// There is nothing wrong with it.
    #[error("the log {path} is sound with {facts} records: there is nothing to salvage, start the coordinator")]
    Sound {
        /// Where.
        path: PathBuf,
        /// How many records it has.
        facts: u64,
    },
    /// There is none.
    #[error(
        "{path} is no data folder of a coordinator: it holds neither a log nor the mark of one; name another with --data-dir"
    )]
    NoLog {
        /// The folder.
        path: PathBuf,
    },
    /// The old log cannot be read, or the new one not written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The system refused.
    #[error("{doing} {path}: {source}; nothing was deleted")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Puts a log that holds the sound beginning of the damaged one in its place. No coordinator may use the folder.
///
/// # Errors
/// The log is sound, or there is none, or the disk refuses.
pub fn salvage(data_dir: &Path) -> Result<Salvaged, SalvageError> {
    let path = data_dir.join(LOG);
    if !path.exists() && !path_of(&path).exists() {
        return Err(SalvageError::NoLog { path: data_dir.to_owned() });
    }
    let (_, marked) = Mark::open(&path).map_err(|source| LogError::Mark { path: path_of(&path), source })?;
    let marked = marked.unwrap_or_default();
    // A complete copy is there only where an earlier salvage was cut off before it was put in place.
    let complete = data_dir.join("salvaged.sqlite");
    let Copied { kept, damage } = if complete.exists() {
        Copied { kept: count(&complete)?, damage: "an earlier salvage was cut off, and is complete now".into() }
    } else {
        copy(&path, &complete, marked)?
    };
    let seq = count(&complete)?;
    let aside = put_in_place(data_dir, &path, &complete)?;
    let (mark, _) = Mark::open(&path).map_err(|source| LogError::Mark { path: path_of(&path), source })?;
    mark.note(Reached { seq, epoch: marked.epoch }).map_err(io_error("writing", &path_of(&path)))?;
    Ok(Salvaged { kept, lost_at_least: marked.seq.saturating_sub(kept), damage, aside })
}

/// What a new log holds of the old one.
struct Copied {
    kept: u64,
    damage: String,
}

/// Copies the sound beginning of the log at `from`.
fn copy(from: &Path, complete: &Path, marked: Reached) -> Result<Copied, SalvageError> {
    let partial = complete.with_extension("partial");
    for leftover in [partial.clone(), journal(&partial), path_of(&partial)] {
        none_is_fine(fs::remove_file(&leftover)).map_err(io_error("removing", &leftover))?;
    }
    let mut copier = Copier { log: SqliteLog::open_and_replay(&partial, |_| {})?, batch: Vec::new(), life: None, failed: None };
    let damage = if from.exists() { LogReader::open(from)?.sound(|fact| copier.take(fact))? } else { None };
    let kept = copier.finish(marked)?;
    let damage = match damage {
        Some((seq, what)) => format!("record {seq}: {what}"),
        None if kept < marked.seq => format!("record {}: it is not there", kept + 1),
        None => {
            fs::remove_file(&partial).map_err(io_error("removing", &partial))?;
            return Err(SalvageError::Sound { path: from.to_owned(), facts: kept });
        }
    };
    File::open(&partial).and_then(|file| file.sync_all()).map_err(io_error("writing", &partial))?;
    fs::rename(&partial, complete).map_err(io_error("renaming", &partial))?;
    Ok(Copied { kept, damage })
}

/// Writes facts to the new log in batches.
struct Copier {
    log: SqliteLog,
    batch: Vec<Fact>,
    /// The newest beginning of a life, at the time of the newest fact.
    life: Option<Fact>,
    failed: Option<LogError>,
}

impl Copier {
    fn take(&mut self, fact: Fact) {
        if matches!(fact.what, What::CoordinatorStarted { .. }) {
            self.life = Some(fact.clone());
        } else if let Some(life) = &mut self.life {
            life.at = fact.at;
        }
        self.batch.push(fact);
        if self.batch.len() >= BATCH_FACTS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.log.append(self.batch.iter()).err();
        }
        self.batch.clear();
    }

    /// Writes what is left and answers how many facts there are. Workers obey no coordinator of an earlier life than they
    /// have seen: a life that is among the lost is told once more.
    fn finish(mut self, marked: Reached) -> Result<u64, LogError> {
        self.flush();
        if let Some(error) = self.failed {
            return Err(error);
        }
        let facts = self.log.last_seq();
        if let Some(Fact { what: What::CoordinatorStarted { epoch, .. }, .. }) = &mut self.life
            && epoch.0 < marked.epoch
        {
            *epoch = Epoch(marked.epoch);
            self.log.append(self.life.iter())?;
        }
        Ok(facts)
    }
}

fn count(log: &Path) -> Result<u64, SalvageError> {
    Ok(SqliteLog::open_and_replay(log, |_| {})?.last_seq())
}

/// Moves the damaged log to a folder of its own, and the new one to where it was.
fn put_in_place(data_dir: &Path, path: &Path, complete: &Path) -> Result<PathBuf, SalvageError> {
    let aside = (1..=ASIDE_MAX).map(|n| data_dir.join(format!("damaged-{n}"))).find(|folder| !folder.exists());
    let aside = aside.ok_or_else(|| io_error("choosing a folder beside", path)(io::ErrorKind::AlreadyExists.into()))?;
    fs::create_dir(&aside).map_err(io_error("making", &aside))?;
    // The journal goes first: a new log must never meet the journal of an old one.
    for old in [journal(path), path.to_owned()] {
        let kept = aside.join(old.file_name().expect("it is the path of a file"));
        none_is_fine(fs::rename(&old, kept)).map_err(io_error("moving", &old))?;
    }
    none_is_fine(fs::remove_file(path.with_extension("sqlite-shm"))).map_err(io_error("removing", path))?;
    none_is_fine(fs::remove_file(path_of(complete))).map_err(io_error("removing", complete))?;
    fs::rename(complete, path).map_err(io_error("moving", complete))?;
    File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(io_error("writing", data_dir))?;
    Ok(aside)
}

fn journal(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn none_is_fine(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SalvageError {
    let path = path.to_owned();
    move |source| SalvageError::Io { doing, path, source }
}
