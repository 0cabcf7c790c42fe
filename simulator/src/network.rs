//! What lies between the coordinator and the machines: messages take their time, and those of one socket keep their order.

use crate::scenario::NetworkSpec;
use coordinator_core::ConnectionId;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use shared::time::Time;
use std::time::Duration;

/// A message takes up to this share more or less than the average.
const JITTER: f64 = 0.2;

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// To the coordinator.
    Up = 0,
    /// To the machine.
    Down = 1,
}

/// The sockets.
#[derive(Debug)]
pub struct Network {
    spec: NetworkSpec,
    random: Pcg64,
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    machine: usize,
    newest: [Time; 2],
}

impl Network {
    /// A network without sockets.
    pub fn new(spec: NetworkSpec, seed: u64) -> Self {
        Self { spec, random: Pcg64::seed_from_u64(seed), sockets: Vec::new() }
    }

    /// Opens a socket for a machine.
    pub fn open(&mut self, machine: usize) -> ConnectionId {
        self.sockets.push(Socket { machine, newest: [Time::ZERO; 2] });
        ConnectionId(self.sockets.len() as u64)
    }

    /// Whose socket it is.
    pub fn machine(&self, connection: ConnectionId) -> usize {
        self.sockets[connection.0 as usize - 1].machine
    }

    /// When a message that is sent now arrives: never before one that was sent earlier.
    pub fn arrival(&mut self, now: Time, connection: ConnectionId, direction: Direction) -> Time {
        let share = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let latency_s = self.spec.latency_ms / 1e3 * (1.0 - JITTER + 2.0 * JITTER * share);
        let newest = &mut self.sockets[connection.0 as usize - 1].newest[direction as usize];
        *newest = (*newest).max(now + Duration::from_secs_f64(latency_s));
        *newest
    }

    /// How long the state of a task travels.
    pub fn transfer(&self, state_mb: f64) -> Duration {
        self.spec.state_mb_per_s.map_or(Duration::ZERO, |rate| ceil_us(state_mb / rate))
    }

    /// The longest a message takes.
    pub fn latency_max(&self) -> Duration {
        Duration::from_secs_f64(self.spec.latency_ms / 1e3 * (1.0 + JITTER))
    }
}

/// Seconds as a duration of whole microseconds, never shorter; at most some thirty years.
pub fn ceil_us(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6).ceil().clamp(0.0, 1e15) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_socket_keep_their_order_and_the_average_latency() {
        let mut network = Network::new(NetworkSpec { latency_ms: 10.0, state_mb_per_s: None }, 1);
        let socket = network.open(0);
        let arrivals: Vec<Time> = (0..1000).map(|sent| network.arrival(Time(sent * 100), socket, Direction::Up)).collect();
        assert!(arrivals.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(arrivals.iter().enumerate().all(|(sent, at)| (8_000..=12_000).contains(&(at.0 - sent as u64 * 100))));
    }
}
