//! All that facts say: the one place where a fact changes anything, in life and in replay alike. What is not changed here
//! does not survive a restart.

use crate::estimate::Estimates;
use crate::fleet::{Fleet, Presence, WorkerIndex};
use crate::ledger::{AttemptRecord, Ledger, State as TaskState, Task};
use crate::queue::{Profile, Queue, UNKNOWN_MS};
use shared::fact::{Fact, StopReason, What};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, ClusterId, Epoch, Session, TaskId};
use shared::outcome::Failure;
use shared::requirement::Demand;
use shared::time::Time;
use std::cmp::Reverse;
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
            }
            What::TaskQueued { task, spec, key } => {
                let estimate_ms = self.estimates.of(spec).unwrap_or(UNKNOWN_MS);
                self.ledger.accept(*task, spec, key.as_ref(), at, estimate_ms);
                self.wait(*task, false);
            }
            What::WorkerJoined { worker, id, session } => {
                self.session = self.session.max(session.0);
                self.fleet.join(worker, *id, *session);
            }
            What::WorkerDescribed { worker, inventory } => {
                let worker = self.worker(worker);
                self.fleet.describe(worker, inventory);
            }
            What::WorkerDisconnected { worker, .. } => self.set_presence(worker, Presence::Disconnected),
            What::WorkerLeft { worker, .. } => self.set_presence(worker, Presence::Gone),
            What::WorkerSet { worker, admission } => {
                let worker = self.worker(worker);
                self.fleet.get_mut(worker).admission = *admission;
            }
            What::AttemptLeased { task, attempt, worker, why } => {
                let worker = self.worker(worker);
                self.lease(Attempt { task: *task, number: *attempt }, worker, why, at);
            }
            What::AttemptStarted { task, hardware, .. } => {
                let worker = self.holder(*task);
                let newest = newest_attempt(self.ledger.task_mut(*task));
                newest.started = Some(at);
                newest.hardware = *hardware;
                self.ledger.set_state(*task, TaskState::Running(worker));
            }
            What::TestFinished { task, index, test, outcome, seconds, .. } => {
                let extra = self.ledger.task_mut(*task).extra_mut();
                extra.reported.insert(*index);
                if let Some(result) = extra.tests.get_mut(*index as usize) {
                    *result = Some(*outcome);
                }
                if outcome.is_green() {
                    self.estimates.saw_test(test, *seconds);
                }
            }
            What::AttemptStopped { .. } => self.stop(fact),
            What::TaskRequeued { task, why } => self.requeue(*task, *why, at),
            What::CancelRequested { task } => self.ledger.task_mut(*task).extra_mut().cancel = true,
            What::TaskFinished { task, verdict, failure, .. } => {
                if let Some(profile) = self.profile(*task) {
                    let ledger = &self.ledger;
                    self.queue.remove(&profile, *task, |other| waits(ledger, other));
                }
                self.ledger.set_state(*task, TaskState::Done(at, *verdict, *failure));
            }
            What::WorkerSampled { .. } | What::Fenced { .. } | What::LoadSampled { .. } => {}
        }
    }

    /// The group in which a waiting task waits.
    pub fn profile(&self, id: TaskId) -> Option<Profile> {
        let task = self.ledger.get(id)?;
        let TaskState::Queued { estimate_ms, .. } = task.state else { return None };
        Some(Profile {
            priority: Reverse(task.spec.priority),
            estimate_ms: Reverse(estimate_ms),
            class: self.queue.known_class(&task.spec.requires)?,
            avoid: task.avoid().to_vec(),
        })
    }

    /// Whether a task waits.
    pub fn waits(&self, task: TaskId) -> bool {
        waits(&self.ledger, task)
    }

    /// What a task keeps to itself while it runs.
    pub fn demand(&self, task: &Task) -> Demand {
        self.queue.known_class(&task.spec.requires).map_or_else(|| task.spec.requires.demand(), |class| self.queue.class(class).1)
    }

    /// The session the next worker gets.
    pub fn next_session(&self) -> Session {
        Session(self.session + 1)
    }

    /// A number over everything facts decide about tasks and who holds them: equal after a replay (invariant I14).
    pub fn hash(&self) -> u64 {
        let tasks = self.ledger.iter().map(|(id, task)| format!("{id} {:?} {:?} {:?}\n", task.state, task.attempts, task.extra));
        let workers = self.fleet.iter().map(|(at, worker)| {
            format!(
                "{at:?} {} {:?} {:?} {:?} {:?}\n",
                worker.name,
                worker.session,
                worker.inventory,
                worker.admission,
                worker.digest()
            )
        });
        let bytes = tasks.chain(workers).flat_map(String::into_bytes);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    fn worker(&self, name: &str) -> WorkerIndex {
        self.fleet.by_name(name).expect("a fact names a worker that joined before")
    }

    fn holder(&self, task: TaskId) -> WorkerIndex {
        self.ledger.get(task).and_then(Task::holder).expect("only an attempt that a worker holds starts or stops")
    }

    fn set_presence(&mut self, worker: &str, presence: Presence) {
        let worker = self.worker(worker);
        self.fleet.set_presence(worker, presence);
    }

    fn wait(&mut self, id: TaskId, at_front: bool) {
        let requires = &self.ledger.get(id).expect("it was just accepted or stopped").spec.requires;
        self.queue.class_of(requires);
        let profile = self.profile(id).expect("it waits, and its class is known");
        if at_front { self.queue.push_front(profile, id) } else { self.queue.push_back(profile, id) }
    }

    fn lease(&mut self, attempt: Attempt, worker: WorkerIndex, why: &Arc<str>, at: Time) {
        let id = attempt.task;
        let profile = self.profile(id).expect("only a waiting task is leased");
        let ledger = &self.ledger;
        self.queue.remove(&profile, id, |other| waits(ledger, other));
        let task = self.ledger.get(id).expect("it waits");
        let demand = self.demand(task);
        self.fleet.take(worker, attempt, demand);
        let task = self.ledger.task_mut(id);
        task.attempts.push(AttemptRecord {
            number: attempt.number,
            worker,
            why: why.clone(),
            hardware: HardwareKind::Cpu,
            leased: at,
            started: None,
            stopped: None,
            failure: None,
            exit_code: None,
            message: None,
            log_bytes: 0,
        });
        if let Some(extra) = &mut task.extra {
            extra.reported.clear();
        }
        self.ledger.set_state(id, TaskState::Leased(worker));
    }

    /// The worker no longer holds the attempt. Where the task goes is said by the fact that follows: back to the queue or
    /// to its verdict.
    fn stop(&mut self, fact: &Fact) {
        let What::AttemptStopped { task: id, reason, failure, exit_code, message, run_s, log_bytes, .. } = &fact.what else {
            return;
        };
        let worker = self.holder(*id);
        self.fleet.free(worker, *id);
        let task = self.ledger.task_mut(*id);
        let newest = newest_attempt(task);
        newest.stopped = Some((fact.at, *reason));
        newest.failure = *failure;
        newest.exit_code = *exit_code;
        newest.log_bytes = *log_bytes;
        newest.message = message.as_deref().map(Into::into);
        if *reason == StopReason::Finished && failure.is_none() && task.tests() == 0 {
            self.estimates.saw_task(&task.spec.kind, *run_s);
        }
    }

    fn requeue(&mut self, id: TaskId, why: Failure, at: Time) {
        let task = self.ledger.task_mut(id);
        let newest = newest_attempt(task);
        let (worker, had_started) = (newest.worker, newest.started.is_some());
        let extra = task.extra_mut();
        if why.is_of_the_task() {
            extra.own_failures = extra.own_failures.saturating_add(1);
        } else if why == Failure::Lost {
            if had_started {
                extra.lost_on.push(worker);
            }
        } else {
            extra.infra_failures = extra.infra_failures.saturating_add(1);
            if !extra.avoid.contains(&worker) {
                extra.avoid.push(worker);
            }
        }
        let estimate_ms = self.estimates.of(&task.spec).unwrap_or(UNKNOWN_MS);
        self.ledger.set_state(id, TaskState::Queued { since: at, estimate_ms });
        self.wait(id, true);
    }
}

fn waits(ledger: &Ledger, task: TaskId) -> bool {
    ledger.get(task).is_some_and(|task| matches!(task.state, TaskState::Queued { .. }))
}

fn newest_attempt(task: &mut Task) -> &mut AttemptRecord {
    task.attempts.last_mut().expect("it was leased before")
}
