//! A worker's machine: its disk, its daemon, the process that holds its attempts. The deciding half of the daemon is the production
//! code; what its shell does is mirrored by `daemon.rs` and `runner.rs`.

mod daemon;
mod runner;

use super::around::{Around, Happening, StationAlarm};
use super::center::Death;
use super::dial::Dial;
use super::network::{Packet, WireId};
use super::sights::Sight;
use crate::network::Direction;
use daemon::Daemon;
use runner::Runner;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::{Attempt, BootNonce, ClusterId, Epoch, WorkerId};
use shared::outcome::{Failure, Outcome};
use shared::time::Time;
use std::collections::VecDeque;
use worker_core::{Event, Identity, Worker};

/// What a worker's work directory holds, beside what its runner keeps there.
#[derive(Debug, Clone)]
struct WorkDir {
    worker: WorkerId,
    cluster: Option<ClusterId>,
    epoch_seen: Epoch,
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
#[expect(clippy::large_enum_variant, reason = "few wait, and only while a daemon stands still")]
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
    work_dir: WorkDir,
    /// What holds its attempts.
    pub runner: Runner,
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
            machine: Inventory { slots, cores: slots, memory_bytes: 8_000_000_000, devices: vec![cpu], ..Inventory::default() },
            dial: Dial::new(Time::ZERO, Time::ZERO, ppm),
            work_dir: WorkDir::new(index, 0),
            runner: Runner::new(index, Dial::new(Time::ZERO, Time::ZERO, ppm)),
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

    /// Whether nothing on it can be reached, not even to be killed: the whole machine stands still.
    pub fn is_frozen(&self) -> bool {
        matches!(self.stall, Some(Stall::Machine { .. }))
    }

    /// The latest life of a coordinator that it has obeyed.
    pub fn epoch_seen(&self) -> Epoch {
        self.work_dir.epoch_seen
    }

    /// Whether nothing of any attempt is left: no process, no result, no output.
    pub fn is_quiet(&self) -> bool {
        self.daemon.as_ref().is_none_or(|daemon| daemon.core.held().is_empty()) && self.runner.is_empty()
    }

