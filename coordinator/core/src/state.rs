//! All that facts say: the one place where a fact changes anything, in life and in replay alike. What is not changed here
//! does not survive a restart.

mod attempts;

pub(crate) use attempts::behind_s;

use crate::decision::Decisions;
use crate::estimate::Estimates;
use crate::fleet::{Fleet, Presence, Worker, WorkerIndex};
use crate::ledger::{Ledger, State as TaskState, Task};
use crate::plan::Move;
use crate::queue::{Profile, Queue};
use shared::config::BalancerConfig;
use shared::fact::{Fact, What};
use shared::hardware::HardwareKind;
use shared::id::{ClusterId, Epoch, Session, TaskId};
use shared::planted;
use shared::requirement::Demand;
use shared::time::Time;
use std::cmp::Reverse;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What the facts so far amount to.
#[derive(Debug, Default)]
pub struct State {
    /// The tasks.
    pub ledger: Ledger,
    /// Those that wait.
    pub queue: Queue,
    /// The workers.
    pub fleet: Fleet,
    /// What was learned.
    pub estimates: Estimates,
    /// The cluster, once a coordinator began its first life.
    pub cluster: Option<ClusterId>,
    /// The newest life.
    pub epoch: Epoch,
    /// The newest session.
    pub session: u64,
    /// The policy someone chose while it ran; absent where the one it was started with holds.
    pub policy: Option<Arc<str>>,
    /// The newest decisions.
    pub decisions: Decisions,
    /// The time of the newest fact.
    pub at: Time,
}

impl State {
    /// Takes in one fact.
    pub fn apply(&mut self, fact: &Fact) {
        let at = fact.at;
        self.at = self.at.max(at);
        match &fact.what {
            What::CoordinatorStarted { cluster, epoch, .. } => {
                self.cluster = Some(*cluster);
                self.epoch = *epoch;
                self.fleet.begin_life();
            }
            What::TaskQueued { task, spec, key } => self.accept(*task, spec, key.as_ref(), at),
            What::WorkerJoined { worker, id, session } => {
                self.session = self.session.max(session.0);
                self.fleet.join(worker, *id, *session);
            }
            What::WorkerDescribed { worker, inventory } => {
                let worker = self.worker(worker);
                self.fleet.describe(worker, inventory);
            }
            What::WorkerReady { worker } => self.set_ready(worker, true),
            What::WorkerSuspected { worker, .. } => self.set_ready(worker, false),
            What::WorkerHeldBack { worker, is_held_back } => {
                let worker = self.worker(worker);
                self.fleet.get_mut(worker).foreign.set_held_back(*is_held_back);
            }
            What::BreakerMoved { worker, breaker } => {
                let worker = self.worker(worker);
                self.fleet.get_mut(worker).health.change(at, *breaker);
            }
            What::WorkerDisconnected { worker, .. } => self.set_presence(worker, Presence::Disconnected),
            What::WorkerLeft { worker, .. } => self.set_presence(worker, Presence::Gone),
            What::WorkerSet { worker, admission } => {
                let worker = self.worker(worker);
                self.fleet.get_mut(worker).admission = *admission;
            }
            What::AttemptLeased { .. } => self.lease(fact),
            What::AttemptStarted { task, attempt, .. } => {
                self.attempt_mut(*task, *attempt).started = Some(at);
                self.follow_attempts(*task);
            }
            What::Migration { .. } | What::Preemption { .. } => self.begin_standstill(fact),
            What::CheckpointSaved { task, checkpoint, .. } => {
                let extra = self.ledger.task_mut(*task).extra_mut();
                (extra.checkpoint, extra.restores_failed) = (Some(checkpoint.clone()), 0);
            }
            What::StandstillEnded { task, end, .. } => self.end_standstill(*task, *end),
            What::DurationsKnown { known } => known.iter().for_each(|known| self.estimates.learn(known)),
            What::PolicyChosen { policy } => self.policy = Some(policy.clone()),
            What::TestFinished { task, index, test, outcome, seconds, .. } => {
                self.ledger.task_mut(*task).saw_test(*index, *outcome);
                if outcome.is_green() {
                    self.estimates.saw_test(test, *seconds);
                }
            }
            What::AttemptStopped { .. } => self.stop(fact),
            What::TaskRequeued { task, why } => self.requeue(*task, *why, at),
            What::CancelRequested { task } => self.ledger.task_mut(*task).extra_mut().cancel = true,
            What::TaskFinished { task, verdict, failure, .. } => self.finish(*task, TaskState::Done(at, *verdict, *failure)),
            What::WorkerSampled { worker, load, .. } => {
                let worker = self.worker(worker);
                self.fleet.get_mut(worker).hear_load(at, load);
            }
            What::BalancerConfigured { .. }
            | What::Planned { .. }
            | What::MigrationJudged { .. }
            | What::Fenced { .. }
            | What::Thresholds { .. }
            | What::LoadSampled { .. } => {}
        }
    }

