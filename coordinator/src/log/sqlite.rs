//! The log in SQLite: write-ahead journal, `synchronous=FULL`, one writer.
//!
//! SQLite does not checksum its pages, so each row carries the CRC-32C of its payload chained over its predecessor's: a
//! changed, missing or exchanged row is found at replay, with its number.

use rusqlite::{Connection, OpenFlags, params};
use shared::fact::Fact;
use shared::id::TaskId;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The format this build writes; older ones are read, newer ones refused.
const VERSION: i64 = 1;
/// Rows that one page of facts may look at, so that a reader that wants few tasks cannot stall a big log.
const SCAN_ROWS_MAX: u64 = 20_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE IF NOT EXISTS fact (
        seq     INTEGER PRIMARY KEY,
        task    INTEGER,
        payload TEXT NOT NULL,
        crc     INTEGER NOT NULL
    ) STRICT;";

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be opened, read or written.
    #[error("the log {path} cannot be {doing}: {source}; check that the folder exists, is writable and has space")]
    Storage {
        /// Where.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A record is not what was written.
    #[error("the log {path} is damaged at record {seq}: {what}; restore the folder from a backup, or move it away to begin anew")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which record.
        seq: u64,
        /// How it shows.
        what: String,
    },
    /// It was written by a later version of the program.
    #[error("the log {path} has format {found}, and this program knows up to {VERSION}: run a newer coordinator")]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
}

/// A log that is open for writing.
#[derive(Debug)]
pub struct SqliteLog {
    connection: Connection,
    path: PathBuf,
    last_seq: u64,
    last_crc: u32,
}

/// One page of facts.
#[derive(Debug, Default)]
pub struct Page {
    /// The number of the last fact looked at.
    pub last: u64,
    /// The payloads of those that were asked for.
    pub payloads: Vec<String>,
}

impl SqliteLog {
    /// Opens the log at `path`, or begins one.
    ///
    /// # Errors
    /// It cannot be opened, or was written by a later version.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let storage = |doing| move |source| LogError::Storage { path: path.to_owned(), doing, source };
        let connection = Connection::open(path).map_err(storage("opened"))?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(storage("read"))?;
        if found > VERSION {
            return Err(LogError::Newer { path: path.to_owned(), found });
        }
        connection.execute_batch(SCHEMA).map_err(storage("prepared"))?;
        connection.pragma_update(None, "user_version", VERSION).map_err(storage("prepared"))?;
        Ok(Self { connection, path: path.to_owned(), last_seq: 0, last_crc: 0 })
    }

    /// The number of the newest fact, once the log was replayed.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Reads every fact, oldest first, and leaves the log ready to be appended to.
    ///
    /// # Errors
    /// It cannot be read, or a record is damaged.
    pub fn open_and_replay(path: &Path, mut each: impl FnMut(Fact)) -> Result<Self, LogError> {
        let mut log = Self::open(path)?;
        let (mut seq, mut crc) = (0, 0);
        {
            let storage = |source| LogError::Storage { path: path.to_owned(), doing: "read", source };
            let damaged = |seq, what: String| LogError::Damaged { path: path.to_owned(), seq, what };
            let mut rows = log.connection.prepare("SELECT seq, payload, crc FROM fact ORDER BY seq").map_err(storage)?;
            let mut rows = rows.query([]).map_err(storage)?;
            while let Some(row) = rows.next().map_err(storage)? {
                let (found, sum): (i64, i64) = (row.get(0).map_err(storage)?, row.get(2).map_err(storage)?);
                let payload = row.get_ref(1).map_err(storage)?.as_bytes().map_err(|error| damaged(seq + 1, error.to_string()))?;
                seq += 1;
                if u64::try_from(found) != Ok(seq) {
                    return Err(damaged(seq, format!("it is missing; the next one is {found}")));
                }
                crc = crc32c::crc32c_append(crc, payload);
                if i64::from(crc) != sum {
                    return Err(damaged(seq, "its checksum does not fit its content".into()));
                }
                each(serde_json::from_slice(payload).map_err(|error| damaged(seq, format!("it cannot be understood: {error}")))?);
            }
        }
        (log.last_seq, log.last_crc) = (seq, crc);
        Ok(log)
    }

    /// Appends facts in one commit. When this returns they are on disk; when it fails none of them is there.
    ///
    /// # Errors
    /// The disk is full, read-only or broken.
    pub fn append<'a>(&mut self, facts: impl Iterator<Item = &'a Fact>) -> Result<(), LogError> {
        let (mut seq, mut crc) = (self.last_seq, self.last_crc);
        let storage = |source| LogError::Storage { path: self.path.clone(), doing: "written", source };
        let commit = self.connection.transaction().map_err(storage)?;
        {
            let mut insert =
                commit.prepare_cached("INSERT INTO fact (seq, task, payload, crc) VALUES (?1, ?2, ?3, ?4)").map_err(storage)?;
            let mut payload = Vec::with_capacity(512);
            for fact in facts {
                payload.clear();
                serde_json::to_writer(&mut payload, fact).expect("facts hold nothing that JSON cannot");
                seq += 1;
                crc = crc32c::crc32c_append(crc, &payload);
                let text = std::str::from_utf8(&payload).expect("JSON is text");
                let task = fact.what.task().map(|task| task.0 as i64);
                insert.execute(params![seq as i64, task, text, i64::from(crc)]).map_err(storage)?;
            }
        }
        commit.commit().map_err(storage)?;
        (self.last_seq, self.last_crc) = (seq, crc);
        Ok(())
    }
}

/// A log that is open for reading beside its writer.
#[derive(Debug)]
pub struct LogReader {
    connection: Connection,
    path: PathBuf,
}

impl LogReader {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|source| LogError::Storage { path: path.to_owned(), doing: "opened", source })?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The payloads of at most `limit` facts after number `after`; of those tasks only, where `tasks` names some.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn page(&self, after: u64, tasks: Option<RangeInclusive<TaskId>>, limit: usize) -> Result<Page, LogError> {
        let storage = |source| LogError::Storage { path: self.path.clone(), doing: "read", source };
        let sql = "SELECT seq, task, payload FROM fact WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut rows = self.connection.prepare_cached(sql).map_err(storage)?;
        let mut rows = rows.query(params![after as i64, SCAN_ROWS_MAX as i64]).map_err(storage)?;
        let mut page = Page { last: after, payloads: Vec::new() };
        while let Some(row) = rows.next().map_err(storage)? {
            page.last = row.get::<_, i64>(0).map_err(storage)? as u64;
            let task: Option<i64> = row.get(1).map_err(storage)?;
            let is_wanted = tasks.as_ref().is_none_or(|tasks| task.is_some_and(|task| tasks.contains(&TaskId(task as u64))));
            if is_wanted {
                page.payloads.push(row.get(2).map_err(storage)?);
            }
            if page.payloads.len() >= limit {
                break;
            }
        }
        Ok(page)
    }
}
