//! The facts of a run, read from the data folder of its coordinator.

use crate::log::LogError;
use crate::log::sqlite::LogReader;
use shared::fact::Fact;
use std::path::{Path, PathBuf};

/// The log in a data folder.
pub(crate) const LOG: &str = "log.sqlite";
/// Facts that are read at a time.
const PAGE: usize = 5_000;

/// Every fact, oldest first. A coordinator may go on writing meanwhile.
#[derive(Debug)]
pub struct Recorded {
    reader: LogReader,
    path: PathBuf,
    seq: u64,
    page: std::vec::IntoIter<String>,
}

impl Recorded {
    /// The facts of the run whose data are in this folder.
    ///
    /// # Errors
    /// It holds no log, or one that cannot be opened.
    pub fn open(data_dir: &Path) -> Result<Self, LogError> {
        let path = data_dir.join(LOG);
        Ok(Self { reader: LogReader::open(&path)?, path, seq: 0, page: Vec::new().into_iter() })
    }
}

impl Iterator for Recorded {
    type Item = Result<Fact, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 {
            match self.reader.page(self.seq, None, PAGE) {
                Ok(page) => self.page = page.payloads.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let payload = self.page.next()?;
        self.seq += 1;
        let damaged = |error| LogError::Damaged {
            path: self.path.clone(),
            seq: self.seq,
            what: format!("it cannot be understood: {error}"),
        };
        Some(serde_json::from_str(&payload).map_err(damaged))
    }
}
