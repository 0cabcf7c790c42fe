//! The loop that owns the core: takes what happened, reads the clock once, and does what the core orders.

mod attempts;

use crate::clock;
use crate::disk::Disk;
use crate::files::Blobs;
use crate::output::OutputReader;
use crate::runner::wire::{Exit, Kept};
use crate::runners::{RunnerId, Runners, Said};
use crate::session::{Batch, Report, Session};
use crate::settings::Settings;
use crate::workdir::{Identity, WorkDir};
use anyhow::{Result, anyhow};
use shared::id::Attempt;
use shared::outcome::Outcome;
use shared::protocol::{FromWorker, Start};
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use worker_core::{Effect, Event, Note, Stop, Worker};

/// Frames that wait for the core; a socket is read no faster than this.
const REPORTS_MAX: usize = 256;
/// The longest sleep: a machine that was itself asleep notices within it.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long the attempts of a daemon that ends may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(15);
/// Events taken at a time.
const EVENTS_AT_A_TIME: usize = 256;

/// What tasks beside the loop work with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where everything is kept.
    pub work: Arc<WorkDir>,
    /// Files by content.
    pub blobs: Arc<Blobs>,
    /// Where what happens is told.
    pub events: mpsc::Sender<Event>,
}

/// The daemon.
pub struct Driver {
    core: Worker,
    settings: Settings,
    identity: Identity,
    around: Surroundings,
    runners: Runners,
    disk: Disk,
    to_reports: mpsc::Sender<(u64, Report)>,
    reports: mpsc::Receiver<(u64, Report)>,
    to_ready: mpsc::Sender<Ready>,
    ready: mpsc::Receiver<Ready>,
    session: Option<Session>,
    generation: u64,
    /// Attempts whose files are being fetched, or whose state is being sent.
    fetching: BTreeMap<Attempt, JoinHandle<()>>,
    outputs: BTreeMap<Attempt, OutputReader>,
    batch: Batch,
    pending: VecDeque<Event>,
    stop: Option<Stop>,
    complaint: Option<String>,
}

/// An attempt whose folder is ready, or why it is not; and when it was ordered.
type Ready = (Start, Time, Result<(), Outcome>);

impl Driver {
    /// A daemon around `core`.
    pub fn new(core: Worker, settings: Settings, identity: Identity, around: Surroundings, runners: Runners) -> Self {
        let (to_reports, reports) = mpsc::channel(REPORTS_MAX);
        let (to_ready, ready) = mpsc::channel(REPORTS_MAX);
        Self {
            core,
            settings,
            identity,
            disk: Disk::start(around.work.clone()),
            around,
            runners,
            to_reports,
            reports,
            to_ready,
            ready,
            session: None,
            generation: 0,
            fetching: BTreeMap::new(),
            outputs: BTreeMap::new(),
            batch: Batch::default(),
            pending: VecDeque::new(),
            stop: None,
            complaint: None,
        }
    }

    /// What an earlier life left: what of it has stopped or ended is told to the core.
    pub fn take_over(&mut self, kept: Vec<Kept>, left: Vec<Exit>) {
        for kept in kept {
            let attempt = kept.attempt;
            self.output(attempt).total = kept.log_bytes;
            if let Some(exit) = kept.exit {
                self.ended(exit);
            } else if let Some(is_saved) = kept.stopped {
                self.pending.push_back(Event::Stopped { attempt, is_saved });
            }
        }
        for exit in left {
            self.ended(exit);
        }
    }

