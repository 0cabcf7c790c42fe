//! Attempts that are told to save their state and stand still, so that their task can go on elsewhere.
//!
//! ```text
//! Checkpoint ──▶ Save       its process saves and stops
//! Stopped    ──▶ Store      its folder is sent to the coordinator by content
//! Stored     ──▶ Quiesced   it stands still and waits for an order
//! Cancel     ──▶ End        its result is that it was saved; or
//! Resume     ──▶ Resume     it begins again here from its state, as it does when no order comes in time
//! ```

use crate::slots::Phase;
use crate::{Effect, Note, Worker};
use shared::id::Attempt;
use shared::protocol::{CheckpointRef, FromWorker};
use shared::time::Time;

impl Worker {
    /// The coordinator wants an attempt to stand still.
    pub(crate) fn save(&mut self, attempt: Attempt, deadline: Time, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        match &mut slot.phase {
            Phase::Running { since, heard } if slot.can_save => {
                slot.phase = Phase::Saving { since: *since, heard: *heard, until: deadline };
                effects.push(Effect::Save { attempt, until: deadline });
            }
            Phase::Saving { until, .. } => *until = deadline,
            Phase::Standing { until, checkpoint, .. } => {
                *until = deadline;
                if let Some(checkpoint) = checkpoint.clone() {
                    effects.push(Effect::Send(FromWorker::Quiesced { attempt, checkpoint }));
                }
            }
            // It has no state that could be saved: no one is to wait for it.
            Phase::Running { .. } | Phase::SettingUp { .. } | Phase::Waiting(_) => {
                effects.push(Effect::Send(FromWorker::Resumed { attempt }));
            }
            Phase::Ending(_) => {}
        }
    }

    /// The process of an attempt that was told to save has ended.
    pub(crate) fn stopped(&mut self, now: Time, attempt: Attempt, is_saved: bool, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        // In any other phase the order was withdrawn or replaced meanwhile, and the runner has been told so.
        let Phase::Saving { since, until, .. } = slot.phase else { return };
        slot.phase = Phase::Standing { ran: now.since(since), until, checkpoint: None };
        if is_saved {
            effects.push(Effect::Store { attempt });
        } else {
            effects.push(Effect::Note(Note::NotSaved { attempt }));
            self.go_on(now, attempt, effects);
        }
    }

    /// The state of an attempt is with the coordinator, or is not.
    pub(crate) fn stored(
        &mut self,
        now: Time,
        attempt: Attempt,
        state: Result<CheckpointRef, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        let Phase::Standing { checkpoint, .. } = &mut slot.phase else { return };
        match state {
            Ok(stored) => {
                *checkpoint = Some(stored.clone());
                self.send_open(FromWorker::Quiesced { attempt, checkpoint: stored }, effects);
            }
            Err(why) => {
                effects.push(Effect::Note(Note::NotStored { attempt, why }));
                self.go_on(now, attempt, effects);
            }
        }
    }

    /// An attempt no longer stands still, nor is it to.
    pub(crate) fn go_on(&mut self, now: Time, attempt: Attempt, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(attempt) else { return };
        match slot.phase {
            Phase::Saving { since, heard, .. } => slot.phase = Phase::Running { since, heard },
            // What it has used of its time counts on.
            Phase::Standing { ran, .. } => slot.phase = Phase::Running { since: now - ran, heard: now },
            Phase::Waiting(_) | Phase::SettingUp { .. } | Phase::Running { .. } | Phase::Ending(_) => return,
        }
        effects.push(Effect::Resume { attempt });
        self.send_open(FromWorker::Resumed { attempt }, effects);
    }

    /// Says something of an attempt; without a session the next inventory says it.
    fn send_open(&self, message: FromWorker, effects: &mut Vec<Effect>) {
        if self.link.is_open() {
            effects.push(Effect::Send(message));
        }
    }
}
