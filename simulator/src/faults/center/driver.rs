//! The loop that owns the core, and what the world sees of it once it is on disk. Mirrors `coordinator/src/driver.rs` and
//! `release.rs`.

use super::log::{Batch, LogDisk, Writer};
use super::session::Session;
use super::{CLUSTER, DeathPhase, DeathPoint};
use crate::faults::around::{Around, CenterAlarm, Happening};
use crate::faults::clients::{Asked, Request};
use crate::faults::dial::Dial;
use crate::faults::network::WireId;
use crate::faults::sights::Sight;
use coordinator_core::{ClientId, Command, ConnectionId, Coordinator, Effect, Event, NewTask, Reply};
use shared::fact::What;
use shared::id::Epoch;
use shared::planted;
use shared::protocol::{FromCoordinator, FromWorker, Hello};
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Inputs taken before a plan is made for all of them.
const INPUTS_MAX: usize = 4_096;
/// Batches that may wait for the disk.
const BATCHES_MAX: usize = 4;

/// Who does nothing for longer than this although something is due stood still.
const LATE: Duration = Duration::from_secs(1);

/// What reaches the core.
#[derive(Debug)]
pub enum Input {
    /// A worker proved who it is.
    Joined(WireId, Hello),
    /// A worker said something, and when it was read from the socket.
    Received(WireId, Time, FromWorker),
    /// A socket is gone, and how.
    Disconnected(WireId, &'static str),
    /// Someone asks for tasks to be run.
    Submit(Request, Vec<NewTask>),
    /// An operator orders something.
    Operate(Command),
    /// Someone reads the verdicts.
    Look,
}

/// One thing that may happen once what was decided before is on disk.
#[derive(Debug)]
pub enum Release {
    Open(WireId),
    Send(WireId, FromCoordinator),
    Close(WireId),
    Reply(Asked, Reply),
    Seen(Vec<(shared::id::TaskId, shared::outcome::Verdict)>),
}

/// One life of the program.
#[derive(Debug)]
pub struct Process {
    pub core: Coordinator,
    pub mailbox: VecDeque<Input>,
    pub is_listening: bool,
    pub(super) life: u64,
    pub(super) clock: Dial,
    pub(super) sessions: BTreeMap<WireId, Session>,
    batch: Batch,
    waiting: VecDeque<Batch>,
    writer: Writer,
    callers: BTreeMap<ClientId, Asked>,
    next_client: u64,
    /// When the core was last stepped.
    stepped: Time,
    /// For how long it read no socket, in all.
    pub(super) deaf: Duration,
    /// Whether the last commit failed.
    is_log_stalled: bool,
}

impl Process {
    /// A program that has replayed its log.
    pub fn new(core: Coordinator, clock: Dial, life: u64) -> Self {
        Self {
            core,
            mailbox: VecDeque::new(),
            is_listening: false,
            life,
            clock,
            sessions: BTreeMap::new(),
            batch: Batch::default(),
            waiting: VecDeque::new(),
            writer: Writer::default(),
            callers: BTreeMap::new(),
            next_client: 0,
            stepped: Time::ZERO,
            deaf: Duration::ZERO,
            is_log_stalled: false,
        }
    }

    /// Begins the life.
    pub fn begin(&mut self, around: &mut Around, wall_ms: u64) {
        let mut effects = Vec::new();
        self.core.begin(self.clock.shows(around.now), CLUSTER, wall_ms, "simulated", &mut effects);
        self.sort(around, effects);
    }

    /// The life that is on disk.
    pub fn epoch(&self) -> Epoch {
        self.core.state().epoch
    }

    /// The true time at which the core wants to be woken, while the disk does not hold it up.
    pub fn next_wakeup(&self) -> Option<Time> {
        let is_free = self.waiting.len() < BATCHES_MAX;
        self.core.next_wakeup().filter(|_| is_free).map(|at| self.clock.when(at))
    }

