//! How far the log was written, in a small file beside it.
//!
//! SQLite takes a damaged record of its journal for the end of what was written, and would drop acknowledged facts without
//! a word. The mark says how far the log must reach. It is written after each commit and not waited for: a killed process
//! leaves it whole, a power cut may leave it older than the log, and nothing leaves it newer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How far a log reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Its last record.
    pub seq: u64,
    /// The newest life of a coordinator in it.
    pub epoch: u32,
}

/// The open mark of a log.
#[derive(Debug)]
pub struct Mark {
    file: File,
}

/// Where the mark of the log at `log` lies.
pub fn path_of(log: &Path) -> PathBuf {
    log.with_extension("mark")
}

impl Mark {
    /// Opens the mark of the log at `log`, and what it says; one that is new, or that a power cut tore, says nothing.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(log: &Path) -> io::Result<(Self, Option<Reached>)> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path_of(log))?;
        let mut line = [0; LINE_BYTES];
        let said = match file.read_exact_at(&mut line, 0) {
            Ok(()) => parse(&line),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self { file }, said))
    }

    /// Notes how far the log reaches now.
    ///
    /// # Errors
    /// The disk. An older mark stays true.
    pub fn note(&self, reached: Reached) -> io::Result<()> {
        self.file.write_all_at(line(reached).as_bytes(), 0)
    }
}

/// Two numbers of 20 and 10 digits, a checksum of 8, two spaces and the end of the line.
const LINE_BYTES: usize = 20 + 1 + 10 + 1 + 8 + 1;

/// One line of one length, shorter than a sector of any disk: it is there as a whole or not at all.
fn line(Reached { seq, epoch }: Reached) -> String {
    let numbers = format!("{seq:020} {epoch:010}");
    let sum = crc32c::crc32c(numbers.as_bytes());
    format!("{numbers} {sum:08x}\n")
}

fn parse(bytes: &[u8; LINE_BYTES]) -> Option<Reached> {
    let mut words = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
    let reached = Reached { seq: words.next()?.parse().ok()?, epoch: words.next()?.parse().ok()? };
    (line(reached).as_bytes() == bytes).then_some(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_noted_and_a_changed_one_says_nothing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("log.sqlite");
        let (mark, said) = Mark::open(&log).expect("writable");
        assert_eq!(said, None);
        let reached = Reached { seq: u64::MAX, epoch: 7 };
        mark.note(reached).expect("writable");
        assert_eq!(Mark::open(&log).expect("readable").1, Some(reached));
        let mut bytes = std::fs::read(path_of(&log)).expect("there");
        bytes[19] ^= 1;
        std::fs::write(path_of(&log), bytes).expect("writable");
        assert_eq!(Mark::open(&log).expect("readable").1, None);
    }
}
