//! Appending facts: one transaction per batch holds the facts, the rows derived from them, and the position reached, so
//! that after a crash the log is read on from exactly there.

use crate::derived::{BalancerSample, Derived, Request};
use crate::{AppendError, Database};
use duckdb::types::{TimeUnit, Value};
use duckdb::{Appender, Transaction, params};
use shared::fact::{Fact, What};
use shared::time::Time;

impl Database {
    /// Appends `facts`, the first of which has position `first_seq` (from 1) in the log. Facts that are here already are
    /// skipped, so a batch may be sent again. When it returns, the batch is on disk; on an error nothing of it is kept.
    pub fn append(&mut self, first_seq: u64, facts: &[Fact]) -> Result<(), AppendError> {
        self.check_cluster(facts)?;
        let skip = usize::try_from((self.last_seq + 1).saturating_sub(first_seq)).unwrap_or(usize::MAX);
        let Some(new) = facts.get(skip..).filter(|new| !new.is_empty()) else { return Ok(()) };
        let first = first_seq + skip as u64;

        // Taken out, so that after a failed batch it is read back from what was kept.
        let mut derived = match self.derived.take() {
            Some(derived) => derived,
            None => {
                Derived::restore(&self.connection).map_err(|source| AppendError::Duckdb { path: self.path.clone(), source })?
            }
        };
        let mut wall_offset_us = self.wall_offset_us;
        let mut cluster = self.cluster.clone();
        let mut samples = Vec::new();
        let mut requests = Vec::new();
        for fact in new {
            if let What::CoordinatorStarted { cluster: id, wall_ms, .. } = &fact.what {
                cluster = Some(id.to_string());
                wall_offset_us = offset(*wall_ms, fact.at);
            }
            let wall_us = wall_offset_us.and_then(|offset| i64::try_from(fact.at.0).ok()?.checked_add(offset));
            derived.see(fact, wall_us, &mut samples, &mut requests);
        }

        let last = first + new.len() as u64 - 1;
        self.write(first, new, &samples, &requests, (last, cluster.as_deref(), wall_offset_us))?;
        (self.derived, self.wall_offset_us, self.cluster, self.last_seq) = (Some(derived), wall_offset_us, cluster, last);
        Ok(())
    }

    /// Positions of two logs must never be mixed: the skipping of known facts would hide the second one's.
    fn check_cluster(&self, facts: &[Fact]) -> Result<(), AppendError> {
        let Some(ours) = &self.cluster else { return Ok(()) };
        for fact in facts {
            if let What::CoordinatorStarted { cluster, .. } = &fact.what
                && cluster.to_string() != *ours
            {
                return Err(AppendError::OtherCluster {
                    path: self.path.clone(),
                    ours: ours.clone(),
                    theirs: cluster.to_string(),
                });
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        first: u64,
        facts: &[Fact],
        samples: &[BalancerSample],
        requests: &[Request],
        (last, cluster, wall_offset_us): (u64, Option<&str>, Option<i64>),
    ) -> Result<(), AppendError> {
        let options = self.options;
        let duckdb = |source| AppendError::Duckdb { path: self.path.clone(), source };
        let transaction = self.connection.transaction().map_err(duckdb)?;
        let mut appender = transaction.appender("facts").map_err(duckdb)?;
        for (seq, fact) in (first..).zip(facts) {
            let payload = payload(fact).map_err(|source| AppendError::Unwritable { seq, source })?;
            append_fact(&mut appender, seq, fact, &payload).map_err(duckdb)?;
        }
        appender.flush().map_err(duckdb)?;
        drop(appender);
        append_requests(&transaction, requests).map_err(duckdb)?;
        for sample in samples {
            insert_sample(&transaction, sample, &sample.metrics(options.balancer.as_ref())).map_err(duckdb)?;
        }
        transaction
            .execute("UPDATE meta SET last_seq = ?, cluster = ?, wall_offset_us = ?", params![last, cluster, wall_offset_us])
            .map_err(duckdb)?;
        transaction.commit().map_err(duckdb)
    }
}

/// Wall clock less run time, in microseconds. A wall clock of 0 means the run knew none: a simulated one.
fn offset(wall_ms: u64, at: Time) -> Option<i64> {
    let wall_us = i64::try_from(wall_ms.checked_mul(1000)?).ok().filter(|us| *us > 0)?;
    wall_us.checked_sub(i64::try_from(at.0).ok()?)
}

/// The fact as JSON. A queued task also tells its slots, which only the parser of requirements knows.
fn payload(fact: &Fact) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(&fact.what)?;
    if let What::TaskQueued { spec, .. } = &fact.what {
        text.pop();
        text.push_str(&format!(",\"cores\":{}}}", spec.requires.demand().cores.max(1)));
    }
    Ok(text)
}

fn append_fact(appender: &mut Appender<'_>, seq: u64, fact: &Fact, payload: &str) -> duckdb::Result<()> {
    let (attempt, worker) = attempt_and_worker(&fact.what);
    appender.append_row(params![
        seq,
        fact.at.seconds(),
        name(&fact.what),
        fact.what.task().map(|t| t.0),
        attempt,
        worker,
        payload
    ])
}

fn append_requests(transaction: &Transaction<'_>, requests: &[Request]) -> duckdb::Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let mut appender = transaction.appender("request_metrics")?;
    for request in requests {
        let wall = request.wall_us.map(|us| Value::Timestamp(TimeUnit::Microsecond, us)).unwrap_or(Value::Null);
        appender.append_row(params![&*request.worker, &*request.kind, request.seconds, request.is_success, wall])?;
    }
    appender.flush()
}

fn insert_sample(transaction: &Transaction<'_>, sample: &BalancerSample, metrics: &str) -> duckdb::Result<()> {
    let wall = sample.wall_us.map(|us| Value::Timestamp(TimeUnit::Microsecond, us)).unwrap_or(Value::Null);
    transaction.execute(
        "INSERT INTO load_balancer_metrics (timestamp, system_load, threshold_high, threshold_low, imbalance_score,
             migrations_initiated, migrations_successful, prediction_accuracy, metrics)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            wall,
            sample.load,
            sample.high,
            sample.low,
            sample.imbalance,
            sample.initiated,
            sample.successful,
            sample.accuracy,
            metrics
        ],
    )?;
    Ok(())
}

