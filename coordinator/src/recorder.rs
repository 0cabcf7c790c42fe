//! Feeds DuckDB from the log, in its own thread and at its own pace. It may fall behind, and its file may be deleted,
//! damaged or without space, without touching a single task.

use crate::config::Settings;
use crate::log::sqlite::LogReader;
use benchmark_db::{Database, OpenError, Options, quarantine};
use shared::fact::Fact;
use shared::id::ClusterId;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Facts in one transaction.
const BATCH_FACTS: usize = 5_000;
/// How long facts gather before they are recorded.
const GATHER: Duration = Duration::from_millis(300);
/// Memory DuckDB may use: it is fed in small transactions and asked for a report now and then.
const MEMORY_MB: u32 = 256;
/// For how many times as long as a batch took the recorder then rests: under load the processors belong to the tasks, and
/// it catches up when they are done.
const REST: u32 = 4;
/// How long to wait before a database that failed is opened again.
const RETRY: Duration = Duration::from_secs(2);

/// The open database, for reports; absent while it cannot be opened.
pub type Reports = Arc<Mutex<Option<Database>>>;

/// How far the metrics database is, and what is wrong with it, where something is.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    state: Arc<RwLock<(Option<u64>, Option<String>)>>,
}

impl Recording {
    /// The facts it has, and its problem.
    pub fn state(&self) -> (Option<u64>, Option<String>) {
        self.state.read().expect("no writer panics").clone()
    }

    fn set(&self, recorded: Option<u64>, problem: Option<String>) {
        *self.state.write().expect("no reader panics") = (recorded, problem);
    }
}

/// Feeds one database from one log.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    log: PathBuf,
    options: Options,
    cluster: ClusterId,
    database: Option<Database>,
    reports: Reports,
    recording: Recording,
}

/// Why nothing is recorded for now.
#[derive(Debug)]
enum Trouble {
    /// Moving the file aside and beginning anew mends it.
    Damaged(String),
    /// It may be well again later.
    Passing(String),
}

impl Recorder {
    /// A recorder for the log at `log` of `cluster`, which has `log_seq` facts. When the log is new, the database is opened
    /// here, and a file that lies there is somebody's and left alone; otherwise it is opened when recording begins, so that
    /// nothing waits for it.
    ///
    /// # Errors
    /// The log is new, and the file is in use, damaged, of another version or no database.
    pub fn open(settings: &Settings, log: &Path, cluster: ClusterId, log_seq: u64) -> Result<Self, OpenError> {
        let options = Options { balancer: Some(settings.balancer), memory_limit_mb: MEMORY_MB, ..Options::default() };
        let (reports, recording) = (Reports::default(), Recording::default());
        let path = settings.db_path.clone();
        let mut recorder = Self { path, log: log.to_owned(), options, cluster, database: None, reports, recording };
        if log_seq == 0 {
            recorder.reopen(log_seq)?;
        }
        Ok(recorder)
    }

    /// Where the database is lent for reports.
    pub fn reports(&self) -> Reports {
        self.reports.clone()
    }

    /// Where it is told how far the database is.
    pub fn recording(&self) -> Recording {
        self.recording.clone()
    }

    /// Records until the log ends, which the sender of `durable` says by going away; then what is left is recorded.
    pub fn run(mut self, mut durable: watch::Receiver<u64>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs only memory");
        let reader = match LogReader::open(&self.log) {
            Ok(reader) => reader,
            Err(error) => {
                self.recording.set(None, Some(error.to_string()));
                return;
            }
        };
        let mut is_open = true;
        while is_open {
            is_open = runtime.block_on(async {
                let changed = durable.changed().await.is_ok();
                if changed {
                    tokio::time::sleep(GATHER).await;
                }
                changed
            });
            while let Err(trouble) = self.catch_up(&reader, &durable) {
                self.close();
                let (Trouble::Damaged(problem) | Trouble::Passing(problem)) = &trouble;
                tracing::warn!("the metrics database: {problem}");
                self.recording.set(None, Some(problem.clone()));
                if let Trouble::Damaged(problem) = &trouble
                    && let Err(error) = self.move_aside(problem)
                {
                    tracing::warn!("the metrics database: {error}");
                }
                if !is_open {
                    return;
                }
                std::thread::sleep(RETRY);
            }
        }
    }

