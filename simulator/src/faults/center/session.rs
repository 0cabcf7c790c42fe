//! One worker's socket at the coordinator: the handshake, frames in, frames out. Mirrors `coordinator/src/session.rs`.

use super::CLUSTER;
use super::driver::{Input, Process};
use crate::faults::around::{Around, CenterAlarm, Happening};
use crate::faults::network::{Packet, WireId};
use crate::faults::sights::Sight;
use crate::network::Direction;
use shared::id::{Attempt, BootNonce};
use shared::planted;
use shared::protocol::{Envelope, FromCoordinator, FromWorker, Hello, PROTOCOL_MAX, Refusal, ResultAnswer};
use shared::time::Time;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The whole handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A session without a frame for this long is half-open, and ends.
const SILENCE: Duration = Duration::from_secs(20);
/// Attempts with a result whose output may still come.
const TRAILING_MAX: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub struct Session {
    /// Messages that wait for the socket.
    pub queue: Vec<FromCoordinator>,
    /// Whether messages of the core reach it.
    pub has_outbox: bool,
    stage: Stage,
    seen: u64,
    said: u64,
    heard: Time,
    live: BTreeSet<Attempt>,
    trailing: VecDeque<Attempt>,
}

#[derive(Debug)]
enum Stage {
    Hello,
    Proof(Hello),
    Open,
}

impl Session {
    fn new(now: Time) -> Self {
        Self {
            queue: Vec::new(),
            has_outbox: false,
            stage: Stage::Hello,
            seen: 0,
            said: 0,
            heard: now,
            live: BTreeSet::new(),
            trailing: VecDeque::new(),
        }
    }

    /// The attempts whose output this session may bring.
    fn note(&mut self, message: &FromCoordinator) {
        match message {
            FromCoordinator::Start(start) => drop(self.live.insert(start.attempt)),
            FromCoordinator::Reconcile { keep, .. } => self.live.extend(keep),
            FromCoordinator::ResultAck { attempt, answer: ResultAnswer::Fenced { .. } }
            | FromCoordinator::Fenced { attempt, .. } => {
                self.live.remove(attempt);
            }
            FromCoordinator::ResultAck { attempt, answer: ResultAnswer::Recorded | ResultAnswer::Duplicate } => {
                self.live.remove(attempt);
                self.trailing.truncate(TRAILING_MAX - 1);
                self.trailing.push_front(*attempt);
            }
            _ => {}
        }
    }

    fn frame(&mut self, messages: Vec<FromCoordinator>) -> Packet {
        self.said += 1;
        Packet::Down(Envelope { seq: self.said, ack: self.seen, messages })
    }
}

impl Process {
    /// A packet arrives.
    pub fn hears(&mut self, around: &mut Around, wire: WireId, packet: Packet) {
        match packet {
            Packet::Syn if self.is_listening => {
                self.sessions.insert(wire, Session::new(around.now));
                let late = around.now + HANDSHAKE;
                around.clockwork.set(late, Happening::Center(self.life, CenterAlarm::Silence(wire)));
                around.send(wire, Direction::Down, Packet::Accepted);
            }
            Packet::Syn => around.send(wire, Direction::Down, Packet::Reset),
            Packet::Up(envelope) => self.frame(around, wire, envelope),
            Packet::Fin | Packet::Reset => self.ended(wire, "the worker closed the connection"),
            Packet::Accepted | Packet::Down(_) => {}
        }
    }

    fn frame(&mut self, around: &mut Around, wire: WireId, mut envelope: Envelope<FromWorker>) {
        let Some(session) = self.sessions.get_mut(&wire) else {
            return around.send(wire, Direction::Down, Packet::Reset);
        };
        match &session.stage {
            Stage::Open => self.open_frame(around, wire, envelope),
            Stage::Hello | Stage::Proof(_) => {
                session.seen = envelope.seq;
                let message = if envelope.messages.len() == 1 { envelope.messages.pop() } else { None };
                self.shake_hands(around, wire, message);
            }
        }
    }

    fn shake_hands(&mut self, around: &mut Around, wire: WireId, message: Option<FromWorker>) {
        let epoch = self.epoch();
        let session = self.sessions.get_mut(&wire).expect("it was just found");
        match (&session.stage, message) {
            (Stage::Hello, Some(FromWorker::Hello(hello))) => {
                if hello.cluster.is_some_and(|cluster| cluster != CLUSTER) {
                    return self.turn_away(around, wire, Refusal::Cluster);
                }
                if hello.epoch_seen > epoch && !planted::bug(17) {
                    around.sights.see(Sight::RefusedEpochByCoordinator);
                    return self.turn_away(around, wire, Refusal::Epoch);
                }
                let nonce = BootNonce(wire.0.to_le_bytes());
                let challenge = FromCoordinator::Challenge { nonce, epoch, cluster: CLUSTER, protocol: PROTOCOL_MAX };
                session.stage = Stage::Proof(hello);
                let packet = session.frame(vec![challenge]);
                around.send(wire, Direction::Down, packet);
            }
            (Stage::Proof(hello), Some(FromWorker::Proof { .. })) => {
                let hello = hello.clone();
                session.stage = Stage::Open;
                session.heard = around.now;
                let late = around.now + SILENCE;
                around.clockwork.set(late, Happening::Center(self.life, CenterAlarm::Silence(wire)));
                self.mailbox.push_back(Input::Joined(wire, hello));
            }
            _ => {
                around.sights.see(Sight::RefusedMalformed);
                self.turn_away(around, wire, Refusal::Malformed);
            }
        }
    }

