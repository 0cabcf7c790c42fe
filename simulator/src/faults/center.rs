//! The coordinator's machine and program: it starts from its log, dies, stands still, and hears what the network brings. The
//! deciding half is the production code; what its shell does is mirrored by `driver.rs`, `log.rs` and `session.rs`.

mod driver;
mod log;
mod session;

pub use driver::Input;
pub use log::LogDisk;

use super::around::{Around, CenterAlarm, Happening};
use super::dial::Dial;
use super::network::{Packet, WireId};
use super::sights::Sight;
use crate::network::Direction;
use coordinator_core::{Config, Coordinator};
use driver::Process;
use shared::fact::What;
use shared::id::ClusterId;
use shared::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// The cluster of every run.
pub const CLUSTER: ClusterId = ClusterId(*b"simulated faults");

/// What stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The whole program, as by SIGSTOP or the sleep of its machine: it reads no socket.
    Program(Time),
    /// The loop that owns the core, as by a plan that takes long: sockets are read, and life is stamped.
    Driver(Time),
}

/// How a program dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It is killed: the system closes its sockets.
    Killed,
    /// The machine loses its power: nobody is told.
    PowerLost,
}

/// Where in its work a program dies: at the end of a commit, after so many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeathPoint {
    /// How many commits come before.
    pub after: u64,
    /// How far it gets.
    pub at: DeathPhase,
}

/// How far a program gets with a commit and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathPhase {
    /// Nothing is on disk.
    BeforeWrite,
    /// All is on disk, and nobody was told.
    AfterWrite,
    /// So many effects happened.
    AfterEffects(usize),
}

/// See the module.
#[derive(Debug)]
pub struct Center {
    /// What survives the program.
    pub disk: LogDisk,
    /// Where in its work the program dies.
    pub dies: Option<DeathPoint>,
    /// Commits that have ended, over all lives.
    pub commits: u64,
    dial: Dial,
    /// By how much the wall clock is wrong, in milliseconds.
    pub wall_error_ms: i64,
    process: Option<Process>,
    life: u64,
    stall: Option<Stall>,
    /// Since when it stands still, when it does.
    stalled: Time,
    /// What the system holds for a program that does not read.
    unread: VecDeque<(WireId, Packet)>,
}

impl Center {
    /// A coordinator that was never started.
    pub fn new(ppm: i64) -> Self {
        Self {
            disk: LogDisk::default(),
            dies: None,
            commits: 0,
            dial: Dial::new(Time::ZERO, Time::ZERO, ppm),
            wall_error_ms: 0,
            process: None,
            life: 0,
            stall: None,
            stalled: Time::ZERO,
            unread: VecDeque::new(),
        }
    }

    /// Whether the program runs.
    pub fn is_alive(&self) -> bool {
        self.process.is_some()
    }

    /// Whether it stands still.
    pub fn is_stalled(&self) -> bool {
        self.stall.is_some()
    }

    /// The core, while the program runs.
    pub fn core(&self) -> Option<&Coordinator> {
        self.process.as_ref().map(|process| &process.core)
    }

    /// Starts the program: what the log holds is replayed, and the new life is on disk before anyone can connect.
    pub fn start(&mut self, around: &mut Around) {
        if self.process.is_some() {
            return;
        }
        around.network.is_dark[0] = false;
        self.life += 1;
        let config = Config { ..around.setting.config.clone() };
        let mut core = Coordinator::new(config, around.setting.policy(self.life));
        self.disk.facts.iter().for_each(|fact| core.replay(fact));
        if !self.disk.facts.is_empty() {
            around.sights.see(Sight::Replayed);
        }
        let began = self.disk.facts.iter().rev().find_map(|fact| match &fact.what {
            What::CoordinatorStarted { wall_ms, .. } => Some((fact.at, *wall_ms)),
            _ => None,
        });
        let wall_ms = self.wall_ms(around.now);
        let offset = resume_at(core.state().at, began, wall_ms);
        around.witness.began(&core);
        let mut process = Process::new(core, self.dial.restarted(around.now, offset), self.life);
        process.begin(around, wall_ms);
        self.process = Some(process);
        self.go_on(around);
    }

