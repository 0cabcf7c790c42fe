//! The truth: an append-only log of facts. A fact is on disk before anything that follows from it is seen by anyone.

pub mod sqlite;

use crate::release::{Release, Releaser};
use shared::fact::Fact;
use sqlite::SqliteLog;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Facts in one commit; past it the next commit begins.
const COMMIT_FACTS_MAX: usize = 16_384;
/// How long to wait before a commit that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Some facts, and what may be done once they are on disk, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The facts.
    pub facts: Vec<Arc<Fact>>,
    /// What follows from them.
    pub effects: Vec<Release>,
}

/// What is wrong with the log, where something is: new work is refused while it cannot be written.
#[derive(Debug, Clone, Default)]
pub struct LogHealth {
    problem: Arc<RwLock<Option<String>>>,
    commits: Arc<AtomicU64>,
}

impl LogHealth {
    /// What is wrong; nothing while the log can be written.
    pub fn problem(&self) -> Option<String> {
        self.problem.read().expect("no writer panics").clone()
    }

    /// Commits so far in this life: each is one write that was waited for.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn set(&self, problem: Option<String>) {
        *self.problem.write().expect("no reader panics") = problem;
    }
}

/// The writer: one thread that commits what has gathered and then lets its effects happen. A commit that fails is tried
/// again until it succeeds: nothing that follows from it was seen, so nothing is lost but time.
pub fn write(mut log: SqliteLog, mut batches: mpsc::Receiver<Batch>, health: &LogHealth, durable: &watch::Sender<u64>) {
    let mut releaser = Releaser::default();
    while let Some(first) = batches.blocking_recv() {
        let mut gathered = vec![first];
        let mut facts = gathered[0].facts.len();
        while facts < COMMIT_FACTS_MAX {
            let Ok(next) = batches.try_recv() else { break };
            facts += next.facts.len();
            gathered.push(next);
        }
        if facts > 0 {
            commit(&mut log, &gathered, health);
            health.commits.fetch_add(1, Ordering::Relaxed);
            durable.send_replace(log.last_seq());
        }
        gathered.into_iter().flat_map(|batch| batch.effects).for_each(|effect| releaser.release(effect));
    }
}

fn commit(log: &mut SqliteLog, batches: &[Batch], health: &LogHealth) {
    let facts = || batches.iter().flat_map(|batch| batch.facts.iter().map(AsRef::as_ref));
    let mut is_failing = false;
    while let Err(error) = log.append(facts()) {
        if !is_failing {
            tracing::error!("{error}; new work is refused until it can be written");
            health.set(Some(error.to_string()));
            is_failing = true;
        }
        std::thread::sleep(RETRY);
    }
    if is_failing {
        tracing::info!("the log can be written again");
        health.set(None);
    }
}
