//! The published adaptive balancer, exactly (features.md, "Policy `seed_v1`, exactly"): tasks are pushed in turn; every check
//! interval the thresholds follow the load and its trend, imbalance is looked for in what is and in what is predicted, each
//! movable task of an overloaded worker is weighed against each underloaded one by the score of cost and benefit, and the best
//! go. The formulas are in [`crate::adaptive::seed_v1`]; here they meet workers and tasks.
//!
//! Where it differs from the publication, it has to or is better for it: tasks that cannot save their state stay where they run
//! (the publication cancels them and starts them over, for ever if need be); a task is moved to one worker, and room there
//! counts as taken at once; of the tasks that wait at a worker
//! the first 64 are weighed, and of the workers the 64 busiest and the 64 idlest: no more than a few moves are made at a time.

use super::push::{Looks, Place, Queues, Runner, Sight, migrate, moves_left, runners, shares};
use super::round_robin::Turns;
use crate::adaptive::seed_v1::{Candidate, cuda_profile, is_imbalanced, is_trusted, predict, utilization, will_be_imbalanced};
use crate::adaptive::threshold::{Limits, SeedThresholds};
use crate::adaptive::trend::{LoadRecord, WorkloadHistory};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, Plan, Policy, View};
use crate::queue::ClassId;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Of the tasks that wait at a worker so many are weighed.
const WAITING_MAX: usize = 64;
/// Of the overloaded workers the busiest and of the underloaded the idlest so many are looked at.
const WORKERS_MAX: usize = 64;
/// Points from which a worker's load is predicted.
const POINTS_MAX: usize = 10;
/// Weight of the newest move in what is remembered of moves.
const NEWEST: f64 = 0.3;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SeedV1 {
    queues: Queues,
    turns: Turns,
    looks: Looks,
    history: WorkloadHistory,
    thresholds: Option<SeedThresholds>,
    /// The last loads of each worker: seconds and share.
    loads: BTreeMap<WorkerIndex, VecDeque<(f64, f64)>>,
    /// Moves of running tasks that were begun: how often each had moved before, and what it was said to cost.
    begun: BTreeMap<TaskId, (u32, f64)>,
    /// What moves of each kind of task cost, and the share that went well.
    past: BTreeMap<Box<str>, (f64, f64)>,
}

/// One task that could go to one worker.
#[derive(Debug, Clone, Copy)]
struct Offer {
    what: What,
    from: WorkerIndex,
    to: WorkerIndex,
    cost: f64,
    net: f64,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Waiting(Place),
    Running(Runner),
}

impl Policy for SeedV1 {
    fn name(&self) -> &'static str {
        "seed_v1"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let (mut moves, pushed) = (Vec::new(), "seed_v1: pushed".into());
        self.queues.take_in(view, &mut self.turns);
        self.queues.start(view, Sight::Blind, &pushed, &mut moves);
        if self.looks.is_due(view) {
            self.remember_moves(view);
            self.look(view, &mut moves);
        }
        Plan { moves, again: self.looks.again(&self.queues) }
    }
}

impl SeedV1 {
    fn look(&mut self, view: &mut View<'_>, moves: &mut Vec<Move>) {
        let config = view.config();
        let workers: Vec<WorkerIndex> = view.fleet().iter().filter(|(_, worker)| worker.admits()).map(|(at, _)| at).collect();
        let now: BTreeMap<WorkerIndex, f64> = workers.iter().map(|at| (*at, load_of(view, *at))).collect();
        let shares: Vec<f64> = now.values().copied().collect();
        let Some(record) = LoadRecord::of(&shares) else { return };
        self.history.push(record);
        let configured = Limits { high: config.utilization_threshold_high, low: config.utilization_threshold_low };
        let thresholds = self.thresholds.get_or_insert_with(|| SeedThresholds::new(configured, config.threshold_adjustment_rate));
        if config.enable_dynamic_thresholds {
            thresholds.observe(record.mean, &self.history.trend());
        }
        let limits = thresholds.limits();
        let ahead = self.predict(view, &now);
        let will_be: Vec<f64> = ahead.values().copied().collect();
        let by = if is_imbalanced(&shares, limits) {
            (now, limits)
        } else if config.enable_predictive_balancing && will_be_imbalanced(&will_be, limits) {
            (ahead, limits.tightened())
        } else {
            return;
        };
        if config.enable_task_migration {
            self.balance(view, &by.0, by.1, moves);
        }
    }

