//! The figures of a run, from what happened alone.
//!
//! Flow is finish − submission; slowdown is flow ÷ max(1 s, shortest possible service time in this fleet); wait is first
//! start − submission; makespan is last finish − first submission. A figure that has no value (nothing finished) is null.

use crate::bound::Bound;
use crate::fleet;
use crate::journal::{AttemptOf, Happened, Journal, Reason};
use crate::meter::Meter;
use crate::scenario::Scenario;
use crate::settle;
use serde::Serialize;
use shared::fact::What;
use shared::hardware::HardwareKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module. Times are in seconds, energies in joules.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The scenario.
    pub scenario: String,
    /// The policy.
    pub policy: String,
    /// Where the randomness began.
    pub seed: u64,
    /// What the coordinator knew of durations before the run: `history`, or `perfect` where it was told the truth.
    pub estimates: &'static str,
    /// Always true: nothing of this ran on a real machine.
    pub simulated: bool,
    /// Tasks of the scenario.
    pub tasks: usize,
    /// Tasks that finished.
    pub finished: usize,
    /// Tasks that did not finish although some machine of the fleet could run them.
    pub lost: usize,
    /// Tasks that no machine of the fleet can run.
    pub impossible: usize,
    /// Last finish − first submission.
    pub makespan_s: f64,
    /// What no schedule can beat.
    pub lower_bound_s: f64,
    /// Which bound that is.
    pub lower_bound_how: &'static str,
    /// Makespan ÷ lower bound.
    pub gap: f64,
    /// Mean flow.
    pub mean_flow_s: f64,
    /// 95th percentile of the flow.
    pub p95_flow_s: f64,
    /// 99th percentile of the flow.
    pub p99_flow_s: f64,
    /// Mean slowdown.
    pub mean_slowdown: f64,
    /// 99th percentile of the slowdown.
    pub p99_slowdown: f64,
    /// Mean wait.
    pub mean_wait_s: f64,
    /// Busy ÷ present slot-seconds.
    pub utilization: f64,
    /// Time average of the standard deviation of the busy share over present machines.
    pub load_stddev: f64,
    /// Time average of the largest less the smallest busy share of present machines.
    pub imbalance: f64,
    /// Jain's index over owners of 1 ÷ mean slowdown.
    pub jain_fairness: f64,
    /// What the present machines drew.
    pub energy_j: f64,
    /// What no schedule can do with less of.
    pub energy_lower_bound_j: f64,
    /// What the present machines cost, in the scenario's currency.
    pub cost: f64,
    /// Tasks that did not finish within their deadline.
    pub deadline_misses: usize,
    /// Attempts that were moved to another machine.
    pub migrations: usize,
    /// Attempts that were stopped to make room.
    pub preemptions: usize,
    /// Second attempts of tasks that ran already.
    pub hedges: usize,
    /// Attempts that went down with their machine.
    pub lost_attempts: usize,
    /// Seconds of work, at speed 1, that did not count in the end.
    pub wasted_s: f64,
    /// The longest time from a disturbance to the last moment at which work waited while a slot that could run it was free.
    pub settle_s: f64,
    /// Real seconds the simulation took.
    pub wall_s: f64,
}

/// The bound of a run in which nothing finished.
const NO_BOUND: Bound = Bound { makespan_s: f64::NAN, energy_j: f64::NAN, how: "nothing finished" };

/// What a run is known by.
#[derive(Debug)]
pub(crate) struct Labels {
    pub policy: String,
    pub seed: u64,
    pub estimates: &'static str,
}

impl Summary {
    /// The figures as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("figures can be written") + "\n"
    }
}

/// The figures of a run.
pub(crate) fn of(scenario: &Scenario, journal: &Journal, order: &[usize], labels: Labels) -> Summary {
    let tally = Tally::new(scenario, journal);
    let rows: Vec<usize> = tally.finish.keys().copied().collect();
    let first = fleet::first_submission_s(scenario);
    let makespan_s = tally.finish.values().copied().max_by(f64::total_cmp).map_or(f64::NAN, |last| last - first);
    let possible = scenario.possible().len();
    let bound = match rows.len() {
        0 => NO_BOUND,
        all if all == possible => scenario.bound(),
        _ => fleet::bound(scenario, &rows),
    };
    let mut flows: Vec<f64> = rows.iter().map(|row| tally.flow(scenario, *row)).collect();
    let mut slowdowns: Vec<f64> = rows.iter().map(|row| tally.slowdown(scenario, *row)).collect();
    let waits = tally.begin.iter().filter(|(row, _)| tally.finish.contains_key(*row));
    let waits: Vec<f64> = waits.map(|(row, begin)| begin - scenario.tasks[*row].submit_s).collect();
    flows.sort_by(f64::total_cmp);
    slowdowns.sort_by(f64::total_cmp);
    let meter = &tally.meter;
    Summary {
        scenario: scenario.name.clone(),
        policy: labels.policy,
        seed: labels.seed,
        estimates: labels.estimates,
        simulated: true,
        tasks: scenario.tasks.len(),
        finished: rows.len(),
        lost: possible - rows.len(),
        impossible: scenario.tasks.len() - possible,
        makespan_s,
        lower_bound_s: bound.makespan_s,
        lower_bound_how: bound.how,
        gap: makespan_s / bound.makespan_s,
        mean_flow_s: mean(&flows),
        p95_flow_s: percentile(&flows, 0.95),
        p99_flow_s: percentile(&flows, 0.99),
        mean_slowdown: mean(&slowdowns),
        p99_slowdown: percentile(&slowdowns, 0.99),
        mean_wait_s: mean(&waits),
        utilization: if meter.present_s > 0.0 { meter.busy_s / meter.present_s } else { 0.0 },
        load_stddev: if makespan_s > 0.0 { meter.stddev_s / makespan_s } else { 0.0 },
        imbalance: if makespan_s > 0.0 { meter.spread_s / makespan_s } else { 0.0 },
        jain_fairness: tally.fairness(scenario),
        energy_j: meter.energy_j,
        energy_lower_bound_j: bound.energy_j,
        cost: meter.cost,
        deadline_misses: tally.deadline_misses(scenario),
        migrations: tally.stops_for(Reason::Migrated),
        preemptions: tally.stops_for(Reason::Preempted),
        hedges: tally.hedges,
        lost_attempts: tally.stops_for(Reason::Lost),
        wasted_s: tally.wasted_s(scenario),
        settle_s: settle::settle_s(scenario, journal, order),
        wall_s: 0.0,
    }
}

