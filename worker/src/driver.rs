//! The loop that owns the core: takes what happened, reads the clock once, and does what the core orders.

use crate::clock::Clock;
use crate::disk::{Disk, Order};
use crate::output::OutputSink;
use crate::runner::{self, Surroundings};
use crate::session::{Batch, Report, Session};
use crate::settings::Settings;
use crate::workdir::{Identity, Stored};
use anyhow::{Result, anyhow};
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::outcome::Outcome;
use shared::protocol::{FromWorker, LOG_CHUNK_BYTES_MAX, Start};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use worker_core::{Effect, Event, Note, Stop, Worker};

/// Frames that wait for the core; a socket is read no faster than this.
const REPORTS_MAX: usize = 256;
/// The longest sleep: a machine that was itself asleep notices within it.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long the attempts of a daemon that ends may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(15);
/// Events taken at a time.
const EVENTS_AT_A_TIME: usize = 256;

/// The daemon.
pub struct Driver {
    core: Worker,
    clock: Clock,
    settings: Settings,
    identity: Identity,
    around: Arc<Surroundings>,
    disk: Disk,
    to_reports: mpsc::Sender<(u64, Report)>,
    reports: mpsc::Receiver<(u64, Report)>,
    session: Option<Session>,
    generation: u64,
    running: BTreeMap<Attempt, Running>,
    outputs: BTreeMap<Attempt, OutputSink>,
    batch: Batch,
    pending: VecDeque<Event>,
    stop: Option<Stop>,
    complaint: Option<String>,
}

struct Running {
    order: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

impl Driver {
    /// A daemon around `core`; `outputs` are what an earlier life kept.
    pub fn new(
        core: Worker,
        clock: Clock,
        settings: Settings,
        identity: Identity,
        around: Arc<Surroundings>,
        outputs: BTreeMap<Attempt, OutputSink>,
    ) -> Self {
        let (to_reports, reports) = mpsc::channel(REPORTS_MAX);
        Self {
            core,
            clock,
            settings,
            identity,
            disk: Disk::start(around.work.clone()),
            around,
            to_reports,
            reports,
            session: None,
            generation: 0,
            running: BTreeMap::new(),
            outputs,
            batch: Batch::default(),
            pending: VecDeque::new(),
            stop: None,
            complaint: None,
        }
    }

    /// Runs until the core says stop. A second order to stop on `orders` ends it at once.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, mut orders: mpsc::Receiver<()>) -> Result<()> {
        let mut told = false;
        self.pending.push_back(Event::Woke);
        loop {
            self.work_off().await?;
            if let Some(stop) = self.stop.take() {
                return self.finish(stop, events).await;
            }
            let wait = self.core.next_wakeup().map_or(SLEEP_MAX, |time| self.clock.until(time).min(SLEEP_MAX));
            tokio::select! {
                Some((generation, report)) = self.reports.recv() => {
                    self.reported(generation, report);
                    for _ in 0..EVENTS_AT_A_TIME {
                        let Ok((generation, report)) = self.reports.try_recv() else { break };
                        self.reported(generation, report);
                    }
                }
                Some(event) = events.recv() => {
                    self.pending.push_back(event);
                    for _ in 0..EVENTS_AT_A_TIME {
                        let Ok(event) = events.try_recv() else { break };
                        self.pending.push_back(event);
                    }
                }
                Some(()) = orders.recv() => {
                    if told {
                        return self.finish(Stop::Left, events).await;
                    }
                    told = true;
                    tracing::info!("told to stop: ending what runs; once more to stop at once");
                    self.pending.push_back(Event::ShutDown);
                }
                () = sleep(wait) => self.pending.push_back(Event::Woke),
            }
        }
    }

    fn reported(&mut self, generation: u64, report: Report) {
        // A session that was closed may have had something on its way.
        if generation != self.generation || self.session.is_none() {
            return;
        }
        let event = match report {
            Report::Connected => Event::Connected,
            Report::Received(envelope) => Event::Received(envelope),
            Report::Closed(why) => {
                self.session = None;
                self.complain(why);
                Event::Disconnected
            }
        };
        self.pending.push_back(event);
    }

    /// Says the same complaint once, however often the worker tries again.
    fn complain(&mut self, why: String) {
        if self.complaint.as_ref() != Some(&why) {
            tracing::warn!("{why}; trying again");
            self.complaint = Some(why);
        }
    }

    /// Steps the core for all that is pending, then says what came of it in one batch.
    async fn work_off(&mut self) -> Result<()> {
        let mut effects = Vec::new();
        while let Some(event) = self.pending.pop_front() {
            if let Event::Ended { attempt, .. } = &event {
                self.running.remove(attempt);
            }
            self.core.step(self.clock.now(), event, &mut effects);
            for effect in effects.drain(..) {
                self.perform(effect).await?;
            }
        }
        self.flush();
        Ok(())
    }

