//! Workers that come, speak, fall silent and go.

use crate::fleet::{Presence, WorkerIndex};
use crate::ledger::{Standing, Task};
use crate::timers::Timer;
use crate::{ConnectionId, Coordinator, Effect};
use shared::fact::{BreakerState, What};
use shared::id::Attempt;
use shared::outcome::Failure;
use shared::planted;
use shared::protocol::{FromCoordinator, FromWorker, Heartbeat, HeldState, Hello, Refusal, Welcome, WorkerInventory};
use shared::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Workers that may reconnect within one second after a restart of the coordinator.
const RECONNECTS_PER_S: u64 = 500;
/// After a worker came, others may follow: plans wait for so long.
const SETTLE: Duration = Duration::from_millis(20);
/// An idle worker's load is kept this often.
const IDLE_SAMPLE: Duration = Duration::from_secs(60);

impl Coordinator {
    /// Opens a session for a worker that proved who it is. The newest session of a worker is the one that counts.
    pub(crate) fn join(&mut self, now: Time, connection: ConnectionId, hello: Hello, effects: &mut Vec<Effect>) {
        if let Some((code, message)) = self.refusal(&hello) {
            effects.push(Effect::Send { connection, message: FromCoordinator::Refused { code, message } });
            effects.push(Effect::Close { connection });
            return;
        }
        let renamed = self.state.fleet.iter().find(|(_, worker)| worker.id == hello.worker && *worker.name != *hello.name);
        if let Some((worker, _)) = renamed.filter(|(_, worker)| worker.presence != Presence::Gone) {
            self.give_up_worker(now, worker, "it came back under another name", effects);
        }
        if let Some(worker) = self.state.fleet.by_name(&hello.name) {
            self.close(worker, effects);
        }
        let session = self.state.next_session();
        let name: Arc<str> = hello.name.as_str().into();
        self.record(now, What::WorkerJoined { worker: name.clone(), id: hello.worker, session }, effects);
        let worker = self.state.fleet.by_name(&name).expect("it just joined");
        self.state.fleet.set_presence(worker, Presence::Joining(connection));
        let entry = self.state.fleet.get_mut(worker);
        entry.heard = now;
        entry.inventory_asked = Some(u64::MAX);
        self.timers.set(now + self.config.suspect, Timer::Worker(worker));
        let spread_ms = self.state.fleet.present() as u64 * 1000 / RECONNECTS_PER_S;
        let millis = |time: Duration| u64::try_from(time.as_millis()).expect("a lease is shorter than an age");
        let (lease_ms, heartbeat_ms) = (millis(self.config.lease), millis(self.config.heartbeat));
        let welcome = Welcome { session, lease_ms, heartbeat_ms, spread_ms, features: Vec::new() };
        effects.push(Effect::Send { connection, message: FromCoordinator::Welcome(welcome) });
    }

    fn refusal(&self, hello: &Hello) -> Option<(Refusal, String)> {
        let fleet = &self.state.fleet;
        let namesake = fleet.by_name(&hello.name).map(|worker| fleet.get(worker));
        match namesake {
            Some(other) if other.id != hello.worker && other.presence != Presence::Gone => Some((
                Refusal::NameTaken,
                format!("another worker is called `{}`: start this one with --name and a name of its own", hello.name),
            )),
            None if fleet.present() >= self.config.workers_max => Some((
                Refusal::Full,
                format!("{} workers are here already, which is the limit; it will be tried again", self.config.workers_max),
            )),
            _ => None,
        }
    }

    /// Takes in what a worker said.
    pub(crate) fn receive(&mut self, now: Time, from: ConnectionId, heard: Time, message: FromWorker, effects: &mut Vec<Effect>) {
        let Some(worker) = self.state.fleet.by_connection(from) else { return };
        self.hear(now, worker, heard, effects);
        match message {
            FromWorker::Inventory(inventory) => self.reconcile(now, worker, inventory, effects),
            FromWorker::Started { attempt } => self.started(now, worker, attempt, effects),
            FromWorker::Tests { attempt, results } => self.tests_ended(now, worker, attempt, results, effects),
            FromWorker::Finished { attempt, outcome } => self.finished(now, worker, attempt, outcome, effects),
            FromWorker::Heartbeat(heartbeat) => self.heartbeat(now, worker, &heartbeat, effects),
            FromWorker::Leaving => self.suspend(now, worker, Presence::Leaving(from), "it is being stopped", effects),
            FromWorker::Quiesced { attempt, checkpoint } => self.quiesced(now, worker, attempt, checkpoint, effects),
            FromWorker::Resumed { attempt } => self.resumed(now, worker, attempt, effects),
            // Output goes to the store in the shell. A handshake message in an open session means nothing.
            FromWorker::Log { .. } | FromWorker::Hello(_) | FromWorker::Proof { .. } => {}
        }
    }

    fn hear(&mut self, now: Time, worker: WorkerIndex, heard: Time, effects: &mut Vec<Effect>) {
        let entry = self.state.fleet.get_mut(worker);
        entry.heard = entry.heard.max(heard);
        if let Presence::Suspect(connection) = entry.presence {
            self.make_ready(now, worker, connection, effects);
        }
    }

