//! The published tables, filled from facts as they pass: one balancer row per look at the fleet, one request row per
//! attempt that ran to its end.

use duckdb::Connection;
use serde_json::json;
use shared::config::BalancerConfig;
use shared::fact::{Fact, LoadForecast, StandstillEnd, StopReason, What};
use shared::time::Time;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What must be remembered between facts: bounded by the tasks that have no verdict.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    unfinished: HashMap<u64, Unfinished>,
    kinds: HashSet<Arc<str>>,
    /// Tasks that are being moved, and the worker each is taken from.
    moving: BTreeMap<u64, Arc<str>>,
    initiated: u32,
    successful: u32,
}

#[derive(Debug)]
struct Unfinished {
    kind: Arc<str>,
    started: Option<Time>,
}

/// One row of `load_balancer_metrics`.
#[derive(Debug)]
pub(crate) struct BalancerSample {
    pub wall_us: Option<i64>,
    pub load: f64,
    pub imbalance: f64,
    pub high: f64,
    pub low: f64,
    pub workers: u32,
    pub initiated: u32,
    pub successful: u32,
    pub active: usize,
    pub forecast: Option<LoadForecast>,
    pub accuracy: Option<f64>,
}

/// One row of `request_metrics`.
#[derive(Debug)]
pub(crate) struct Request {
    pub wall_us: Option<i64>,
    pub worker: Arc<str>,
    pub kind: Arc<str>,
    pub seconds: f64,
    pub is_success: bool,
}

impl Derived {
    /// What is remembered after the facts in the database.
    pub(crate) fn restore(connection: &Connection) -> duckdb::Result<Self> {
        let mut derived = Self::default();
        let mut unfinished = connection.prepare(
            "SELECT task, json_extract_string(payload, '$.spec.kind') FROM facts WHERE fact = 'task_queued'
             AND task NOT IN (SELECT task FROM facts WHERE fact = 'task_finished')",
        )?;
        let mut rows = unfinished.query([])?;
        while let Some(row) = rows.next()? {
            derived.begin(row.get(0)?, &row.get::<_, String>(1)?);
        }
        let mut started = connection.prepare(
            "SELECT task, max(t) FROM facts WHERE fact = 'attempt_started'
             AND task NOT IN (SELECT task FROM facts WHERE fact = 'task_finished') GROUP BY task",
        )?;
        let mut rows = started.query([])?;
        while let Some(row) = rows.next()? {
            let (task, seconds): (u64, f64) = (row.get(0)?, row.get(1)?);
            if let Some(task) = derived.unfinished.get_mut(&task) {
                task.started = Some(Time((seconds * 1e6).round() as u64));
            }
        }
        derived.restore_migrations(connection)?;
        Ok(derived)
    }

