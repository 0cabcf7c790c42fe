//! The workers: what they have, what they hold, whether they are there.
//!
//! Facts change what must survive a restart (who they are, what they hold); connections, leases and loads are of this
//! life only.

use crate::ConnectionId;
use crate::queue::ClassId;
use shared::fact::Admission;
use shared::hardware::{Inventory, Load};
use shared::id::{Attempt, AttemptNumber, Session, TaskId, WorkerId};
use shared::protocol::digest_of;
use shared::requirement::{Demand, Requirement, Unmet};
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
    /// The attempts it holds.
    pub held: BTreeMap<TaskId, Held>,
    /// How busy it is, as it last said.
    pub load: Load,
    /// When it was last heard.
    pub heard: Time,
    /// When a sample of its load was last kept.
    pub sampled: Option<Time>,
    /// Leases given after this number are unknown to the inventory that was asked for.
    pub inventory_asked: Option<u64>,
    busy: Room,
    suits: BTreeMap<ClassId, bool>,
}

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Connected, and has not yet told what it holds: it gets no work.
    Joining(ConnectionId),
    /// Connected.
    Ready(ConnectionId),
    /// Connected, but not heard for a while: it gets no new work.
    Suspect(ConnectionId),
    /// Connected, and being stopped: it gets no new work.
    Leaving(ConnectionId),
    /// Not connected; what it holds is still its own until the lease ends.
    Disconnected,
    /// It left, or its lease ended.
    Gone,
}

/// An attempt a worker holds, and what it keeps to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which attempt.
    pub number: AttemptNumber,
    /// What it takes.
    pub takes: Room,
    /// Counts all leases ever given in this life.
    pub lease: u64,
}

/// Slots and memory, taken or free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Slots.
    pub slots: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
}

impl Room {
    /// Whether `needed` fits.
    pub fn holds(self, needed: Room) -> bool {
        self.slots >= needed.slots && self.memory_bytes >= needed.memory_bytes
    }

    /// What is left after `taken`; nothing below zero.
    pub fn less(self, taken: Room) -> Room {
        Room { slots: self.slots.saturating_sub(taken.slots), memory_bytes: self.memory_bytes.saturating_sub(taken.memory_bytes) }
    }
}

impl Presence {
    /// Its connection, while it has one.
    pub fn connection(self) -> Option<ConnectionId> {
        match self {
            Presence::Joining(connection)
            | Presence::Ready(connection)
            | Presence::Suspect(connection)
            | Presence::Leaving(connection) => Some(connection),
            Presence::Disconnected | Presence::Gone => None,
        }
    }
}

impl Worker {
    /// What it has free.
    pub fn free(&self) -> Room {
        self.whole().less(self.busy)
    }

    /// What it has when nothing runs.
    pub fn whole(&self) -> Room {
        Room { slots: self.inventory.slots, memory_bytes: self.inventory.memory_bytes }
    }

    /// Slots in use.
    pub fn busy_slots(&self) -> u32 {
        self.busy.slots
    }

    /// What a task with this demand takes here. One that asks for no more than one core takes one slot, however many slots
    /// a core has; one that asks for several takes its share of the cores in slots, so that a task that asks for every core
    /// has the machine to itself whatever the number of slots.
    pub fn takes(&self, demand: Demand) -> Room {
        let cores = u64::from(self.inventory.cores.max(1));
        let share = (u64::from(demand.cores) * u64::from(self.inventory.slots)).div_ceil(cores);
        let slots = if demand.cores <= 1 { 1 } else { share.max(1) };
        Room { slots: u32::try_from(slots).unwrap_or(u32::MAX), memory_bytes: demand.memory_bytes }
    }

    /// Whether it may be given work now, room aside.
    pub fn admits(&self) -> bool {
        matches!(self.presence, Presence::Ready(_)) && self.admission == Admission::Open
    }

    /// The first thing the machine lacks for tasks of this class; nothing when it could run them with nothing else there.
    pub fn unmet(&self, requirement: &Requirement, demand: Demand) -> Option<Unmet> {
        requirement.unmet(&self.name, &self.inventory).or_else(|| {
            let (takes, whole) = (self.takes(demand), self.whole());
            (!whole.holds(takes)).then(|| Unmet {
                needs: format!("{} slots and {} MB at once", takes.slots, takes.memory_bytes / 1_000_000),
                has: format!("{} slots and {} MB in all", whole.slots, whole.memory_bytes / 1_000_000),
            })
        })
    }

    /// The number both sides compute over what it holds.
    pub fn digest(&self) -> u64 {
        digest_of(self.held.iter().map(|(&task, held)| Attempt { task, number: held.number }))
    }

    pub(crate) fn suits(&mut self, class: ClassId, requirement: &Requirement, demand: Demand) -> bool {
        if let Some(known) = self.suits.get(&class) {
            return *known;
        }
        let suits = self.unmet(requirement, demand).is_none();
        self.suits.insert(class, suits);
        suits
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
            held: BTreeMap::new(),
            load: Load::default(),
            heard: Time::ZERO,
            sampled: None,
            inventory_asked: None,
            busy: Room::default(),
            suits: BTreeMap::new(),
        });
    }

    pub(crate) fn describe(&mut self, worker: WorkerIndex, inventory: &Inventory) {
        let worker = self.get_mut(worker);
        worker.inventory = inventory.clone();
        worker.suits.clear();
    }

    /// Sets whether a worker is there, and keeps the way from its connection to it.
    pub(crate) fn set_presence(&mut self, worker: WorkerIndex, presence: Presence) {
        let before = std::mem::replace(&mut self.get_mut(worker).presence, presence);
        if let Some(connection) = before.connection() {
            self.by_connection.remove(&connection);
        }
        if let Some(connection) = presence.connection() {
            self.by_connection.insert(connection, worker);
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, attempt: Attempt, demand: Demand) {
        self.leases_given += 1;
        let lease = self.leases_given;
        let worker = self.get_mut(worker);
        let takes = worker.takes(demand);
        worker.busy.slots += takes.slots;
        worker.busy.memory_bytes += takes.memory_bytes;
        let before = worker.held.insert(attempt.task, Held { number: attempt.number, takes, lease });
        assert!(before.is_none(), "a worker holds one attempt of a task at a time");
    }

    pub(crate) fn free(&mut self, worker: WorkerIndex, task: TaskId) {
        let worker = self.get_mut(worker);
        let held = worker.held.remove(&task).expect("what is freed was taken");
        worker.busy = worker.busy.less(held.takes);
    }

    /// Counts `stood` as time in which every worker was heard.
    pub(crate) fn forgive(&mut self, stood: std::time::Duration) {
        for worker in &mut self.workers {
            worker.heard = worker.heard + stood;
        }
    }
}