    /// Hands what is to be said to the session.
    fn flush(&mut self) {
        if self.batch.control.is_empty() && self.batch.bulk.is_empty() {
            return;
        }
        self.batch.ack = self.core.seen();
        let batch = std::mem::take(&mut self.batch);
        if let Some(session) = &self.session
            && !session.say(batch)
        {
            self.session = None;
            self.complain("the coordinator takes nothing any more".into());
            self.pending.push_back(Event::Disconnected);
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Connect => {
                self.generation += 1;
                let Settings { endpoint, encoding, .. } = &self.settings;
                self.session = Some(Session::open(endpoint, *encoding, self.generation, self.to_reports.clone()));
            }
            Effect::Close => {
                // What was said before belongs to the session that ends.
                self.flush();
                if let Some(session) = self.session.take() {
                    tokio::spawn(session.close());
                }
            }
            Effect::Prove { nonce, epoch } => {
                let mac = self.settings.token.as_ref().map(|token| token.prove(nonce, self.identity.worker, epoch));
                self.pending.push_front(Event::Proven { mac });
            }
            Effect::Pin { cluster, epoch } => {
                self.identity = Identity { cluster: Some(cluster), epoch_seen: epoch, ..self.identity.clone() };
                self.around.work.pin(&self.identity)?;
            }
            Effect::Send(message @ (FromWorker::Log { .. } | FromWorker::Finished { .. })) => self.batch.bulk.push(message),
            Effect::Send(message) => self.batch.control.push(message),
            Effect::SendLog { attempt, from, bytes_max } => self.send_log(attempt, from, bytes_max),
            Effect::Run(start) => self.start(start),
            Effect::End { attempt, grace } => {
                if let Some(running) = self.running.get(&attempt) {
                    running.order.send_replace(Some(grace));
                }
            }
            Effect::Persist { attempt, outcome, tests } => {
                let log_bytes = self.outputs.get(&attempt).map_or(0, OutputSink::total);
                self.disk.order(Order::Store(Box::new(Stored { attempt, outcome, tests, log_bytes }))).await;
            }
            Effect::Forget { attempt } => self.disk.order(Order::Forget(attempt)).await,
            Effect::Discard { attempt } => {
                self.outputs.remove(&attempt);
                self.disk.order(Order::Discard(attempt)).await;
            }
            Effect::Note(note) => self.note(note),
            Effect::Stop(stop) => self.stop = Some(stop),
        }
        Ok(())
    }

    fn note(&mut self, note: Note) {
        match &note {
            Note::Opened { .. } => {
                self.complaint = None;
                tracing::info!("{note} with {}", self.settings.endpoint.authority);
            }
            Note::Refused { .. } | Note::GaveUp { .. } => self.complain(note.to_string()),
            Note::LeaseEnded { .. } | Note::TimedOut { .. } | Note::Ignored { .. } => tracing::warn!("{note}"),
            Note::Disowned { .. } => tracing::info!("{note}"),
        }
    }

    fn start(&mut self, start: Start) {
        let attempt = start.attempt;
        let sink = OutputSink::new(self.around.work.output(attempt));
        self.outputs.insert(attempt, sink.clone());
        let (order, ordered) = watch::channel(None);
        let task = tokio::spawn(runner::run(start, sink, self.around.clone(), ordered));
        self.running.insert(attempt, Running { order, task });
    }

    /// Reads output from its spool. It was written moments ago or is at most as long as one credit, so this does not wait
    /// for long; a spool that cannot be read counts as told, for no one else will read it either.
    fn send_log(&mut self, attempt: Attempt, from: u64, bytes_max: u64) {
        let (mut cursor, mut left) = (from, bytes_max);
        while left > 0 {
            let read = self.outputs.get(&attempt).map(|sink| sink.read_at(cursor, (left as usize).min(LOG_CHUNK_BYTES_MAX)));
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

    /// Ends everything: sessions, attempts, the disk's thread.
    async fn finish(mut self, stop: Stop, mut events: mpsc::Receiver<Event>) -> Result<()> {
        self.flush();
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        for running in self.running.values() {
            running.order.send_replace(Some(Duration::ZERO));
        }
        let running: Vec<JoinHandle<()>> = std::mem::take(&mut self.running).into_values().map(|running| running.task).collect();
        let all = async {
            for task in running {
                let _ = task.await;
            }
        };
        // What they still have to say is heard by no one, but must not hold them up.
        let unheard = async { while events.recv().await.is_some() {} };
        tokio::select! {
            ended = timeout(KILL_MAX, all) => if ended.is_err() {
                tracing::error!("some processes could not be killed within {} s", KILL_MAX.as_secs());
            },
            () = unheard => {}
        }
        self.around.warm.close().await;
        self.disk.finish().await;
        match stop {
            Stop::Left => Ok(()),
            stop @ (Stop::Refused { .. } | Stop::OtherCluster { .. } | Stop::OldEpoch { .. }) => Err(anyhow!("{stop}")),
        }
    }
}

/// Why an attempt that never ran has no output: it is the outcome that says it.
pub fn outputs_of(stored: &[Stored], path: impl Fn(Attempt) -> std::path::PathBuf) -> BTreeMap<Attempt, OutputSink> {
    let reopen = |one: &Stored| OutputSink::reopen(path(one.attempt), one.log_bytes).ok().map(|sink| (one.attempt, sink));
    stored.iter().filter_map(reopen).collect()
}

/// A result kept by an earlier life, as the core takes it.
pub fn leftover(stored: Stored, readable: Option<&OutputSink>) -> worker_core::Leftover {
    let outcome: Outcome = stored.outcome;
    worker_core::Leftover {
        attempt: stored.attempt,
        outcome,
        tests: stored.tests,
        log_bytes: readable.map_or(0, OutputSink::total),
    }
}
