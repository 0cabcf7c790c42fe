//! The coordinator's decisions. `step` takes one event and the time and answers with effects; nothing here waits, sends,
//! reads a clock or rolls dice, so that a simulator can drive the very code that production runs.
//!
//! A step decides which facts happen, [`state::State::apply`] lets each of them happen, and the shell makes them durable
//! before it performs the effects that follow from them. Replaying the facts gives the same state.

pub mod adaptive;
pub mod alerts;
mod balance;
mod bottleneck;
mod config;
pub mod decision;
pub mod estimate;
pub mod fleet;
mod foreign;
pub mod health;
pub mod heat;
pub mod invariants;
pub mod ledger;
mod operator;
mod overview;
pub mod plan;
pub mod policy;
pub mod price;
pub mod pulse;
pub mod queue;
pub mod replay;
mod results;
mod session;
mod standstill;
pub mod state;
mod timers;
pub mod view;
mod why;

pub use config::Config;
pub use overview::AtWork;

use adaptive::balancer::AdaptiveLoadBalancer;
use adaptive::evacuate::evacuate;
use adaptive::threshold::Limits;
use plan::{Balance, Move, Policy, View};
use pulse::Pulse;
use shared::fact::{Admission, Fact, Known, StandstillEnd, What};
use shared::hardware::Load;
use shared::id::{AttemptNumber, ClusterId, TaskId};
use shared::planted;
use shared::protocol::{FromCoordinator, FromWorker, Hello};
use shared::task::TaskSpec;
use shared::time::Time;
use standstill::Grant;
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
    Measured(String, Box<Load>),
    /// Take in how long tasks took elsewhere.
    Learn(Vec<Known>),
    /// Move a running task to a worker.
    Migrate(TaskId, String),
    /// Choose tasks and workers by another policy from now on.
    UsePolicy(String),
    /// Spread work anew, now and not at the next look.
    Rebalance,
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
    /// It is done, and so many running tasks move because of it.
    Rebalanced(u32),
    /// There is no such thing.
    Unknown(String),
    /// It cannot be done now.
    Conflict(String),
    /// There is too much already.
    Full(String),
}

/// The deciding half of a coordinator.
#[derive(Debug)]
pub struct Coordinator {
    config: Config,
    state: State,
    timers: Timers,
    policy: Box<dyn Policy>,
    balancer: AdaptiveLoadBalancer,
    pulse: Pulse,
    /// Whether someone asked for the plan that is being made.
    ordered: bool,
    /// Whether something changed since the last plan.
    changed: bool,
    /// No plan before this time: workers that come together are planned for together.
    settled: Time,
    /// When the policy wants to be asked again.
    again: Option<Time>,
    /// Up to when standing still was forgiven.
    forgiven: Time,
    /// Whether no plan is made for now.
    is_holding: bool,
}

impl Coordinator {
    /// A coordinator that knows nothing yet.
    pub fn new(config: Config, policy: Box<dyn Policy>) -> Self {
        Self {
            balancer: AdaptiveLoadBalancer::new(config.balancer),
            pulse: Pulse::default(),
            ordered: false,
            config,
            state: State::default(),
            timers: Timers::default(),
            policy,
            changed: false,
            settled: Time::ZERO,
            again: None,
            forgiven: Time::ZERO,
            is_holding: false,
        }
    }

    /// Takes in a fact of an earlier life. To be called for each, in order, before [`Coordinator::begin`].
    pub fn replay(&mut self, fact: &Fact) {
        self.state.apply(fact);
        self.balancer.heard(fact, &self.state.fleet);
    }

    /// Begins a life: the epoch rises, and every worker that was there gets a whole lease to come back with what it runs.
    pub fn begin(&mut self, now: Time, cluster: ClusterId, wall_ms: u64, version: &str, effects: &mut Vec<Effect>) {
        self.balancer.begin();
        let epoch = shared::id::Epoch(if planted::bug(31) { self.state.epoch.0.max(1) } else { self.state.epoch.0 + 1 });
        self.record(now, What::CoordinatorStarted { cluster, epoch, wall_ms, version: version.into() }, effects);
        self.record(now, What::BalancerConfigured { balancer: self.config.balancer }, effects);
        let workers: Vec<_> =
            self.state.fleet.iter().filter(|(_, w)| w.presence != fleet::Presence::Gone).map(|(at, _)| at).collect();
        for worker in workers {
            self.state.fleet.get_mut(worker).heard = now;
            self.timers.set(now + self.config.lease + self.config.lease_margin, Timer::Worker(worker));
        }
        let waiting = self.state.ledger.iter().filter(|(_, task)| matches!(task.state, ledger::State::Queued { .. }));
        let limits: Vec<_> = waiting.filter_map(|(id, task)| operator::queue_deadline(task).map(|at| (at, id))).collect();
        limits.into_iter().for_each(|(at, id)| self.timers.set(at.max(now), Timer::Queued(id)));
        let open = self.state.fleet.iter().filter_map(|(at, worker)| Some((worker.health.open_since()?, at)));
        open.for_each(|(since, at)| self.timers.set((since + self.config.breaker_open).max(now), Timer::Breaker(at)));
        self.timers.set(now + self.check_interval(), Timer::Sample);
        if let Some(chosen) = self.state.policy.as_deref().and_then(policy::by_name) {
            self.policy = chosen;
        }
        // Orders to stand still do not outlive the coordinator that gave them: the attempts go on, and say so when asked.
        let ordered = self.state.ledger.iter().filter(|(_, task)| task.standstill().is_some());
        let ordered: Vec<TaskId> = ordered.map(|(id, _)| id).collect();
        ordered
            .into_iter()
            .for_each(|id| self.end_standstill(now, id, StandstillEnd::Withdrawn, "the coordinator began a new life", effects));
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
        self.timers.next().into_iter().chain(self.plan_due()).min()
    }

