//! What is on disk, told as the stories of tasks: each fact is held against the ones before it and against the truth.

use super::floor::Floor;
pub use super::story::{Moves, Wrong};
use super::story::{Story, Tale, wrong_unless};
use shared::fact::{Fact, What};
use shared::id::{Attempt, AttemptNumber, Epoch, TaskId};
use shared::outcome::Verdict;
use shared::protocol::Start;
use shared::task::TaskSpec;
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    tasks: BTreeMap<TaskId, Story>,
    verdicts: usize,
    keys: BTreeSet<Arc<str>>,
    epoch: Epoch,
    session: u64,
    at: Time,
}

impl History {
    /// Takes in a fact that is on disk now.
    pub fn take(&mut self, fact: &Fact, floor: &Floor) -> Result<(), Wrong> {
        if fact.at < self.at {
            return Err(("I24", format!("a fact of {:?} follows one of {:?}", fact.at, self.at)));
        }
        self.at = fact.at;
        match &fact.what {
            What::CoordinatorStarted { epoch, .. } => {
                let before = std::mem::replace(&mut self.epoch, *epoch);
                wrong_unless(epoch.0 == before.0 + 1, "I13", || format!("epoch {} follows epoch {}", epoch.0, before.0))
            }
            What::WorkerJoined { session, worker, .. } => {
                let before = std::mem::replace(&mut self.session, session.0);
                wrong_unless(session.0 > before, "I12", || format!("session {} of {worker} follows session {before}", session.0))
            }
            What::TaskQueued { task, spec, key } => self.queued(*task, spec, key.as_ref(), fact.at),
            _ => {
                let Some(task) = fact.what.task() else { return Ok(()) };
                let at = fact.at;
                let Some(story) = self.tasks.get_mut(&task) else {
                    return Err(("I2", format!("a fact names task {task}, which was never accepted")));
                };
                self.verdicts += usize::from(matches!(fact.what, What::TaskFinished { .. }));
                story.take(task, &fact.what, at, floor)
            }
        }
    }

    /// I1: a submission that is repeated stands for the task it made.
    fn queued(&mut self, task: TaskId, spec: &Arc<TaskSpec>, key: Option<&Arc<str>>, at: Time) -> Result<(), Wrong> {
        if let Some(key) = key
            && !self.keys.insert(key.clone())
        {
            return Err(("I1", format!("two tasks were made of the submission {key}")));
        }
        let story = Story::new(spec, key, at);
        wrong_unless(self.tasks.insert(task, story).is_none(), "I2", || format!("task {task} was accepted twice"))
    }

    /// I5, I16: an order to start an attempt is on disk, names the worker it is on disk for, and goes on from the state that
    /// was on disk then.
    pub fn may_start(&self, station: usize, start: &Start) -> Result<(), Wrong> {
        let attempt = start.attempt;
        let Some(tale) = self.tale(attempt) else {
            return Err(("I5", format!("attempt {attempt} is sent to w{station} before it is on disk")));
        };
        wrong_unless(*tale.worker == *format!("w{station}"), "I5", || {
            format!("attempt {attempt} is sent to w{station}; on disk it is with {}", tale.worker)
        })?;
        wrong_unless(tale.restore == start.restore, "I16", || {
            format!("attempt {attempt} is to go on from {:?}; saved was {:?}", start.restore, tale.restore)
        })
    }

    /// Whether the end of an attempt is on disk.
    pub fn has_stopped(&self, attempt: Attempt) -> bool {
        self.tale(attempt).is_some_and(|tale| tale.stopped.is_some())
    }

    /// Whether a worker holds an attempt.
    pub fn is_holder(&self, worker: &str) -> bool {
        self.tasks.values().any(|story| story.live().any(|(_, tale)| *tale.worker == *worker))
    }

    /// Whether a cancellation, or a verdict, is on disk.
    pub fn is_cancelled(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|story| story.is_cancelled || story.verdict.is_some())
    }

    /// Which submission made a task.
    pub fn number_of(&self, task: TaskId) -> Option<u64> {
        self.tasks.get(&task)?.key.as_ref()?.strip_prefix('k')?.parse().ok()
    }

    /// The verdict that is on disk.
    pub fn verdict(&self, task: TaskId) -> Option<Verdict> {
        self.tasks.get(&task)?.verdict
    }

    /// How many verdicts there are.
    pub fn verdicts(&self) -> usize {
        self.verdicts
    }

    /// The tasks without a verdict.
    pub fn open_tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.iter().filter(|(_, story)| story.verdict.is_none()).map(|(id, _)| *id)
    }

    /// The workers that have live attempts of a task.
    pub fn live_at(&self, task: TaskId) -> impl Iterator<Item = &str> {
        self.tasks.get(&task).into_iter().flat_map(Story::live).map(|(_, tale)| &*tale.worker)
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Whether a task is told to move, and whether it has saved its state.
    pub fn moving(&self, task: TaskId) -> (bool, bool) {
        self.tasks.get(&task).map_or((false, false), |story| (story.standstill.is_some(), story.checkpoint.is_some()))
    }

    /// The newest attempt of a task: whether it has started, and whether it has stopped.
    pub fn newest(&self, task: TaskId) -> Option<(AttemptNumber, bool, bool)> {
        let (number, newest) = self.tasks.get(&task)?.attempts.last_key_value()?;
        Some((*number, newest.has_started, newest.stopped.is_some()))
    }

    /// What became of the moves that were ordered.
    pub fn moves(&self) -> Moves {
        self.tasks.values().map(|story| story.moves).fold(Moves::default(), Moves::and)
    }

    /// How many attempts there were.
    pub fn attempts(&self) -> usize {
        self.tasks.values().map(|story| story.attempts.len()).sum()
    }

    /// Whether two attempts may run at the same time: one of them is a hedge of the other.
    pub fn are_twins(&self, one: Attempt, other: Attempt) -> bool {
        [one, other].into_iter().any(|attempt| self.tale(attempt).is_some_and(|tale| tale.is_hedge))
    }

    fn tale(&self, attempt: Attempt) -> Option<&Tale> {
        self.tasks.get(&attempt.task)?.attempts.get(&attempt.number)
    }
}