    /// Takes in the loads, and says which are expected a prediction window from now where that is trusted.
    fn predict(&mut self, view: &View<'_>, now: &BTreeMap<WorkerIndex, f64>) -> BTreeMap<WorkerIndex, f64> {
        let at_s = view.now().seconds();
        let horizon_s = at_s + view.config().prediction_window_s;
        let mut ahead = BTreeMap::new();
        for (worker, load) in now {
            let points = self.loads.entry(*worker).or_default();
            points.push_back((at_s, *load));
            while points.len() > POINTS_MAX
                || points.front().is_some_and(|(then, _)| at_s - then > view.config().performance_window_s)
            {
                points.pop_front();
            }
            let prediction = predict(points.make_contiguous(), horizon_s).filter(is_trusted);
            ahead.extend(prediction.map(|prediction| (*worker, prediction.value)));
        }
        ahead
    }

    /// Weighs every movable task of the overloaded against every underloaded worker and moves the best.
    fn balance(&mut self, view: &mut View<'_>, loads: &BTreeMap<WorkerIndex, f64>, limits: Limits, moves: &mut Vec<Move>) {
        let mut offers = Vec::new();
        let mut by_load: Vec<(WorkerIndex, f64)> = loads.iter().map(|(worker, load)| (*worker, *load)).collect();
        by_load.sort_by(|a, b| b.1.total_cmp(&a.1));
        let over = by_load.iter().filter(|(_, load)| *load > limits.high).take(WORKERS_MAX);
        for (from, busy) in over {
            let under = by_load.iter().rev().filter(|(_, load)| *load < limits.low).take(WORKERS_MAX);
            for (to, idle) in under {
                self.weigh(view, (*from, *to), (*busy, *idle), &mut offers);
            }
        }
        offers.sort_by(|a, b| b.net.total_cmp(&a.net));
        let mut left = moves_left(view, &self.queues);
        let mut moved = BTreeSet::new();
        let why: Arc<str> = "seed_v1: moved".into();
        for offer in offers {
            if left == 0 {
                break;
            }
            if !moved.contains(&offer.id()) && self.carry_out(view, &offer, &why, moves) {
                moved.insert(offer.id());
                left -= 1;
            }
        }
    }

    fn weigh(&self, view: &mut View<'_>, (from, to): (WorkerIndex, WorkerIndex), loads: (f64, f64), offers: &mut Vec<Offer>) {
        let waiting = self.queues.lines()[from.0 as usize].iter().take(WAITING_MAX);
        let waiting: Vec<What> = waiting.map(|(place, _)| What::Waiting(place)).collect();
        let running = runners(view, from).into_iter().map(What::Running);
        for what in waiting.into_iter().chain(running) {
            let (id, running_s) = match what {
                What::Waiting((_, id)) => (id, 0.0),
                What::Running(runner) => (runner.id, runner.elapsed_s),
            };
            let Some(task) = view.ledger().get(id) else { continue };
            let class = task.class;
            if view.fits_now(class, to).is_none() {
                continue;
            }
            let past = self.past.get(&*task.spec.kind);
            let config = view.config();
            let candidate = Candidate {
                running_s,
                priority: task.spec.priority.level(),
                historical_cost: past.map(|(cost, _)| *cost),
                state_bytes: matches!(what, What::Running(_)).then_some(task.spec.state_bytes),
                utilization_source: loads.0,
                utilization_target: loads.1,
                matching_hardware: if config.enable_hardware_specific_strategies {
                    more_hardware(view, class, from, to)
                } else {
                    0
                },
                memory_margin: Some(memory_margin(view, class, to)),
                energy_gain: config.enable_resource_efficiency.then(|| energy_gain(view, class, from, to)),
                success: past.map(|(_, success)| *success),
            };
            let verdict = candidate.weigh();
            let net = if config.enable_cost_benefit_analysis { verdict.net() } else { verdict.benefit };
            if net > 0.0 {
                offers.push(Offer { what, from, to, cost: verdict.cost, net });
            }
        }
    }