    /// Whether its daemon holds an attempt.
    pub fn holds(&self, attempt: Attempt) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| daemon.core.held().contains(&attempt))
    }

    /// What is left, for people.
    pub fn what_is_left(&self) -> String {
        let held = self.daemon.as_ref().map(|daemon| daemon.core.held());
        format!("{} holds {held:?}, and there {:?}", self.name, self.runner)
    }

    /// Starts the daemon: it takes over what its machine holds.
    pub fn start(&mut self, around: &mut Around) {
        if self.daemon.is_some() {
            return;
        }
        around.network.is_dark[self.index + 1] = false;
        self.life += 1;
        self.stall = None;
        if self.runner.is_busy() {
            around.sights.see(Sight::TakesOver);
        }
        let (held, events) = self.runner.find();
        if !events.is_empty() {
            around.sights.see(Sight::ResultKept);
        }
        let identity = Identity {
            worker: self.work_dir.worker,
            name: self.name.clone(),
            boot: BootNonce(self.life.to_le_bytes()),
            cluster: self.work_dir.cluster,
            epoch_seen: self.work_dir.epoch_seen,
            version: "simulated".into(),
        };
        let seed = (self.life << 8) ^ self.index as u64 ^ around.setting.seed;
        let core = Worker::new(identity, self.machine.clone(), held, seed);
        around.trace.note(around.now, &[3, self.index as u64], || format!("{} starts", self.name));
        self.daemon = Some(Daemon::new(core, self.dial, self.index, self.life));
        events.into_iter().for_each(|event| self.happened(around, event));
        self.happened(around, Event::Woke);
    }

    /// The daemon dies; with the machine's power all that runs there, and what the disk had not yet done is not done.
    pub fn die(&mut self, around: &mut Around, death: Death) {
        around.trace.note(around.now, &[4, self.index as u64], || format!("{} dies: {death:?}", self.name));
        self.unread.clear();
        self.stall = None;
        self.runner.daemon_died();
        if let Some(wire) = self.daemon.take().and_then(|daemon| daemon.wire()) {
            match death {
                Death::PowerLost => {}
                Death::Killed if around.chance.hits(0.5) => around.tear(wire),
                Death::Killed => around.send(wire, Direction::Up, Packet::Fin),
            }
        }
        if death == Death::PowerLost {
            self.runner.die(around);
            around.network.is_dark[self.index + 1] = true;
        }
    }

    /// The process that holds its attempts is killed: the daemon notices, and says so of each.
    pub fn kill_runner(&mut self, around: &mut Around) {
        for attempt in self.runner.die(around) {
            let outcome = Outcome::failed(Failure::Infra, "the runner that held it on this worker has died");
            self.happened(around, Event::Ended { attempt, outcome, log_bytes: 0, is_clean: true, by: None });
        }
    }

    /// Its work directory is removed while its daemon is down: it comes back as someone else.
    pub fn forget_all(&mut self) {
        self.work_dir = WorkDir::new(self.index, self.life);
        self.runner.forget_all();
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
            StationAlarm::Write(_) => {}
        }
    }

    /// The next step of an attempt's processes.
    pub fn process(&mut self, around: &mut Around, attempt: Attempt, version: u64) {
        if let Some(Stall::Machine { since, until }) = self.stall {
            let late = until + around.now.since(since);
            self.runner.put_off(attempt, until.since(since));
            around.clockwork.set(late, Happening::Process(self.index, attempt, version));
            return;
        }
        if let Some(event) = self.runner.step(around, attempt, version) {
            self.happened(around, event);
        }
    }

    /// The lease of what runs may have ended.
    pub fn lease(&mut self, around: &mut Around) {
        match self.stall {
            Some(Stall::Machine { until, .. }) => around.clockwork.set(until, Happening::Lease(self.index)),
            Some(Stall::Daemon(_)) | None => self.runner.watch_lease(around),
        }
    }

    /// A state that was being sent has arrived, or has not.
    pub fn uploaded(&mut self, around: &mut Around, life: u64, attempt: Attempt, is_there: bool) {
        if life != self.life || self.daemon.is_none() {
            return;
        }
        let state = self.runner.state(around, attempt).filter(|_| is_there);
        if state.is_none() {
            around.sights.see(Sight::UploadFails);
        }
        let state = state.ok_or_else(|| "it could not be sent".to_owned());
        self.happened(around, Event::Stored { attempt, state });
    }

    /// Something happened on the machine: the daemon learns of it, now or when it goes on.
    pub fn happened(&mut self, around: &mut Around, event: Event) {
        if self.stall.is_some() {
            self.unread.push_back(Unread::Event(event));
            return;
        }
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.work_off(around, event, &mut self.work_dir, &mut self.runner) {
            self.ended(around);
        }
    }

    /// The true time at which the daemon wants to be woken, while it can be.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.daemon.as_ref().filter(|_| self.stall.is_none()).and_then(Daemon::next_wakeup)
    }

    /// The daemon has said its last word: what still runs is killed, and it ends.
    fn ended(&mut self, around: &mut Around) {
        let Some(daemon) = self.daemon.take() else { return };
        daemon.close(around);
        self.runner.leave(around);
        self.unread.clear();
        // Someone starts it again.
        around.soon(5.0, 60.0, Happening::Station(self.index, self.life, StationAlarm::Start));
    }
}

impl WorkDir {
    fn new(index: usize, life: u64) -> Self {
        let mut worker = [0; 16];
        worker[0] = index as u8 + 1;
        worker[8..].copy_from_slice(&life.to_le_bytes());
        Self { worker: WorkerId(worker), cluster: None, epoch_seen: Epoch(0) }
    }
}
