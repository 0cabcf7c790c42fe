//! A worker's machine: its disk, its daemon, the processes of its attempts. The deciding half of the daemon is the production
//! code; what its shell does is mirrored by `daemon.rs`.

mod daemon;
mod processes;

pub use processes::{Processes, content};

use super::around::{Around, Happening, StationAlarm};
use super::center::Death;
use super::dial::Dial;
use super::network::{Packet, WireId};
use super::sights::Sight;
use super::tasks;
use crate::network::Direction;
use daemon::Daemon;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::{Attempt, BootNonce, ClusterId, Epoch, WorkerId};
use shared::outcome::{Outcome, TestResult};
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use worker_core::{Event, Identity, Leftover, Worker};

/// What a worker's work directory holds.
#[derive(Debug, Clone)]
pub struct WorkDir {
    worker: WorkerId,
    cluster: Option<ClusterId>,
    epoch_seen: Epoch,
    /// Results that were not acknowledged.
    pub results: BTreeMap<Attempt, (Outcome, Vec<TestResult>)>,
}

/// An order to the thread of the disk.
#[derive(Debug, Clone)]
pub enum DiskOrder {
    Store(Attempt, Outcome, Vec<TestResult>),
    Forget(Attempt),
    Discard(Attempt),
}

/// How long a worker stands still, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// Its daemon, until then; its tasks run on.
    Daemon(Time),
    /// All of it, since and until then.
    Machine { since: Time, until: Time },
}

/// What waits for a daemon that stands still.
#[derive(Debug)]
enum Unread {
    Packet(WireId, Packet),
    Event(Event),
}

/// See the module.
#[derive(Debug)]
pub struct Station {
    index: usize,
    name: String,
    machine: Inventory,
    dial: Dial,
    /// What is on its disk.
    pub work_dir: WorkDir,
    orders: VecDeque<DiskOrder>,
    /// What runs there.
    pub processes: Processes,
    daemon: Option<Daemon>,
    life: u64,
    stall: Option<Stall>,
    unread: VecDeque<Unread>,
}

impl Station {
    /// A worker that was never started.
    pub fn new(index: usize, slots: u32, ppm: i64) -> Self {
        let cpu = Device::of_kind(HardwareKind::Cpu, ProbeLevel::Enumerated);
        Self {
            index,
            name: format!("w{index}"),
            machine: Inventory {
                slots,
                cores: slots,
                memory_bytes: 8_000_000_000,
                devices: vec![cpu],
                ..Inventory::default()
            },
            dial: Dial::new(Time::ZERO, Time::ZERO, ppm),
            work_dir: WorkDir::new(index, 0),
            orders: VecDeque::new(),
            processes: Processes::default(),
            daemon: None,
            life: 0,
            stall: None,
            unread: VecDeque::new(),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its daemon runs.
    pub fn is_alive(&self) -> bool {
        self.daemon.is_some()
    }

    /// Whether it stands still.
    pub fn is_stalled(&self) -> bool {
        self.stall.is_some()
    }

    /// The core, while the daemon runs.
    pub fn core(&self) -> Option<&Worker> {
        self.daemon.as_ref().map(|daemon| &daemon.core)
    }

    /// The latest life of a coordinator that it has obeyed.
    pub fn epoch_seen(&self) -> Epoch {
        self.work_dir.epoch_seen
    }

    /// Whether nothing of any attempt is left: no process, no result, no output.
    pub fn is_quiet(&self) -> bool {
        let holds_nothing = self.daemon.as_ref().is_none_or(|daemon| daemon.core.held().is_empty());
        holds_nothing && self.processes.is_empty() && self.work_dir.results.is_empty() && self.orders.is_empty()
    }

    /// What is left, for people.
    pub fn what_is_left(&self) -> String {
        let held = self.daemon.as_ref().map(|daemon| daemon.core.held());
        let results: Vec<&Attempt> = self.work_dir.results.keys().collect();
        format!("{} holds {held:?}, runs and keeps {:?}, has results of {results:?}", self.name, self.processes)
    }

    /// Starts the daemon with what its disk holds.
    pub fn start(&mut self, around: &mut Around) {
        if self.daemon.is_some() {
            return;
        }
        around.network.is_dark[self.index + 1] = false;
        self.life += 1;
        self.stall = None;
        // What an earlier life left running is killed before anything is said of it.
        self.processes.kill_all(around);
        self.processes.sweep(|attempt| self.work_dir.results.contains_key(attempt));
        if !self.work_dir.results.is_empty() {
            around.sights.see(Sight::ResultKept);
        }
        let results = self.work_dir.results.iter();
        let leftovers = results.map(|(attempt, (outcome, tests))| Leftover {
            attempt: *attempt,
            outcome: outcome.clone(),
            tests: tests.clone(),
            log_bytes: self.processes.printed(*attempt),
        });
        let identity = Identity {
            worker: self.work_dir.worker,
            name: self.name.clone(),
            boot: BootNonce(self.life.to_le_bytes()),
            cluster: self.work_dir.cluster,
            epoch_seen: self.work_dir.epoch_seen,
            version: "simulated".into(),
        };
        let seed = (self.life << 8) ^ self.index as u64 ^ around.setting.seed;
        let core = Worker::new(identity, self.machine.clone(), leftovers.collect(), seed);
        let clock = self.dial.restarted(around.now, Time::ZERO);
        around.trace.note(around.now, &[3, self.index as u64], || format!("{} starts", self.name));
        self.daemon = Some(Daemon::new(core, clock, self.index, self.life));
        self.happened(around, Event::Woke);
    }

    /// The daemon dies, and with the machine's power all that runs there. What the disk had not yet done is not done.
    pub fn die(&mut self, around: &mut Around, death: Death) {
        around.trace.note(around.now, &[4, self.index as u64], || format!("{} dies: {death:?}", self.name));
        if self.orders.drain(..).any(|order| matches!(order, DiskOrder::Store(..))) {
            around.sights.see(Sight::PersistLost);
        }
        self.unread.clear();
        self.stall = None;
        // Without a process that holds them, the processes of attempts do not outlive the daemon.
        self.processes.kill_all(around);
        if let Some(wire) = self.daemon.take().and_then(|daemon| daemon.wire()) {
            match death {
                Death::PowerLost => {}
                Death::Killed if around.chance.hits(0.5) => around.tear(wire),
                Death::Killed => around.send(wire, Direction::Up, Packet::Fin),
            }
        }
        if death == Death::PowerLost {
            around.network.is_dark[self.index + 1] = true;
        }
    }

    /// Its work directory is removed while its daemon is down: it comes back as someone else.
    pub fn forget_all(&mut self) {
        self.work_dir = WorkDir::new(self.index, self.life);
        self.orders.clear();
    }

    /// It stands still for a while.
    pub fn stall(&mut self, stall: Stall) {
        if self.daemon.is_some() {
            self.stall = Some(stall);
        }
    }

    /// It goes on: what has gathered is read first.
    pub fn go_on_after_stall(&mut self, around: &mut Around) {
        self.stall = None;
        while let Some(unread) = self.unread.pop_front() {
            match unread {
                Unread::Packet(wire, packet) => self.arrives(around, wire, packet),
                Unread::Event(event) => self.happened(around, event),
            }
        }
    }

    /// A packet reaches the machine.
    pub fn arrives(&mut self, around: &mut Around, wire: WireId, packet: Packet) {
        if self.stall.is_some() {
            self.unread.push_back(Unread::Packet(wire, packet));
            return;
        }
        let Some(event) = self.daemon.as_mut().and_then(|daemon| daemon.hears(around, wire, packet)) else { return };
        self.happened(around, event);
    }

    /// Something is due.
    pub fn alarm(&mut self, around: &mut Around, life: u64, alarm: StationAlarm) {
        match alarm {
            StationAlarm::Start => self.start(around),
            StationAlarm::Write(wire) if life == self.life => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.write(around, wire);
                }
            }
            StationAlarm::Disk if life == self.life => self.carry_out(around),
            StationAlarm::Write(_) | StationAlarm::Disk => {}
        }
    }

