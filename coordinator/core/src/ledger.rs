//! Which task is where: the state machine of tasks and their attempts.
//!
//! Only facts change it. The newest attempt of a task is its fence: a message that names another changes nothing.

use crate::estimate::KindId;
use crate::fleet::WorkerIndex;
use crate::queue::ClassId;
use shared::fact::{Decision, StopReason};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, AttemptNumber, Epoch, TaskId};
use shared::outcome::{Failure, TestOutcome, Verdict};
use shared::planted;
use shared::protocol::CheckpointRef;
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Specifications that were seen last, shared with the next task that has an equal one: arrays of tasks cost one.
const RECENT_SPECS: usize = 8;

/// All tasks, by number.
#[derive(Debug, Default)]
pub struct Ledger {
    tasks: Vec<Task>,
    keys: BTreeMap<Arc<str>, TaskId>,
    recent: VecDeque<Arc<TaskSpec>>,
    pub(crate) counts: Counts,
}

/// Tasks by where they are, kept up to date so that a status costs nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub queued: u64,
    /// Given to a worker, not yet started.
    pub leased: u64,
    /// Running.
    pub running: u64,
    /// With a verdict, by verdict.
    pub done: BTreeMap<Verdict, u64>,
}

/// A task and what became of it.
#[derive(Debug)]
pub struct Task {
    /// What it is.
    pub spec: Arc<TaskSpec>,
    /// Which machines can run it.
    pub class: ClassId,
    /// Tasks of one kind take about as long as each other.
    pub kind: KindId,
    /// Where it is.
    pub state: State,
    /// When it was accepted.
    pub submitted: Time,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// What most tasks never need.
    pub extra: Option<Box<Extra>>,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits.
    Queued {
        /// Since when.
        since: Time,
        /// How long it was expected to take when it began to wait: part of the group it waits in.
        estimate_ms: u64,
        /// How much of it was saved and need not be done again, in milliseconds: the same.
        behind_ms: u64,
    },
    /// Its newest attempt was given to that worker.
    Leased(WorkerIndex),
    /// Its newest attempt runs on that worker.
    Running(WorkerIndex),
    /// It has its verdict, since then.
    Done(Time, Verdict, Option<Failure>),
}

/// One execution of a task.
#[derive(Debug, Hash)]
pub struct AttemptRecord {
    /// Its fence.
    pub number: AttemptNumber,
    /// Where.
    pub worker: WorkerIndex,
    /// The rule that chose the worker.
    pub why: Arc<str>,
    /// On which kind of hardware.
    pub hardware: HardwareKind,
    /// When it was given to the worker.
    pub leased: Time,
    /// When its process began.
    pub started: Option<Time>,
    /// When and why it was over.
    pub stopped: Option<(Time, StopReason)>,
    /// What did not go well.
    pub failure: Option<Failure>,
    /// The exit status.
    pub exit_code: Option<i32>,
    /// What went wrong, in a sentence.
    pub message: Option<Box<str>>,
    /// Bytes of output it wrote.
    pub log_bytes: u64,
}

/// What is remembered of a task that did not simply run once.
#[derive(Debug, Default)]
pub struct Extra {
    /// The newest result of each test of its chunk.
    pub tests: Vec<Option<TestOutcome>>,
    /// Tests of which the newest attempt brought a result.
    pub reported: BTreeSet<u32>,
    /// Workers it failed on for a reason that was not its own.
    pub avoid: Vec<WorkerIndex>,
    /// Workers that were lost while they ran it, with repetition.
    pub lost_on: Vec<WorkerIndex>,
    /// Failures of machines.
    pub infra_failures: u8,
    /// Failures of the work.
    pub own_failures: u8,
    /// Whether someone asked for it to stop.
    pub cancel: bool,
    /// The order to stand still that its newest attempt was given and has not yet followed.
    pub standstill: Option<Standstill>,
    /// The state it saved last.
    pub checkpoint: Option<CheckpointRef>,
    /// Attempts in a row that ended before their work began although, or because, they were to go on from that state.
    pub restores_failed: u8,
    /// So many of its attempts count for nothing: what they saved was given up.
    pub given_up: usize,
    /// Times it was moved to another worker while it ran.
    pub moves: u32,
    /// What is expected of its newest move, to be held against how it ends.
    pub promise: Option<Promise>,
    /// Whether it was found that it cannot save its state.
    pub cannot_save: bool,
}

