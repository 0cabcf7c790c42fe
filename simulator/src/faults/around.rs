//! What all parts of a simulated farm share: the true time, what is going to happen, the network, who watches.

use super::chance::Chance;
use super::clients::Request;
use super::network::{Network, Packet, WireId};
use super::setting::Setting;
use super::sights::Sights;
use super::trace::Trace;
use super::trouble::Mend;
use super::witness::Witness;
use crate::clockwork::Clockwork;
use crate::network::Direction;
use shared::id::{Attempt, Digest};
use shared::time::Time;
use std::collections::BTreeMap;

/// Something that happens.
#[derive(Debug)]
pub enum Happening {
    /// A packet reaches the end of its wire.
    Arrives(WireId, Direction, Packet),
    /// Something is due at the coordinator, in one of its lives.
    Center(u64, CenterAlarm),
    /// Something is due at a worker's daemon, in one of its lives.
    Station(usize, u64, StationAlarm),
    /// The next step of an attempt's processes at a worker; nothing where a newer one was set.
    Process(usize, Attempt, u64),
    /// The next trouble.
    Trouble,
    /// The lease of a worker's runner may have ended.
    Lease(usize),
    /// A worker's daemon has sent the state of an attempt to the coordinator, or could not.
    Uploaded(usize, u64, Attempt),
    /// The end of a trouble.
    Mend(Mend),
    /// Someone submits tasks.
    Submit,
    /// An operator gives an order.
    Order,
    /// A submitter that has heard nothing asks again.
    Repeat(Request),
}

/// What is due at a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CenterAlarm {
    /// The program is started.
    Start,
    /// A commit has ended, well or badly.
    Committed,
    /// A session may have been silent for too long, or its handshake may have taken too long.
    Silence(WireId),
    /// Output that was handed to the store is stored.
    Stored(WireId, Attempt, u64),
}

/// What is due at a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum StationAlarm {
    /// The daemon is started.
    Start,
    /// Its socket takes the next frame.
    Write(WireId),
}

/// See the module.
#[derive(Debug)]
pub struct Around {
    /// The true time.
    pub now: Time,
    /// What is going to happen.
    pub clockwork: Clockwork<Happening>,
    /// The network.
    pub network: Network,
    /// Small chances: how long messages, disks and processes take.
    pub chance: Chance,
    /// Who sees all and says what is wrong.
    pub witness: Witness,
    /// What was ever seen.
    pub sights: Sights,
    /// What happened, as a number and, where asked for, in words.
    pub trace: Trace,
    /// How far each saved state is, 0 to 1.
    pub states: BTreeMap<Digest, f64>,
    /// No state reaches the coordinator, or comes from there.
    pub is_store_down: bool,
    /// What the seed decided.
    pub setting: Setting,
}

impl Around {
    /// A world at its beginning.
    pub fn new(setting: Setting, trace: Trace) -> Self {
        Self {
            now: Time::ZERO,
            clockwork: Clockwork::default(),
            network: Network::new(setting.slots.len(), setting.latency_s),
            chance: Chance::new(setting.seed, "small"),
            witness: Witness::default(),
            sights: Sights::default(),
            trace,
            states: BTreeMap::new(),
            is_store_down: false,
            setting,
        }
    }

    /// Lets something happen after so many seconds drawn from `low` to `high`.
    pub fn soon(&mut self, low: f64, high: f64, what: Happening) {
        let at = self.now + self.chance.span(low, high);
        self.clockwork.set(at, what);
    }

    /// Puts a packet on a wire. Where it is lost nobody learns of it.
    pub fn send(&mut self, wire: WireId, direction: Direction, packet: Packet) {
        for (at, packet) in self.network.send(self.now, &mut self.chance, wire, direction, packet) {
            self.clockwork.set(at, Happening::Arrives(wire, direction, packet));
        }
    }

    /// Breaks a wire: what is on it is lost, and both ends learn of it.
    pub fn tear(&mut self, wire: WireId) {
        self.network.tear(wire);
        self.send(wire, Direction::Up, Packet::Reset);
        self.send(wire, Direction::Down, Packet::Reset);
    }
}
