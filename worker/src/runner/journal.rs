//! How attempts ended, on the disk until that is known where it counts: one file to which lines are added.
//!
//! A file for each end would cost the making and removing of a file for each task, which file systems are slow at. A
//! line keeps an end or forgets it; what is kept is durable when [`Journal::keep`] returns, many ends at the price of one.
//! When the file has grown far beyond what it keeps it is written anew. A line that is not whole was never relied upon.

use super::wire::Exit;
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
    Keep(Box<Exit>),
    Forget(Attempt),
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The lines of the ends that are kept.
    kept: BTreeMap<Attempt, Vec<u8>>,
}

impl Journal {
    /// Opens the journal at `path`, and what it keeps.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Exit>)> {
        let mut found: BTreeMap<Attempt, Exit> = BTreeMap::new();
        let text = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Keep(exit)) => drop(found.insert(exit.attempt, *exit)),
                Ok(Line::Forget(attempt)) => drop(found.remove(&attempt)),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a line of the journal is not whole and is passed over")
                }
            }
        }
        let file = File::options().create(true).append(true).open(path)?;
        let mut journal = Self { path: path.to_owned(), file, bytes: text.len() as u64, kept: BTreeMap::new() };
        let exits: Vec<Exit> = found.into_values().collect();
        for exit in &exits {
            journal.kept.insert(exit.attempt, line(&Line::Keep(Box::new(exit.clone())))?);
        }
        journal.write_anew()?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
        Ok((journal, exits))
    }

    /// Keeps ends; they are durable when this returns.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn keep(&mut self, exits: &[Exit]) -> io::Result<()> {
        let mut lines = Vec::new();
        for exit in exits {
            let line = line(&Line::Keep(Box::new(exit.clone())))?;
            lines.extend_from_slice(&line);
            self.kept.insert(exit.attempt, line);
        }
        self.add(&lines)?;
        self.file.sync_data()
    }

    /// Forgets ends; that there are none is fine. Should the machine fail now, they are told once more, which does no harm.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn forget(&mut self, attempts: &[Attempt]) -> io::Result<()> {
        let mut lines = Vec::new();
        for attempt in attempts {
            if self.kept.remove(attempt).is_some() {
                lines.extend(line(&Line::Forget(*attempt))?);
            }
        }
        self.add(&lines)?;
        let needed: u64 = self.kept.values().map(|line| line.len() as u64).sum();
        if self.bytes > SLACK_BYTES + 4 * needed { self.write_anew() } else { Ok(()) }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // A piece of a line on a full disk would spoil the next one.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += lines.len() as u64;
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
        let mut file = File::create(&unfinished)?;
        file.write_all(&whole)?;
        file.sync_data()?;
        fs::rename(&unfinished, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
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

    fn exit(task: u64) -> Exit {
        let attempt = Attempt { task: TaskId(task), number: AttemptNumber(1) };
        let (outcome, by) = (Outcome::bare(Ended::Passed), Some(worker_core::Reason::Cancelled));
        Exit { attempt, outcome, tests: Vec::new(), log_bytes: 9, is_clean: true, by }
    }

    #[test]
    fn ends_stay_until_forgotten_whatever_was_torn() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("exits");
        let (mut journal, none) = Journal::open(&path).expect("writable");
        assert!(none.is_empty());
        for task in 1..=3 {
            journal.keep(&[exit(task)]).expect("writable");
        }
        journal.forget(&[exit(2).attempt]).expect("writable");
        journal.forget(&[exit(7).attempt]).expect("that there is none is fine");
        fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"{\"keep\":{")).expect("writable");
        let (_, found) = Journal::open(&path).expect("readable");
        assert_eq!(found, [exit(1), exit(3)]);
        let (_, again) = Journal::open(&path).expect("readable");
        assert_eq!(again, found, "what was torn is gone and the rest is not");
    }

    #[test]
    fn the_file_does_not_grow_with_what_passed_through_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("exits");
        let (mut journal, _) = Journal::open(&path).expect("writable");
        journal.keep(&[exit(1)]).expect("writable");
        for hundred in 1..200 {
            let many: Vec<Exit> = (0..100).map(|one| exit(100 * hundred + one)).collect();
            journal.keep(&many).expect("writable");
            journal.forget(&many.iter().map(|exit| exit.attempt).collect::<Vec<_>>()).expect("writable");
        }
        assert!(fs::metadata(&path).expect("there").len() < 2 * SLACK_BYTES);
        assert_eq!(Journal::open(&path).expect("readable").1, [exit(1)]);
    }
}
