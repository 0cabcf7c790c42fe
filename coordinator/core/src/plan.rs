//! A policy proposes, the coordinator disposes: what a policy sees, what it may ask for, and the guard that checks it.

mod guard;

pub use guard::check;

use crate::adaptive::threshold::Limits;
use crate::estimate::{Estimate, Estimates, KindId};
use crate::fleet::{Bays, Fleet, Presence, Room, WorkerIndex};
use crate::ledger::{Ledger, Task};
use crate::queue::{Class, ClassId, Profile, Queue};
use crate::state::{State, waits};
use shared::config::BalancerConfig;
use shared::fact::Decision;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::time::Time;
use std::sync::Arc;

/// A way of choosing which waiting task goes to which worker. It may be slow or wrong, never unsafe: each move is checked.
pub trait Policy: std::fmt::Debug + Send {
    /// The name under which it is chosen.
    fn name(&self) -> &'static str;
    /// What to do now.
    fn plan(&mut self, view: &mut View<'_>) -> Plan;
}

/// What a policy proposes.
#[derive(Debug, Default)]
pub struct Plan {
    /// Moves, in order.
    pub moves: Vec<Move>,
    /// When it wants to be asked again although nothing changed.
    pub again: Option<Time>,
}

/// One proposed change.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Give a waiting task to a worker.
    Lease {
        /// The task.
        task: TaskId,
        /// The worker.
        to: WorkerIndex,
        /// The kind of its hardware the task is to use.
        hardware: HardwareKind,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed.
        decision: Option<Arc<Decision>>,
    },
    /// Save the state of a running task and let it wait again.
    Preempt {
        /// The task.
        task: TaskId,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed.
        decision: Option<Arc<Decision>>,
    },
    /// Save the state of a running task and go on elsewhere.
    Migrate {
        /// The task.
        task: TaskId,
        /// The worker.
        to: WorkerIndex,
        /// The kind of its hardware the task is to use.
        hardware: HardwareKind,
        /// Seconds earlier it is expected to end.
        gain_s: f64,
        /// Seconds the move is expected to cost.
        cost_s: f64,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed.
        decision: Option<Arc<Decision>>,
    },
    /// Start a second attempt of a running task; the first to end counts.
    Hedge {
        /// The task.
        task: TaskId,
        /// The worker.
        to: WorkerIndex,
        /// The kind of its hardware the task is to use.
        hardware: HardwareKind,
        /// The rule that chose it.
        why: Arc<str>,
        /// What was weighed.
        decision: Option<Arc<Decision>>,
    },
}

/// What the balancer makes of the fleet at the time of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// The thresholds in force.
    pub limits: Limits,
    /// Whether the fleet is uneven: now, or as forecast where predictions count.
    pub uneven: bool,
    /// Whether someone asked for work to be spread anew.
    pub ordered: bool,
}

/// What a policy sees. It counts what it has proposed, so that no room is given away twice.
#[derive(Debug)]
pub struct View<'a> {
    now: Time,
    config: &'a BalancerConfig,
    queue: &'a Queue,
    ledger: &'a Ledger,
    estimates: &'a Estimates,
    fleet: &'a mut Fleet,
    free: Vec<Room>,
    bays: Vec<Bays>,
    balance: Balance,
    migrations_left: usize,
}

impl<'a> View<'a> {
    /// The view of `state` at `now`.
    pub fn new(now: Time, config: &'a BalancerConfig, balance: Balance, state: &'a mut State) -> Self {
        let migrations_left = state.migrations_left(config);
        let State { queue, ledger, fleet, estimates, .. } = state;
        let free = fleet.iter().map(|(_, worker)| if worker.admits() { worker.free() } else { Room::default() }).collect();
        let bays = fleet.iter().map(|(_, worker)| worker.bays().clone()).collect();
        Self { now, config, queue, ledger, estimates, fleet, free, bays, balance, migrations_left }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The published table.
    pub fn config(&self) -> &'a BalancerConfig {
        self.config
    }

    /// The thresholds in force: a worker above the high one is overloaded, below the low one underloaded.
    pub fn thresholds(&self) -> Limits {
        self.balance.limits
    }

    /// Whether the fleet was uneven at the last look: as measured, or more clearly as forecast where predictions count.
    pub fn is_uneven(&self) -> bool {
        self.balance.uneven
    }