    fn make_ready(&mut self, now: Time, worker: WorkerIndex, connection: ConnectionId, effects: &mut Vec<Effect>) {
        self.state.fleet.set_presence(worker, Presence::Ready(connection));
        let entry = self.state.fleet.get(worker);
        if !entry.ready {
            self.record(now, What::WorkerReady { worker: entry.name.clone() }, effects);
        }
        self.changed = true;
    }

    /// A worker stays connected and gets no new work for now.
    fn suspend(&mut self, now: Time, worker: WorkerIndex, presence: Presence, why: &str, effects: &mut Vec<Effect>) {
        self.state.fleet.set_presence(worker, presence);
        let entry = self.state.fleet.get(worker);
        if entry.ready {
            self.record(now, What::WorkerSuspected { worker: entry.name.clone(), why: why.into() }, effects);
        }
    }

    /// Holds what a worker says it has against what it should have. Attempts that are no longer its own are ended;
    /// attempts it should have and does not know of were lost on the way or with its process, and wait again.
    fn reconcile(&mut self, now: Time, worker: WorkerIndex, told: WorkerInventory, effects: &mut Vec<Effect>) {
        let entry = self.state.fleet.get_mut(worker);
        let (name, asked) = (entry.name.clone(), entry.inventory_asked.take());
        if entry.inventory != told.machine {
            self.record(now, What::WorkerDescribed { worker: name, inventory: told.machine }, effects);
        }
        let Some(connection) = self.state.fleet.get(worker).presence.connection() else { return };
        match self.state.fleet.get(worker).presence {
            Presence::Leaving(_) => {}
            Presence::Joining(_) => {
                self.make_ready(now, worker, connection, effects);
                self.settled = now + SETTLE;
            }
            Presence::Ready(_) | Presence::Suspect(_) | Presence::Disconnected | Presence::Gone => {
                self.make_ready(now, worker, connection, effects);
            }
        }
        self.changed = true;
        let mut has: BTreeSet<Attempt> = BTreeSet::new();
        let (mut keep, mut kill, mut stand_still) = (Vec::new(), Vec::new(), Vec::new());
        for held in told.attempts {
            has.insert(held.attempt);
            let is_its_own = self.state.ledger.standing(held.attempt, worker) == Standing::Current;
            if !is_its_own {
                kill.push(held.attempt);
                continue;
            }
            keep.push(held.attempt);
            if matches!(held.state, HeldState::Running | HeldState::Quiesced) {
                self.started(now, worker, held.attempt, effects);
            }
            let is_asked = |task: &Task| task.standstill().is_some_and(|order| order.attempt == held.attempt.number);
            if held.state == HeldState::Quiesced && !self.state.ledger.get(held.attempt.task).is_some_and(is_asked) {
                stand_still.push(held.attempt);
            }
        }
        let unwanted =
            |kept: &Attempt| self.state.ledger.get(kept.task).is_some_and(|task| task.is_cancelled() || !task.is_open());
        let cancelled: Vec<Attempt> = keep.iter().copied().filter(unwanted).collect();
        effects.push(Effect::Send { connection, message: FromCoordinator::Reconcile { keep, kill } });
        let cancelled = if planted::bug(13) { Vec::new() } else { cancelled };
        cancelled.into_iter().for_each(|attempt| self.send_cancel(attempt, effects));
        // Whoever asked them to stand still no longer wants it: they need not wait for their own deadline.
        let stand_still = stand_still.into_iter().map(|attempt| FromCoordinator::Resume { attempt });
        effects.extend(stand_still.map(|message| Effect::Send { connection, message }));
        for result in told.results {
            has.insert(result.attempt);
            if !planted::bug(14) {
                self.finished(now, worker, result.attempt, result.outcome, effects);
            }
        }
        let should = self.state.fleet.get(worker).held.iter();
        let known = should.filter(|(_, held)| asked.is_some_and(|asked| held.lease <= asked));
        let known: Vec<Attempt> = known.map(|(&task, held)| Attempt { task, number: held.number }).collect();
        for missing in known.into_iter().filter(|attempt| !has.contains(attempt)) {
            self.lose(now, missing, "its worker came back without it", effects);
        }
    }

