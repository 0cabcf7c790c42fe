//! The log in SQLite: write-ahead journal, `synchronous=FULL`, one writer.
//!
//! SQLite does not checksum its pages, so each row carries the CRC-32C of its payload chained over its predecessor's: a
//! changed, missing or exchanged row is found at replay, with its number. That the last rows are missing shows by the mark
//! beside the log.

use super::error::{LogError, VERSION, reading};
use super::mark::{Mark, Reached, path_of};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use shared::fact::{Fact, What};
use shared::id::TaskId;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rows that one page of facts may look at, so that a reader that wants few tasks cannot stall a big log.
const SCAN_ROWS_MAX: u64 = 20_000;

/// How long the one writer waits for somebody who holds the log up: then it is told, and tried again.
const BUSY_MAX: Duration = Duration::from_millis(100);
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;";
/// Damaged pages are found when they are read, not when something in them is looked for.
const STRICT: &str = "PRAGMA cell_size_check = ON";
const SCHEMA: &str = "
    CREATE TABLE fact (
        seq     INTEGER PRIMARY KEY,
        task    INTEGER,
        payload TEXT NOT NULL,
        crc     INTEGER NOT NULL
    ) STRICT;";

/// A log that is open for writing.
#[derive(Debug)]
pub struct SqliteLog {
    connection: Connection,
    path: PathBuf,
    mark: Mark,
    reached: Reached,
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
    /// Opens the log at `path`, or begins one where there never was one; hands out every fact, oldest first, and leaves the
    /// log ready to be appended to. A log that is refused stays as it is.
    ///
    /// # Errors
    /// It cannot be opened or read, was written by a later version, or is damaged.
    pub fn open_and_replay(path: &Path, each: impl FnMut(Fact)) -> Result<Self, LogError> {
        let (mark, marked) = Mark::open(path).map_err(|source| LogError::Mark { path: path_of(path), source })?;
        let marked = marked.unwrap_or_default();
        // Of an empty file SQLite would remove the journal, which is all that is left.
        if marked.seq > 0 && std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
            return Err(gone(path, 1, marked));
        }
        let connection = Connection::open(path).map_err(|source| reading(path, 1, source))?;
        // Nothing is written before all was read, and a log that is refused does not lose its journal when it is closed.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .and_then(|_| connection.busy_timeout(BUSY_MAX))
            .and_then(|()| connection.execute_batch(STRICT))
            .map_err(|source| reading(path, 1, source))?;
        prepare(&connection, path, marked)?;
        let end = replay(&connection, path, each)?;
        if end.reached.seq < marked.seq {
            return Err(gone(path, end.reached.seq + 1, marked));
        }
        connection
            .execute_batch(SETTINGS)
            .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false))
            .map_err(|source| LogError::Storage { path: path.to_owned(), doing: "prepared", source })?;
        Ok(Self { connection, path: path.to_owned(), mark, reached: end.reached, last_crc: end.crc })
    }

    /// The number of the newest fact.
    pub fn last_seq(&self) -> u64 {
        self.reached.seq
    }

    /// Appends facts in one commit. When this returns they are on disk; when it fails none of them is there.
    ///
    /// # Errors
    /// The disk is full, read-only or broken.
    pub fn append<'a>(&mut self, facts: impl Iterator<Item = &'a Fact>) -> Result<(), LogError> {
        let (mut reached, mut crc) = (self.reached, self.last_crc);
        let storage = |source| LogError::Storage { path: self.path.clone(), doing: "written", source };
        let commit = self.connection.transaction().map_err(storage)?;
        {
            let mut insert =
                commit.prepare_cached("INSERT INTO fact (seq, task, payload, crc) VALUES (?1, ?2, ?3, ?4)").map_err(storage)?;
            let mut payload = Vec::with_capacity(512);
            for fact in facts {
                payload.clear();
                serde_json::to_writer(&mut payload, fact).expect("facts hold nothing that JSON cannot");
                reached.take_in(fact);
                crc = crc32c::crc32c_append(crc, &payload);
                let text = std::str::from_utf8(&payload).expect("JSON is text");
                insert.execute(params![reached.seq as i64, task_of(fact), text, i64::from(crc)]).map_err(storage)?;
            }
        }
        commit.commit().map_err(storage)?;
        (self.reached, self.last_crc) = (reached, crc);
        if let Err(error) = self.mark.note(reached) {
            // The one before is true as well; it only promises less.
            tracing::debug!("the mark beside the log was not moved on: {error}");
        }
        Ok(())
    }

    /// Moves what is in SQLite's journal to the log's own file, which is the smaller of the two, and gives the journal's
    /// space back.
    ///
    /// # Errors
    /// There is no space for that, or someone reads at the moment.
    pub fn empty_journal(&self) -> Result<(), LogError> {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        moved.map_err(|source| LogError::Storage { path: self.path.clone(), doing: "written", source })
    }
}

