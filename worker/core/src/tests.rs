//! The worker is driven by events alone and judged by its effects.

use super::*;
use crate::link::name_of;
use shared::hardware::HardwareKind;
use shared::id::{AttemptNumber, Session, TaskId};
use shared::outcome::{Ended, Failure, TestOutcome};
use shared::protocol::{HeldState, LOG_UNACKED_BYTES_MAX, Refusal, ResultAnswer, Welcome, WorkerInventory, digest_of};
use shared::task::{TaskSpec, Timeouts, Work};
use std::sync::Arc;

const LEASE: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_secs(5);

/// A worker, its clock, and the number of the last frame it was sent.
struct Bench {
    worker: Worker,
    now: Time,
    seq: u64,
    /// Whether the worker has asked for a socket already.
    is_dialled: bool,
}

fn attempt(task: u64, ordinal: u32) -> Attempt {
    Attempt { task: TaskId(task), number: AttemptNumber::new(Epoch(1), ordinal) }
}

fn start(attempt: Attempt, work: Work, timeouts: Timeouts) -> FromCoordinator {
    let spec = TaskSpec { timeouts, ..TaskSpec::new("t", work) };
    FromCoordinator::Start(Start {
        attempt,
        spec: Arc::new(spec),
        hardware: HardwareKind::Cpu,
        device: None,
        skip: Vec::new(),
        restore: None,
    })
}

fn command(attempt: Attempt) -> FromCoordinator {
    start(attempt, Work::Command(vec!["true".into()]), Timeouts::default())
}

fn end(attempt: Attempt, grace: Duration, reason: Reason) -> Effect {
    Effect::End { attempt, grace, reason }
}

fn ended(attempt: Attempt, log_bytes: u64) -> Event {
    Event::Ended { attempt, outcome: Outcome::bare(Ended::Passed), log_bytes, is_clean: true, by: None }
}

fn sent(effects: &[Effect]) -> Vec<&FromWorker> {
    effects.iter().filter_map(|effect| if let Effect::Send(message) = effect { Some(message) } else { None }).collect()
}

fn finished(effects: &[Effect]) -> Vec<(Attempt, Ended)> {
    let results = sent(effects).into_iter().filter_map(|message| match message {
        FromWorker::Finished { attempt, outcome } => Some((*attempt, outcome.ended)),
        _ => None,
    });
    results.collect()
}

fn inventory(effects: &[Effect]) -> WorkerInventory {
    let found = sent(effects).into_iter().find_map(|message| match message {
        FromWorker::Inventory(inventory) => Some(inventory.clone()),
        _ => None,
    });
    found.expect("an inventory was sent")
}

fn beat(effects: &[Effect]) -> Option<(u64, u64)> {
    sent(effects).into_iter().find_map(|message| match message {
        FromWorker::Heartbeat(heartbeat) => Some((heartbeat.number, heartbeat.holds)),
        _ => None,
    })
}

impl Bench {
    fn new(held: Vec<Held>) -> Self {
        let identity = Identity {
            worker: WorkerId([1; 16]),
            name: "w".into(),
            boot: BootNonce([2; 8]),
            cluster: Some(ClusterId([3; 16])),
            epoch_seen: Epoch(4),
            version: String::new(),
        };
        let machine = Inventory { slots: 2, cores: 2, ..Inventory::default() };
        Self { worker: Worker::new(identity, machine, held, 9), now: Time(1_000_000), seq: 0, is_dialled: false }
    }

    fn open() -> Self {
        let mut bench = Self::new(Vec::new());
        bench.connect();
        bench
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.worker.step(self.now, event, &mut effects);
        effects
    }

    fn hear(&mut self, message: FromCoordinator) -> Vec<Effect> {
        self.seq += 1;
        self.step(Event::Received(Envelope { seq: self.seq, ack: 0, messages: vec![message] }))
    }

    fn challenge(&mut self, cluster: u8, epoch: u32) -> Vec<Effect> {
        let (nonce, cluster) = (BootNonce([5; 8]), ClusterId([cluster; 16]));
        self.hear(FromCoordinator::Challenge { nonce, epoch: Epoch(epoch), cluster, protocol: 1 })
    }

    fn dial(&mut self) {
        assert!(std::mem::take(&mut self.is_dialled) || self.step(Event::Woke).contains(&Effect::Connect));
        self.seq = 0;
        assert!(matches!(sent(&self.step(Event::Connected))[..], [FromWorker::Hello(_)]));
    }

    /// From no socket to an open session; answers with what the worker does on welcome.
    fn connect(&mut self) -> Vec<Effect> {
        self.dial();
        assert!(matches!(self.challenge(3, 4)[..], [Effect::Prove { .. }]));
        self.step(Event::Proven { mac: None });
        let (lease_ms, heartbeat_ms) = (LEASE.as_millis() as u64, BEAT.as_millis() as u64);
        self.hear(FromCoordinator::Welcome(Welcome {
            session: Session(1),
            lease_ms,
            heartbeat_ms,
            spread_ms: 100,
            features: Vec::new(),
        }))
    }

    /// Lets the time of the next wakeup come.
    fn wake(&mut self) -> Vec<Effect> {
        self.now = self.now.max(self.worker.next_wakeup().expect("something is due"));
        self.step(Event::Woke)
    }

    fn reconnect(&mut self) -> Vec<Effect> {
        self.step(Event::Disconnected);
        self.now = self.now.max(self.worker.link.next_wakeup().expect("a retry is due"));
        self.connect()
    }

    fn run(&mut self, attempt: Attempt) {
        assert!(self.hear(command(attempt)).iter().any(|effect| matches!(effect, Effect::Run(_))));
        self.step(Event::Started { attempt });
    }
}

mod attempts;
mod session;
mod standstill;
