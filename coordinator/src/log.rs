//! The truth: an append-only log of facts. A fact is on disk before anything that follows from it is seen by anyone.

mod error;
mod health;
mod mark;
mod reserve;
pub mod salvage;
pub mod sqlite;

pub use error::LogError;
pub use health::{LogHealth, Trouble};
pub use reserve::Reserve;

use crate::release::{Release, Releaser};
use shared::fact::Fact;
use sqlite::SqliteLog;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Facts in one commit; past it the next commit begins.
const COMMIT_FACTS_MAX: usize = 16_384;
/// Facts that wait in memory for a log that cannot be written; past it the coordinator stands still.
const STALLED_FACTS_MAX: usize = 262_144;
/// How long to wait before a commit that failed is tried again, and how often a full disk is looked at.
const RETRY: Duration = Duration::from_millis(250);
/// How often a commit is tried once the coordinator is ending.
const LAST_TRIES: u32 = 20;

/// Some facts, and what may be done once they are on disk, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The facts.
    pub facts: Vec<Arc<Fact>>,
    /// What follows from them.
    pub effects: Vec<Release>,
}

/// The writer: one thread that commits what has gathered and then lets its effects happen. A commit that fails is tried
/// again until it succeeds: nothing that follows from it was seen, so nothing is lost but time.
#[derive(Debug)]
pub struct Writer {
    log: SqliteLog,
    reserve: Reserve,
    health: LogHealth,
    durable: watch::Sender<u64>,
    batches: mpsc::Receiver<Batch>,
    runtime: Runtime,
    releaser: Releaser,
}

