//! The loop that owns a worker's core, and its socket. Mirrors `worker/src/driver.rs` and `session.rs`.

use super::WorkDir;
use super::runner::Runner;
use crate::faults::around::{Around, Happening, StationAlarm};
use crate::faults::dial::Dial;
use crate::faults::network::{Packet, WireId};
use crate::faults::sights::Sight;
use crate::network::Direction;
use shared::id::Attempt;
use shared::protocol::{Envelope, FromWorker, LOG_CHUNK_BYTES_MAX};
use shared::time::Time;
use std::collections::VecDeque;
use worker_core::{Effect, Event, Note, Worker};

/// One life of the daemon.
#[derive(Debug)]
pub struct Daemon {
    pub core: Worker,
    clock: Dial,
    index: usize,
    life: u64,
    session: Option<Session>,
    control: Vec<FromWorker>,
    bulk: Vec<FromWorker>,
}

#[derive(Debug)]
struct Session {
    wire: WireId,
    is_connected: bool,
    said: u64,
    control: VecDeque<FromWorker>,
    bulk: VecDeque<FromWorker>,
    ack: u64,
    /// The socket takes no frame before.
    free_at: Time,
}

impl Daemon {
    pub fn new(core: Worker, clock: Dial, index: usize, life: u64) -> Self {
        Self { core, clock, index, life, session: None, control: Vec::new(), bulk: Vec::new() }
    }

    /// Its socket, while it has one.
    pub fn wire(&self) -> Option<WireId> {
        self.session.as_ref().map(|session| session.wire)
    }

    pub fn next_wakeup(&self) -> Option<Time> {
        self.core.next_wakeup().map(|at| self.clock.when(at))
    }

    /// A packet arrives; what the core is to hear of it.
    pub fn hears(&mut self, around: &mut Around, wire: WireId, packet: Packet) -> Option<Event> {
        let Some(session) = self.session.as_mut().filter(|session| session.wire == wire) else {
            if !matches!(packet, Packet::Fin | Packet::Reset) {
                around.send(wire, Direction::Up, Packet::Reset);
            }
            return None;
        };
        match packet {
            Packet::Accepted => {
                session.is_connected = true;
                Some(Event::Connected)
            }
            Packet::Down(envelope) => Some(Event::Received(envelope)),
            Packet::Fin | Packet::Reset => {
                self.session = None;
                Some(Event::Disconnected)
            }
            Packet::Syn | Packet::Up(_) => None,
        }
    }

    /// Steps the core for what happened, does what it orders, and says what came of it in one batch. True when the daemon is
    /// to end.
    pub fn work_off(&mut self, around: &mut Around, event: Event, work_dir: &mut WorkDir, runner: &mut Runner) -> bool {
        let mut pending = VecDeque::from([event]);
        let mut effects = Vec::new();
        let mut stop = false;
        while let Some(event) = pending.pop_front() {
            let ended = if let Event::Ended { attempt, .. } = &event { Some(*attempt) } else { None };
            let before = self.core.seen();
            if let Event::Received(envelope) = &event {
                around.witness.hears(around.now, self.index, envelope);
            }
            self.core.step(self.clock.shows(around.now), event, &mut effects);
            around.witness.takes_frame(around.now, self.index, before, self.core.seen());
            for effect in effects.drain(..) {
                around.trace.note(around.now, &[5, self.index as u64], || format!("w{} {effect:?}", self.index));
                match effect {
                    Effect::Connect => self.connect(around),
                    Effect::Close => {
                        self.flush(around);
                        self.close_session(around);
                    }
                    Effect::Prove { .. } => pending.push_front(Event::Proven { mac: None }),
                    Effect::Pin { cluster, epoch } => {
                        around.witness.pins(around.now, self.index, epoch);
                        (work_dir.cluster, work_dir.epoch_seen) = (Some(cluster), epoch);
                    }
                    Effect::Send(message @ (FromWorker::Log { .. } | FromWorker::Finished { .. })) => self.bulk.push(message),
                    Effect::Send(message) => self.control.push(message),
                    Effect::SendLog { attempt, from, bytes_max } => {
                        let until = self.send_log(runner, attempt, from, bytes_max);
                        pending.push_front(Event::LogSent { attempt, until });
                    }
                    Effect::Lease { until } => runner.lease(around, until),
                    Effect::Run(start) => {
                        if ended.is_some_and(|ended| ended.task == start.attempt.task) {
                            around.sights.see(Sight::WaitsForSibling);
                        }
                        runner.run(around, start);
                    }
                    Effect::Save { attempt, until } => runner.save(around, attempt, until),
                    Effect::Store { attempt } => {
                        around.soon(0.05, 20.0, Happening::Uploaded(self.index, self.life, attempt));
                    }
                    Effect::Resume { attempt } => runner.resume(around, attempt),
                    Effect::End { attempt, grace, reason } => runner.end(around, attempt, grace, reason),
                    Effect::Forget { attempt } => {
                        around.witness.forgets(around.now, self.index, attempt, ended == Some(attempt));
                        runner.forget(around, attempt);
                    }
                    Effect::Discard { attempt } => runner.discard(attempt),
                    Effect::Note(note) => see(around, &note),
                    Effect::Stop(_) => stop = true,
                }
            }
        }
        self.flush(around);
        stop
    }

