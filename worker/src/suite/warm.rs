//! Processes that stay ready between two chunks of the same suite, so that a small chunk costs milliseconds.

use super::pytest::Warm;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a process waits for the next chunk.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Where a process's folder holds the mark by which it is found if this runner dies.
pub const COOKIE_FILE: &str = "cookie";

/// What two chunks must have in common to run in one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The suite's command.
    pub argv: Vec<String>,
    /// The folder it runs in.
    pub dir: PathBuf,
    /// The environment, without what differs from attempt to attempt.
    pub env: BTreeMap<OsString, OsString>,
}

/// Test processes that wait for the next chunk of their suite.
#[derive(Debug)]
pub struct WarmPool {
    dir: PathBuf,
    slots: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Idle>,
    next: u64,
}

#[derive(Debug)]
struct Idle {
    number: u64,
    key: Key,
    process: Warm,
}

impl WarmPool {
    /// A pool that keeps its files under `dir` and at most `slots` processes.
    pub fn new(dir: PathBuf, slots: usize) -> Self {
        Self { dir, slots, state: Arc::default() }
    }

    /// A waiting process for chunks with `key`; the one that was used last.
    pub(super) fn take(&self, key: &Key) -> Option<Warm> {
        let mut state = self.lock();
        let at = state.idle.iter().rposition(|idle| idle.key == *key)?;
        Some(state.idle.remove(at).process)
    }

    /// Keeps `process` for the next chunk with `key`, for a while.
    pub(super) fn put(&self, key: Key, process: Warm) {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.idle.push(Idle { number, key, process });
        if state.idle.len() > self.slots {
            let oldest = state.idle.remove(0);
            tokio::spawn(oldest.process.close());
        }
        drop(state);
        let state = Arc::clone(&self.state);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE_MAX).await;
            if let Some(expired) = expired(&state, number) {
                expired.close().await;
            }
        });
    }

    /// A new folder for a process, and its number in this pool.
    pub(super) fn folder(&self) -> std::io::Result<(PathBuf, u64)> {
        let number = {
            let mut state = self.lock();
            state.next += 1;
            state.next
        };
        let folder = self.dir.join(format!("warm-{number}"));
        std::fs::create_dir_all(&folder)?;
        Ok((folder, number))
    }

    /// Processes that wait.
    pub fn waiting(&self) -> usize {
        self.lock().idle.len()
    }

    /// Ends every process that waits; to be called before the runner exits.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut self.lock().idle);
        let closing: Vec<_> = idle.into_iter().map(|idle| tokio::spawn(idle.process.close())).collect();
        for one in closing {
            // A panic while closing has ended that process all the same.
            let _ = one.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The process that was put in as `number`, if it still waits.
fn expired(state: &Mutex<State>, number: u64) -> Option<Warm> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let at = state.idle.iter().position(|idle| idle.number == number)?;
    Some(state.idle.remove(at).process)
}

/// By what the processes are known that a runner may have left waiting whose pool was `dir`.
pub fn cookies(dir: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(dir).into_iter().flatten().flatten();
    folders.filter_map(|folder| std::fs::read_to_string(folder.path().join(COOKIE_FILE)).ok()).collect()
}
