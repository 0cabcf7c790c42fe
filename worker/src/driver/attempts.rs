//! What the daemon does about attempts: makes them ready, hands them to a runner, sends on what they print and save.

use super::{Driver, Ready, Surroundings};
use crate::output::OutputReader;
use crate::runner::wire::{Exit, FromRunner};
use crate::runners::{RunnerId, Said};
use crate::{checkpoint, clock, hardware, setup};
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{FromWorker, LOG_CHUNK_BYTES_MAX, Start};
use shared::time::Time;
use std::sync::Arc;
use std::time::Duration;
use worker_core::{Event, Reason};

impl Driver {
    /// What a runner said becomes events.
    pub(super) async fn heard(&mut self, runner: RunnerId, said: Said) -> anyhow::Result<()> {
        match said {
            Said::Messages(messages) => messages.into_iter().for_each(|message| self.told(message)),
            Said::Gone(why) => {
                let (exits, lost) = self.runners.gone(runner).await?;
                if !lost.is_empty() {
                    tracing::error!("a runner has died ({why}), and with it {} attempts", lost.len());
                }
                exits.into_iter().for_each(|exit| self.ended(exit));
                for attempt in lost {
                    let outcome = Outcome::failed(Failure::Infra, "the runner that held it on this worker has died");
                    self.ended_here(attempt, outcome);
                }
            }
        }
        Ok(())
    }

    fn told(&mut self, message: FromRunner) {
        match message {
            FromRunner::Started { attempt } => self.pending.push_back(Event::Started { attempt }),
            FromRunner::Tests { attempt, results } => self.pending.push_back(Event::Tests { attempt, results }),
            FromRunner::Grew { attempt, total } => {
                self.output(attempt).total = total;
                self.pending.push_back(Event::OutputGrew { attempt, total });
            }
            FromRunner::Stopped { attempt, is_saved } => self.pending.push_back(Event::Stopped { attempt, is_saved }),
            FromRunner::Ended(exit) => self.ended(*exit),
            // One that we started holds nothing, and one that we found has said what.
            FromRunner::Hello(_) | FromRunner::Holds(_) | FromRunner::HoldsNoMore => {}
        }
    }

    pub(super) fn ended(&mut self, exit: Exit) {
        let Exit { attempt, outcome, tests: _, log_bytes, is_clean, by } = exit;
        if log_bytes > 0 {
            self.output(attempt).total = log_bytes;
        }
        self.fetching.remove(&attempt);
        self.pending.push_back(Event::Ended { attempt, outcome, log_bytes, is_clean, by });
    }

    /// An attempt has ended that no runner can speak of.
    fn ended_here(&mut self, attempt: Attempt, outcome: Outcome) {
        let log_bytes = self.outputs.get(&attempt).map_or(0, |output| output.total);
        self.pending.push_back(Event::Ended { attempt, outcome, log_bytes, is_clean: true, by: None });
    }

    pub(super) fn output(&mut self, attempt: Attempt) -> &mut OutputReader {
        let layout = self.around.work.layout();
        self.outputs.entry(attempt).or_insert_with(|| OutputReader::new(layout.output(attempt)))
    }

    /// Makes an attempt ready; what follows is [`Driver::prepared`].
    pub(super) fn start(&mut self, mut start: Start) {
        if let Some(place) = start.device {
            let shown = hardware::variables(&self.settings.machine.devices, place);
            Arc::make_mut(&mut start.spec).env.extend(shown.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        let (attempt, ordered) = (start.attempt, clock::now());
        let Surroundings { work, blobs, .. } = self.around.clone();
        let folders = setup::make_folders(&start, &work);
        if folders.is_err() || !setup::fetches(&start) {
            return self.hand_over(start, ordered, folders);
        }
        // Fetching may take its time.
        let ready = self.to_ready.clone();
        let task = tokio::spawn(async move {
            let fetched = setup::fetch(&start, work.layout(), &blobs).await;
            let _ = ready.send((start, ordered, fetched)).await;
        });
        self.fetching.insert(attempt, task);
    }

    pub(super) fn prepared(&mut self, (start, ordered, prepared): Ready) {
        // One that was ended meanwhile is not waited for.
        if self.fetching.remove(&start.attempt).is_some() {
            self.hand_over(start, ordered, prepared);
        }
    }

    fn hand_over(&mut self, start: Start, ordered: Time, prepared: Result<(), Outcome>) {
        match prepared {
            Ok(()) => self.runners.run(start, ordered),
            Err(outcome) => {
                let outcome = Outcome { setup_s: clock::now().since(ordered).as_secs_f64(), ..outcome };
                self.ended_here(start.attempt, outcome);
            }
        }
    }

    /// Brings the state of an attempt to the coordinator.
    pub(super) fn store(&mut self, attempt: Attempt) {
        let Surroundings { work, blobs, events } = self.around.clone();
        let task = tokio::spawn(async move {
            let state = checkpoint::store(&blobs, &work.layout().checkpoint(attempt)).await.map_err(|error| error.to_string());
            let _ = events.send(Event::Stored { attempt, state }).await;
        });
        self.fetching.insert(attempt, task);
    }

    pub(super) fn stop_fetching(&mut self, attempt: Attempt) -> bool {
        let fetching = self.fetching.remove(&attempt);
        fetching.map(|task| task.abort()).is_some()
    }

    pub(super) fn end(&mut self, attempt: Attempt, grace: Duration, reason: Reason) {
        let is_fetching = self.stop_fetching(attempt);
        if self.runners.holds(attempt) {
            self.runners.end(attempt, grace, reason);
        } else if is_fetching {
            self.ended_here(attempt, Outcome::bare(Ended::Cancelled));
        }
    }

    /// Reads output from its spool. It was written moments ago or is at most as long as one credit, so this does not wait
    /// for long; a spool that cannot be read counts as told, for no one else will read it either.
    pub(super) fn send_log(&mut self, attempt: Attempt, from: u64, bytes_max: u64) {
        let (mut cursor, mut left) = (from, bytes_max);
        while left > 0 {
            let read =
                self.outputs.get_mut(&attempt).map(|output| output.read_at(cursor, (left as usize).min(LOG_CHUNK_BYTES_MAX)));
            match read {
                Some(Ok(Some((offset, bytes)))) => {
                    cursor = offset + bytes.len() as u64;
                    left -= bytes.len() as u64;
                    self.batch.bulk.push(FromWorker::Log { attempt, offset, bytes: Bytes(bytes) });
                }
                Some(Ok(None)) | None => {
                    cursor = from + bytes_max;
                    break;
                }
                Some(Err(error)) => {
                    tracing::warn!(%attempt, %error, "kept output cannot be read and is passed over");
                    cursor = from + bytes_max;
                    break;
                }
            }
        }
        self.pending.push_front(Event::LogSent { attempt, until: cursor });
    }
}