    fn connect(&mut self, around: &mut Around) {
        let wire = around.network.open(self.index);
        self.session = Some(Session {
            wire,
            is_connected: false,
            said: 0,
            control: VecDeque::new(),
            bulk: VecDeque::new(),
            ack: 0,
            free_at: around.now,
        });
        around.send(wire, Direction::Up, Packet::Syn);
    }

    /// Output as messages; where it stopped.
    fn send_log(&mut self, runner: &Runner, attempt: Attempt, from: u64, bytes_max: u64) -> u64 {
        let mut cursor = from;
        while cursor < from + bytes_max {
            let most = (from + bytes_max - cursor).min(LOG_CHUNK_BYTES_MAX as u64);
            let Some(bytes) = runner.read(attempt, cursor, most) else { return from + bytes_max };
            let offset = cursor;
            cursor += bytes.0.len() as u64;
            self.bulk.push(FromWorker::Log { attempt, offset, bytes });
        }
        cursor
    }

    /// Hands what is to be said to the session.
    fn flush(&mut self, around: &mut Around) {
        if self.control.is_empty() && self.bulk.is_empty() {
            return;
        }
        let ack = self.core.seen();
        let (control, bulk) = (std::mem::take(&mut self.control), std::mem::take(&mut self.bulk));
        let Some(session) = &mut self.session else { return };
        session.control.extend(control);
        session.bulk.extend(bulk);
        session.ack = ack;
        let (wire, free_at) = (session.wire, session.free_at);
        if free_at <= around.now {
            self.write(around, wire);
        } else {
            around.clockwork.set(free_at, Happening::Station(self.index, self.life, StationAlarm::Write(wire)));
        }
    }

    /// Writes what waits, control before bulk, in one frame.
    pub fn write(&mut self, around: &mut Around, wire: WireId) {
        let Some(session) = self.session.as_mut().filter(|session| session.wire == wire) else { return };
        if !session.is_connected || (session.control.is_empty() && session.bulk.is_empty()) || session.free_at > around.now {
            return;
        }
        session.said += 1;
        let messages = session.control.drain(..).chain(session.bulk.drain(..)).collect();
        let envelope = Envelope { seq: session.said, ack: session.ack, messages };
        // Now and then the socket is full, and what is said meanwhile gathers.
        if around.chance.hits(0.02) {
            session.free_at = around.now + around.chance.span(0.01, 3.0);
        }
        around.send(wire, Direction::Up, Packet::Up(envelope));
    }

    /// Closes the socket when what was said is out.
    fn close_session(&mut self, around: &mut Around) {
        let Some(wire) = self.wire() else { return };
        if let Some(session) = &mut self.session {
            session.free_at = around.now;
        }
        self.write(around, wire);
        self.session = None;
        around.send(wire, Direction::Up, Packet::Fin);
    }

    /// The daemon ends.
    pub fn close(mut self, around: &mut Around) {
        self.flush(around);
        self.close_session(around);
    }
}

fn see(around: &mut Around, note: &Note) {
    let sight = match note {
        Note::LeaseEnded { .. } => Sight::LeaseEndsAtWorker,
        Note::GaveUp { why } if why.contains("something was lost") => Sight::GapAtWorker,
        Note::GaveUp { why } if why.starts_with("not a word") => Sight::SilenceAtWorker,
        Note::GaveUp { why } if why.starts_with("no session") => Sight::HandshakeTimeout,
        _ => return,
    };
    around.sights.see(sight);
}