    /// Takes what has arrived until there is nothing left to do or the disk holds it up.
    pub fn drive(&mut self, around: &mut Around, disk: &LogDisk) {
        loop {
            self.core.hold_leases(self.is_log_stalled);
            if !(self.batch.facts.is_empty() && self.batch.effects.is_empty()) {
                self.waiting.push_back(std::mem::take(&mut self.batch));
                self.gather_while_stalled(around);
                self.commit(around, disk);
            }
            let now = self.clock.shows(around.now);
            let is_due = |core: &Coordinator| core.next_wakeup().is_some_and(|at| at <= now);
            if self.mailbox.is_empty() && !is_due(&self.core) {
                return;
            }
            if self.waiting.len() >= BATCHES_MAX {
                around.sights.see(Sight::DriverBlocked);
                return;
            }
            let arrived: Vec<Input> = self.mailbox.drain(..self.mailbox.len().min(INPUTS_MAX)).collect();
            for input in arrived {
                self.take(around, now, input);
            }
            if is_due(&self.core) {
                self.step(around, now, Event::Woke);
            }
        }
    }

    /// Begins a commit where the disk is free and something waits for it.
    fn commit(&mut self, around: &mut Around, disk: &LogDisk) {
        while !self.writer.is_busy() && !self.waiting.is_empty() {
            let mut gathered: Vec<Batch> = self.waiting.drain(..).collect();
            if planted::bug(1) {
                let effects = gathered.iter_mut().flat_map(|batch| std::mem::take(&mut batch.effects)).collect();
                self.release(around, effects);
            }
            match self.writer.begin(around, disk, gathered) {
                Ok(at) => around.clockwork.set(at, Happening::Center(self.life, CenterAlarm::Committed)),
                Err(effects) => self.release(around, effects),
            }
        }
    }

    /// While nothing can be written, what comes joins what waits, but for signs of life: they follow from no fact.
    fn gather_while_stalled(&mut self, around: &mut Around) {
        while self.is_log_stalled
            && let Some(mut batch) = self.waiting.pop_front()
        {
            let is_sign = |effect: &Release| matches!(effect, Release::Send(_, FromCoordinator::HeartbeatAck { .. }));
            let (signs, rest) = batch.effects.into_iter().partition(is_sign);
            batch.effects = rest;
            self.writer.join(batch);
            self.release(around, signs);
        }
    }

    /// A commit has ended. True when the program dies with it.
    pub fn committed(&mut self, around: &mut Around, disk: &mut LogDisk, dies: &mut Option<DeathPoint>) -> bool {
        let dying = match dies {
            Some(DeathPoint { after: 0, at }) => Some(*at),
            Some(DeathPoint { after, .. }) => {
                *after -= 1;
                None
            }
            None => None,
        };
        if dying == Some(DeathPhase::BeforeWrite) {
            self.writer = Writer::default();
            return true;
        }
        let mut effects = match self.writer.end(around, disk) {
            Ok(effects) => effects,
            Err(again) => {
                around.clockwork.set(again, Happening::Center(self.life, CenterAlarm::Committed));
                self.is_log_stalled = true;
                self.gather_while_stalled(around);
                return false;
            }
        };
        (self.is_listening, self.is_log_stalled) = (true, false);
        match dying {
            Some(DeathPhase::AfterEffects(most)) => effects.truncate(most),
            Some(DeathPhase::BeforeWrite | DeathPhase::AfterWrite) => effects.clear(),
            None => {}
        }
        self.release(around, effects);
        if dying.is_none() {
            self.commit(around, disk);
        }
        dying.is_some()
    }

    /// The program dies: true when facts are lost that someone decided on.
    pub fn crash(mut self, disk: &mut LogDisk, around: &mut Around) -> bool {
        let waits = std::mem::take(&mut self.batch);
        let has_waiting = self.waiting.iter().chain([&waits]).any(|batch| !batch.facts.is_empty());
        self.writer.crash(around, disk) || has_waiting
    }

    /// The wires that are open at this end.
    pub fn wires(&self) -> Vec<WireId> {
        self.sessions.keys().copied().collect()
    }