    fn heartbeat(&mut self, now: Time, worker: WorkerIndex, heartbeat: &Heartbeat, effects: &mut Vec<Effect>) {
        let (leases, high) = (self.state.fleet.leases_given(), self.balancer.limits().high);
        let entry = self.state.fleet.get_mut(worker);
        let other_speed = entry.load.speed != heartbeat.load.speed;
        entry.told_load = (*heartbeat.load).clone();
        self.changed |= entry.measure(&heartbeat.load, high);
        let Some(connection) = entry.presence.connection() else { return };
        effects.push(Effect::Send { connection, message: FromCoordinator::HeartbeatAck { number: heartbeat.number } });
        if entry.inventory_asked.is_none() && heartbeat.holds != entry.digest() {
            entry.inventory_asked = Some(leases);
            effects.push(Effect::Send { connection, message: FromCoordinator::SendInventory });
        }
        let (busy_slots, slots) = (entry.busy_slots(), entry.inventory.slots);
        let was_idle = entry.sampled.filter(|(last, busy)| *busy == 0 && now.since(*last) < IDLE_SAMPLE);
        let is_due = other_speed || busy_slots > 0 || was_idle.is_none();
        if is_due && slots > 0 {
            entry.sampled = Some((now, busy_slots));
            let (worker, load) = (entry.name.clone(), (*heartbeat.load).clone());
            self.record(now, What::WorkerSampled { worker, load, busy_slots, slots }, effects);
            self.changed |= other_speed;
        }
    }

    /// Trusts a worker with work, no longer or again.
    pub(crate) fn move_breaker(&mut self, now: Time, worker: WorkerIndex, breaker: BreakerState, effects: &mut Vec<Effect>) {
        let name = self.state.fleet.get(worker).name.clone();
        self.record(now, What::BreakerMoved { worker: name, breaker }, effects);
        if breaker == BreakerState::Open {
            self.timers.set(now + self.config.breaker_open, Timer::Breaker(worker));
        }
        self.changed = true;
    }

    /// Gives a worker that was not trusted for long enough the chance of one attempt.
    pub(crate) fn half_open(&mut self, now: Time, worker: WorkerIndex, effects: &mut Vec<Effect>) {
        let since = self.state.fleet.get(worker).health.open_since();
        if since.is_some_and(|since| since + self.config.breaker_open <= now) {
            self.move_breaker(now, worker, BreakerState::HalfOpen, effects);
        }
    }

    /// A connection ended. What the worker runs stays its own until its lease ends: unreachable is not failed.
    pub(crate) fn disconnect(&mut self, now: Time, connection: ConnectionId, why: String, effects: &mut Vec<Effect>) {
        let Some(worker) = self.state.fleet.by_connection(connection) else { return };
        let entry = self.state.fleet.get(worker);
        let name = entry.name.clone();
        if (matches!(entry.presence, Presence::Leaving(_)) && entry.held.is_empty()) || planted::bug(15) {
            self.give_up_worker(now, worker, "it was stopped", effects);
            return;
        }
        self.record(now, What::WorkerDisconnected { worker: name, why }, effects);
        self.timers.set(self.lease_end(worker), Timer::Worker(worker));
    }

    /// Looks whether a worker has been silent for too long.
    pub(crate) fn watch_worker(&mut self, now: Time, worker: WorkerIndex, effects: &mut Vec<Effect>) {
        let (presence, heard) = (self.state.fleet.get(worker).presence, self.state.fleet.get(worker).heard);
        let suspect_at = heard + self.config.suspect;
        let lost_at = self.lease_end(worker);
        match presence {
            Presence::Gone => {}
            _ if now >= lost_at => {
                self.close(worker, effects);
                self.give_up_worker(now, worker, "it was not heard until its lease ended", effects);
            }
            Presence::Joining(_) | Presence::Suspect(_) | Presence::Leaving(_) | Presence::Disconnected => {
                self.timers.set(lost_at, Timer::Worker(worker));
            }
            Presence::Ready(connection) if now >= suspect_at => {
                self.suspend(now, worker, Presence::Suspect(connection), "it was not heard for a while", effects);
                self.timers.set(lost_at, Timer::Worker(worker));
            }
            Presence::Ready(_) => self.timers.set(suspect_at, Timer::Worker(worker)),
        }
    }

    fn lease_end(&self, worker: WorkerIndex) -> Time {
        let margin = if planted::bug(36) { Duration::ZERO } else { self.config.lease_margin };
        self.state.fleet.get(worker).heard + self.config.lease + margin
    }

    /// A worker is gone for good: what it held waits again.
    fn give_up_worker(&mut self, now: Time, worker: WorkerIndex, why: &str, effects: &mut Vec<Effect>) {
        let entry = self.state.fleet.get(worker);
        let held: Vec<Attempt> = entry.held.iter().map(|(&task, held)| Attempt { task, number: held.number }).collect();
        let name = entry.name.clone();
        self.forget_target(now, worker, effects);
        for attempt in held {
            self.lose(now, attempt, why, effects);
        }
        self.record(now, What::WorkerLeft { worker: name, why: why.into() }, effects);
        self.changed = true;
    }

    /// Closes the connection of a worker, where it has one.
    fn close(&mut self, worker: WorkerIndex, effects: &mut Vec<Effect>) {
        if let Some(connection) = self.state.fleet.get(worker).presence.connection() {
            self.state.fleet.set_presence(worker, Presence::Disconnected);
            effects.push(Effect::Close { connection });
        }
    }

    fn lose(&mut self, now: Time, attempt: Attempt, why: &str, effects: &mut Vec<Effect>) {
        self.stop_without_result(now, attempt, Failure::Lost, why, effects);
    }
}
