//! The wires between workers and the coordinator. A wire keeps its order, as TCP does, until someone in the middle is hostile;
//! it may be slow, held up for a while, broken, or mute without either end learning of it.

use super::chance::Chance;
use crate::network::Direction;
use shared::protocol::{Envelope, FromCoordinator, FromWorker};
use shared::time::Time;
use std::time::Duration;

/// A connection, numbered from 0 over the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WireId(pub u64);

/// What travels.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// A worker opens a connection.
    Syn,
    /// It is open.
    Accepted,
    /// A frame of a worker.
    Up(Envelope<FromWorker>),
    /// A frame of the coordinator.
    Down(Envelope<FromCoordinator>),
    /// The sender closed the connection after all that it sent before.
    Fin,
    /// There is no such connection.
    Reset,
}

/// What someone in the middle does to frames; each is a share of all frames.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hostility {
    /// Taken away.
    pub drop: f64,
    /// Told twice.
    pub double: f64,
    /// Held back behind later ones.
    pub delay: f64,
}

#[derive(Debug)]
struct Wire {
    station: usize,
    newest: [Time; 2],
    is_mute: [bool; 2],
    is_torn: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    wires: Vec<Wire>,
    latency_s: (f64, f64),
    /// Until when nothing gets through, by worker and direction.
    held_until: Vec<[Time; 2]>,
    /// How many times slower than usual, by worker.
    slowness: Vec<f64>,
    /// What is done to frames.
    pub hostility: Hostility,
    /// Machines without power: the coordinator's first.
    pub is_dark: Vec<bool>,
}

impl Network {
    /// A network for so many workers.
    pub fn new(workers: usize, latency_s: (f64, f64)) -> Self {
        Self {
            wires: Vec::new(),
            latency_s,
            held_until: vec![[Time::ZERO; 2]; workers],
            slowness: vec![1.0; workers],
            hostility: Hostility::default(),
            is_dark: vec![false; workers + 1],
        }
    }

    /// A new wire of a worker.
    pub fn open(&mut self, station: usize) -> WireId {
        self.wires.push(Wire { station, newest: [Time::ZERO; 2], is_mute: [false; 2], is_torn: false });
        WireId(self.wires.len() as u64 - 1)
    }

    /// Whose wire it is.
    pub fn station(&self, wire: WireId) -> usize {
        self.wires[wire.0 as usize].station
    }

    /// The newest wire of a worker.
    pub fn newest_of(&self, station: usize) -> Option<WireId> {
        self.wires.iter().rposition(|wire| wire.station == station).map(|at| WireId(at as u64))
    }

    /// From now on nothing gets through in these directions, and nobody learns of it.
    pub fn mute(&mut self, wire: WireId, up: bool, down: bool) {
        let mute = &mut self.wires[wire.0 as usize].is_mute;
        (mute[Direction::Up as usize], mute[Direction::Down as usize]) = (up, down);
    }

    /// What is on the wire is lost.
    pub fn tear(&mut self, wire: WireId) {
        self.wires[wire.0 as usize].is_torn = true;
    }

    /// Whether a packet that arrives now is still wanted: it was not torn off, and there is power at its end.
    pub fn delivers(&self, wire: WireId, direction: Direction, packet: &Packet) -> bool {
        let wire = &self.wires[wire.0 as usize];
        let end = match direction {
            Direction::Up => 0,
            Direction::Down => wire.station + 1,
        };
        !self.is_dark[end] && (!wire.is_torn || *packet == Packet::Reset)
    }

    /// Holds up what a worker sends or is sent until `until`.
    pub fn hold(&mut self, station: usize, up: bool, down: bool, until: Time) {
        let held = &mut self.held_until[station];
        for (direction, is_held) in [(Direction::Up, up), (Direction::Down, down)] {
            if is_held {
                held[direction as usize] = until;
            }
        }
    }

    /// Makes all wires of a worker so many times slower than usual.
    pub fn slow(&mut self, station: usize, times: f64) {
        self.slowness[station] = times;
    }

    /// All is as it should be, for frames that are sent from now on.
    pub fn heal(&mut self) {
        self.held_until.fill([Time::ZERO; 2]);
        self.slowness.fill(1.0);
        self.hostility = Hostility::default();
        self.is_dark.fill(false);
    }

    /// When a packet arrives, and whether it does, once or twice.
    pub fn send(
        &mut self,
        now: Time,
        chance: &mut Chance,
        id: WireId,
        direction: Direction,
        packet: Packet,
    ) -> Vec<(Time, Packet)> {
        let wire = &mut self.wires[id.0 as usize];
        if wire.is_mute[direction as usize] {
            return Vec::new();
        }
        let way = chance.span(self.latency_s.0, self.latency_s.1).mul_f64(self.slowness[wire.station]);
        let earliest = now.max(self.held_until[wire.station][direction as usize]) + way;
        let newest = &mut wire.newest[direction as usize];
        *newest = (*newest).max(earliest);
        let at = *newest;
        let is_frame = matches!(packet, Packet::Up(_) | Packet::Down(_));
        if !is_frame || self.hostility == Hostility::default() {
            return vec![(at, packet)];
        }
        let Hostility { drop, double, delay } = self.hostility;
        if chance.hits(drop) {
            Vec::new()
        } else if chance.hits(double) {
            vec![(at, packet.clone()), (at + way, packet)]
        } else if chance.hits(delay) {
            // Later frames do not wait for this one.
            vec![(at + way + Duration::from_millis(300), packet)]
        } else {
            vec![(at, packet)]
        }
    }
}
