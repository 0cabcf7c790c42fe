//! The balancer's look at the fleet, one every check interval (F91, F95): `collect, update, adjust_thresholds, predict, detect,
//! record`. What follows from it is a plan: a policy sees the thresholds and whether the fleet is uneven. Candidates, their
//! costs and benefits are the policy's; what is under way and when it ends is in the ledger.
//!
//! After a restart the looks of earlier lives are taken in again, as far back as they matter.

use super::imbalance::{Dimension, Imbalance, Utilization};
use super::predict::{Ensemble, Forecast, Setup};
use super::threshold::{Limits, Thresholds};
use super::trend::{LoadRecord, RECORDS_MAX, WorkloadHistory};
use crate::fleet::{Fleet, Presence, WorkerIndex};
use shared::api::{ImbalanceView, LoadBalancerStats};
use shared::config::BalancerConfig;
use shared::fact::{Fact, LoadForecast, StopReason, What};
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};

/// A forecast has to be this sure before it is acted on, 0 to 1 (F99).
const CONFIDENCE_MIN: f64 = 0.7;
/// The furthest that is predicted, in check intervals.
const HORIZON_MAX: f64 = 1000.0;

/// See the module.
#[derive(Debug)]
pub struct AdaptiveLoadBalancer {
    config: BalancerConfig,
    thresholds: Thresholds,
    history: WorkloadHistory,
    system: Ensemble,
    workers: BTreeMap<WorkerIndex, Ensemble>,
    /// When the last look was.
    at: Option<Time>,
    found: Option<Found>,
    forecast: Option<LoadForecast>,
    expected: Option<Expected>,
    /// Looks of earlier lives that were heard of and not yet taken in, oldest first.
    earlier: VecDeque<Earlier>,
    initiated: u64,
    successful: u64,
    /// Times that someone asked for work to be spread anew.
    pub rebalance_count: u64,
}

/// One worker as a look found it.
type Seen = (WorkerIndex, Utilization);

/// What a look found.
#[derive(Debug)]
struct Found {
    now: Imbalance,
    predicted: Option<Imbalance>,
    uneven: bool,
}

/// What the workers' loads are expected to be.
#[derive(Debug)]
struct Expected {
    workers: Vec<Utilization>,
    /// Whether those of the busiest and the idlest are sure enough to act on.
    is_sure: bool,
}

#[derive(Debug)]
struct Earlier {
    at: Time,
    load: f64,
    imbalance: f64,
    seen: Vec<Seen>,
}

impl AdaptiveLoadBalancer {
    /// A balancer that has not looked yet.
    pub fn new(config: BalancerConfig) -> Self {
        Self {
            config,
            thresholds: Thresholds::of(&config),
            history: WorkloadHistory::default(),
            system: Ensemble::new(setup(&config)),
            workers: BTreeMap::new(),
            at: None,
            found: None,
            forecast: None,
            expected: None,
            earlier: VecDeque::new(),
            initiated: 0,
            successful: 0,
            rebalance_count: 0,
        }
    }

    /// Looks at the fleet; the facts of it. None while no worker is there.
    pub fn look(&mut self, now: Time, fleet: &Fleet) -> Vec<What> {
        let seen = collect(fleet, |presence| presence.connection().is_some());
        let Some(record) = LoadRecord::of(&shares(&seen)) else { return Vec::new() };
        self.update(record);
        let moved = self.adjust_thresholds(record.mean);
        self.predict(now, record.mean, &seen);
        self.workers.retain(|worker, _| fleet.get(*worker).presence != Presence::Gone);
        self.detect(&seen);
        self.record(record, seen.len(), moved)
    }

    /// Looks again whether the fleet is uneven, between two looks that count.
    pub fn look_again(&mut self, fleet: &Fleet) {
        let seen = collect(fleet, |presence| presence.connection().is_some());
        self.detect(&seen);
    }

    /// Takes in a fact of an earlier life, after it was applied to `fleet`.
    pub fn heard(&mut self, fact: &Fact, fleet: &Fleet) {
        self.count(&fact.what);
        if let What::LoadSampled { load, imbalance, .. } = &fact.what {
            if self.earlier.len() == RECORDS_MAX {
                self.earlier.pop_front();
            }
            let seen = collect(fleet, |presence| presence != Presence::Gone);
            self.earlier.push_back(Earlier { at: fact.at, load: *load, imbalance: *imbalance, seen });
        }
    }

