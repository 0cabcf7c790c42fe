//! The workers: what they have, what they hold, whether they are there.
//!
//! Facts change what must survive a restart (who they are, what they hold) and all that a plan is made from (who takes work,
//! how busy they are); connections and leases are of this life only.

mod bays;
mod presence;
mod room;

pub use bays::{Bays, Seat};
pub use presence::Presence;
pub use room::Room;

use crate::ConnectionId;
use crate::foreign::Foreign;
use crate::health::Health;
use crate::heat::Heat;
use crate::queue::{Class, ClassId};
use shared::fact::Admission;
use shared::hardware::{HardwareKind, Inventory, Load};
use shared::id::{Attempt, AttemptNumber, Session, TaskId, WorkerId};
use shared::planted;
use shared::protocol::digest_of;
use shared::requirement::{Demand, Unmet};
use shared::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A worker by number, in the order in which they first joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub u32);

/// All workers that ever joined.
#[derive(Debug, Default)]
pub struct Fleet {
    workers: Vec<Worker>,
    by_name: BTreeMap<Arc<str>, WorkerIndex>,
    by_connection: BTreeMap<ConnectionId, WorkerIndex>,
    leases_given: u64,
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// What people call it.
    pub name: Arc<str>,
    /// Its identity.
    pub id: WorkerId,
    /// Its newest session.
    pub session: Session,
    /// What it has; empty until it has told.
    pub inventory: Inventory,
    /// Which work it receives.
    pub admission: Admission,
    /// Whether it is there.
    pub presence: Presence,
    /// Whether it is there and told what it holds, as facts say: until a new life of the coordinator begins, or its own.
    pub ready: bool,
    /// Whether it is connected, as facts say, in the same way.
    pub connected: bool,
    /// The attempts it holds.
    pub held: BTreeMap<TaskId, Held>,
    /// How warm it gets.
    pub heat: Heat,
    /// What others use of it.
    pub foreign: Foreign,
    /// How far it is trusted.
    pub health: Health,
    /// Room kept for tasks that are on their way to it.
    pub reserved: BTreeMap<TaskId, (Room, Option<Seat>)>,
    /// How busy it is, as the newest fact says.
    pub load: Load,
    /// How busy it is, as it last said; for people, plans go by `load`.
    pub told_load: Load,
    /// When it was last heard.
    pub heard: Time,
    /// When a sample of its load was last kept, and how many slots were in use then.
    pub sampled: Option<(Time, u32)>,
    /// Leases given after this number are unknown to the inventory that was asked for.
    pub inventory_asked: Option<u64>,
    busy: Room,
    bays: Bays,
    options: BTreeMap<ClassId, Box<[HardwareKind]>>,
}

/// An attempt a worker holds, and what it keeps to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which attempt.
    pub number: AttemptNumber,
    /// What it takes.
    pub takes: Room,
    /// Where it sits, where it runs on a device.
    pub seat: Option<Seat>,
    /// Counts all leases ever given in this life.
    pub lease: u64,
}

impl Worker {
    /// What it has free.
    pub fn free(&self) -> Room {
        self.whole().less(self.busy)
    }

    /// What it has when nothing runs.
    pub fn whole(&self) -> Room {
        Room { slots: self.inventory.slots, memory_bytes: self.inventory.memory_bytes, gpu_memory_bytes: self.bays.whole_bytes() }
    }

    /// What is free of each of its devices.
    pub fn bays(&self) -> &Bays {
        &self.bays
    }

    /// Whether what a task takes is free, and on one device what it takes of devices.
    pub fn has_room(&self, takes: Room, hardware: HardwareKind) -> bool {
        self.free().holds(takes) && self.bays.times(hardware, takes.gpu_memory_bytes) > 0
    }

    /// What it does not have free.
    pub(crate) fn busy(&self) -> Room {
        self.busy
    }

    /// Slots in use.
    pub fn busy_slots(&self) -> u32 {
        self.busy.slots
    }

    /// What a task with this demand takes here. One that asks for no more than one core takes one slot, however many slots
    /// a core has; one that asks for several takes its share of the cores in slots, so that a task that asks for every core
    /// has the machine to itself whatever the number of slots. Memory of a device is taken only on hardware that has its own.
    pub fn takes(&self, demand: Demand, hardware: HardwareKind) -> Room {
        let cores = u64::from(self.inventory.cores.max(1));
        let share = (u64::from(demand.cores) * u64::from(self.inventory.slots)).div_ceil(cores);
        let slots = if demand.cores <= 1 { 1 } else { share.max(1) };
        Room {
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            memory_bytes: demand.memory_bytes,
            gpu_memory_bytes: if hardware.has_own_memory() { demand.gpu_memory_bytes } else { 0 },
        }
    }

    /// Whether it is there and nobody closed it.
    pub fn is_open(&self) -> bool {
        self.ready && self.admission == Admission::Open
    }