/// What is expected of a move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// When it was decided.
    pub at: Time,
    /// Seconds the task was then expected to run on where it ran.
    pub stays_s: f64,
    /// Seconds earlier it was expected to end.
    pub gain_s: f64,
}

/// An attempt is to save its state and end: to make room, or to go on elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Standstill {
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// Where the task goes on, with room reserved there; absent where it waits again.
    pub target: Option<(WorkerIndex, HardwareKind)>,
    /// The rule that wants it.
    pub why: Arc<str>,
    /// What was weighed.
    pub decision: Option<Arc<Decision>>,
}

/// What a message about an attempt may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest attempt, and that worker has it.
    Current,
    /// That very attempt has ended with its result.
    Known,
    /// It counts for nothing; the newest attempt of the task is this.
    Fenced(Option<AttemptNumber>),
}

impl Extra {
    /// Workers that were lost while they ran it.
    pub fn distinct_losses(&self) -> usize {
        self.lost_on.iter().collect::<BTreeSet<_>>().len()
    }
}

impl Ledger {
    /// The task with this number.
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(usize::try_from(id.0.checked_sub(1)?).ok()?)
    }

    /// All tasks in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (TaskId, &Task)> + ExactSizeIterator {
        self.tasks.iter().enumerate().map(|(at, task)| (TaskId(at as u64 + 1), task))
    }

    /// How many tasks were ever accepted.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task was ever accepted.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many tasks are where.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The task that was accepted under this key.
    pub fn by_key(&self, key: &str) -> Option<TaskId> {
        self.keys.get(key).copied()
    }

    /// The number the next task will have.
    pub fn next_id(&self) -> TaskId {
        TaskId(self.tasks.len() as u64 + 1)
    }

    /// The fence the next attempt of `id` will have.
    pub fn next_attempt(&self, id: TaskId, epoch: Epoch) -> Attempt {
        let made = self.get(id).map_or(0, |task| task.attempts.len());
        let made = if planted::bug(11) { 0 } else { made };
        Attempt { task: id, number: AttemptNumber::new(epoch, made as u32 + 1) }
    }

    /// Whether `worker` may speak about `attempt`: it has it, and it is the newest or runs beside the newest.
    pub fn standing(&self, attempt: Attempt, worker: WorkerIndex) -> Standing {
        let Some(task) = self.get(attempt.task) else { return Standing::Fenced(None) };
        let newest = task.attempts.last().map(|newest| newest.number);
        let Some(named) = task.attempt(attempt.number).filter(|named| named.worker == worker || planted::bug(3)) else {
            return Standing::Fenced(newest);
        };
        match named.stopped {
            None => Standing::Current,
            Some((_, StopReason::Finished)) if planted::bug(5) => Standing::Current,
            Some((_, StopReason::Finished | StopReason::Failed | StopReason::Cancelled | StopReason::Hedged)) => Standing::Known,
            Some((_, StopReason::Migrated | StopReason::Preempted)) => Standing::Known,
            Some((_, StopReason::Lost | StopReason::Retracted)) => Standing::Fenced(newest),
        }
    }

    pub(crate) fn accept(&mut self, id: TaskId, task: Task, key: Option<&Arc<str>>) {
        assert_eq!(id, self.next_id(), "tasks are numbered in the order of their facts");
        if let Some(key) = key {
            self.keys.insert(key.clone(), id);
        }
        self.tasks.push(task);
        self.counts.queued += 1;
    }

    /// The same specification, shared with the tasks that came before where they have an equal one.
    pub(crate) fn share(&mut self, spec: &Arc<TaskSpec>) -> Arc<TaskSpec> {
        if let Some(equal) = self.recent.iter().find(|recent| Arc::ptr_eq(recent, spec) || **recent == *spec) {
            return equal.clone();
        }
        self.recent.truncate(RECENT_SPECS - 1);
        self.recent.push_front(spec.clone());
        spec.clone()
    }

    pub(crate) fn task_mut(&mut self, id: TaskId) -> &mut Task {
        let at = usize::try_from(id.0).ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| self.tasks.get_mut(at)).expect("a fact names a task that was queued before")
    }

    pub(crate) fn set_state(&mut self, id: TaskId, state: State) {
        let before = std::mem::replace(&mut self.task_mut(id).state, state);
        *self.counts.of(before) -= 1;
        *self.counts.of(state) += 1;
    }
}

