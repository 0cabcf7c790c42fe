//! The outbox on disk: results that were not acknowledged, in one file to which lines are added.
//!
//! A file for each result would cost the making and removing of a file for each task, which file systems are slow at. A
//! line keeps a result or forgets it; when the file has grown far beyond what it keeps it is written anew. A line that is
//! not whole was never relied upon.

use crate::workdir::Stored;
use serde::{Deserialize, Serialize};
use shared::id::Attempt;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file may be this long before it is looked at, in bytes.
const SLACK_BYTES: u64 = 256 << 10;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Keep(Box<Stored>),
    Forget(Attempt),
}

/// The open outbox.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The lines of the results that are kept.
    kept: BTreeMap<Attempt, Vec<u8>>,
}

impl Journal {
    /// Opens the outbox at `path`, and what an earlier life left in it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Stored>)> {
        let mut found: BTreeMap<Attempt, Stored> = BTreeMap::new();
        let text = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Keep(stored)) => drop(found.insert(stored.attempt, *stored)),
                Ok(Line::Forget(attempt)) => drop(found.remove(&attempt)),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a line of the outbox is not whole and is passed over")
                }
            }
        }
        let file = File::options().create(true).append(true).open(path)?;
        let mut journal = Self { path: path.to_owned(), file, bytes: text.len() as u64, kept: BTreeMap::new() };
        let results: Vec<Stored> = found.into_values().collect();
        for stored in &results {
            journal.kept.insert(stored.attempt, line(&Line::Keep(Box::new(stored.clone())))?);
        }
        journal.write_anew()?;
        Ok((journal, results))
    }

    /// Keeps a result.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn keep(&mut self, stored: &Stored) -> io::Result<()> {
        let line = line(&Line::Keep(Box::new(stored.clone())))?;
        self.add(&line)?;
        self.kept.insert(stored.attempt, line);
        Ok(())
    }

    /// Forgets a result; that there is none is fine.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn forget(&mut self, attempt: Attempt) -> io::Result<()> {
        if self.kept.remove(&attempt).is_none() {
            return Ok(());
        }
        self.add(&line(&Line::Forget(attempt))?)?;
        let needed: u64 = self.kept.values().map(|line| line.len() as u64).sum();
        if self.bytes > SLACK_BYTES + 4 * needed { self.write_anew() } else { Ok(()) }
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            // A piece of a line on a full disk would spoil the next one.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn write_anew(&mut self) -> io::Result<()> {
        if self.kept.is_empty() {
            self.file.set_len(0)?;
            self.bytes = 0;
            return Ok(());
        }
        let whole: Vec<u8> = self.kept.values().flatten().copied().collect();
        let unfinished = self.path.with_extension("tmp");
        fs::write(&unfinished, &whole)?;
        fs::rename(&unfinished, &self.path)?;
        self.file = File::options().append(true).open(&self.path)?;
        self.bytes = whole.len() as u64;
        Ok(())
    }
}

fn line(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{AttemptNumber, TaskId};
    use shared::outcome::{Ended, Outcome};

    fn stored(task: u64) -> Stored {
        let attempt = Attempt { task: TaskId(task), number: AttemptNumber(1) };
        Stored { attempt, outcome: Outcome::bare(Ended::Passed), tests: Vec::new(), log_bytes: 9 }
    }

    #[test]
    fn results_stay_until_forgotten_whatever_was_torn() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("outbox");
        let (mut journal, none) = Journal::open(&path).expect("writable");
        assert!(none.is_empty());
        for task in 1..=3 {
            journal.keep(&stored(task)).expect("writable");
        }
        journal.forget(stored(2).attempt).expect("writable");
        journal.forget(stored(7).attempt).expect("that there is none is fine");
        fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"{\"keep\":{")).expect("writable");
        let (_, found) = Journal::open(&path).expect("readable");
        assert_eq!(found, [stored(1), stored(3)]);
        let (_, again) = Journal::open(&path).expect("readable");
        assert_eq!(again, found, "what was torn is gone and the rest is not");
    }

    #[test]
    fn the_file_does_not_grow_with_what_passed_through_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("outbox");
        let (mut journal, _) = Journal::open(&path).expect("writable");
        journal.keep(&stored(1)).expect("writable");
        for task in 2..20_000 {
            journal.keep(&stored(task)).expect("writable");
            journal.forget(stored(task).attempt).expect("writable");
        }
        assert!(fs::metadata(&path).expect("there").len() < 2 * SLACK_BYTES);
        assert_eq!(Journal::open(&path).expect("readable").1, [stored(1)]);
    }
}
