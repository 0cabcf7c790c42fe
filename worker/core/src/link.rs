//! The session with the coordinator: connecting, the handshake, envelopes, heartbeats and the lease.

use crate::attempts::in_messages;
use crate::{Effect, Heartbeats, Leaving, Note, Stop, Worker};
use shared::id::{ClusterId, Digest, Epoch};
use shared::planted;
use shared::protocol::{
    Envelope, FromCoordinator, FromWorker, Heartbeat, Hello, PROTOCOL_MAX, PROTOCOL_MIN, Welcome, WorkerInventory, digest_of,
};
use shared::time::Time;
use std::time::Duration;

/// How long a connection and its handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Heartbeats that may stay unanswered before the session is given up: then the socket is dead, whatever it says.
const UNANSWERED_MAX: u32 = 3;
/// The shortest interval of heartbeats that is believed.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// Where the session is.
#[derive(Debug)]
pub(crate) enum Link {
    /// No socket.
    Down { retry_at: Time },
    /// A socket is being opened.
    Connecting { until: Time },
    /// Hello was said, or the proof was given at `proven_at`.
    Greeting { until: Time, seen: u64, offer: Option<(ClusterId, Epoch)>, proven_at: Option<Time> },
    /// The session is open.
    Open(Open),
    /// The daemon is going to end.
    Over,
}

#[derive(Debug)]
pub(crate) struct Open {
    seen: u64,
    lease: Duration,
    interval: Duration,
    spread: Duration,
    number: u64,
    next_heartbeat: Time,
    unanswered: Heartbeats,
    heard: Time,
    is_stable: bool,
    /// Whether the coordinator has said which attempts go on here. Before that it takes output for someone else's.
    is_reconciled: bool,
}

impl Open {
    fn silence_max(&self) -> Duration {
        (self.interval * UNANSWERED_MAX).max(Duration::from_secs(1))
    }
}

impl Link {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Link::Open(_))
    }

    /// Whether output may be told: the coordinator knows whose it is.
    pub(crate) fn takes_output(&self) -> bool {
        matches!(self, Link::Open(open) if open.is_reconciled)
    }

    /// The coordinator has spoken of attempts: it knows which are here.
    pub(crate) fn reconciled(&mut self) {
        if let Link::Open(open) = self {
            open.is_reconciled = true;
        }
    }

    pub(crate) fn seen(&self) -> u64 {
        match self {
            Link::Greeting { seen, .. } | Link::Open(Open { seen, .. }) => *seen,
            Link::Down { .. } | Link::Connecting { .. } | Link::Over => 0,
        }
    }

    pub(crate) fn next_wakeup(&self) -> Option<Time> {
        match self {
            Link::Down { retry_at } => Some(*retry_at),
            Link::Connecting { until } | Link::Greeting { until, .. } => Some(*until),
            Link::Open(open) => Some(open.next_heartbeat.min(open.heard + open.silence_max())),
            Link::Over => None,
        }
    }
}

impl Worker {
    /// Whatever of the session is overdue at `now`.
    pub(crate) fn link_due(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match &mut self.link {
            Link::Down { retry_at } if *retry_at <= now => {
                self.link = Link::Connecting { until: now + HANDSHAKE_MAX };
                effects.push(Effect::Connect);
            }
            Link::Connecting { until } | Link::Greeting { until, .. } if *until <= now => {
                self.give_up(now, format!("no session after {} s", HANDSHAKE_MAX.as_secs()), effects);
            }
            Link::Open(open) if open.heard + open.silence_max() <= now => {
                let why = format!("not a word from the coordinator for {:.1} s", open.silence_max().as_secs_f64());
                self.give_up(now, why, effects);
            }
            Link::Open(open) if open.next_heartbeat <= now => self.heartbeat(now, effects),
            Link::Down { .. } | Link::Connecting { .. } | Link::Greeting { .. } | Link::Open(_) | Link::Over => {}
        }
    }