    /// Begins a life with what was heard of earlier ones.
    pub fn begin(&mut self) {
        for Earlier { at, load, imbalance, seen } in std::mem::take(&mut self.earlier) {
            // Who was connected then is not known; the mean and the spread are.
            let known = LoadRecord::of(&shares(&seen));
            let base = known.unwrap_or(LoadRecord { mean: load, min: load, max: load, deviation: 0.0, imbalance });
            self.update(LoadRecord { mean: load, imbalance, ..base });
            self.adjust_thresholds(load);
            self.predict(at, load, &seen);
        }
    }

    /// Counts migrations.
    pub fn count(&mut self, what: &What) {
        match what {
            What::Migration { .. } => self.initiated += 1,
            What::AttemptStopped { reason: StopReason::Migrated, .. } => self.successful += 1,
            _ => {}
        }
    }

    /// The thresholds in force.
    pub fn limits(&self) -> Limits {
        self.thresholds.limits()
    }

    /// Whether the fleet was too uneven at the last look: as measured, or as forecast.
    pub fn is_uneven(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.uneven)
    }

    /// What it knows; figures of the fleet that change between looks are the caller's to add.
    pub fn stats(&self) -> LoadBalancerStats {
        let (limits, configured) = (self.thresholds.limits(), self.thresholds.configured());
        let records = (self.config.performance_window_s / self.config.check_interval_s).round() as usize;
        let window = self.history.over(records);
        let score = self.system.score();
        LoadBalancerStats {
            threshold_high: limits.high,
            threshold_low: limits.low,
            initial_threshold_high: configured.high,
            initial_threshold_low: configured.low,
            load: self.history.records().last().map(|record| record.mean),
            window_load: window.map(|(mean, _)| mean),
            window_deviation: window.map(|(_, deviation)| deviation),
            trend: self.history.trend().direction.name().into(),
            forecast: self.forecast,
            accuracy: self.system.accuracy(),
            mase: score.mase(),
            coverage: score.coverage(),
            predictions_due: score.due(),
            imbalance: self.found.as_ref().map(Found::views).unwrap_or_default(),
            uneven: self.is_uneven(),
            migrations_initiated: self.initiated,
            migrations_successful: self.successful,
            rebalance_count: self.rebalance_count,
            ..LoadBalancerStats::default()
        }
    }

    fn update(&mut self, record: LoadRecord) {
        self.history.push(record);
    }

    /// Whether they moved.
    fn adjust_thresholds(&mut self, load: f64) -> bool {
        let before = self.thresholds.limits();
        self.thresholds.observe(load, &self.history.trend());
        self.thresholds.limits() != before
    }

    /// Takes in the loads of a look, and forecasts the system's and each worker's share of busy slots (F97). Nothing where
    /// predictions are switched off.
    fn predict(&mut self, now: Time, load: f64, seen: &[Seen]) {
        let missed = self.missed(now);
        self.at = Some(now);
        if !self.config.enable_predictive_balancing {
            return;
        }
        let every = self.workers.values_mut().chain([&mut self.system]);
        every.for_each(|ensemble| (0..missed).for_each(|_| ensemble.miss()));
        self.system.observe(load);
        let expected = self.predict_workers(seen);
        let (least, most) = expected.iter().fold((None, None), |(least, most): (Option<&Forecast>, Option<&Forecast>), next| {
            (
                Some(least.filter(|least| least.value <= next.value).unwrap_or(next)),
                Some(most.filter(|most| most.value >= next.value).unwrap_or(next)),
            )
        });
        let whole = self.system.forecast().expect("it took in a load");
        self.forecast = Some(LoadForecast {
            window_s: setup(&self.config).horizon as f64 * self.config.check_interval_s,
            load: whole.value,
            low: whole.low.max(0.0),
            high: whole.high.min(1.0),
            confidence: whole.confidence,
            imbalance: most.map_or(0.0, |most| most.value) - least.map_or(0.0, |least| least.value),
        });
        let sure = |forecast: Option<&Forecast>| forecast.is_some_and(|forecast| forecast.confidence > CONFIDENCE_MIN);
        let is_sure = sure(least) && sure(most);
        let workers = expected.iter().map(|forecast| Utilization::default().with(Dimension::Slots, forecast.value)).collect();
        self.expected = Some(Expected { workers, is_sure });
    }

    /// The forecasts of the workers that were seen.
    fn predict_workers(&mut self, seen: &[Seen]) -> Vec<Forecast> {
        let setup = setup(&self.config);
        for (worker, _) in seen {
            self.workers.entry(*worker).or_insert_with(|| Ensemble::new(setup));
        }
        // Both are in the order of the workers' numbers.
        let mut ahead = seen.iter().peekable();
        let mut expected = Vec::with_capacity(seen.len());
        for (worker, ensemble) in &mut self.workers {
            match ahead.next_if(|(at, _)| at == worker).and_then(|(_, utilization)| utilization.get(Dimension::Slots)) {
                Some(share) => {
                    ensemble.observe(share);
                    expected.extend(ensemble.forecast().cloned());
                }
                None => ensemble.miss(),
            }
        }
        expected
    }

    /// Holds the loads against the thresholds, and the forecast ones against stricter ones (F87, F102).
    fn detect(&mut self, seen: &[Seen]) {
        let workers: Vec<Utilization> = seen.iter().map(|(_, utilization)| *utilization).collect();
        let now = Imbalance::now(&workers, self.limits());
        let expected = self.expected.as_ref();
        let predicted = expected.map(|expected| Imbalance::predicted(&expected.workers, self.limits()));
        let is_sure = expected.is_some_and(|expected| expected.is_sure);
        let uneven = now.is_uneven() || (is_sure && predicted.as_ref().is_some_and(Imbalance::is_uneven));
        self.found = Some(Found { now, predicted, uneven });
    }

    fn record(&self, record: LoadRecord, workers: usize, moved: bool) -> Vec<What> {
        let Limits { high, low } = self.limits();
        let thresholds = moved.then_some(What::Thresholds { high, low, load: record.mean });
        let sampled = What::LoadSampled {
            load: record.mean,
            imbalance: record.imbalance,
            high,
            low,
            workers: u32::try_from(workers).unwrap_or(u32::MAX),
            forecast: self.forecast,
            accuracy: self.system.accuracy(),
        };
        thresholds.into_iter().chain([sampled]).collect()
    }

    /// Looks that were left out since the last one: while no worker was there, or no coordinator. More than are predicted
    /// ahead make no difference.
    fn missed(&self, now: Time) -> usize {
        let Some(at) = self.at else { return 0 };
        let steps = (now.since(at).as_secs_f64() / self.config.check_interval_s).round() as usize;
        steps.saturating_sub(1).min(setup(&self.config).horizon)
    }
}