    fn catch_up(&mut self, reader: &LogReader, durable: &watch::Receiver<u64>) -> Result<(), Trouble> {
        let passing = |error: &dyn std::fmt::Display| Trouble::Passing(error.to_string());
        if self.database.is_none() {
            self.restore(*durable.borrow()).map_err(|error| passing(&error))?;
        }
        let database = self.database.as_mut().expect("it was just opened");
        loop {
            let began = Instant::now();
            let recorded = database.last_seq();
            let page = reader.page(recorded, None, BATCH_FACTS).map_err(|error| passing(&error))?;
            if page.payloads.is_empty() {
                self.recording.set(Some(recorded), None);
                return Ok(());
            }
            let facts: Result<Vec<Fact>, _> = page.payloads.iter().map(|payload| serde_json::from_str(payload)).collect();
            let facts = facts.map_err(|error| Trouble::Passing(format!("a fact cannot be understood: {error}")))?;
            database.append(recorded + 1, &facts).map_err(|error| match error.is_damage() {
                true => Trouble::Damaged(error.to_string()),
                false => Trouble::Passing(error.to_string()),
            })?;
            self.recording.set(Some(database.last_seq()), None);
            // Once the log has ended there is nobody left to make room for.
            if durable.has_changed().is_ok() {
                std::thread::sleep(began.elapsed() * REST);
            }
        }
    }

    /// Opens the database. Beside a log that has facts, whatever lies in its place is such a database or what is left of one:
    /// what cannot be opened is moved aside and rebuilt.
    fn restore(&mut self, log_seq: u64) -> Result<(), OpenError> {
        if self.holds_remains() {
            self.move_aside("it is no database")?;
        }
        match self.reopen(log_seq) {
            Ok(()) => Ok(()),
            Err(error @ (OpenError::Locked { .. } | OpenError::Io { .. })) => Err(error),
            Err(error) => {
                self.move_aside(&error.to_string())?;
                self.reopen(log_seq)
            }
        }
    }

    /// Opens the database, or begins a new one in place of one that is damaged or was filled from another log.
    fn reopen(&mut self, log_seq: u64) -> Result<(), OpenError> {
        let opened = Database::open_or_rebuild(&self.path, self.options)?;
        if let Some((aside, what)) = opened.moved_aside {
            let aside = aside.display();
            tracing::warn!("the metrics database was damaged ({what}); it lies in {aside} now and is rebuilt from the log");
        }
        let found = opened.database.cluster().map(String::from);
        let is_foreign =
            found.as_ref().is_some_and(|found| *found != self.cluster.to_string()) || opened.database.last_seq() > log_seq;
        let database = if is_foreign {
            drop(opened.database);
            self.move_aside("it was filled from another log")?;
            Database::open(&self.path, self.options)?
        } else {
            opened.database
        };
        let reader = database.reader();
        let reader = reader.map_err(|error| OpenError::Refused { path: self.path.clone(), detail: error.to_string() })?;
        *self.reports.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        self.database = Some(database);
        Ok(())
    }

    /// Lets go of the file: DuckDB refuses everything after some failures until it is opened anew.
    fn close(&mut self) {
        self.database = None;
        *self.reports.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn move_aside(&self, what: &str) -> Result<(), OpenError> {
        let aside =
            quarantine(&self.path).map_err(|error| OpenError::Io { path: self.path.clone(), detail: error.to_string() })?;
        tracing::warn!("the metrics database: {what}; it lies in {} now and is rebuilt from the log", aside.display());
        Ok(())
    }

    /// Whether a folder lies in its place, or the journal of a database that is gone.
    fn holds_remains(&self) -> bool {
        let mut journal = self.path.clone().into_os_string();
        journal.push(".wal");
        self.path.is_dir() || (!self.path.exists() && Path::new(&journal).exists())
    }
}