/// What is counted while going through the journal once.
struct Tally<'a> {
    meter: Meter<'a>,
    begin: BTreeMap<usize, f64>,
    finish: BTreeMap<usize, f64>,
    running: BTreeMap<AttemptOf, (HardwareKind, f64)>,
    pieces: BTreeMap<usize, Vec<Piece>>,
    hedges: usize,
}

/// The work of one attempt.
struct Piece {
    hardware: HardwareKind,
    from: f64,
    to: f64,
    reason: Reason,
}

impl<'a> Tally<'a> {
    fn new(scenario: &'a Scenario, journal: &Journal) -> Self {
        let mut tally = Self {
            meter: Meter::new(scenario),
            begin: BTreeMap::new(),
            finish: BTreeMap::new(),
            running: BTreeMap::new(),
            pieces: BTreeMap::new(),
            hedges: 0,
        };
        for entry in journal.entries() {
            tally.meter.advance(entry.at.seconds());
            tally.count(entry.at.seconds(), &entry.what);
        }
        tally
    }

    fn count(&mut self, now: f64, what: &Happened) {
        match what {
            Happened::Started { of, machine, hardware, progress } => {
                self.meter.start(*machine, of.row);
                self.begin.entry(of.row).or_insert(now);
                self.running.insert(*of, (*hardware, *progress));
            }
            Happened::Stopped { of, machine, reason, progress } => {
                self.meter.stop(*machine, of.row);
                let (hardware, from) = self.running.remove(of).expect("what stops has started");
                let piece = Piece { hardware, from, to: *progress, reason: *reason };
                self.pieces.entry(of.row).or_default().push(piece);
                if *reason == Reason::Finished {
                    self.finish.insert(of.row, now);
                }
            }
            Happened::Decided(fact) => self.hedges += usize::from(matches!(fact.what, What::AttemptLeased { hedge: true, .. })),
            Happened::MachineUp(_)
            | Happened::MachineCrashed(_)
            | Happened::MachineLeaving(_)
            | Happened::MachineGone(_)
            | Happened::SpeedChanged { .. } => {}
        }
    }

    fn flow(&self, scenario: &Scenario, row: usize) -> f64 {
        self.finish[&row] - scenario.tasks[row].submit_s
    }

    fn slowdown(&self, scenario: &Scenario, row: usize) -> f64 {
        let best_s = scenario.best_service_s(&scenario.tasks[row]).expect("it finished somewhere");
        self.flow(scenario, row) / best_s.max(1.0)
    }

    fn fairness(&self, scenario: &Scenario) -> f64 {
        let mut owners: BTreeMap<Option<&Arc<str>>, (f64, f64)> = BTreeMap::new();
        for row in self.finish.keys() {
            let (sum, count) = owners.entry(scenario.tasks[*row].owner.as_ref()).or_default();
            *sum += self.slowdown(scenario, *row);
            *count += 1.0;
        }
        let speeds: Vec<f64> = owners.values().filter(|(sum, _)| *sum > 0.0).map(|(sum, count)| count / sum).collect();
        let (sum, squares) = speeds.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        sum * sum / (speeds.len() as f64 * squares)
    }

    fn deadline_misses(&self, scenario: &Scenario) -> usize {
        let has_missed = |(row, deadline_s): (usize, f64)| {
            self.finish.get(&row).is_none_or(|finish| finish - scenario.tasks[row].submit_s > deadline_s + 1e-6)
        };
        let deadlines = scenario.tasks.iter().enumerate().filter_map(|(row, task)| Some((row, task.deadline_s?)));
        deadlines.filter(|deadline| has_missed(*deadline)).count()
    }

    fn stops_for(&self, reason: Reason) -> usize {
        self.pieces.values().flatten().filter(|piece| piece.reason == reason).count()
    }

    /// Going back from the attempt that finished, an attempt counts for the part that the next one began with.
    fn wasted_s(&self, scenario: &Scenario) -> f64 {
        let mut wasted_s = 0.0;
        for (row, pieces) in &self.pieces {
            let mut needed: f64 = if self.finish.contains_key(row) { 1.0 } else { 0.0 };
            for piece in pieces.iter().rev() {
                let counts = (needed - piece.from).clamp(0.0, piece.to - piece.from);
                let is_on_the_way = needed > 0.0 && piece.to >= needed - 1e-9 && counts > 0.0;
                let service_s = scenario.tasks[*row].service_s(piece.hardware).expect("it ran there");
                let kept = if is_on_the_way { counts } else { 0.0 };
                wasted_s += (piece.to - piece.from - kept) * service_s;
                if is_on_the_way {
                    needed = piece.from;
                }
            }
        }
        wasted_s
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The smallest number that is not below this share of all; the numbers are sorted.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
