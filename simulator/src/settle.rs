//! How long the fleet takes to settle after a disturbance: until no task waits any more while a slot that could run it is
//! free. A slot counts as free when the coordinator gave it to nobody, a task as waiting when it runs nowhere and was given
//! to nobody; so messages on their way are no unrest, and work that went down with a machine is.

use crate::journal::{AttemptOf, Happened, Journal};
use crate::scenario::{MachineSpec, Scenario};
use crate::tables::Task;
use shared::fact::{Fact, What};
use shared::hardware::HardwareKind;
use shared::id::{AttemptNumber, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// What happens later than this after a disturbance is not its doing, in seconds.
const WINDOW_S: f64 = 1200.0;

/// The longest time to settle after a disturbance of the run: a machine that comes after the beginning or comes back, goes,
/// dies or becomes slower. Zero where there is none.
pub fn settle_s(scenario: &Scenario, journal: &Journal, order: &[usize]) -> f64 {
    let mut watch = Watch::new(scenario, order);
    let (mut now, mut disturbed, mut longest_s) = (0.0, None, 0.0f64);
    for entry in journal.entries() {
        let at = entry.at.seconds();
        if at > now && disturbed.is_some_and(|since| now - since < WINDOW_S) && watch.has_unrest() {
            longest_s = longest_s.max(disturbed.map_or(0.0, |since| at - since));
        }
        now = at;
        if is_disturbance(&entry.what, at, scenario) {
            disturbed = Some(at);
        }
        watch.see(&entry.what);
    }
    longest_s
}

fn is_disturbance(what: &Happened, at: f64, scenario: &Scenario) -> bool {
    match what {
        Happened::MachineUp(_) => at > 0.0,
        Happened::MachineCrashed(_) | Happened::MachineLeaving(_) => true,
        Happened::SpeedChanged { machine, hardware, speed } => *speed < scenario.machines[*machine].declared_speed(*hardware),
        Happened::MachineGone(_) | Happened::Started { .. } | Happened::Stopped { .. } | Happened::Decided(_) => false,
    }
}

/// Who waits and what is free, as time goes on.
struct Watch<'a> {
    scenario: &'a Scenario,
    order: &'a [usize],
    /// Waiting tasks, grouped by what they need.
    classes: Vec<Class>,
    class_of: Vec<usize>,
    machines: Vec<Room>,
    leases: BTreeMap<AttemptOf, (usize, HardwareKind)>,
    waiting: BTreeSet<usize>,
}

/// Tasks that need the same.
struct Class {
    example: usize,
    waiting: usize,
}

#[derive(Clone, Copy, Default)]
struct Room {
    is_open: bool,
    is_leaving: bool,
    cores: f64,
    memory_gb: f64,
    gpu_memory_gb: f64,
}

