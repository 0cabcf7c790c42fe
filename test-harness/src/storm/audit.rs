//! The log held against what was acknowledged, what the tasks wrote down, and what was done to the workers.

use super::ledger::Ledger;
use super::trouble::WorkerTrouble;
use anyhow::{Context, Result};
use serde::Serialize;
use shared::fact::{StopReason, What};
use shared::id::{AttemptNumber, TaskId};
use shared::outcome::Verdict;
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Facts and troubles are told by different processes: so far may their times be apart, in milliseconds.
const APART_MS: u64 = 2_000;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// Acknowledged tasks the log does not know.
    pub lost: u64,
    /// Tasks that have no verdict although nothing was wrong any more.
    pub unfinished: u64,
    /// Tasks with more than one verdict, or more than one attempt that counted.
    pub duplicates: u64,
    /// Runs of a task that met another run of it, as the tasks saw it.
    pub overlaps: u64,
    /// Tasks that passed by the log, and of which no run came to its end by the ledger.
    pub unexplained: u64,
    /// Verdicts.
    verdicts: BTreeMap<&'static str, u64>,
    /// Runs that began, by the ledger.
    runs: u64,
    /// Of those, runs of tasks that had been run before.
    repeats: u64,
    /// Attempts that ran while the coordinator was killed.
    ran_at_a_kill: u64,
    /// Of those, attempts that went on and ended by themselves.
    survived: u64,
    /// Of those, attempts whose own worker was killed or stopped while they ran, and which ended with it.
    ended_with_worker: u64,
    /// Of those that did not end with their worker, the share that survived.
    survival_share: f64,
    /// From the beginning of a coordinator's life to its first lease, in milliseconds, where tasks waited.
    first_lease_ms_p50: f64,
    first_lease_ms_max: f64,
    #[serde(skip)]
    first_leases_ms: Vec<f64>,
}

/// A run that goes on.
#[derive(Debug, Clone)]
struct Live {
    worker: Arc<str>,
    since: Time,
    /// Whether the coordinator was killed meanwhile.
    has_seen_kill: bool,
}

/// What is known while the log is read.
#[derive(Debug, Default)]
struct Reading {
    audit: Audit,
    live: HashMap<(TaskId, AttemptNumber), Live>,
    open: HashSet<TaskId>,
    finished: BTreeMap<u64, (u64, bool)>,
    counted: HashMap<TaskId, u64>,
    /// The wall clock at the beginning of the run's time, in milliseconds since 1970.
    wall_zero_ms: f64,
    began: Option<Time>,
}

impl Audit {
    /// Reads the log of a coordinator that has ended.
    pub fn of(data_dir: &Path, accepted: &BTreeSet<u64>, ledger: &Ledger, troubles: &[WorkerTrouble]) -> Result<Self> {
        let mut reading = Reading::default();
        for fact in coordinator::Recorded::open(data_dir).context("opening the log")? {
            let fact = fact.context("reading the log")?;
            reading.take(fact.at, fact.what, troubles);
        }
        let Reading { mut audit, open, finished, counted, .. } = reading;
        let is_lost = |task: &&u64| !finished.contains_key(task) && !open.contains(&TaskId(**task));
        (audit.lost, audit.unfinished) = (accepted.iter().filter(is_lost).count() as u64, open.len() as u64);
        let twice =
            finished.values().filter(|(times, _)| *times > 1).count() + counted.values().filter(|times| **times > 1).count();
        audit.duplicates = twice as u64;
        audit.unexplained = finished.iter().filter(|(task, (_, passed))| *passed && !ledger.has_ended(**task)).count() as u64;
        (audit.overlaps, audit.runs, audit.repeats) = (ledger.overlaps(), ledger.starts(), ledger.repeats());
        let others = audit.ran_at_a_kill - audit.ended_with_worker;
        audit.survival_share = if others > 0 { audit.survived as f64 / others as f64 } else { 1.0 };
        audit.first_leases_ms.sort_by(f64::total_cmp);
        audit.first_lease_ms_p50 = audit.first_leases_ms.get(audit.first_leases_ms.len() / 2).copied().unwrap_or_default();
        audit.first_lease_ms_max = audit.first_leases_ms.last().copied().unwrap_or_default();
        Ok(audit)
    }
}

impl Reading {
    fn take(&mut self, at: Time, what: What, troubles: &[WorkerTrouble]) {
        match what {
            What::CoordinatorStarted { wall_ms, epoch, .. } => {
                self.wall_zero_ms = wall_ms as f64 - at.seconds() * 1e3;
                if epoch.0 > 1 {
                    for live in self.live.values_mut() {
                        self.audit.ran_at_a_kill += u64::from(!std::mem::replace(&mut live.has_seen_kill, true));
                    }
                    self.began = (!self.open.is_empty()).then_some(at);
                }
            }
            What::TaskQueued { task, .. } => drop(self.open.insert(task)),
            What::AttemptLeased { .. } => {
                if let Some(began) = self.began.take() {
                    self.audit.first_leases_ms.push((at.seconds() - began.seconds()) * 1e3);
                }
            }
            What::AttemptStarted { task, attempt, worker, .. } => {
                self.live.insert((task, attempt), Live { worker, since: at, has_seen_kill: false });
            }
            What::AttemptStopped { task, attempt, reason, .. } => {
                *self.counted.entry(task).or_default() += u64::from(reason == StopReason::Finished);
                if let Some(live) = self.live.remove(&(task, attempt)).filter(|live| live.has_seen_kill) {
                    self.judge(at, &live, reason, troubles);
                }
            }
            What::TaskFinished { task, verdict, .. } => {
                self.open.remove(&task);
                *self.audit.verdicts.entry(verdict.name()).or_default() += 1;
                let entry = self.finished.entry(task.0).or_default();
                *entry = (entry.0 + 1, verdict == Verdict::Passed);
            }
            _ => {}
        }
    }

    /// An attempt ended that had run when the coordinator was killed.
    fn judge(&mut self, at: Time, live: &Live, reason: StopReason, troubles: &[WorkerTrouble]) {
        let wall_ms = |time: Time| (self.wall_zero_ms + time.seconds() * 1e3) as u64;
        let meanwhile = wall_ms(live.since).saturating_sub(APART_MS)..=wall_ms(at) + APART_MS;
        let had_trouble = |trouble: &WorkerTrouble| *trouble.worker == *live.worker && meanwhile.contains(&trouble.wall_ms);
        if reason == StopReason::Finished {
            self.audit.survived += 1;
        } else if troubles.iter().any(had_trouble) {
            self.audit.ended_with_worker += 1;
        }
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lost, unfinished, duplicates, overlaps, unexplained, runs, repeats, ran_at_a_kill, survived, .. } = self;
        let verdicts = &self.verdicts;
        write!(
            f,
            "{lost} lost, {unfinished} without an end, {duplicates} results twice, {overlaps} overlaps, {unexplained} results without a run; "
        )?;
        writeln!(f, "verdicts: {verdicts:?}")?;
        writeln!(f, "{runs} runs, {repeats} of them of tasks that had been run before")?;
        writeln!(
            f,
            "{ran_at_a_kill} attempts ran while the coordinator was killed: {survived} ended by themselves, {} with their worker; {:.4} of the others survived",
            self.ended_with_worker, self.survival_share
        )?;
        write!(f, "first lease after a restart: p50 {:.0} ms, longest {:.0} ms", self.first_lease_ms_p50, self.first_lease_ms_max)
    }
}