    /// Whether it may be given work now, room aside.
    pub fn admits(&self) -> bool {
        self.is_open() && !self.foreign.is_held_back() && self.health.admits()
    }

    /// The first thing the machine lacks for tasks of this class; nothing when it could run them with nothing else there.
    pub fn unmet(&self, class: &Class) -> Option<Unmet> {
        if let Some(unmet) = class.requirement.unmet(&self.name, &self.inventory) {
            return Some(unmet);
        }
        let Some(kind) = class.hardware.iter().copied().find(|kind| self.has(*kind)) else {
            let list =
                |kinds: &mut dyn Iterator<Item = HardwareKind>| kinds.map(HardwareKind::name).collect::<Vec<_>>().join(", ");
            let needs = format!("one of {}", list(&mut class.hardware.iter().copied()));
            return Some(Unmet { needs, has: list(&mut self.inventory.devices.iter().map(|device| device.kind)) });
        };
        if !self.fitting(class).is_empty() {
            return None;
        }
        let told = |room: Room| {
            let device = if room.gpu_memory_bytes > 0 {
                format!(", {} MB on the device", room.gpu_memory_bytes / 1_000_000)
            } else {
                String::new()
            };
            format!("{} slots, {} MB{device}", room.slots, room.memory_bytes / 1_000_000)
        };
        Some(Unmet {
            needs: format!("{} at once", told(self.takes(class.demand, kind))),
            has: format!("{} in all", told(Room { gpu_memory_bytes: self.bays.largest_bytes(kind), ..self.whole() })),
        })
    }

    /// The kinds of its hardware on which tasks of this class fit, requirements aside, in the order of the class.
    fn fitting(&self, class: &Class) -> Vec<HardwareKind> {
        let fits = |kind: &HardwareKind| {
            let takes = self.takes(class.demand, *kind);
            self.has(*kind) && self.whole().holds(takes) && self.bays.largest_bytes(*kind) >= takes.gpu_memory_bytes
        };
        class.hardware.iter().copied().filter(fits).collect()
    }

    /// Whether it has hardware of this kind. One that names no device at all has a processor.
    fn has(&self, kind: HardwareKind) -> bool {
        let says_nothing = self.inventory.devices.is_empty() && kind == HardwareKind::Cpu;
        says_nothing || self.inventory.of_kind(kind).next().is_some()
    }

    /// The kinds of its hardware on which it could run tasks of this class with nothing else there; empty where it cannot.
    pub fn options(&self, class: &Class) -> Vec<HardwareKind> {
        if class.requirement.unmet(&self.name, &self.inventory).is_some() { Vec::new() } else { self.fitting(class) }
    }

    /// Whether it could run tasks of this class with nothing else there; remembered where a plan has asked before.
    pub(crate) fn is_able(&self, id: ClassId, class: &Class) -> bool {
        self.options.get(&id).map_or_else(|| !self.options(class).is_empty(), |options| !options.is_empty())
    }

    /// How fast its hardware of this kind is now beside others of that kind: as its owner declares, times how it says it runs
    /// beside its own normal. 1 where nobody says anything.
    pub fn told_speed(&self, kind: HardwareKind) -> f64 {
        let declared = self.inventory.of_kind(kind).find_map(|device| device.speed);
        [declared, self.load.speed].into_iter().flatten().filter(|speed| speed.is_finite() && *speed > 0.0).product()
    }

    /// The number both sides compute over what it holds.
    pub fn digest(&self) -> u64 {
        digest_of(self.held.iter().map(|(&task, held)| Attempt { task, number: held.number }))
    }

    /// Takes in how busy it is, as a fact says.
    pub(crate) fn hear_load(&mut self, at: Time, load: &Load) {
        (self.load, self.told_load) = (load.clone(), load.clone());
        self.heat.observe(at, load, &self.inventory);
    }

    fn keep(&mut self, takes: Room, seat: Option<Seat>) {
        self.busy = self.busy.plus(takes);
        self.foreign.holds(self.busy);
        seat.into_iter().for_each(|seat| self.bays.take(seat));
    }

    fn give_back(&mut self, takes: Room, seat: Option<Seat>) {
        self.busy = self.busy.less(takes);
        seat.into_iter().for_each(|seat| self.bays.leave(seat));
    }

    /// What [`Worker::options`] says, remembered.
    pub(crate) fn options_for(&mut self, id: ClassId, class: &Class) -> &[HardwareKind] {
        if !self.options.contains_key(&id) {
            let options = self.options(class).into();
            self.options.insert(id, options);
        }
        &self.options[&id]
    }
}

impl Fleet {
    /// The worker with this number.
    pub fn get(&self, worker: WorkerIndex) -> &Worker {
        &self.workers[worker.0 as usize]
    }

    /// All workers.
    pub fn iter(&self) -> impl Iterator<Item = (WorkerIndex, &Worker)> {
        self.workers.iter().enumerate().map(|(at, worker)| (WorkerIndex(at as u32), worker))
    }