impl Reached {
    fn take_in(&mut self, fact: &Fact) {
        self.seq += 1;
        if let What::CoordinatorStarted { epoch, .. } = &fact.what {
            self.epoch = epoch.0;
        }
    }
}

fn task_of(fact: &Fact) -> Option<i64> {
    fact.what.task().map(|task| task.0 as i64)
}

fn gone(path: &Path, seq: u64, marked: Reached) -> LogError {
    let what = format!("it is not there, though the records up to {} were written", marked.seq);
    LogError::Damaged { path: path.to_owned(), seq, what }
}

/// Checks the format, and begins a log where nothing says that there was one.
fn prepare(connection: &Connection, path: &Path, marked: Reached) -> Result<(), LogError> {
    let fault = |source| reading(path, 1, source);
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fault)?;
    if found > VERSION {
        return Err(LogError::Newer { path: path.to_owned(), found });
    }
    let table = connection.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'fact'", [], |_| Ok(())).optional();
    match table.map_err(fault)? {
        Some(()) => {}
        None if marked.seq > 0 => return Err(gone(path, 1, marked)),
        None => {
            connection.execute_batch(SETTINGS).and_then(|()| connection.execute_batch(SCHEMA)).map_err(fault)?;
            connection.pragma_update(None, "user_version", VERSION).map_err(fault)?;
        }
    }
    Ok(())
}

/// Where a replay ended.
#[derive(Debug, Default)]
struct End {
    reached: Reached,
    crc: u32,
}

fn replay(connection: &Connection, path: &Path, mut each: impl FnMut(Fact)) -> Result<End, LogError> {
    let mut end = End::default();
    let fault = |end: &End, source| reading(path, end.reached.seq + 1, source);
    let mut rows =
        connection.prepare("SELECT seq, task, payload, crc FROM fact ORDER BY seq").map_err(|error| fault(&end, error))?;
    let mut rows = rows.query([]).map_err(|error| fault(&end, error))?;
    while let Some(row) = rows.next().map_err(|error| fault(&end, error))? {
        let seq = end.reached.seq + 1;
        let fact = check(row, seq, &mut end.crc).map_err(|error| fault(&end, error))?.map_err(|what| LogError::Damaged {
            path: path.to_owned(),
            seq,
            what,
        })?;
        end.reached.take_in(&fact);
        each(fact);
    }
    Ok(end)
}

/// The fact of a row, if it is the one numbered `seq`, unchanged, and preceded by what `crc` was computed over.
fn check(row: &Row<'_>, seq: u64, crc: &mut u32) -> rusqlite::Result<Result<Fact, String>> {
    let (found, task, sum): (i64, Option<i64>, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
    if u64::try_from(found) != Ok(seq) {
        return Ok(Err(format!("it is missing; the next one is {found}")));
    }
    let Ok(payload) = row.get_ref(2)?.as_bytes() else { return Ok(Err("it holds no text".into())) };
    *crc = crc32c::crc32c_append(*crc, payload);
    if i64::from(*crc) != sum {
        return Ok(Err("its checksum does not fit its content".into()));
    }
    let fact: Fact = match serde_json::from_slice(payload) {
        Ok(fact) => fact,
        Err(error) => return Ok(Err(format!("it cannot be understood: {error}"))),
    };
    if task_of(&fact) != task {
        return Ok(Err("it is filed under another task".into()));
    }
    Ok(Ok(fact))
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

    /// Hands out every fact up to the first that is damaged or missing, and says what is wrong with that one; nothing is
    /// wrong where the log merely ends.
    ///
    /// # Errors
    /// The disk refuses to be read.
    pub fn sound(&self, each: impl FnMut(Fact)) -> Result<Option<(u64, String)>, LogError> {
        let strict = self.connection.execute_batch(STRICT).map_err(|source| reading(&self.path, 1, source));
        match strict.and_then(|()| replay(&self.connection, &self.path, each)) {
            Ok(_) => Ok(None),
            Err(LogError::Damaged { seq, what, .. }) => Ok(Some((seq, what))),
            Err(other) => Err(other),
        }
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