impl Counts {
    fn of(&mut self, state: State) -> &mut u64 {
        match state {
            State::Queued { .. } => &mut self.queued,
            State::Leased(_) => &mut self.leased,
            State::Running(_) => &mut self.running,
            State::Done(_, verdict, _) => self.done.entry(verdict).or_default(),
        }
    }
}

impl Task {
    /// The worker that holds its newest attempt.
    pub fn holder(&self) -> Option<WorkerIndex> {
        match self.state {
            State::Leased(worker) | State::Running(worker) => Some(worker),
            State::Queued { .. } | State::Done(..) => None,
        }
    }

    /// The attempt with this number.
    pub fn attempt(&self, number: AttemptNumber) -> Option<&AttemptRecord> {
        self.attempts.iter().rev().find(|attempt| attempt.number == number)
    }

    /// The attempts that are not over: one, or two where one runs as a hedge of the other.
    pub fn live(&self) -> impl Iterator<Item = &AttemptRecord> {
        self.attempts.iter().filter(|attempt| attempt.stopped.is_none())
    }

    /// Whether it can be told to save its state and stop.
    pub fn can_save(&self) -> bool {
        self.spec.checkpointable && !self.extra.as_ref().is_some_and(|extra| extra.cannot_save)
    }

    /// The order to stand still it has not yet followed.
    pub fn standstill(&self) -> Option<&Standstill> {
        self.extra.as_ref().and_then(|extra| extra.standstill.as_ref())
    }

    /// Times it was moved to another worker while it ran.
    pub fn moves(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.moves)
    }

    /// Whether it has no verdict yet.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Done(..))
    }

    /// Whether someone asked for it to stop.
    pub fn is_cancelled(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.cancel)
    }

    /// Workers it should not return to.
    pub fn avoid(&self) -> &[WorkerIndex] {
        self.extra.as_ref().map_or(&[], |extra| &extra.avoid)
    }

    /// How many tests its chunk holds; none for other work.
    pub fn tests(&self) -> usize {
        match &self.spec.work {
            Work::Tests(chunk) => chunk.tests.len(),
            Work::Command(_) | Work::Noop => 0,
        }
    }

    /// Tests of its chunk that need not run again: they have a result that is not a failure.
    pub fn settled_tests(&self) -> Vec<u32> {
        let results = self.extra.iter().flat_map(|extra| extra.tests.iter().enumerate());
        results.filter(|(_, outcome)| outcome.is_some_and(TestOutcome::is_green)).map(|(at, _)| at as u32).collect()
    }

    /// Whether every test of its chunk has a result, good or bad.
    pub fn has_all_results(&self) -> bool {
        let known = self.extra.as_ref().map_or(0, |extra| extra.tests.iter().flatten().count());
        known >= self.tests()
    }

    /// Share of its tests that have a result, 0 to 1; 0 for other work.
    pub fn progress(&self) -> f64 {
        match self.tests() {
            0 => 0.0,
            tests => self.extra.as_ref().map_or(0.0, |extra| extra.tests.iter().flatten().count() as f64 / tests as f64),
        }
    }

    pub(crate) fn saw_test(&mut self, index: u32, outcome: TestOutcome) {
        let extra = self.extra_mut();
        extra.reported.insert(index);
        if let Some(result) = extra.tests.get_mut(index as usize) {
            *result = Some(outcome);
        }
    }

    pub(crate) fn extra_mut(&mut self) -> &mut Extra {
        let tests = self.tests();
        self.extra.get_or_insert_with(|| Box::new(Extra { tests: vec![None; tests], ..Extra::default() }))
    }
}