    fn turn_away(&mut self, around: &mut Around, wire: WireId, code: Refusal) {
        let Some(mut session) = self.sessions.remove(&wire) else { return };
        let packet = session.frame(vec![FromCoordinator::Refused { code, message: format!("{code:?}") }]);
        around.send(wire, Direction::Down, packet);
        around.send(wire, Direction::Down, Packet::Fin);
    }

    fn open_frame(&mut self, around: &mut Around, wire: WireId, envelope: Envelope<FromWorker>) {
        let heard = self.clock.shows(around.now);
        let session = self.sessions.get_mut(&wire).expect("it was just found");
        session.heard = around.now;
        if envelope.seq <= session.seen {
            around.sights.see(Sight::DoubleIgnored);
            return;
        }
        if envelope.seq > session.seen + 1 && !planted::bug(2) {
            around.sights.see(Sight::GapAtCoordinator);
            around.send(wire, Direction::Down, Packet::Fin);
            return self.ended(wire, "a frame was lost");
        }
        session.seen = envelope.seq;
        for message in envelope.messages {
            match message {
                FromWorker::Log { attempt, offset, bytes } => {
                    let session = self.sessions.get_mut(&wire).expect("messages end no session");
                    if session.live.contains(&attempt) || session.trailing.contains(&attempt) {
                        let stored = around.witness.stores(around.now, attempt, offset, &bytes.0);
                        let late = around.now + Duration::from_millis(2);
                        let alarm = CenterAlarm::Stored(wire, attempt, stored);
                        around.clockwork.set(late, Happening::Center(self.life, alarm));
                    } else {
                        around.sights.see(Sight::FencedOutput);
                        self.say(around, wire, FromCoordinator::Fenced { attempt, current: None });
                    }
                }
                message => self.mailbox.push_back(Input::Received(wire, heard, message)),
            }
        }
    }

    /// Output is stored: the worker may send more.
    pub fn stored(&mut self, around: &mut Around, wire: WireId, attempt: Attempt, offset: u64) {
        self.say(around, wire, FromCoordinator::LogAck { attempt, offset });
    }

    fn say(&mut self, around: &mut Around, wire: WireId, message: FromCoordinator) {
        if let Some(session) = self.sessions.get_mut(&wire).filter(|session| session.has_outbox) {
            session.queue.push(message);
            self.flush(around, wire);
        }
    }

    /// A session that is over at the other end, or of no use.
    fn ended(&mut self, wire: WireId, why: &'static str) {
        if let Some(Session { stage: Stage::Open, .. }) = self.sessions.remove(&wire) {
            self.mailbox.push_back(Input::Disconnected(wire, why));
        }
    }

    /// The core closes a session: what was said before goes out first.
    pub fn close(&mut self, around: &mut Around, wire: WireId) {
        self.flush(around, wire);
        if self.sessions.contains_key(&wire) {
            around.send(wire, Direction::Down, Packet::Fin);
            self.ended(wire, "this side closed it");
        }
    }

    /// Looks whether a session was silent for too long.
    pub fn silence(&mut self, around: &mut Around, wire: WireId) {
        let Some(session) = self.sessions.get(&wire) else { return };
        let until = session.heard + if matches!(session.stage, Stage::Open) { SILENCE } else { HANDSHAKE };
        if until > around.now {
            around.clockwork.set(until, Happening::Center(self.life, CenterAlarm::Silence(wire)));
        } else if matches!(session.stage, Stage::Open) {
            around.sights.see(Sight::SilenceAtCoordinator);
            around.send(wire, Direction::Down, Packet::Fin);
            self.ended(wire, "nothing was heard");
        } else {
            around.sights.see(Sight::HandshakeTimeout);
            self.turn_away(around, wire, Refusal::Malformed);
        }
    }

    /// Hands what waits to the sockets.
    pub fn flush_all(&mut self, around: &mut Around) {
        for wire in self.wires() {
            self.flush(around, wire);
        }
    }

    fn flush(&mut self, around: &mut Around, wire: WireId) {
        let Some(session) = self.sessions.get_mut(&wire) else { return };
        let mut queue = std::mem::take(&mut session.queue);
        queue.iter().for_each(|message| session.note(message));
        while !queue.is_empty() {
            let rest = queue.split_off(queue.len().min(around.setting.frame_messages));
            let packet = session.frame(std::mem::replace(&mut queue, rest));
            around.send(wire, Direction::Down, packet);
        }
    }
}
