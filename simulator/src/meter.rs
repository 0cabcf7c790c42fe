//! What is added up over time: busy and present slots, spread of the load, energy and cost.

use crate::fleet;
use crate::scenario::{MachineSpec, Scenario};

/// A machine counts as there from up to this many seconds before it comes: times in facts are rounded.
const ROUNDING_S: f64 = 1e-3;

/// See the module.
#[derive(Debug)]
pub struct Meter<'a> {
    scenario: &'a Scenario,
    first_submit: f64,
    now: f64,
    /// Cores in use and attempts that run, by machine.
    held: Vec<(f64, usize)>,
    /// Busy slot-seconds since the first submission.
    pub busy_s: f64,
    /// Present slot-seconds since the first submission.
    pub present_s: f64,
    /// The standard deviation of the busy share over present machines, times seconds.
    pub stddev_s: f64,
    /// The largest less the smallest busy share of present machines, times seconds.
    pub spread_s: f64,
    /// Joules.
    pub energy_j: f64,
    /// What the machines cost.
    pub cost: f64,
}

impl<'a> Meter<'a> {
    /// A meter at the beginning of a run.
    pub fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            first_submit: fleet::first_submission_s(scenario),
            now: 0.0,
            held: vec![(0.0, 0); scenario.machines.len()],
            busy_s: 0.0,
            present_s: 0.0,
            stddev_s: 0.0,
            spread_s: 0.0,
            energy_j: 0.0,
            cost: 0.0,
        }
    }

    /// Lets time pass with all as it is.
    pub fn advance(&mut self, until: f64) {
        let seconds = until - self.now;
        if seconds <= 0.0 {
            return;
        }
        let mut shares = Vec::with_capacity(self.held.len());
        for (machine, (cores, running)) in self.scenario.machines.iter().zip(&self.held) {
            if !is_present(machine, self.now, *running) {
                continue;
            }
            let share = cores / f64::from(machine.slots);
            self.energy_j += machine.watts(share) * seconds;
            self.cost += machine.cost_per_hour.unwrap_or(0.0) * seconds / 3600.0;
            if self.now >= self.first_submit - ROUNDING_S {
                shares.push(share);
                self.busy_s += cores * seconds;
                self.present_s += f64::from(machine.slots) * seconds;
            }
        }
        if !shares.is_empty() {
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
            self.stddev_s += variance.sqrt() * seconds;
            let (least, most) = shares.iter().fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(*x), most.max(*x)));
            self.spread_s += (most - least) * seconds;
        }
        self.now = until;
    }

    /// A task begins on a machine.
    pub fn start(&mut self, machine: usize, row: usize) {
        let (cores, running) = &mut self.held[machine];
        *cores += self.scenario.tasks[row].cores;
        *running += 1;
    }

    /// A task ends on a machine.
    pub fn stop(&mut self, machine: usize, row: usize) {
        let (cores, running) = &mut self.held[machine];
        *running -= 1;
        *cores = if *running == 0 { 0.0 } else { *cores - self.scenario.tasks[row].cores };
    }
}

fn is_present(machine: &MachineSpec, now: f64, running: usize) -> bool {
    machine.joins_s <= now + ROUNDING_S && (machine.leaves_s.is_none_or(|leaves| now < leaves) || running > 0)
}
