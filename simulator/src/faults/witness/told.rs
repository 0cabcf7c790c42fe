//! What the coordinator tells others: none of it may be anything but what is on disk.

use super::Witness;
use crate::faults::clients::{Asked, Request};
use crate::faults::sights::{Sight, Sights};
use crate::faults::tasks::content;
use coordinator_core::ledger::State as TaskState;
use coordinator_core::{Command, Coordinator, Reply};
use shared::id::{Attempt, TaskId};
use shared::outcome::Verdict;
use shared::protocol::{FromCoordinator, ResultAnswer};
use shared::time::Time;

impl Witness {
    /// The coordinator lets a message out. I5, I10, I16: what it says is on disk.
    pub fn says(&mut self, now: Time, station: usize, message: &FromCoordinator, sights: &mut Sights) {
        if self.is_impostor {
            return;
        }
        match message {
            FromCoordinator::Start(start) => {
                if let Err((invariant, what)) = self.history.may_start(station, start) {
                    self.accuse(now, invariant, what);
                }
            }
            FromCoordinator::ResultAck { attempt, answer } => {
                sights.see(match answer {
                    ResultAnswer::Recorded => Sight::AckRecorded,
                    ResultAnswer::Duplicate => Sight::AckDuplicate,
                    ResultAnswer::Fenced { .. } => Sight::AckFenced,
                });
                let is_kept = matches!(answer, ResultAnswer::Recorded | ResultAnswer::Duplicate);
                if is_kept && !self.history.has_stopped(*attempt) {
                    self.accuse(now, "I10", format!("the result of {attempt} is acknowledged and not on disk"));
                }
            }
            FromCoordinator::Reconcile { keep, kill } => {
                if !keep.is_empty() {
                    sights.see(Sight::ReconcileKeep);
                }
                if !kill.is_empty() {
                    sights.see(Sight::ReconcileKill);
                }
            }
            FromCoordinator::SendInventory => sights.see(Sight::DigestDiffers),
            FromCoordinator::Refused { .. } => sights.see(Sight::RefusedNameTaken),
            _ => {}
        }
    }

    /// The coordinator answers a caller. I1, I10, I19: what it says is on disk.
    pub fn replies(&mut self, now: Time, asked: &Asked, reply: &Reply, sights: &mut Sights) {
        if self.is_impostor {
            return;
        }
        match (asked, reply) {
            (Asked::Submit(request), Reply::Accepted(ids)) => self.accepted(now, *request, ids, sights),
            (Asked::Submit(_), _) => sights.see(Sight::SubmitFull),
            (Asked::Order(Command::Cancel(task)), Reply::Done) => {
                if !self.history.is_cancelled(*task) {
                    self.accuse(now, "I19", format!("the cancellation of task {task} is acknowledged and not on disk"));
                }
            }
            (Asked::Order(Command::Cancel(_)), Reply::Conflict(_)) => sights.see(Sight::CancelTooLate),
            (Asked::Order(_), _) => {}
        }
    }

    fn accepted(&mut self, now: Time, request: Request, ids: &[TaskId], sights: &mut Sights) {
        for (number, id) in request.numbers().zip(ids) {
            if self.history.number_of(*id) != Some(number) {
                self.accuse(now, "I1", format!("task {id} was accepted as submission {number} and is not on disk as that"));
            }
        }
        if let Some(before) = self.answers.insert(request, ids.to_vec()) {
            sights.see(Sight::SubmitRepeated);
            if before != ids {
                self.accuse(now, "I1", format!("{request:?} was answered {before:?} and later {ids:?}"));
            }
        }
    }

    /// Whether a submission was answered.
    pub fn is_answered(&self, request: Request) -> bool {
        self.answers.contains_key(&request)
    }

    /// The tasks that were accepted and have no verdict on disk.
    pub fn open_tasks(&self) -> Vec<TaskId> {
        self.history.open_tasks().collect()
    }

    /// The verdicts that someone who looks now is shown, once they are on disk.
    pub fn look(&self, core: &Coordinator) -> Vec<(TaskId, Verdict)> {
        let done = core.state().ledger.iter().rev().filter_map(|(id, task)| match task.state {
            TaskState::Done(_, verdict, _) => Some((id, verdict)),
            TaskState::Queued { .. } | TaskState::Leased(_) | TaskState::Running(_) => None,
        });
        done.take(16).collect()
    }

    /// Someone is shown verdicts. I10: they are on disk, where they never change.
    pub fn shows(&mut self, now: Time, verdicts: &[(TaskId, Verdict)]) {
        if self.is_impostor {
            return;
        }
        for (task, verdict) in verdicts {
            if self.history.verdict(*task) != Some(*verdict) {
                self.accuse(now, "I10", format!("someone was shown that task {task} {verdict}, which is not on disk"));
            }
        }
    }

    /// Output is stored. I20: it is what the attempt printed, at its place, without a gap; returned is where to go on.
    pub fn stores(&mut self, now: Time, attempt: Attempt, offset: u64, bytes: &[u8]) -> u64 {
        let stored = self.stored.entry(attempt).or_default();
        let is_gap = offset > *stored;
        *stored = (*stored).max(offset + bytes.len() as u64);
        let until = *stored;
        let is_true = (offset..).zip(bytes).all(|(at, byte)| *byte == content(attempt, at));
        if is_gap || !is_true {
            self.accuse(now, "I20", format!("the output of {attempt} has a gap or is not its own at byte {offset}"));
        }
        until
    }
}