fn attempt_and_worker(what: &What) -> (Option<u64>, Option<&str>) {
    match what {
        What::AttemptLeased { attempt, worker, .. }
        | What::AttemptStarted { attempt, worker, .. }
        | What::AttemptStopped { attempt, worker, .. }
        | What::Migration { attempt, from: worker, .. }
        | What::Preemption { attempt, worker, .. }
        | What::Fenced { attempt, worker, .. } => (Some(attempt.0), Some(worker)),
        What::TestFinished { attempt, .. } | What::CheckpointSaved { attempt, .. } | What::StandstillEnded { attempt, .. } => {
            (Some(attempt.0), None)
        }
        What::TaskFinished { attempt, .. } => (attempt.map(|a| a.0), None),
        What::WorkerJoined { worker, .. }
        | What::WorkerDescribed { worker, .. }
        | What::WorkerReady { worker }
        | What::WorkerSuspected { worker, .. }
        | What::WorkerHeldBack { worker, .. }
        | What::BreakerMoved { worker, .. }
        | What::WorkerDisconnected { worker, .. }
        | What::WorkerLeft { worker, .. }
        | What::WorkerSet { worker, .. }
        | What::WorkerSampled { worker, .. } => (None, Some(worker)),
        What::CoordinatorStarted { .. }
        | What::TaskQueued { .. }
        | What::MigrationJudged { .. }
        | What::TaskRequeued { .. }
        | What::CancelRequested { .. }
        | What::DurationsKnown { .. }
        | What::PolicyChosen { .. }
        | What::BalancerConfigured { .. }
        | What::Planned { .. }
        | What::Thresholds { .. }
        | What::LoadSampled { .. } => (None, None),
    }
}

/// The name a fact has in JSON.
pub(crate) fn name(what: &What) -> &'static str {
    match what {
        What::CoordinatorStarted { .. } => "coordinator_started",
        What::TaskQueued { .. } => "task_queued",
        What::WorkerJoined { .. } => "worker_joined",
        What::WorkerDescribed { .. } => "worker_described",
        What::WorkerReady { .. } => "worker_ready",
        What::WorkerSuspected { .. } => "worker_suspected",
        What::WorkerHeldBack { .. } => "worker_held_back",
        What::BreakerMoved { .. } => "breaker_moved",
        What::WorkerDisconnected { .. } => "worker_disconnected",
        What::WorkerLeft { .. } => "worker_left",
        What::WorkerSet { .. } => "worker_set",
        What::WorkerSampled { .. } => "worker_sampled",
        What::AttemptLeased { .. } => "attempt_leased",
        What::AttemptStarted { .. } => "attempt_started",
        What::Migration { .. } => "migration",
        What::Preemption { .. } => "preemption",
        What::MigrationJudged { .. } => "migration_judged",
        What::CheckpointSaved { .. } => "checkpoint_saved",
        What::StandstillEnded { .. } => "standstill_ended",
        What::DurationsKnown { .. } => "durations_known",
        What::PolicyChosen { .. } => "policy_chosen",
        What::BalancerConfigured { .. } => "balancer_configured",
        What::Planned { .. } => "planned",
        What::Thresholds { .. } => "thresholds",
        What::TestFinished { .. } => "test_finished",
        What::AttemptStopped { .. } => "attempt_stopped",
        What::TaskRequeued { .. } => "task_requeued",
        What::CancelRequested { .. } => "cancel_requested",
        What::TaskFinished { .. } => "task_finished",
        What::Fenced { .. } => "fenced",
        What::LoadSampled { .. } => "load_sampled",
    }
}