impl Found {
    fn views(&self) -> BTreeMap<String, ImbalanceView> {
        let view = |dimension: Dimension| {
            let spread = self.now.of(dimension)?;
            let forecast = self.predicted.as_ref().and_then(|predicted| predicted.of(dimension)).map(|spread| spread.spread);
            let uneven = self.now.uneven().contains(&dimension);
            let (max, min, mean) = (spread.max, spread.min, spread.mean);
            Some((dimension.name().to_owned(), ImbalanceView { max, min, spread: spread.spread, mean, uneven, forecast }))
        };
        Dimension::ALL.into_iter().filter_map(view).collect()
    }
}

/// The loads of the workers that are there, in the order of their numbers.
fn collect(fleet: &Fleet, is_there: impl Fn(Presence) -> bool) -> Vec<Seen> {
    let there = fleet.iter().filter(|(_, worker)| is_there(worker.presence) && worker.inventory.slots > 0);
    let seen = there.map(|(at, worker)| {
        let whole = worker.whole();
        let device =
            (whole.gpu_memory_bytes > 0).then(|| 1.0 - worker.free().gpu_memory_bytes as f64 / whole.gpu_memory_bytes as f64);
        let utilization = Utilization::default()
            .with(Dimension::Slots, f64::from(worker.busy_slots()) / f64::from(worker.inventory.slots))
            .with(Dimension::Cpu, worker.load.cpu)
            .with(Dimension::Memory, worker.load.memory)
            .with(Dimension::DeviceMemory, device);
        (at, utilization)
    });
    seen.collect()
}

fn shares(seen: &[Seen]) -> Vec<f64> {
    seen.iter().filter_map(|(_, utilization)| utilization.get(Dimension::Slots)).collect()
}

fn setup(config: &BalancerConfig) -> Setup {
    let steps = (config.prediction_window_s / config.check_interval_s).round().clamp(1.0, HORIZON_MAX);
    Setup { horizon: steps as usize, share: true, ..Setup::default() }
}