impl<'a> Watch<'a> {
    fn new(scenario: &'a Scenario, order: &'a [usize]) -> Self {
        let mut classes = Vec::new();
        let mut known: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
        let class_of = scenario.tasks.iter().enumerate().map(|(row, task)| {
            *known.entry(needs(task)).or_insert_with(|| {
                classes.push(Class { example: row, waiting: 0 });
                classes.len() - 1
            })
        });
        let class_of = class_of.collect();
        let machines = vec![Room::default(); scenario.machines.len()];
        Self { scenario, order, classes, class_of, machines, leases: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    fn see(&mut self, what: &Happened) {
        match what {
            Happened::MachineUp(machine) => self.machines[*machine].is_open = true,
            Happened::MachineCrashed(machine) => self.crash(*machine),
            Happened::MachineGone(machine) => self.machines[*machine].is_open = false,
            Happened::MachineLeaving(machine) => self.machines[*machine].is_leaving = true,
            Happened::Decided(fact) => self.hear(fact),
            Happened::Started { .. } | Happened::Stopped { .. } | Happened::SpeedChanged { .. } => {}
        }
    }

    /// The coordinator does not know yet, but nobody works on what the machine was given, and when it comes back it is free.
    fn crash(&mut self, machine: usize) {
        let given: Vec<AttemptOf> = self.leases.iter().filter(|(_, lease)| lease.0 == machine).map(|(of, _)| *of).collect();
        for of in given {
            self.leases.remove(&of);
            if !self.is_given(of.row) {
                self.set_waiting(of.row, true);
            }
        }
        self.machines[machine] = Room { is_leaving: self.machines[machine].is_leaving, ..Room::default() };
    }

    fn hear(&mut self, fact: &Fact) {
        match &fact.what {
            What::TaskQueued { task, .. } | What::TaskRequeued { task, .. } => self.set_waiting(self.row(*task), true),
            What::AttemptLeased { task, attempt, worker, hardware, .. } => {
                let of = self.named(*task, *attempt);
                let machine = self.scenario.machines.iter().position(|machine| machine.name == *worker);
                let machine = machine.expect("only machines of the scenario are given work");
                self.leases.insert(of, (machine, *hardware));
                self.occupy(machine, of.row, *hardware, 1.0);
                self.set_waiting(of.row, false);
            }
            What::AttemptStopped { task, attempt, .. } => {
                let of = self.named(*task, *attempt);
                if let Some((machine, hardware)) = self.leases.remove(&of) {
                    self.occupy(machine, of.row, hardware, -1.0);
                }
            }
            What::TaskFinished { task, .. } => self.set_waiting(self.row(*task), false),
            _ => {}
        }
    }

    fn has_unrest(&self) -> bool {
        let fits = |machine: &MachineSpec, room: &Room, task: &Task| {
            let has_room = room.cores + task.cores <= f64::from(machine.slots) + 1e-6
                && machine.memory_gb.is_none_or(|all| room.memory_gb + task.memory_gb <= all + 1e-6);
            let fits_on = |hardware: &HardwareKind| {
                let all = machine.gpu_memory_gb.unwrap_or(0.0);
                machine.service_s(task, *hardware).is_some()
                    && (!hardware.has_own_memory() || room.gpu_memory_gb + task.gpu_memory_gb <= all + 1e-6)
            };
            room.is_open && !room.is_leaving && has_room && machine.hardware.iter().any(fits_on)
        };
        self.classes.iter().filter(|class| class.waiting > 0).any(|class| {
            let task = &self.scenario.tasks[class.example];
            self.scenario.machines.iter().zip(&self.machines).any(|(machine, room)| fits(machine, room, task))
        })
    }

    fn is_given(&self, row: usize) -> bool {
        let all = AttemptOf { row, ordinal: 0 }..=AttemptOf { row, ordinal: u32::MAX };
        self.leases.range(all).next().is_some()
    }

    fn occupy(&mut self, machine: usize, row: usize, hardware: HardwareKind, times: f64) {
        let (task, room) = (&self.scenario.tasks[row], &mut self.machines[machine]);
        room.cores += times * task.cores;
        room.memory_gb += times * task.memory_gb;
        if hardware.has_own_memory() {
            room.gpu_memory_gb += times * task.gpu_memory_gb;
        }
    }

    fn set_waiting(&mut self, row: usize, waits: bool) {
        let changed = if waits { self.waiting.insert(row) } else { self.waiting.remove(&row) };
        if changed {
            let count = &mut self.classes[self.class_of[row]].waiting;
            *count = if waits { *count + 1 } else { *count - 1 };
        }
    }

    fn row(&self, task: TaskId) -> usize {
        self.order[task.0 as usize - 1]
    }

    fn named(&self, task: TaskId, attempt: AttemptNumber) -> AttemptOf {
        AttemptOf { row: self.row(task), ordinal: attempt.ordinal() }
    }
}

/// What decides where a task can run.
fn needs(task: &Task) -> Vec<u64> {
    let sizes = [task.cores, task.memory_gb, task.gpu_memory_gb].map(f64::to_bits);
    sizes.into_iter().chain(task.hardware().map(|hardware| hardware as u64)).collect()
}