    /// Makes no plan while it is told so, and what waits goes on waiting: for a shell that has no room for new facts.
    pub fn hold_leases(&mut self, is_holding: bool) {
        self.is_holding = is_holding;
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
                Timer::Standstill(task) => self.expire_standstill(now, task, effects),
                Timer::Breaker(worker) => self.half_open(now, worker, effects),
                Timer::Sample => self.sample(now, effects),
            }
        }
        if self.plan_due().is_some_and(|at| at <= now) {
            self.make_plan(now, effects);
        }
    }

    /// When the next plan is to be made.
    fn plan_due(&self) -> Option<Time> {
        let due = if self.changed { Some(self.settled) } else { self.again };
        due.filter(|_| !self.is_holding)
    }

    fn make_plan(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.changed = false;
        for (worker, is_held_back) in self.state.fleet.who_changes_hold() {
            let worker = self.state.fleet.get(worker).name.clone();
            self.record(now, What::WorkerHeldBack { worker, is_held_back }, effects);
        }
        for (worker, breaker) in self.state.fleet.whose_breaker_moves() {
            self.move_breaker(now, worker, breaker, effects);
        }
        let balance = self.balance();
        let mut view = View::new(now, &self.config.balancer, balance, &mut self.state);
        let away = evacuate(&mut view);
        let plan = self.policy.plan(&mut view);
        self.again = plan.again.map(|at| at.max(now + Duration::from_millis(2)));
        let (place, mut moves, mut told) = (effects.len(), 0, Vec::new());
        for proposed in away.into_iter().chain(plan.moves) {
            if plan::check(&self.state, &proposed).is_ok() && self.state.permits(&self.config.balancer, &proposed) {
                let decided_with = decision::told_before(&mut told, &proposed);
                self.carry_out(now, proposed, decided_with, effects);
                moves += 1;
            }
        }
        // How many there are is known only now, and said before them.
        let (policy, Balance { limits: Limits { high, low }, uneven, ordered }) = (self.policy.name().into(), balance);
        let what = What::Planned { policy, moves, high, low, uneven, ordered };
        effects.insert(place, Effect::Record(Arc::new(Fact { at: now, what })));
    }

    /// Lets a move that was checked happen. Where another task shares its decision, that one tells of it.
    fn carry_out(&mut self, now: Time, checked: Move, decided_with: Option<TaskId>, effects: &mut Vec<Effect>) {
        match checked {
            Move::Lease { task, to, hardware, why, decision } => {
                self.lease(now, Grant { task, to, hardware, hedge: false, why, decision, decided_with }, effects);
            }
            Move::Hedge { task, to, hardware, why, decision } => {
                self.lease(now, Grant { task, to, hardware, hedge: true, why, decision, decided_with: None }, effects);
            }
            Move::Preempt { task, why, decision } => {
                let (attempt, worker) = self.newest(task);
                self.record(now, What::Preemption { task, attempt, worker, why, decision }, effects);
                self.ask_for_state(now, task, effects);
            }
            Move::Migrate { task, to, hardware, gain_s, cost_s, why, decision } => {
                let (attempt, from) = self.newest(task);
                let to = self.state.fleet.get(to).name.clone();
                let (predicted_gain_s, cost_s) = (gain_s, cost_s);
                let what = What::Migration { task, attempt, from, to, hardware, why, predicted_gain_s, cost_s, decision };
                self.record(now, what, effects);
                self.ask_for_state(now, task, effects);
            }
        }
    }

    /// The newest attempt of a task that runs, and the name of its worker.
    fn newest(&self, task: TaskId) -> (AttemptNumber, Arc<str>) {
        let newest = self.state.ledger.get(task).and_then(|task| task.attempts.last()).expect("it runs");
        (newest.number, self.state.fleet.get(newest.worker).name.clone())
    }

    fn record(&mut self, now: Time, what: What, effects: &mut Vec<Effect>) {
        let fact = Arc::new(Fact { at: now, what });
        self.state.apply(&fact);
        self.balancer.count(&fact.what);
        self.pulse.count(&fact, &self.state);
        effects.push(Effect::Record(fact));
    }

    fn check_interval(&self) -> Duration {
        Duration::from_secs_f64(self.config.balancer.check_interval_s)
    }

    /// A coordinator that stood still has heard nobody: every lease is longer by the time it stood still, as far as an overdue
    /// timer shows it, and by a heartbeat more, in which whoever lives is heard again.
    fn forgive_own_stall(&mut self, now: Time) {
        let Some(due) = self.timers.next().filter(|_| !planted::bug(18)) else { return };
        let stood = now.since(due.max(self.forgiven));
        if stood > Duration::from_secs(1) {
            self.state.fleet.forgive(now, stood + self.config.heartbeat);
            self.forgiven = now;
        }
    }
}