    /// The next step of an attempt's processes.
    pub fn process(&mut self, around: &mut Around, attempt: Attempt, version: u64) {
        if let Some(Stall::Machine { since, until }) = self.stall {
            let late = until + around.now.since(since);
            around.clockwork.set(late, Happening::Process(self.index, attempt, version));
            return;
        }
        for event in self.processes.step(around, self.index, attempt, version) {
            self.happened(around, event);
        }
    }

    /// Something happened on the machine: the daemon learns of it, now or when it goes on.
    pub fn happened(&mut self, around: &mut Around, event: Event) {
        if self.stall.is_some() {
            self.unread.push_back(Unread::Event(event));
            return;
        }
        let Some(daemon) = &mut self.daemon else { return };
        let stop = daemon.work_off(around, event, &mut self.work_dir, &mut self.processes, &mut self.orders);
        if self.orders.len() == 1 && !stop {
            around.soon(0.000_2, 0.02, Happening::Station(self.index, self.life, StationAlarm::Disk));
        }
        if stop {
            self.ended(around);
        }
    }

    /// The true time at which the daemon wants to be woken, while it can be.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.daemon.as_ref().filter(|_| self.stall.is_none()).and_then(Daemon::next_wakeup)
    }

    /// The daemon has said its last word: it kills what still runs, lets its disk finish, and ends.
    fn ended(&mut self, around: &mut Around) {
        while !self.orders.is_empty() {
            self.carry_out(around);
        }
        let Some(daemon) = self.daemon.take() else { return };
        daemon.close(around);
        self.processes.kill_all(around);
        self.unread.clear();
        // Someone starts it again.
        around.soon(5.0, 60.0, Happening::Station(self.index, self.life, StationAlarm::Start));
    }

    /// The disk carries out its oldest order.
    fn carry_out(&mut self, around: &mut Around) {
        match self.orders.pop_front() {
            Some(DiskOrder::Store(attempt, outcome, tests)) => {
                // A result that is acknowledged before the disk got round to it needs no file.
                let is_forgotten = |order: &DiskOrder| matches!(order, DiskOrder::Forget(other) if *other == attempt);
                if !self.orders.iter().any(is_forgotten) {
                    self.work_dir.results.insert(attempt, (outcome, tests));
                }
            }
            Some(DiskOrder::Forget(attempt)) => drop(self.work_dir.results.remove(&attempt)),
            Some(DiskOrder::Discard(attempt)) => self.processes.discard(attempt),
            None => {}
        }
        if !self.orders.is_empty() {
            around.soon(0.000_2, 0.02, Happening::Station(self.index, self.life, StationAlarm::Disk));
        }
    }
}

impl WorkDir {
    fn new(index: usize, life: u64) -> Self {
        let mut worker = [0; 16];
        worker[0] = index as u8 + 1;
        worker[8..].copy_from_slice(&life.to_le_bytes());
        Self { worker: WorkerId(worker), cluster: None, epoch_seen: Epoch(0), results: BTreeMap::new() }
    }
}

/// The fate of an attempt on a machine.
fn fate(around: &Around, attempt: Attempt, spec: &shared::task::TaskSpec) -> tasks::Fate {
    tasks::Fate::of(around.setting.seed, attempt, spec)
}
