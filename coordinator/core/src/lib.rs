//! The coordinator's decisions. `step` takes one event and the time and answers with effects; nothing here waits, sends,
//! reads a clock or rolls dice, so that a simulator can drive the very code that production runs.
//!
//! A step decides which facts happen, [`state::State::apply`] lets each of them happen, and the shell makes them durable
//! before it performs the effects that follow from them. Replaying the facts gives the same state.

pub mod estimate;
pub mod fleet;
pub mod invariants;
pub mod ledger;
mod operator;
pub mod plan;
pub mod policy;
pub mod queue;
mod results;
mod session;
pub mod state;
mod timers;
pub mod view;
mod why;

use plan::{Move, Policy, View};
use shared::config::BalancerConfig;
use shared::fact::{Admission, Fact, What};
use shared::hardware::Load;
use shared::id::{ClusterId, TaskId};
use shared::protocol::{FromCoordinator, FromWorker, Hello, Start};
use shared::task::TaskSpec;
use shared::time::Time;
use state::State;
use std::sync::Arc;
use std::time::Duration;
use timers::{Timer, Timers};

/// One socket, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One caller that waits for a reply, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What arrives.
#[derive(Debug)]
pub enum Event {
    /// Someone asks for tasks to be run.
    Submitted {
        /// Who waits for the answer.
        client: ClientId,
        /// The tasks.
        tasks: Vec<NewTask>,
    },
    /// A worker proved who it is.
    Joined {
        /// Its socket.
        connection: ConnectionId,
        /// Who it is.
        hello: Hello,
    },
    /// A worker said something.
    Received {
        /// Its socket.
        connection: ConnectionId,
        /// When it was read from the socket: the sign of life, however late it is looked at.
        heard: Time,
        /// What it said.
        message: FromWorker,
    },
    /// A socket is gone.
    Disconnected {
        /// Which.
        connection: ConnectionId,
        /// How it ended.
        why: String,
    },
    /// An operator orders something.
    Operator {
        /// Who waits for the answer.
        client: ClientId,
        /// The order.
        command: Command,
    },
    /// A deadline that [`Coordinator::next_wakeup`] named may have come.
    Woke,
}

/// A task someone asks for.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What it is.
    pub spec: Arc<TaskSpec>,
    /// Under which name the request may be repeated.
    pub key: Option<Arc<str>>,
}

/// An operator's order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Stop a task.
    Cancel(TaskId),
    /// Change which work a worker receives.
    Admit(String, Admission),
    /// Take in how busy a worker is from another source than itself (F14).
    Measured(String, Load),
    /// Choose tasks and workers by another policy from now on.
    UsePolicy(String),
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Keep this for ever, before any later effect.
    Record(Arc<Fact>),
    /// Tell a worker.
    Send {
        /// Its socket.
        connection: ConnectionId,
        /// What.
        message: FromCoordinator,
    },
    /// Answer a caller.
    Reply {
        /// Who.
        client: ClientId,
        /// What.
        reply: Reply,
    },
    /// Close a socket, after what was sent before.
    Close {
        /// Which.
        connection: ConnectionId,
    },
}

/// The answer to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The tasks, in the order of the request.
    Accepted(Vec<TaskId>),
    /// It is done.
    Done,
    /// There is no such thing.
    Unknown(String),
    /// It cannot be done now.
    Conflict(String),
    /// There is too much already.
    Full(String),
}

/// The terms and limits of a coordinator.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a worker may be silent before what it holds is given to others (section 4.5 of the protocol).
    pub lease: Duration,
    /// How much longer than that the coordinator waits: the worker's processes are gone before others begin.
    pub lease_margin: Duration,
    /// How long a worker may be silent before it gets no new work.
    pub suspect: Duration,
    /// How often workers send heartbeats.
    pub heartbeat: Duration,
    /// How long a cancelled task may take to end by itself.
    pub cancel_grace: Duration,
    /// Tasks that may be open at a time.
    pub open_tasks_max: u64,
    /// Workers that may be present at a time.
    pub workers_max: usize,
    /// Failures of machines a task may meet before it gets the verdict `error`.
    pub infra_failures_max: u8,
    /// Workers that may be lost while they run a task before it is quarantined.
    pub losses_max: u8,
    /// The published table.
    pub balancer: BalancerConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            lease_margin: Duration::from_secs(11),
            suspect: Duration::from_secs(15),
            heartbeat: Duration::from_secs(5),
            cancel_grace: Duration::from_secs(5),
            open_tasks_max: 2_000_000,
            workers_max: 12_000,
            infra_failures_max: 3,
            losses_max: 8,
            balancer: BalancerConfig::default(),
        }
    }
}

/// The deciding half of a coordinator.
#[derive(Debug)]
pub struct Coordinator {
    config: Config,
    state: State,
    timers: Timers,
    policy: Box<dyn Policy>,
    /// Whether something changed since the last plan.
    changed: bool,
    /// When the policy wants to be asked again.
    again: Option<Time>,
    /// Up to when standing still was forgiven.
    forgiven: Time,
}