    fn carry_out(&mut self, view: &mut View<'_>, offer: &Offer, why: &Arc<str>, moves: &mut Vec<Move>) -> bool {
        match offer.what {
            What::Waiting(place) => {
                let class = view.ledger().get(place.1).map(|task| task.class);
                if class.is_none_or(|class| view.fits_now(class, offer.to).is_none()) {
                    return false;
                }
                self.queues.transfer(view, place, offer.from, offer.to, Sight::Blind);
                self.queues.start(view, Sight::Blind, why, moves);
                true
            }
            What::Running(runner) => {
                let proposed = migrate(view, runner, offer.from, offer.to, why);
                let before = view.ledger().get(runner.id).map_or(0, |task| task.moves());
                if proposed.is_some() {
                    self.begun.insert(runner.id, (before, offer.cost));
                }
                let found = proposed.is_some();
                moves.extend(proposed);
                found
            }
        }
    }

    /// Takes in what became of moves: the cost of the next like them, and how likely it is to go well (F109).
    fn remember_moves(&mut self, view: &View<'_>) {
        let past = &mut self.past;
        self.begun.retain(|id, (before, cost)| {
            let Some(task) = view.ledger().get(*id) else { return false };
            if task.standstill().is_some() {
                return true;
            }
            let went_well = if task.moves() > *before { 1.0 } else { 0.0 };
            let known = past.entry(Box::from(&*task.spec.kind)).or_insert((*cost, went_well));
            known.0 += NEWEST * (*cost - known.0);
            known.1 += NEWEST * (went_well - known.1);
            false
        });
    }
}

impl Offer {
    fn id(&self) -> TaskId {
        match self.what {
            What::Waiting((_, id)) => id,
            What::Running(runner) => runner.id,
        }
    }
}

/// A worker's load as the publication means it: the mean over processor, memory and devices. The processor is what the worker
/// measures, or else the share of its slots in use.
fn load_of(view: &View<'_>, worker: WorkerIndex) -> f64 {
    let measured = &view.fleet().get(worker).load;
    let (slots, memory, device) = shares(view, worker);
    // Memory that nobody asked for and nobody measured is not known to be free, nor is that of devices.
    let memory = measured.memory.or(Some(memory).filter(|share| *share > 0.0));
    let device = device.filter(|share| *share > 0.0);
    utilization(Some(measured.cpu.unwrap_or(slots)), memory, device).unwrap_or(slots)
}

fn more_hardware(view: &mut View<'_>, class: ClassId, from: WorkerIndex, to: WorkerIndex) -> u32 {
    let there = view.options(class, to).len();
    there.saturating_sub(view.options(class, from).len()) as u32
}

fn memory_margin(view: &mut View<'_>, class: ClassId, to: WorkerIndex) -> f64 {
    let whole = view.fleet().get(to).whole().memory_bytes;
    let left = view.free(to).memory_bytes.saturating_sub(view.class(class).demand.memory_bytes);
    left as f64 / whole.max(1) as f64
}

fn energy_gain(view: &mut View<'_>, class: ClassId, from: WorkerIndex, to: WorkerIndex) -> f64 {
    let mut efficiency = |worker: WorkerIndex| {
        let hardware = view.options(class, worker).first().copied().unwrap_or_default();
        let device = view.fleet().get(worker).inventory.of_kind(hardware).next();
        match hardware {
            HardwareKind::Cuda => cuda_profile(device.and_then(|device| device.compute_capability)).energy_efficiency,
            other => other.profile().energy_efficiency,
        }
    };
    efficiency(to) - efficiency(from)
}