    /// Runs until the core says stop. A second order to stop on `orders` ends it at once.
    pub async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut said: mpsc::Receiver<(RunnerId, Said)>,
        mut orders: mpsc::Receiver<()>,
    ) -> Result<()> {
        let mut told = false;
        self.pending.push_back(Event::Woke);
        loop {
            self.work_off().await?;
            if let Some(stop) = self.stop.take() {
                return self.finish(stop, said).await;
            }
            let wait = self.core.next_wakeup().map_or(SLEEP_MAX, |time| clock::until(time).min(SLEEP_MAX));
            tokio::select! {
                Some((generation, report)) = self.reports.recv() => {
                    self.reported(generation, report);
                    for _ in 0..EVENTS_AT_A_TIME {
                        let Ok((generation, report)) = self.reports.try_recv() else { break };
                        self.reported(generation, report);
                    }
                }
                Some((runner, what)) = said.recv() => {
                    self.heard(runner, what).await?;
                    for _ in 0..EVENTS_AT_A_TIME {
                        let Ok((runner, what)) = said.try_recv() else { break };
                        self.heard(runner, what).await?;
                    }
                }
                Some(ready) = self.ready.recv() => self.prepared(ready),
                Some(event) = events.recv() => self.pending.push_back(event),
                Some(()) = orders.recv() => {
                    if told {
                        return self.finish(Stop::Left, said).await;
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
            self.core.step(clock::now(), event, &mut effects);
            for effect in effects.drain(..) {
                self.perform(effect).await?;
            }
        }
        self.runners.flush();
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
            Effect::Pin { cluster, epoch } => self.pin(Identity { cluster: Some(cluster), epoch_seen: epoch, ..self.identity }),
            Effect::Send(message @ (FromWorker::Log { .. } | FromWorker::Finished { .. })) => self.batch.bulk.push(message),
            Effect::Send(message) => self.batch.control.push(message),
            Effect::SendLog { attempt, from, bytes_max } => self.send_log(attempt, from, bytes_max),
            Effect::Lease { until } => self.runners.lease(until),
            Effect::Run(start) => self.start(start),
            Effect::Save { attempt, until } => self.runners.save(attempt, until),
            Effect::Store { attempt } => self.store(attempt),
            Effect::Resume { attempt } => {
                self.stop_fetching(attempt);
                self.runners.resume(attempt);
            }
            Effect::End { attempt, grace, reason } => self.end(attempt, grace, reason),
            Effect::Forget { attempt } => self.runners.forget(attempt).await,
            Effect::Discard { attempt } => {
                self.outputs.remove(&attempt);
                self.disk.discard(attempt).await;
            }
            Effect::Note(note) => self.note(note),
            Effect::Stop(stop) => self.stop = Some(stop),
        }
        Ok(())
    }

    /// Makes durable whom this worker obeys. Where the disk does not take it nobody is obeyed, and it is tried again.
    fn pin(&mut self, identity: Identity) {
        if identity == self.identity {
            return;
        }
        match self.around.work.pin(&identity) {
            Ok(()) => self.identity = identity,
            Err(error) => {
                self.session = None;
                self.complain(format!("{error:#}: free some space"));
                self.pending.push_back(Event::Disconnected);
            }
        }
    }

    fn note(&mut self, note: Note) {
        match &note {
            Note::Opened { .. } => {
                self.complaint = None;
                tracing::info!("{note} with {}", self.settings.endpoint.authority);
            }
            Note::Refused { .. } | Note::GaveUp { .. } => self.complain(note.to_string()),
            Note::LeaseEnded { .. }
            | Note::TimedOut { .. }
            | Note::NotStored { .. }
            | Note::NotSaved { .. }
            | Note::Ignored { .. } => tracing::warn!("{note}"),
            Note::Disowned { .. } => tracing::info!("{note}"),
        }
    }

    /// Ends everything: sessions, runners with their attempts, the disk's thread.
    async fn finish(mut self, stop: Stop, mut said: mpsc::Receiver<(RunnerId, Said)>) -> Result<()> {
        self.flush();
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        // What they still have to say is heard by no one, but must not hold them up.
        let unheard = async { while said.recv().await.is_some() {} };
        tokio::join!(self.runners.leave(KILL_MAX), unheard);
        self.disk.finish().await;
        match stop {
            Stop::Left => Ok(()),
            stop @ (Stop::Refused { .. } | Stop::OtherCluster { .. } | Stop::OldEpoch { .. }) => Err(anyhow!("{stop}")),
        }
    }
}