impl Coordinator {
    /// A coordinator that knows nothing yet.
    pub fn new(config: Config, policy: Box<dyn Policy>) -> Self {
        Self {
            config,
            state: State::default(),
            timers: Timers::default(),
            policy,
            changed: false,
            again: None,
            forgiven: Time::ZERO,
        }
    }

    /// Takes in a fact of an earlier life. To be called for each, in order, before [`Coordinator::begin`].
    pub fn replay(&mut self, fact: &Fact) {
        self.state.apply(fact);
    }

    /// Begins a life: the epoch rises, and every worker that was there gets a whole lease to come back with what it runs.
    pub fn begin(&mut self, now: Time, cluster: ClusterId, wall_ms: u64, version: &str, effects: &mut Vec<Effect>) {
        let epoch = shared::id::Epoch(self.state.epoch.0 + 1);
        self.record(now, What::CoordinatorStarted { cluster, epoch, wall_ms, version: version.into() }, effects);
        let workers: Vec<_> =
            self.state.fleet.iter().filter(|(_, w)| w.presence != fleet::Presence::Gone).map(|(at, _)| at).collect();
        for worker in workers {
            self.state.fleet.get_mut(worker).heard = now;
            self.timers.set(now + self.config.lease + self.config.lease_margin, Timer::Worker(worker));
        }
        let waiting = self.state.ledger.iter().filter(|(_, task)| matches!(task.state, ledger::State::Queued { .. }));
        let limits: Vec<_> = waiting.filter_map(|(id, task)| operator::queue_deadline(task).map(|at| (at, id))).collect();
        limits.into_iter().for_each(|(at, id)| self.timers.set(at.max(now), Timer::Queued(id)));
        self.timers.set(now + self.check_interval(), Timer::Sample);
    }

    /// Takes one event and adds what is to be done.
    pub fn step(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        self.forgive_own_stall(now);
        match event {
            Event::Submitted { client, tasks } => self.submit(now, client, tasks, effects),
            Event::Joined { connection, hello } => self.join(now, connection, hello, effects),
            Event::Received { connection, heard, message } => self.receive(now, connection, heard, message, effects),
            Event::Disconnected { connection, why } => self.disconnect(now, connection, why, effects),
            Event::Operator { client, command } => self.operate(now, client, command, effects),
            Event::Woke => self.wake(now, effects),
        }
    }

    /// When [`Event::Woke`] is due at the latest. A shell sends it when no other event is at hand, so that a plan is made
    /// for all that arrived together.
    pub fn next_wakeup(&self) -> Option<Time> {
        if self.changed {
            return Some(Time::ZERO);
        }
        self.timers.next().into_iter().chain(self.again).min()
    }

    /// What the facts so far amount to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The policy in force.
    pub fn policy(&self) -> &'static str {
        self.policy.name()
    }

    /// The terms and limits.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn wake(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Worker(worker) => self.watch_worker(now, worker, effects),
                Timer::Queued(task) => self.expire_queued(now, task, effects),
                Timer::Sample => self.sample(now, effects),
            }
        }
        if self.changed || self.again.is_some_and(|at| at <= now) {
            self.make_plan(now, effects);
        }
    }

    fn make_plan(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.changed = false;
        let plan = self.policy.plan(&mut View::new(&mut self.state));
        self.again = plan.again.map(|at| at.max(now + Duration::from_millis(2)));
        for proposed in plan.moves {
            if plan::check(&self.state, &proposed).is_err() {
                continue;
            }
            let Move::Lease { task, to, why } = proposed;
            let attempt = self.state.ledger.next_attempt(task, self.state.epoch);
            let worker = self.state.fleet.get(to);
            let (name, connection) = (worker.name.clone(), worker.presence.connection());
            self.record(now, What::AttemptLeased { task, attempt: attempt.number, worker: name, why }, effects);
            let leased = self.state.ledger.get(task).expect("it was just leased");
            let start = Start { attempt, spec: leased.spec.clone(), skip: leased.settled_tests(), restore: None };
            let connection = connection.expect("a worker that admits work is connected");
            effects.push(Effect::Send { connection, message: FromCoordinator::Start(start) });
        }
    }

    fn record(&mut self, now: Time, what: What, effects: &mut Vec<Effect>) {
        let fact = Fact { at: now, what };
        self.state.apply(&fact);
        effects.push(Effect::Record(Arc::new(fact)));
    }

    fn check_interval(&self) -> Duration {
        Duration::from_secs_f64(self.config.balancer.check_interval_s)
    }

    /// A coordinator that stood still has heard nobody: every lease is longer by the time it stood still.
    fn forgive_own_stall(&mut self, now: Time) {
        let Some(due) = self.timers.next() else { return };
        let stood = now.since(due.max(self.forgiven));
        if stood > Duration::from_secs(1) {
            self.state.fleet.forgive(stood);
            self.forgiven = now;
        }
    }
}
