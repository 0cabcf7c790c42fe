//! What a coordinator says about attempts, and what the runner says about them.

use crate::link::name_of;
use crate::outbox::{Entry, LOG_FIRST_MAX};
use crate::slots::{Phase, Reason, Slot};
use crate::{Effect, GRACE, Leaving, LogCursor, Note, TESTS_KEPT_MAX, Worker};
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestResult};
use shared::planted;
use shared::protocol::{FromCoordinator, FromWorker, ResultAnswer, Start, TESTS_PER_MESSAGE_MAX};
use shared::task::Work;
use shared::time::Time;
use std::time::Duration;

/// Attempts held for each slot before more are declined: a coordinator that counts has no need of so many.
const HELD_PER_SLOT_MAX: usize = 4;

/// Text in one message about tests: JSON may make six bytes of one, and a frame holds a mebibyte.
const TESTS_BYTES_AIM: usize = 128 << 10;

impl Worker {
    /// What is overdue of the attempts at `now`.
    pub(crate) fn attempts_due(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.lease_until.is_some_and(|until| until <= now) && !planted::bug(25) {
            self.lease_until = None;
            let attempts = self.slots.attempts();
            if !attempts.is_empty() {
                effects.push(Effect::Note(Note::LeaseEnded { attempts: attempts.len() }));
            }
            for attempt in attempts {
                // The coordinator gives it to others soon: there is no time for a grace.
                self.end(now, attempt, Reason::LeaseEnded, Duration::ZERO, effects);
            }
        }
        for (attempt, reason) in self.slots.overdue(now) {
            effects.push(Effect::Note(Note::TimedOut { attempt, reason }));
            self.end(now, attempt, reason, GRACE, effects);
        }
        for attempt in self.slots.waited(now) {
            self.go_on(now, attempt, effects);
        }
    }

    /// One message of an open session.
    pub(crate) fn obey(&mut self, now: Time, message: FromCoordinator, effects: &mut Vec<Effect>) {
        match message {
            FromCoordinator::Reconcile { keep: _, kill } => {
                self.link.reconciled();
                for attempt in kill {
                    self.disown(now, attempt, effects);
                }
            }
            FromCoordinator::Start(start) => {
                self.link.reconciled();
                self.start(now, start, effects);
            }
            FromCoordinator::Cancel { attempt, grace_ms } => {
                self.cancel(now, attempt, Duration::from_millis(grace_ms), effects);
            }
            FromCoordinator::Checkpoint { attempt, deadline_ms } => {
                self.save(attempt, now + Duration::from_millis(deadline_ms), effects);
            }
            FromCoordinator::Resume { attempt } => self.go_on(now, attempt, effects),
            FromCoordinator::ResultAck { attempt, answer } => self.acknowledged(now, attempt, answer, effects),
            FromCoordinator::LogAck { attempt, offset } => {
                let log = match self.slots.get_mut(attempt) {
                    Some(slot) => Some(&mut slot.log),
                    None => self.outbox.log_mut(attempt),
                };
                if let Some(log) = log {
                    log.acknowledge(offset);
                }
            }
            FromCoordinator::HeartbeatAck { number } => self.heartbeat_acknowledged(number, effects),
            FromCoordinator::SendInventory => self.tell_inventory(effects),
            FromCoordinator::Fenced { attempt, current: _ } => {
                self.disown(now, attempt, effects);
                self.outbox.drop_log(attempt);
            }
            FromCoordinator::Challenge { .. } | FromCoordinator::Welcome(_) | FromCoordinator::Refused { .. } => {
                let what = format!("{} in an open session", name_of(&message));
                effects.push(Effect::Note(Note::Ignored { what }));
            }
        }
    }