    pub(crate) fn connected(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Link::Connecting { .. } = self.link else { return };
        self.link = Link::Greeting { until: now + HANDSHAKE_MAX, seen: 0, offer: None, proven_at: None };
        effects.push(Effect::Send(FromWorker::Hello(Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            cluster: self.identity.cluster,
            worker: self.identity.worker,
            name: self.identity.name.clone(),
            boot: self.identity.boot,
            epoch_seen: self.identity.epoch_seen,
            version: self.identity.version.clone(),
        })));
    }

    pub(crate) fn disconnected(&mut self, now: Time) {
        let wait = match &self.link {
            Link::Down { .. } | Link::Over => return,
            Link::Open(open) if open.is_stable => self.backoff.ended(open.spread),
            Link::Open(_) | Link::Connecting { .. } | Link::Greeting { .. } => self.backoff.failed(),
        };
        self.link = Link::Down { retry_at: now + wait };
        self.outbox.unhold();
    }

    pub(crate) fn proven(&mut self, now: Time, mac: Option<Digest>, effects: &mut Vec<Effect>) {
        if let Link::Greeting { offer: Some(_), proven_at, .. } = &mut self.link {
            *proven_at = Some(now);
            effects.push(Effect::Send(FromWorker::Proof { mac }));
        }
    }

    /// One frame: in order, once, or the session is of no use.
    pub(crate) fn received(&mut self, now: Time, envelope: Envelope<FromCoordinator>, effects: &mut Vec<Effect>) {
        let seen = match &mut self.link {
            Link::Greeting { seen, .. } => seen,
            Link::Open(open) => {
                open.heard = now;
                &mut open.seen
            }
            Link::Down { .. } | Link::Connecting { .. } | Link::Over => return,
        };
        if envelope.seq <= *seen && !planted::bug(24) {
            return;
        }
        if envelope.seq != *seen + 1 && !planted::bug(24) {
            let why = format!("frame {} arrived after frame {}: something was lost", envelope.seq, *seen);
            self.give_up(now, why, effects);
            return;
        }
        *seen = envelope.seq;
        for message in envelope.messages {
            match self.link {
                Link::Greeting { .. } => self.greeted(now, message, effects),
                Link::Open(_) => self.obey(now, message, effects),
                // The rest of a frame whose beginning closed the session.
                Link::Down { .. } | Link::Connecting { .. } | Link::Over => return,
            }
        }
    }

    /// What a coordinator says before the session is open.
    fn greeted(&mut self, now: Time, message: FromCoordinator, effects: &mut Vec<Effect>) {
        match message {
            FromCoordinator::Challenge { nonce, epoch, cluster, protocol } => {
                if !(PROTOCOL_MIN..=PROTOCOL_MAX).contains(&protocol) {
                    self.give_up(now, format!("it wants to speak protocol {protocol}, which was not offered"), effects);
                    return;
                }
                if let Some(stop) = self.objection(cluster, epoch) {
                    self.stop(stop, effects);
                    return;
                }
                if let Link::Greeting { offer, .. } = &mut self.link {
                    *offer = Some((cluster, epoch));
                    effects.push(Effect::Prove { nonce, epoch });
                }
            }
            FromCoordinator::Refused { code, message } if code.is_passing() => {
                effects.push(Effect::Note(Note::Refused { code, message }));
                effects.push(Effect::Close);
                self.disconnected(now);
            }
            FromCoordinator::Refused { code, message } => self.stop(Stop::Refused { code, message }, effects),
            FromCoordinator::Welcome(welcome) => self.welcomed(now, welcome, effects),
            other => self.give_up(now, format!("it said {} before the session was open", name_of(&other)), effects),
        }
    }

    fn objection(&self, cluster: ClusterId, epoch: Epoch) -> Option<Stop> {
        match self.identity.cluster {
            Some(ours) if ours != cluster => Some(Stop::OtherCluster { ours, theirs: cluster }),
            _ if epoch < self.identity.epoch_seen && !planted::bug(17) => {
                Some(Stop::OldEpoch { seen: self.identity.epoch_seen, theirs: epoch })
            }
            _ => None,
        }
    }

    fn welcomed(&mut self, now: Time, welcome: Welcome, effects: &mut Vec<Effect>) {
        let Link::Greeting { seen, offer: Some((cluster, epoch)), proven_at: Some(proven_at), .. } = self.link else {
            self.give_up(now, "it said welcome before the proof was given".into(), effects);
            return;
        };
        (self.identity.cluster, self.identity.epoch_seen) = (Some(cluster), epoch);
        effects.push(Effect::Pin { cluster, epoch });
        let lease = Duration::from_millis(welcome.lease_ms);
        self.link = Link::Open(Open {
            seen,
            lease,
            interval: Duration::from_millis(welcome.heartbeat_ms).max(HEARTBEAT_MIN),
            spread: Duration::from_millis(welcome.spread_ms),
            number: 0,
            next_heartbeat: now,
            unanswered: Heartbeats::new(),
            heard: now,
            is_stable: false,
            is_reconciled: false,
        });
        // The proof was this worker's last word that the coordinator must have heard.
        self.extend_lease(proven_at + lease, effects);
        effects.push(Effect::Note(Note::Opened { session: welcome.session }));
        self.tell_all(effects);
        if self.leaving.is_some() {
            effects.push(Effect::Send(FromWorker::Leaving));
        }
        self.heartbeat(now, effects);
    }

    /// Everything the worker holds, for a coordinator that may know nothing of it. The tests of a result go before it,
    /// for a result is the last word of an attempt.
    fn tell_all(&mut self, effects: &mut Vec<Effect>) {
        for (attempt, entry) in self.outbox.iter() {
            for results in in_messages(&entry.tests) {
                effects.push(Effect::Send(FromWorker::Tests { attempt, results }));
            }
        }
        let (results, before) = self.outbox.retell();
        for log in self.slots.logs_mut() {
            log.sent = log.acked;
        }
        for result in before {
            effects.push(Effect::Send(FromWorker::Finished { attempt: result.attempt, outcome: result.outcome }));
        }
        effects.push(Effect::Send(FromWorker::Inventory(WorkerInventory {
            machine: self.machine.clone(),
            attempts: self.slots.told(),
            results,
        })));
        for (attempt, slot) in self.slots.iter() {
            for results in in_messages(&slot.tests) {
                effects.push(Effect::Send(FromWorker::Tests { attempt, results }));
            }
        }
        for (attempt, checkpoint) in self.slots.checkpoints() {
            effects.push(Effect::Send(FromWorker::Quiesced { attempt, checkpoint }));
        }
    }

    /// What the worker holds, for a coordinator of the same session that believes otherwise and asks. Never unasked: what is
    /// missing from an answer was lost, and an answer to an older question would leave out what was given since.
    pub(crate) fn tell_inventory(&mut self, effects: &mut Vec<Effect>) {
        if self.link.is_open() {
            let (results, before) = self.outbox.told();
            for result in before {
                effects.push(Effect::Send(FromWorker::Finished { attempt: result.attempt, outcome: result.outcome }));
            }
            let attempts = self.slots.told();
            effects.push(Effect::Send(FromWorker::Inventory(WorkerInventory {
                machine: self.machine.clone(),
                attempts,
                results,
            })));
        }
    }

    pub(crate) fn heartbeat_acknowledged(&mut self, number: u64, effects: &mut Vec<Effect>) {
        let Link::Open(open) = &mut self.link else { return };
        let Some(sent) = open.unanswered.get(&number).copied() else { return };
        open.unanswered = open.unanswered.split_off(&(number + 1));
        open.is_stable = true;
        let sent = if planted::bug(6) { open.heard } else { sent };
        let until = sent + open.lease;
        self.extend_lease(until, effects);
    }

    fn extend_lease(&mut self, until: Time, effects: &mut Vec<Effect>) {
        if self.lease_until < Some(until) {
            self.lease_until = Some(until);
            effects.push(Effect::Lease { until: if planted::bug(38) { until + Duration::from_secs(60) } else { until } });
        }
    }

    fn heartbeat(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let holds = digest_of(self.slots.believed().chain(self.outbox.iter().map(|(attempt, _)| attempt)));
        let load = Box::new(self.load.clone());
        let Link::Open(open) = &mut self.link else { return };
        open.number += 1;
        open.next_heartbeat = now + open.interval;
        open.unanswered.insert(open.number, now);
        // A coordinator that answers some and not others leaves no heap of them behind.
        while open.unanswered.len() > 100 {
            open.unanswered.pop_first();
        }
        effects.push(Effect::Send(FromWorker::Heartbeat(Heartbeat { number: open.number, load, holds })));
    }

    pub(crate) fn give_up(&mut self, now: Time, why: String, effects: &mut Vec<Effect>) {
        effects.push(Effect::Note(Note::GaveUp { why }));
        effects.push(Effect::Close);
        self.disconnected(now);
    }

    fn stop(&mut self, stop: Stop, effects: &mut Vec<Effect>) {
        self.link = Link::Over;
        self.leaving = Some(Leaving::Gone);
        effects.push(Effect::Close);
        effects.push(Effect::Stop(stop));
    }
}

/// The name of a message, for a note.
pub(crate) fn name_of(message: &FromCoordinator) -> &'static str {
    match message {
        FromCoordinator::Challenge { .. } => "challenge",
        FromCoordinator::Refused { .. } => "refused",
        FromCoordinator::Welcome(_) => "welcome",
        FromCoordinator::Reconcile { .. } => "reconcile",
        FromCoordinator::Start(_) => "start",
        FromCoordinator::Cancel { .. } => "cancel",
        FromCoordinator::Checkpoint { .. } => "checkpoint",
        FromCoordinator::Resume { .. } => "resume",
        FromCoordinator::ResultAck { .. } => "result_ack",
        FromCoordinator::LogAck { .. } => "log_ack",
        FromCoordinator::HeartbeatAck { .. } => "heartbeat_ack",
        FromCoordinator::SendInventory => "send_inventory",
        FromCoordinator::Fenced { .. } => "fenced",
    }
}
