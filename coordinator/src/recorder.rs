//! Feeds DuckDB from the log, in its own thread and at its own pace. It may fall behind, and its file may be deleted or
//! rebuilt, without touching a single task.

use crate::log::sqlite::LogReader;
use benchmark_db::{Database, OpenError, Options, quarantine};
use shared::config::BalancerConfig;
use shared::fact::Fact;
use shared::id::ClusterId;
use std::path::Path;
use std::sync::{Arc, RwLock};
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
/// How long to wait before a database that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

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

/// Opens the database at `path` for the log of `cluster` that has `log_seq` facts. One that is damaged, or that was filled
/// from another log, is moved aside and rebuilt.
///
/// # Errors
/// It is in use, is no database, or cannot be made.
pub fn open(path: &Path, balancer: BalancerConfig, cluster: ClusterId, log_seq: u64) -> Result<Database, OpenError> {
    let options = Options { balancer: Some(balancer), memory_limit_mb: MEMORY_MB, ..Options::default() };
    let opened = Database::open_or_rebuild(path, options)?;
    if let Some((aside, what)) = opened.moved_aside {
        tracing::warn!(
            "the metrics database was damaged ({what}); it lies in {} now and is rebuilt from the log",
            aside.display()
        );
    }
    let found = opened.database.cluster().map(String::from);
    let is_foreign = found.as_ref().is_some_and(|found| *found != cluster.to_string()) || opened.database.last_seq() > log_seq;
    if !is_foreign {
        return Ok(opened.database);
    }
    drop(opened.database);
    let aside = quarantine(path).map_err(|error| OpenError::Io { path: path.to_owned(), detail: error.to_string() })?;
    tracing::warn!("the metrics database was filled from another log; it lies in {} now", aside.display());
    Database::open(path, options)
}

/// Records until the log ends, which the sender of `durable` says by going away; then what is left is recorded.
pub fn record(mut database: Database, log: &Path, mut durable: watch::Receiver<u64>, recording: &Recording) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs only memory");
    let reader = match LogReader::open(log) {
        Ok(reader) => reader,
        Err(error) => {
            recording.set(None, Some(error.to_string()));
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
        while let Err(problem) = catch_up(&mut database, &reader, recording, &durable) {
            tracing::warn!("the metrics database: {problem}");
            recording.set(None, Some(problem));
            if !is_open {
                return;
            }
            std::thread::sleep(RETRY);
        }
    }
}

fn catch_up(
    database: &mut Database,
    reader: &LogReader,
    recording: &Recording,
    durable: &watch::Receiver<u64>,
) -> Result<(), String> {
    loop {
        let began = Instant::now();
        let recorded = database.last_seq();
        let page = reader.page(recorded, None, BATCH_FACTS).map_err(|error| error.to_string())?;
        if page.payloads.is_empty() {
            recording.set(Some(recorded), None);
            return Ok(());
        }
        let facts: Result<Vec<Fact>, _> = page.payloads.iter().map(|payload| serde_json::from_str(payload)).collect();
        let facts = facts.map_err(|error| format!("a fact cannot be understood: {error}"))?;
        database.append(recorded + 1, &facts).map_err(|error| error.to_string())?;
        recording.set(Some(database.last_seq()), None);
        // Once the log has ended there is nobody left to make room for.
        if durable.has_changed().is_ok() {
            std::thread::sleep(began.elapsed() * REST);
        }
    }
}