    /// Runs the migrations of the past through the same counters, forgetting the counts at each look at the fleet.
    fn restore_migrations(&mut self, connection: &Connection) -> duckdb::Result<()> {
        let mut steps = connection.prepare(
            "SELECT fact, task, worker, fact = 'standstill_ended' AND json_extract_string(payload, '$.end') <> 'followed' FROM facts
             WHERE fact IN ('load_sampled', 'migration') OR (fact IN ('attempt_started', 'standstill_ended', 'task_finished')
                AND task IN (SELECT task FROM facts WHERE fact = 'migration'))
             ORDER BY seq",
        )?;
        let mut rows = steps.query([])?;
        while let Some(row) = rows.next()? {
            let (fact, task, worker): (String, Option<u64>, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let is_off: bool = row.get(3)?;
            match (fact.as_str(), task) {
                ("migration", Some(task)) => self.order(task, worker.unwrap_or_default().into()),
                ("attempt_started", Some(task)) => self.arrive(task, &worker.unwrap_or_default()),
                ("standstill_ended", Some(task)) if is_off => self.call_off(task),
                ("standstill_ended", Some(_)) => {}
                ("task_finished", Some(task)) => self.end(task),
                _ => (self.initiated, self.successful) = (0, 0),
            }
        }
        Ok(())
    }

    /// Takes note of one fact, and adds the rows that follow from it.
    pub(crate) fn see(
        &mut self,
        fact: &Fact,
        wall_us: Option<i64>,
        samples: &mut Vec<BalancerSample>,
        requests: &mut Vec<Request>,
    ) {
        match &fact.what {
            What::TaskQueued { task, spec, .. } => self.begin(task.0, &spec.kind),
            What::AttemptStarted { task, worker, .. } => {
                if let Some(task) = self.unfinished.get_mut(&task.0) {
                    task.started = Some(fact.at);
                }
                self.arrive(task.0, worker);
            }
            What::AttemptStopped { .. } => requests.extend(self.stop(fact, wall_us)),
            What::Migration { task, from, .. } => self.order(task.0, from.clone()),
            What::StandstillEnded { task, end: StandstillEnd::Withdrawn | StandstillEnd::Unable, .. } => self.call_off(task.0),
            What::TaskFinished { task, .. } => self.end(task.0),
            What::LoadSampled { load, imbalance, high, low, workers, forecast, accuracy } => samples.push(BalancerSample {
                wall_us,
                load: *load,
                imbalance: *imbalance,
                high: *high,
                low: *low,
                workers: *workers,
                initiated: std::mem::take(&mut self.initiated),
                successful: std::mem::take(&mut self.successful),
                active: self.moving.len(),
                forecast: *forecast,
                accuracy: *accuracy,
            }),
            What::CoordinatorStarted { .. }
            | What::WorkerJoined { .. }
            | What::WorkerDescribed { .. }
            | What::WorkerReady { .. }
            | What::WorkerSuspected { .. }
            | What::WorkerHeldBack { .. }
            | What::BreakerMoved { .. }
            | What::WorkerDisconnected { .. }
            | What::WorkerLeft { .. }
            | What::WorkerSet { .. }
            | What::WorkerSampled { .. }
            | What::AttemptLeased { .. }
            | What::Preemption { .. }
            | What::MigrationJudged { .. }
            | What::CheckpointSaved { .. }
            | What::StandstillEnded { .. }
            | What::DurationsKnown { .. }
            | What::PolicyChosen { .. }
            | What::BalancerConfigured { .. }
            | What::Planned { .. }
            | What::Thresholds { .. }
            | What::TestFinished { .. }
            | What::TaskRequeued { .. }
            | What::CancelRequested { .. }
            | What::Fenced { .. } => {}
        }
    }

    /// An attempt is over: a request, where it came to its end by itself.
    fn stop(&mut self, fact: &Fact, wall_us: Option<i64>) -> Option<Request> {
        let What::AttemptStopped { task, worker, reason, failure, run_s, .. } = &fact.what else { return None };
        match reason {
            StopReason::Finished => self.unfinished.get(&task.0).map(|task| Request {
                wall_us,
                worker: worker.clone(),
                kind: task.kind.clone(),
                seconds: match task.started {
                    Some(started) if *run_s <= 0.0 => fact.at.since(started).as_secs_f64(),
                    _ => *run_s,
                },
                is_success: failure.is_none(),
            }),
            StopReason::Failed
            | StopReason::Migrated
            | StopReason::Preempted
            | StopReason::Lost
            | StopReason::Hedged
            | StopReason::Cancelled
            | StopReason::Retracted => None,
        }
    }

    fn begin(&mut self, task: u64, kind: &str) {
        let kind = match self.kinds.get(kind) {
            Some(kind) => kind.clone(),
            None => {
                let kind: Arc<str> = kind.into();
                self.kinds.insert(kind.clone());
                kind
            }
        };
        self.unfinished.insert(task, Unfinished { kind, started: None });
    }

    /// A migration is initiated when it is ordered …
    fn order(&mut self, task: u64, source: Arc<str>) {
        self.initiated += 1;
        self.moving.insert(task, source);
    }

    /// … over when the order is not followed …
    fn call_off(&mut self, task: u64) {
        self.moving.remove(&task);
    }

    /// … and successful when the task runs somewhere else.
    fn arrive(&mut self, task: u64, worker: &str) {
        if let Some(source) = self.moving.remove(&task)
            && *source != *worker
        {
            self.successful += 1;
        }
    }

    fn end(&mut self, task: u64) {
        self.unfinished.remove(&task);
        self.moving.remove(&task);
        if self.unfinished.is_empty() {
            // Names that no task needs any more are not kept for ever.
            self.kinds.clear();
        }
    }
}

impl BalancerSample {
    /// The `metrics` of the row. What is not known is null, never 0.
    pub(crate) fn metrics(&self, balancer: Option<&BalancerConfig>) -> String {
        let rate = (self.initiated > 0).then(|| f64::from(self.successful) / f64::from(self.initiated));
        json!({
            "worker_count": self.workers,
            "active_migrations": self.active,
            "thresholds": {
                "high": self.high,
                "low": self.low,
                "initial_high": balancer.map(|b| b.utilization_threshold_high),
                "initial_low": balancer.map(|b| b.utilization_threshold_low),
            },
            "migrations": { "initiated": self.initiated, "successful": self.successful, "success_rate": rate },
            "features": {
                "dynamic_thresholds": balancer.map(|b| b.enable_dynamic_thresholds),
                "predictive_balancing": balancer.map(|b| b.enable_predictive_balancing),
                "cost_benefit": balancer.map(|b| b.enable_cost_benefit_analysis),
                "hardware_specific": balancer.map(|b| b.enable_hardware_specific_strategies),
                "resource_efficiency": balancer.map(|b| b.enable_resource_efficiency),
            },
            "prediction": {
                "current_load": self.load,
                "predicted_load": self.forecast.map(|forecast| forecast.load),
                "confidence": self.forecast.map(|forecast| forecast.confidence),
                "window_minutes": balancer.map(|b| b.prediction_window_s / 60.0),
            },
        })
        .to_string()
    }
}
