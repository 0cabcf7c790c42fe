//! A coordinator under test: events in, effects out, and the invariants checked after every step.

use coordinator_core::plan::Policy;
use coordinator_core::{Command, Config, ConnectionId, Coordinator, Effect, Event, NewTask, Reply, invariants, policy};
use shared::fact::Fact;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::{Attempt, BootNonce, ClusterId, Epoch, TaskId, WorkerId};
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{FromCoordinator, FromWorker, HeldAttempt, HeldResult, HeldState, Hello, Start, WorkerInventory};
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::sync::Arc;
use std::time::Duration;

pub struct Bench {
    pub coordinator: Coordinator,
    pub now: Time,
    pub facts: Vec<Arc<Fact>>,
    pub sent: Vec<(ConnectionId, FromCoordinator)>,
    pub replies: Vec<Reply>,
    pub closed: Vec<ConnectionId>,
}

pub fn spec(name: &str) -> TaskSpec {
    TaskSpec::new(name, Work::Command(vec!["true".into()]))
}

pub fn machine(slots: u32) -> Inventory {
    let cpu = Device::of_kind(HardwareKind::Cpu, ProbeLevel::Enumerated);
    Inventory { slots, cores: slots, memory_bytes: 8_000_000_000, devices: vec![cpu], ..Inventory::default() }
}

pub fn passed() -> Outcome {
    Outcome { exit_code: Some(0), run_s: 1.0, ..Outcome::bare(Ended::Passed) }
}

pub fn failed(failure: Failure) -> Outcome {
    Outcome::failed(failure, "as the test wants it")
}

impl Bench {
    pub fn new(policy_name: &str) -> Self {
        Self::replayed(policy_name, &[], Time::ZERO)
    }

    /// A coordinator that begins a life after these facts.
    pub fn replayed(policy_name: &str, facts: &[Arc<Fact>], now: Time) -> Self {
        Self::driven(policy::by_name(policy_name).expect("a known policy"), facts, now)
    }

    /// The same, with a policy of the test's own.
    pub fn driven(policy: Box<dyn Policy>, facts: &[Arc<Fact>], now: Time) -> Self {
        Self::configured(Config::default(), policy, facts, now)
    }

    /// The same, on other terms.
    pub fn configured(config: Config, policy: Box<dyn Policy>, facts: &[Arc<Fact>], now: Time) -> Self {
        let mut coordinator = Coordinator::new(config, policy);
        facts.iter().for_each(|fact| coordinator.replay(fact));
        let mut bench = Self { coordinator, now, facts: facts.to_vec(), sent: vec![], replies: vec![], closed: vec![] };
        let mut effects = Vec::new();
        bench.coordinator.begin(now, ClusterId([1; 16]), 0, "test", &mut effects);
        bench.take(effects);
        bench
    }

    pub fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.coordinator.step(self.now, event, &mut effects);
        self.take(effects);
        while self.coordinator.next_wakeup().is_some_and(|at| at <= self.now) {
            let mut effects = Vec::new();
            self.coordinator.step(self.now, Event::Woke, &mut effects);
            self.take(effects);
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(fact) => self.facts.push(fact),
                Effect::Send { connection, message } => self.sent.push((connection, message)),
                Effect::Reply { reply, .. } => self.replies.push(reply),
                Effect::Close { connection } => self.closed.push(connection),
            }
        }
        invariants::check(&self.coordinator).expect("the invariants hold after every step");
    }

    /// Lets time pass, waking the coordinator whenever it asks for it.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.coordinator.next_wakeup().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step(Event::Woke);
        }
        self.now = until;
        self.step(Event::Woke);
    }

    pub fn submit(&mut self, specs: Vec<TaskSpec>) -> Vec<TaskId> {
        let tasks = specs.into_iter().map(|spec| NewTask { spec: Arc::new(spec), key: None }).collect();
        self.step(Event::Submitted { client: coordinator_core::ClientId(1), tasks });
        match self.replies.last() {
            Some(Reply::Accepted(ids)) => ids.clone(),
            other => panic!("the tasks were not accepted: {other:?}"),
        }
    }

    pub fn order(&mut self, command: Command) -> Reply {
        self.step(Event::Operator { client: coordinator_core::ClientId(2), command });
        self.replies.last().expect("every order is answered").clone()
    }

    /// Connects a worker of this name and lets it tell that it holds these.
    pub fn join(&mut self, name: &str, connection: u64, machine: Inventory, attempts: &[Attempt], results: Vec<HeldResult>) {
        let hello = Hello {
            protocol_min: 1,
            protocol_max: 1,
            cluster: None,
            worker: WorkerId([name.as_bytes()[0]; 16]),
            name: name.into(),
            boot: BootNonce([0; 8]),
            epoch_seen: Epoch(0),
            version: String::new(),
        };
        self.step(Event::Joined { connection: ConnectionId(connection), hello });
        let held = |attempt: &Attempt| HeldAttempt { attempt: *attempt, state: HeldState::Running, log_bytes: 0 };
        let attempts = attempts.iter().map(held).collect();
        self.say(connection, FromWorker::Inventory(WorkerInventory { machine, attempts, results }));
        // Plans wait for a moment after a worker came, because others may follow.
        self.wait(Duration::from_millis(20));
    }

    pub fn say(&mut self, connection: u64, message: FromWorker) {
        self.step(Event::Received { connection: ConnectionId(connection), heard: self.now, message });
    }

    /// The orders to start, oldest first, that were sent since the last call.
    pub fn starts(&mut self) -> Vec<(u64, Start)> {
        let (starts, rest): (Vec<_>, Vec<_>) =
            self.sent.drain(..).partition(|(_, message)| matches!(message, FromCoordinator::Start(_)));
        self.sent = rest;
        let start = |(connection, message): (ConnectionId, FromCoordinator)| match message {
            FromCoordinator::Start(start) => (connection.0, start),
            other => panic!("only starts were kept: {other:?}"),
        };
        starts.into_iter().map(start).collect()
    }

    pub fn verdict(&self, id: TaskId) -> Option<&'static str> {
        self.coordinator.task_view(id)?.verdict.map(|verdict| verdict.name())
    }
}