impl Writer {
    /// A writer of what comes out of `batches`, which tells `durable` the number of the newest fact on disk.
    pub fn new(
        log: SqliteLog,
        mut reserve: Reserve,
        health: LogHealth,
        durable: watch::Sender<u64>,
        batches: mpsc::Receiver<Batch>,
    ) -> Self {
        if let Err(error) = reserve.take() {
            health.set(Some(Trouble::Low(format!("the disk of the log has no space to spare: {error}"))));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs only memory");
        Self { log, reserve, health, durable, batches, runtime, releaser: Releaser::default() }
    }

    /// Writes until there is nobody left who could say more.
    pub fn run(mut self) {
        while let Some(gathered) = self.gather() {
            let has_facts = gathered.iter().any(|batch| !batch.facts.is_empty());
            let gathered = if has_facts { self.commit(gathered) } else { gathered };
            gathered.into_iter().flat_map(|batch| batch.effects).for_each(|effect| self.releaser.release(effect));
        }
    }

    /// What waits to be written, after a wait for something to come; nothing at the end.
    fn gather(&mut self) -> Option<Vec<Batch>> {
        let first = if self.health.is_well() {
            self.batches.blocking_recv()?
        } else {
            match self.runtime.block_on(async { timeout(RETRY, self.batches.recv()).await }) {
                Ok(first) => first?,
                Err(_) => {
                    self.recover();
                    return Some(Vec::new());
                }
            }
        };
        let mut facts = first.facts.len();
        let mut gathered = vec![first];
        while facts < COMMIT_FACTS_MAX {
            let Ok(next) = self.batches.try_recv() else { break };
            facts += next.facts.len();
            gathered.push(next);
        }
        Some(gathered)
    }

    /// Makes facts durable, and answers what may be released then: nothing, if the coordinator is ending and the disk goes on
    /// refusing.
    fn commit(&mut self, mut gathered: Vec<Batch>) -> Vec<Batch> {
        let mut last_tries = LAST_TRIES;
        while let Err(error) = self.log.append(gathered.iter().flat_map(|batch| batch.facts.iter().map(AsRef::as_ref))) {
            if self.reserve.give() {
                self.health.set(Some(Trouble::Low(error.to_string())));
                // With the space that was kept, the journal can be emptied.
                self.empty_journal();
                continue;
            }
            self.health.set(Some(Trouble::Stalled(error.to_string())));
            gathered.iter_mut().for_each(|batch| self.release_signs(batch));
            if !self.wait_for_the_disk(&mut gathered) {
                last_tries -= 1;
            }
            if last_tries == 0 {
                let facts: usize = gathered.iter().map(|batch| batch.facts.len()).sum();
                tracing::error!("ending without {facts} facts that could not be written; none of them was acknowledged");
                return Vec::new();
            }
        }
        self.health.committed();
        self.durable.send_replace(self.log.last_seq());
        if !self.health.is_well() {
            self.health.set(Some(Trouble::Low("the disk of the log is full".into())));
            self.recover();
        }
        gathered
    }

    /// Takes the reserve back where there is space for it again: then all is well.
    fn recover(&mut self) {
        if self.reserve.take().is_ok() {
            self.health.set(None);
        } else {
            self.empty_journal();
        }
    }

    fn empty_journal(&self) {
        if let Err(error) = self.log.empty_journal() {
            tracing::debug!("the journal goes on growing: {error}");
        }
    }

    /// Lets signs of life go: they follow from no fact, and workers that hear none would give up.
    fn release_signs(&mut self, batch: &mut Batch) {
        let (signs, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut batch.effects).into_iter().partition(Release::is_sign_of_life);
        signs.into_iter().for_each(|sign| self.releaser.release(sign));
        batch.effects = rest;
    }

    /// Waits for a moment; false when nothing more can come. What comes meanwhile joins what waits, but for signs of life.
    fn wait_for_the_disk(&mut self, gathered: &mut Vec<Batch>) -> bool {
        let until = Instant::now() + RETRY;
        let mut facts: usize = gathered.iter().map(|batch| batch.facts.len()).sum();
        loop {
            if facts >= STALLED_FACTS_MAX {
                std::thread::sleep(until - Instant::now());
                return true;
            }
            let Ok(next) = self.runtime.block_on(async { timeout_at(until, self.batches.recv()).await }) else { return true };
            let Some(mut next) = next else {
                std::thread::sleep(until - Instant::now());
                return false;
            };
            self.release_signs(&mut next);
            facts += next.facts.len();
            gathered.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::{ConnectionId, Reply};
    use shared::fact::What;
    use shared::protocol::FromCoordinator;
    use shared::time::Time;
    use tokio::sync::oneshot;

    #[test]
    fn while_nothing_can_be_written_replies_wait_and_workers_hear_signs_of_life() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("log.sqlite");
        let log = SqliteLog::open_and_replay(&path, |_| {}).expect("a new log");
        let other = rusqlite::Connection::open(&path).expect("the same log");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let (health, (batches, to_disk)) = (LogHealth::default(), mpsc::channel(4));
        let writer = Writer::new(log, Reserve::new(dir.path()), health.clone(), watch::Sender::new(0), to_disk);
        let writing = std::thread::spawn(move || writer.run());
        let (outbox, mut heard) = mpsc::channel(4);
        let (reply, mut answer) = oneshot::channel();
        let fact = Arc::new(Fact { at: Time::ZERO, what: What::WorkerReady { worker: "w".into() } });
        let say = |facts, effects| batches.blocking_send(Batch { facts, effects }).expect("the writer lives");
        let sign = |number| FromCoordinator::HeartbeatAck { number };
        say(vec![], vec![Release::Open(ConnectionId(1), outbox), Release::Send(ConnectionId(1), sign(6))]);
        assert_eq!(heard.blocking_recv(), Some(sign(6)), "it is open before anything has to be written");
        say(vec![fact], vec![Release::Reply(reply, Reply::Done)]);
        say(vec![], vec![Release::Send(ConnectionId(1), sign(7))]);
        assert_eq!(heard.blocking_recv(), Some(sign(7)));
        assert!(answer.try_recv().is_err() && health.problem().is_some(), "nothing is acknowledged");
        other.execute_batch("ROLLBACK").expect("it was begun");
        assert_eq!(answer.blocking_recv(), Ok(Reply::Done));
        assert_eq!(health.problem(), None);
        drop(batches);
        writing.join().expect("the writer ends");
        assert_eq!(SqliteLog::open_and_replay(&path, |_| {}).expect("a sound log").last_seq(), 1);
    }

    #[test]
    fn a_coordinator_that_ends_does_not_wait_for_a_broken_disk_for_ever() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("log.sqlite");
        let log = SqliteLog::open_and_replay(&path, |_| {}).expect("a new log");
        let other = rusqlite::Connection::open(&path).expect("the same log");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let (batches, to_disk) = mpsc::channel(4);
        let writer = Writer::new(log, Reserve::new(dir.path()), LogHealth::default(), watch::Sender::new(0), to_disk);
        let (reply, answer) = oneshot::channel();
        let fact = Arc::new(Fact { at: Time::ZERO, what: What::WorkerReady { worker: "w".into() } });
        let batch = Batch { facts: vec![fact], effects: vec![Release::Reply(reply, Reply::Done)] };
        batches.try_send(batch).expect("there is room");
        drop(batches);
        writer.run();
        assert!(answer.blocking_recv().is_err(), "what was not written is not acknowledged");
    }
}