    /// Lets things happen, in order.
    fn release(&mut self, around: &mut Around, effects: Vec<Release>) {
        for effect in effects {
            match effect {
                Release::Open(wire) => {
                    if let Some(session) = self.sessions.get_mut(&wire) {
                        session.has_outbox = true;
                    }
                }
                Release::Send(wire, message) => {
                    let station = around.network.station(wire);
                    around.witness.says(around.now, station, &message, &mut around.sights);
                    if let Some(session) = self.sessions.get_mut(&wire).filter(|session| session.has_outbox) {
                        session.queue.push(message);
                    }
                }
                Release::Close(wire) => self.close(around, wire),
                Release::Reply(asked, reply) => around.witness.replies(around.now, &asked, &reply, &mut around.sights),
                Release::Seen(verdicts) => around.witness.shows(around.now, &verdicts),
            }
        }
        self.flush_all(around);
    }

    fn take(&mut self, around: &mut Around, now: Time, input: Input) {
        let event = match input {
            Input::Joined(wire, hello) => {
                self.batch.effects.push(Release::Open(wire));
                Event::Joined { connection: ConnectionId(wire.0), hello }
            }
            Input::Received(wire, heard, message) => Event::Received { connection: ConnectionId(wire.0), heard, message },
            Input::Disconnected(wire, why) => {
                self.batch.effects.push(Release::Close(wire));
                Event::Disconnected { connection: ConnectionId(wire.0), why: why.into() }
            }
            Input::Submit(request, tasks) => Event::Submitted { client: self.client(Asked::Submit(request)), tasks },
            Input::Operate(command) => Event::Operator { client: self.client(Asked::Order(command.clone())), command },
            Input::Look => {
                self.batch.effects.push(Release::Seen(around.witness.look(&self.core)));
                return;
            }
        };
        self.step(around, now, event);
    }

    fn client(&mut self, asked: Asked) -> ClientId {
        self.next_client += 1;
        let client = ClientId(self.next_client);
        self.callers.insert(client, asked);
        client
    }

    fn step(&mut self, around: &mut Around, now: Time, event: Event) {
        let before = around.witness.before(now, &self.core, &event);
        let is_late = self.core.next_wakeup().is_some_and(|due| now.since(due) > LATE);
        if is_late && now.since(self.stepped) > LATE {
            around.sights.see(Sight::Amnesty);
        }
        self.stepped = now;
        let mut effects = Vec::new();
        self.core.step(now, event, &mut effects);
        around.witness.after(around.now, now - self.deaf, &before, &effects, &mut around.sights);
        self.sort(around, effects);
        around.witness.check(around.now, &self.core);
    }

    /// Facts to the log, the rest to what follows once they are there.
    fn sort(&mut self, around: &mut Around, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(fact) => {
                    around.trace.note(around.now, &fact_numbers(&fact.what), || format!("fact {:?}", fact.what));
                    around.witness.decided(&fact, &mut around.sights);
                    self.batch.facts.push(fact);
                }
                Effect::Send { connection, message: message @ FromCoordinator::Start(_) } if planted::bug(12) => {
                    self.release(around, vec![Release::Send(WireId(connection.0), message)]);
                }
                Effect::Send { connection, message } => self.batch.effects.push(Release::Send(WireId(connection.0), message)),
                Effect::Close { connection } => self.batch.effects.push(Release::Close(WireId(connection.0))),
                Effect::Reply { client, reply } => {
                    let asked = self.callers.remove(&client).expect("every caller is answered once");
                    self.batch.effects.push(Release::Reply(asked, reply));
                }
            }
        }
    }
}

/// What tells a fact from others, for the trace.
fn fact_numbers(what: &What) -> [u64; 3] {
    let number = match what {
        What::AttemptLeased { attempt, .. } | What::AttemptStopped { attempt, .. } | What::AttemptStarted { attempt, .. } => {
            attempt.0
        }
        What::WorkerJoined { session, .. } => session.0,
        _ => 0,
    };
    [2, what.task().map_or(0, |task| task.0), number]
}