    /// Whether someone asked for work to be spread anew, now and not at the next look.
    pub fn is_ordered(&self) -> bool {
        self.balance.ordered
    }

    /// Migrations that may still begin, counting those under way and those the balancer itself proposed.
    pub fn migrations_left(&self) -> usize {
        self.migrations_left
    }

    /// Counts a migration as proposed.
    pub(crate) fn use_migration(&mut self) {
        self.migrations_left = self.migrations_left.saturating_sub(1);
    }

    /// The workers.
    pub fn fleet(&self) -> &Fleet {
        self.fleet
    }

    /// The tasks.
    pub fn ledger(&self) -> &'a Ledger {
        self.ledger
    }

    /// What was learned of durations.
    pub fn estimates(&self) -> &'a Estimates {
        self.estimates
    }

    /// The class with this number.
    pub fn class(&self, class: ClassId) -> &'a Class {
        self.queue.class(class)
    }

    /// Whether any worker has a free slot.
    pub fn has_room(&self) -> bool {
        self.free.iter().any(|room| room.slots > 0)
    }

    /// What is free on a worker, counting what was proposed; nothing where it takes no work.
    pub fn free(&self, worker: WorkerIndex) -> Room {
        self.free[worker.0 as usize]
    }

    /// The groups of waiting tasks, most urgent first, each with its tasks in order.
    pub fn groups(&self) -> impl Iterator<Item = (&'a Profile, impl Iterator<Item = TaskId> + use<'a>)> + use<'a> {
        let ledger = self.ledger;
        let waits = move |task: &TaskId| waits(ledger, *task);
        self.queue.groups().map(move |(profile, tasks)| (profile, tasks.iter().copied().filter(waits)))
    }

    /// The waiting tasks of a group, in order.
    pub fn tasks_of(&self, profile: &Profile) -> impl Iterator<Item = TaskId> + use<'a> {
        let ledger = self.ledger;
        let waits = move |task: &TaskId| waits(ledger, *task);
        self.queue.tasks_of(profile).copied().filter(waits)
    }

    /// How many groups ever began to wait.
    pub fn groups_born(&self) -> u64 {
        self.queue.groups_born()
    }

    /// The groups that began to wait after so many others; nothing where they are more than are remembered.
    pub fn groups_since(&self, born: u64) -> Option<impl Iterator<Item = &'a Profile> + use<'a>> {
        self.queue.groups_since(born)
    }

    /// When the newest task of a group was submitted.
    pub fn newest(&self, profile: &Profile) -> Option<Time> {
        self.queue.tasks_of(profile).next_back().and_then(|task| self.ledger.get(*task)).map(|task| task.submitted)
    }

    /// How many tasks a group holds; some may have been cancelled where they stand.
    pub fn waiting(&self, profile: &Profile) -> usize {
        self.queue.len_of(profile)
    }

    /// The kinds of hardware on which `worker` could run tasks of a class with nothing else there.
    pub fn options(&mut self, class: ClassId, worker: WorkerIndex) -> &[HardwareKind] {
        self.fleet.get_mut(worker).options_for(class, self.queue.class(class))
    }

    /// The workers that can run tasks of this group, whether or not they have room: those it should avoid are left out,
    /// unless there is no other.
    pub fn candidates(&mut self, profile: &Profile) -> Vec<WorkerIndex> {
        let all = 0..self.free.len() as u32;
        let suited = all
            .map(WorkerIndex)
            .filter(|at| self.fleet.get(*at).presence != Presence::Gone && !self.options(profile.class, *at).is_empty());
        let suited: Vec<WorkerIndex> = suited.collect();
        if profile.avoid.is_empty() {
            return suited;
        }
        let liked: Vec<WorkerIndex> = suited.iter().copied().filter(|at| !profile.avoid.contains(at)).collect();
        if liked.is_empty() { suited } else { liked }
    }

    /// What a task of this class takes on that hardware of that worker.
    pub fn takes(&self, class: ClassId, worker: WorkerIndex, hardware: HardwareKind) -> Room {
        self.fleet.get(worker).takes(self.queue.class(class).demand, hardware)
    }

    /// The first of a worker's hardware on which a task of this class fits now.
    pub fn fits_now(&mut self, class: ClassId, worker: WorkerIndex) -> Option<HardwareKind> {
        let options: Vec<HardwareKind> = self.options(class, worker).to_vec();
        options.into_iter().find(|hardware| self.room_for(class, worker, *hardware) > 0)
    }

    /// How many tasks of this class `worker` could still take on that hardware.
    pub fn room_for(&self, class: ClassId, worker: WorkerIndex, hardware: HardwareKind) -> u32 {
        let takes = self.takes(class, worker, hardware);
        self.free[worker.0 as usize].times(takes).min(self.bays[worker.0 as usize].times(hardware, takes.gpu_memory_bytes))
    }

    /// Counts a task of this class as given to `worker`.
    pub fn reserve(&mut self, class: ClassId, worker: WorkerIndex, hardware: HardwareKind) {
        let takes = self.takes(class, worker, hardware);
        let free = &mut self.free[worker.0 as usize];
        *free = free.less(takes);
        let bays = &mut self.bays[worker.0 as usize];
        bays.seat(hardware, takes.gpu_memory_bytes).into_iter().for_each(|seat| bays.take(seat));
    }

    /// Share of a worker's slots that are free, counting what was proposed, 0 to 1.
    pub fn free_share(&self, worker: WorkerIndex) -> f64 {
        let slots = self.fleet.get(worker).inventory.slots.max(1);
        f64::from(self.free[worker.0 as usize].slots) / f64::from(slots)
    }

    /// How fast a worker's hardware is now beside others of that kind: as declared, as it says of itself, as it turned out, and
    /// less for the attempts that come to nothing there.
    pub fn speed(&self, worker: WorkerIndex, hardware: HardwareKind) -> f64 {
        let entry = self.fleet.get(worker);
        entry.told_speed(hardware) * self.estimates.speed(worker, hardware) * entry.health.reliability()
    }

    /// Seconds of a task's work on hardware of speed 1 that are saved and need not be done again.
    pub fn behind_s(&self, task: &Task, hardware: HardwareKind) -> f64 {
        crate::state::behind_s(self.fleet, self.estimates, task, hardware)
    }

    /// What is believed of how long a whole task of this kind takes on that hardware of that worker.
    pub fn expect(&self, kind: KindId, worker: WorkerIndex, hardware: HardwareKind) -> Estimate {
        self.estimates.expect(kind, hardware).at_speed(self.speed(worker, hardware))
    }

    /// What is believed of how long the whole of this task takes on hardware of speed 1: what its submitter said of the first
    /// hardware it can run on counts before what its kind took, and is carried to other hardware by what its kind took there.
    pub fn believe_at_speed_1(&self, task: &Task, hardware: HardwareKind) -> Estimate {
        /// A submitter's figure is right within a third, more often than not.
        const TOLD_VARIANCE: f64 = 0.1;
        let seen = self.estimates.expect(task.kind, hardware);
        let told = task.spec.estimate_s.filter(|seconds| *seconds > 0.0).map(|seconds| {
            let first = self.estimates.expect(task.kind, task.spec.runs_on()[0]);
            Estimate { log: seconds.ln() + seen.log - first.log, variance: TOLD_VARIANCE }
        });
        told.unwrap_or(seen)
    }

    /// What is believed of how long the whole of this task takes there.
    pub fn believe(&self, task: &Task, worker: WorkerIndex, hardware: HardwareKind) -> Estimate {
        self.believe_at_speed_1(task, hardware).at_speed(self.speed(worker, hardware))
    }

    /// Seconds a task is expected to take there after `elapsed_s` of its newest attempt, counting the state it saved before.
    pub fn remaining_s(&self, task: &Task, worker: WorkerIndex, hardware: HardwareKind, elapsed_s: f64) -> f64 {
        let behind_s = self.behind_s(task, hardware) / self.speed(worker, hardware);
        self.believe(task, worker, hardware).remaining_s(behind_s + elapsed_s)
    }
}

/// What a restart costs a task: stopping, starting, reading back what it saved, in seconds.
pub(crate) const RESTART_S: f64 = 1.0;
/// How fast saved state is taken to travel, in bytes per second.
const STATE_BYTES_PER_S: f64 = 50e6;

/// Seconds it costs to move a running task with its state.
pub(crate) fn move_cost_s(task: &Task) -> f64 {
    task.spec.state_bytes as f64 / STATE_BYTES_PER_S + RESTART_S
}