    fn start(&mut self, now: Time, start: Start, effects: &mut Vec<Effect>) {
        let attempt = start.attempt;
        if self.slots.get_mut(attempt).is_some() {
            return;
        }
        if let Some(entry) = self.outbox.get(attempt) {
            effects.push(Effect::Send(FromWorker::Finished { attempt, outcome: entry.outcome.clone() }));
            return;
        }
        let siblings = self.slots.siblings(attempt);
        if siblings.iter().any(|sibling| sibling.number > attempt.number) {
            effects.push(Effect::Note(Note::Ignored { what: format!("start of {attempt}: a newer attempt is here") }));
            return;
        }
        if let Some(why) = self.refusal() {
            self.answer_at_once(attempt, Outcome::failed(Failure::Refused, why), effects);
            return;
        }
        if start.spec.work == Work::Noop {
            // It has no process, no files and no output. Its result stays in memory: should the daemon die before it is
            // acknowledged, the next inventory does not name the attempt and it is simply run again.
            effects.push(Effect::Send(FromWorker::Started { attempt }));
            self.answer_at_once(attempt, Outcome::bare(Ended::Passed), effects);
            return;
        }
        let spec = start.spec.clone();
        if siblings.is_empty() || planted::bug(23) {
            self.slots.add(attempt, &spec, Phase::SettingUp { since: now });
            effects.push(Effect::Run(start));
            return;
        }
        // Two attempts of a task never run at the same time, not even on one worker.
        self.slots.add(attempt, &spec, Phase::Waiting(Box::new(start)));
        for sibling in siblings {
            self.disown(now, sibling, effects);
        }
    }

    fn refusal(&self) -> Option<String> {
        let held_max = (self.machine.slots as usize).max(1) * HELD_PER_SLOT_MAX;
        if self.leaving.is_some() {
            Some("the worker is being stopped".into())
        } else if self.slots.len() >= held_max {
            Some(format!("the worker holds {held_max} attempts already, {HELD_PER_SLOT_MAX} for each of its slots"))
        } else {
            None
        }
    }

    /// A result that needs no disk: that the attempt did nothing is just as true after a restart.
    fn answer_at_once(&mut self, attempt: Attempt, outcome: Outcome, effects: &mut Vec<Effect>) {
        effects.push(Effect::Send(FromWorker::Finished { attempt, outcome: outcome.clone() }));
        let log = LogCursor::default();
        self.outbox.add(attempt, Entry { outcome, tests: Vec::new(), log, is_stored: false, held_until: None });
    }

    fn cancel(&mut self, now: Time, attempt: Attempt, grace: Duration, effects: &mut Vec<Effect>) {
        if let Some(entry) = self.outbox.get(attempt) {
            effects.push(Effect::Send(FromWorker::Finished { attempt, outcome: entry.outcome.clone() }));
        } else if let Some(slot) = self.slots.get_mut(attempt) {
            let is_saved = matches!(slot.phase, Phase::Standing { checkpoint: Some(_), .. });
            let reason = if is_saved { Reason::Saved } else { Reason::Cancelled };
            if planted::bug(26) {
                return self.answer_at_once(attempt, Outcome::bare(Ended::Cancelled), effects);
            }
            self.end(now, attempt, reason, grace, effects);
        } else {
            // What is not here has no processes here. Frames keep their order, so no Start for it is on its way.
            self.answer_at_once(attempt, Outcome::bare(Ended::Cancelled), effects);
        }
    }

    fn disown(&mut self, now: Time, attempt: Attempt, effects: &mut Vec<Effect>) {
        if self.slots.get_mut(attempt).is_some() {
            effects.push(Effect::Note(Note::Disowned { attempt }));
            self.end(now, attempt, Reason::Disowned, Duration::ZERO, effects);
        }
    }

    /// Orders the end of an attempt. A later reason replaces an earlier one only where it says that nobody waits any more.
    fn end(&mut self, now: Time, attempt: Attempt, reason: Reason, grace: Duration, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        match &slot.phase {
            Phase::Waiting(_) => {
                // It never began, so it has ended at once.
                let outcome = slot.judge(Outcome::bare(Ended::Cancelled), true, Some(reason));
                self.slots.remove(attempt);
                if let Some(outcome) = outcome {
                    self.answer_at_once(attempt, outcome, effects);
                }
            }
            Phase::Ending(before) => {
                let is_last_word = matches!(reason, Reason::Disowned) || (*before == reason && grace < GRACE);
                if is_last_word {
                    slot.phase = Phase::Ending(reason);
                    effects.push(Effect::End { attempt, grace, reason });
                }
            }
            Phase::SettingUp { .. } | Phase::Running { .. } | Phase::Saving { .. } | Phase::Standing { .. } => {
                slot.phase = Phase::Ending(reason);
                effects.push(Effect::End { attempt, grace, reason });
            }
        }
        self.start_unblocked(now, effects);
    }