    /// The group in which a waiting task waits.
    pub fn profile(&self, id: TaskId) -> Option<Profile> {
        let task = self.ledger.get(id)?;
        let TaskState::Queued { estimate_ms, behind_ms, .. } = task.state else { return None };
        Some(Profile {
            priority: Reverse(task.spec.priority),
            estimate_ms: Reverse(estimate_ms),
            class: task.class,
            kind: task.kind,
            behind_ms,
            avoid: task.avoid().to_vec(),
        })
    }

    /// Whether a task waits.
    pub fn waits(&self, task: TaskId) -> bool {
        waits(&self.ledger, task)
    }

    /// What a task keeps to itself while it runs.
    pub fn demand(&self, task: &Task) -> Demand {
        self.queue.class(task.class).demand
    }

    /// How fast a worker's hardware is now beside others of that kind: as declared, as it says of itself, and as it turned out.
    pub fn speed(&self, worker: WorkerIndex, hardware: HardwareKind) -> f64 {
        self.fleet.get(worker).told_speed(hardware) * self.estimates.speed(worker, hardware)
    }

    /// Migrations that may begin beside those that are under way; none where tasks may not be moved.
    pub fn migrations_left(&self, config: &BalancerConfig) -> usize {
        let under_way: usize = self.fleet.iter().map(|(_, worker)| worker.reserved.len()).sum();
        let most = if config.enable_task_migration { config.max_simultaneous_migrations as usize } else { 0 };
        most.saturating_sub(under_way)
    }

    /// Whether the configuration lets a move happen that was proposed, beside those under way.
    pub fn permits(&self, config: &BalancerConfig, proposed: &Move) -> bool {
        !matches!(proposed, Move::Migrate { .. }) || self.migrations_left(config) > 0
    }

    /// The session the next worker gets.
    pub fn next_session(&self) -> Session {
        Session(self.session + u64::from(!planted::bug(30) || self.session == 0))
    }

    /// A number over everything facts decide about tasks and who holds them: equal after a replay (invariant I14).
    pub fn hash(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        for (id, task) in self.ledger.iter() {
            (id, &task.state, &task.attempts).hash(&mut hash);
            if let Some(extra) = &task.extra {
                write!(Text(&mut hash), "{extra:?}").expect("a hash takes any text");
            }
        }
        for (at, worker) in self.fleet.iter() {
            let Worker { name, session, inventory, admission, .. } = worker;
            let text = format_args!("{at:?} {name} {session:?} {inventory:?} {admission:?} {:?}", worker.digest());
            write!(Text(&mut hash), "{text}").expect("a hash takes any text");
        }
        hash.finish()
    }

    fn worker(&self, name: &str) -> WorkerIndex {
        self.fleet.by_name(name).expect("a fact names a worker that joined before")
    }

    fn set_presence(&mut self, worker: &str, presence: Presence) {
        let worker = self.worker(worker);
        self.fleet.set_presence(worker, presence);
    }

    fn set_ready(&mut self, worker: &str, is_ready: bool) {
        let worker = self.worker(worker);
        self.fleet.get_mut(worker).ready = is_ready;
    }

    fn wait(&mut self, id: TaskId, at_front: bool) {
        let profile = self.profile(id).expect("it waits, and its class is known");
        if at_front { self.queue.push_front(profile, id) } else { self.queue.push_back(profile, id) }
    }
}

/// Hashes text as it is written.
struct Text<'a>(&'a mut DefaultHasher);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

pub(crate) fn waits(ledger: &Ledger, task: TaskId) -> bool {
    ledger.get(task).is_some_and(|task| matches!(task.state, TaskState::Queued { .. }))
}