    /// The program dies. A commit that was under way is on disk or is not: nobody can tell before the next life.
    pub fn die(&mut self, around: &mut Around, death: Death) {
        let Some(process) = self.process.take() else { return };
        around.trace.note(around.now, &[1, self.life], || format!("the coordinator dies: {death:?}"));
        let wires = process.wires();
        if process.crash(&mut self.disk, around) {
            around.sights.see(Sight::TailLost);
        }
        self.stall = None;
        self.unread.clear();
        self.dies = None;
        for wire in wires {
            match death {
                Death::PowerLost => {}
                Death::Killed if around.chance.hits(0.5) => around.tear(wire),
                Death::Killed => around.send(wire, Direction::Down, Packet::Fin),
            }
        }
        around.network.is_dark[0] = death == Death::PowerLost;
        around.witness.center_died();
    }

    /// It stands still for a while.
    pub fn stall(&mut self, now: Time, stall: Stall) {
        if self.process.is_some() {
            (self.stall, self.stalled) = (Some(stall), now);
        }
    }

    /// It goes on: what has gathered is read first.
    pub fn go_on_after_stall(&mut self, around: &mut Around) {
        if let (Some(Stall::Program(_)), Some(process)) = (self.stall.take(), &mut self.process) {
            process.deaf += around.now.since(self.stalled);
        }
        while let Some((wire, packet)) = self.unread.pop_front() {
            self.arrives(around, wire, packet);
        }
        self.go_on(around);
    }

    /// A packet reaches the machine.
    pub fn arrives(&mut self, around: &mut Around, wire: WireId, packet: Packet) {
        if let (Some(Stall::Program(_)), Some(_)) = (self.stall, &self.process) {
            self.unread.push_back((wire, packet));
            return;
        }
        match &mut self.process {
            Some(process) => process.hears(around, wire, packet),
            None if packet != Packet::Reset => around.send(wire, Direction::Down, Packet::Reset),
            None => {}
        }
        self.go_on(around);
    }

    /// A submitter or an operator asks for something.
    pub fn asked(&mut self, around: &mut Around, input: Input) {
        // Without a listening program the caller's connection is refused.
        if let Some(process) = self.process.as_mut().filter(|process| process.is_listening) {
            process.mailbox.push_back(input);
        }
        self.go_on(around);
    }

    /// Something is due.
    pub fn alarm(&mut self, around: &mut Around, life: u64, alarm: CenterAlarm) {
        if alarm == CenterAlarm::Start {
            return self.start(around);
        }
        if life != self.life {
            return;
        }
        if let (Some(Stall::Program(until)), Some(_)) = (self.stall, &self.process) {
            let late = until + Duration::from_micros(1);
            around.clockwork.set(late, Happening::Center(life, alarm));
            return;
        }
        let Some(process) = &mut self.process else { return };
        match alarm {
            CenterAlarm::Start => {}
            CenterAlarm::Committed => {
                self.commits += 1;
                if process.committed(around, &mut self.disk, &mut self.dies) {
                    self.die(around, Death::Killed);
                    let (low, high) = around.setting.away_s;
                    around.soon(low, high, Happening::Center(0, CenterAlarm::Start));
                }
            }
            CenterAlarm::Silence(wire) => process.silence(around, wire),
            CenterAlarm::Stored(wire, attempt, offset) => process.stored(around, wire, attempt, offset),
        }
        self.go_on(around);
    }

    /// The true time at which the core wants to be woken, while it can be.
    pub fn next_wakeup(&self) -> Option<Time> {
        let process = self.process.as_ref().filter(|_| self.stall.is_none())?;
        process.next_wakeup()
    }

    /// Lets the program do all that it can do now.
    pub fn go_on(&mut self, around: &mut Around) {
        if self.stall.is_some() {
            return;
        }
        if let Some(process) = &mut self.process {
            process.drive(around, &self.disk);
        }
    }

    fn wall_ms(&self, now: Time) -> u64 {
        (1_700_000_000_000 + now.0 / 1000).saturating_add_signed(self.wall_error_ms)
    }
}

/// Where the time of the run goes on, as in the coordinator's shell: the wall clock adds how long it was away.
fn resume_at(last: Time, began: Option<(Time, u64)>, wall_ms: u64) -> Time {
    let Some((at, then_ms)) = began else { return last };
    let by_wall = at + Duration::from_millis(wall_ms.saturating_sub(then_ms));
    by_wall.max(last).min(last + Duration::from_secs(30 * 24 * 3600))
}