    /// The worker of this name.
    pub fn by_name(&self, name: &str) -> Option<WorkerIndex> {
        self.by_name.get(name).copied()
    }

    /// The worker behind a connection.
    pub fn by_connection(&self, connection: ConnectionId) -> Option<WorkerIndex> {
        self.by_connection.get(&connection).copied()
    }

    /// How many workers ever joined.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether no worker ever joined.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// How many workers were not given up.
    pub fn present(&self) -> usize {
        self.workers.iter().filter(|worker| worker.presence != Presence::Gone).count()
    }

    pub(crate) fn leases_given(&self) -> u64 {
        self.leases_given
    }

    pub(crate) fn get_mut(&mut self, worker: WorkerIndex) -> &mut Worker {
        &mut self.workers[worker.0 as usize]
    }

    pub(crate) fn join(&mut self, name: &Arc<str>, id: WorkerId, session: Session) {
        if let Some(worker) = self.by_name(name) {
            let worker = self.get_mut(worker);
            worker.id = id;
            worker.session = session;
            worker.presence = Presence::Disconnected;
            (worker.ready, worker.connected) = (false, true);
            return;
        }
        self.by_name.insert(name.clone(), WorkerIndex(self.workers.len() as u32));
        self.workers.push(Worker {
            name: name.clone(),
            id,
            session,
            inventory: Inventory::default(),
            admission: Admission::Open,
            presence: Presence::Disconnected,
            ready: false,
            connected: true,
            held: BTreeMap::new(),
            load: Load::default(),
            told_load: Load::default(),
            heard: Time::ZERO,
            foreign: Foreign::default(),
            health: Health::default(),
            sampled: None,
            inventory_asked: None,
            busy: Room::default(),
            bays: Bays::default(),
            options: BTreeMap::new(),
            reserved: BTreeMap::new(),
            heat: Heat::default(),
        });
    }

    pub(crate) fn describe(&mut self, worker: WorkerIndex, inventory: &Inventory) {
        let worker = self.get_mut(worker);
        worker.inventory = inventory.clone();
        worker.options.clear();
        worker.bays = Bays::of(inventory);
        let seats = worker.held.values().filter_map(|held| held.seat).chain(worker.reserved.values().filter_map(|kept| kept.1));
        seats.for_each(|seat| worker.bays.take(seat));
    }

    /// Nobody is ready before it came back to the new life.
    pub(crate) fn begin_life(&mut self) {
        self.workers.iter_mut().for_each(|worker| (worker.ready, worker.connected) = (false, false));
    }

    /// Sets whether a worker is there, and keeps the way from its connection to it. It is ready by a fact only.
    pub(crate) fn set_presence(&mut self, worker: WorkerIndex, presence: Presence) {
        let entry = self.get_mut(worker);
        entry.ready &= presence.connection().is_some();
        entry.connected &= presence.connection().is_some();
        let before = std::mem::replace(&mut entry.presence, presence);
        if let Some(connection) = before.connection().filter(|_| !planted::bug(9)) {
            self.by_connection.remove(&connection);
        }
        if let Some(connection) = presence.connection() {
            self.by_connection.insert(connection, worker);
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, attempt: Attempt, takes: Room, seat: Option<Seat>) {
        self.leases_given += 1;
        let lease = self.leases_given;
        let worker = self.get_mut(worker);
        worker.keep(takes, seat);
        worker.health.leased();
        let before = worker.held.insert(attempt.task, Held { number: attempt.number, takes, seat, lease });
        assert!(before.is_none(), "a worker holds one attempt of a task at a time");
    }

    pub(crate) fn free(&mut self, worker: WorkerIndex, task: TaskId) {
        let worker = self.get_mut(worker);
        let held = worker.held.remove(&task).expect("what is freed was taken");
        worker.give_back(held.takes, held.seat);
        if planted::bug(20) {
            worker.busy = worker.busy.less(held.takes);
        }
    }

    /// Keeps room for a task that is on its way.
    pub(crate) fn reserve(&mut self, worker: WorkerIndex, task: TaskId, demand: Demand, hardware: HardwareKind) {
        let worker = self.get_mut(worker);
        let takes = worker.takes(demand, hardware);
        let seat = worker.bays.seat(hardware, takes.gpu_memory_bytes);
        worker.keep(takes, seat);
        let before = worker.reserved.insert(task, (takes, seat));
        assert!(before.is_none(), "a task is on its way to one worker at a time");
    }

    /// Gives up the room kept for a task, where there is any.
    pub(crate) fn unreserve(&mut self, worker: WorkerIndex, task: TaskId) {
        let worker = self.get_mut(worker);
        if let Some((takes, seat)) = worker.reserved.remove(&task) {
            worker.give_back(takes, seat);
        }
    }

    /// Counts `time` before `now` as time in which every worker was heard.
    pub(crate) fn forgive(&mut self, now: Time, time: std::time::Duration) {
        for worker in &mut self.workers {
            worker.heard = (worker.heard + time).min(now);
        }
    }
}