    fn start_unblocked(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for start in self.slots.unblocked(now) {
            effects.push(Effect::Run(start));
        }
    }

    pub(crate) fn started(&mut self, now: Time, attempt: Attempt, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        if let Phase::SettingUp { .. } = slot.phase {
            slot.phase = Phase::Running { since: now, heard: now };
            // Without a session the next inventory says that it runs.
            if self.link.is_open() {
                effects.push(Effect::Send(FromWorker::Started { attempt }));
            }
        }
    }

    pub(crate) fn tests(&mut self, attempt: Attempt, results: Vec<TestResult>, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        let room = TESTS_KEPT_MAX.saturating_sub(slot.tests.len());
        slot.tests.extend(results.iter().take(room).cloned());
        let is_wanted = !matches!(slot.phase, Phase::Ending(Reason::Disowned | Reason::LeaseEnded));
        if self.link.is_open() && is_wanted {
            for results in in_messages(&results) {
                effects.push(Effect::Send(FromWorker::Tests { attempt, results }));
            }
        }
    }

    pub(crate) fn output_grew(&mut self, now: Time, attempt: Attempt, total: u64) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        if total > slot.log.total {
            slot.log.total = total;
            if let Phase::Running { heard, .. } | Phase::Saving { heard, .. } = &mut slot.phase {
                *heard = now;
            }
        }
    }

    /// The core counted the bytes it asked for as sent; the shell tells where it really stopped.
    pub(crate) fn log_sent(&mut self, attempt: Attempt, until: u64) {
        let log = match self.slots.get_mut(attempt) {
            Some(slot) => Some(&mut slot.log),
            None => self.outbox.log_mut(attempt),
        };
        if let Some(log) = log {
            log.sent = until.clamp(log.acked, log.total);
        }
    }

    /// What follows from the end of an attempt: its result is told until it is acknowledged, unless nobody waits for it.
    pub(crate) fn ended(
        &mut self,
        now: Time,
        attempt: Attempt,
        slot: Slot,
        outcome: Option<Outcome>,
        log_bytes: u64,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            None => {
                // Where the coordinator still counts it as held, the next heartbeat shows that it is not here.
                effects.extend([Effect::Forget { attempt }, Effect::Discard { attempt }]);
            }
            Some(outcome) => {
                let log = LogCursor { total: log_bytes.max(slot.log.sent), ..slot.log };
                // `tell` sends it within this step unless it has to wait for output.
                let held_until = self.link.is_open().then(|| now + LOG_FIRST_MAX);
                self.outbox.add(attempt, Entry { outcome, tests: slot.tests, log, is_stored: true, held_until });
            }
        }
        self.start_unblocked(now, effects);
    }

    fn acknowledged(&mut self, now: Time, attempt: Attempt, answer: ResultAnswer, effects: &mut Vec<Effect>) {
        let wants_log = match answer {
            ResultAnswer::Recorded | ResultAnswer::Duplicate => true,
            ResultAnswer::Fenced { .. } => false,
        };
        let Some(entry) = self.outbox.acknowledge(attempt, now, wants_log) else { return };
        if entry.is_stored {
            effects.push(Effect::Forget { attempt });
            if !self.outbox.trails(attempt) {
                effects.push(Effect::Discard { attempt });
            }
        }
    }

    pub(crate) fn shut_down(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.leaving.is_some() {
            return;
        }
        self.leaving = Some(Leaving::Ending);
        if self.link.is_open() {
            effects.push(Effect::Send(FromWorker::Leaving));
        }
        for attempt in self.slots.attempts() {
            self.end(now, attempt, Reason::ShutDown, GRACE, effects);
        }
    }
}

/// Cuts results into runs of which each fits into one message.
pub(crate) fn in_messages(results: &[TestResult]) -> Vec<Vec<TestResult>> {
    let (mut messages, mut bytes) = (Vec::<Vec<TestResult>>::new(), 0);
    for result in results {
        let size = 100 + result.message.as_ref().map_or(0, String::len) + result.name.as_ref().map_or(0, String::len);
        bytes += size;
        match messages.last_mut() {
            Some(last) if last.len() < TESTS_PER_MESSAGE_MAX && bytes <= TESTS_BYTES_AIM => last.push(result.clone()),
            _ => {
                messages.push(vec![result.clone()]);
                bytes = size;
            }
        }
    }
    messages
}
