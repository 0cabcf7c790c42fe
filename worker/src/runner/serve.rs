//! The loop of a runner: hears daemons and its own attempts, keeps the table of what it holds, and watches the lease.

use super::attempt::{self, Around, Happened, Orders};
use super::journal::Journal;
use super::outcome::kernel_kills;
use super::wire::{Exit, Frames, FromRunner, Hello, Kept, ToRunner, put};
use super::{EXITS, SOCKET, WARM};
use crate::clock;
use crate::hardware::tree::Tree;
use crate::suite::WarmPool;
use crate::telemetry::energy::Meter;
use crate::workdir::Layout;
use anyhow::{Context, Result};
use serde::Serialize;
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::outcome::Outcome;
use shared::protocol::Start;
use shared::time::Time;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use worker_core::{Reason, can_save};

/// How long a runner that runs nothing waits for a daemon.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// The longest sleep: a machine that was itself asleep notices within it.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// What happens to attempts and waits for the loop; past it attempts wait too.
const HAPPENED_MAX: usize = 1024;
/// What waits at most for a daemon that does not read. Past it the daemon is left: the next one is told all there is.
const UNSENT_BYTES_MAX: usize = 64 << 20;
/// Growth of output is not told to a daemon for which more than this waits: the next growth says it too.
const UNSENT_BYTES_AIM: usize = 1 << 20;

/// Serves until nothing is held and nobody needs this runner.
pub async fn serve(dir: &Path, slots: usize) -> Result<()> {
    // The path of a socket may have 108 bytes, which a relative one has.
    std::env::set_current_dir(dir).with_context(|| format!("entering {}", dir.display()))?;
    let listener = UnixListener::bind(SOCKET).with_context(|| format!("listening in {}", dir.display()))?;
    let (journal, _) = Journal::open(&dir.join(EXITS)).with_context(|| format!("opening the journal in {}", dir.display()))?;
    let (tell, happened) = mpsc::channel(HAPPENED_MAX);
    let around = Arc::new(Around {
        layout: Layout::around(dir).context("a runner's folder is two below the work directory")?,
        life: dir.file_name().context("a runner's folder has a name")?.to_string_lossy().into_owned(),
        warm: WarmPool::new(dir.join(WARM), slots),
        happened: tell,
        kernel_kills: kernel_kills().into(),
        meter: Meter::new(Tree::system()),
    });
    if around.meter.is_some() {
        tokio::spawn(attempt::keep_counting(around.clone()));
    }
    let inherited = std::os::unix::net::UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    inherited.set_nonblocking(true)?;
    let runner = Runner {
        held: BTreeMap::new(),
        env: Arc::default(),
        lease: None,
        daemon: Some(Daemon::new(UnixStream::from_std(inherited).context("taking over the daemon's socket")?)),
        exits: Exits { journal: Some(journal), storing: None, ended: Vec::new(), forgotten: Vec::new() },
        idle_since: clock::now(),
        is_leaving: false,
        around,
    };
    runner.run(listener, happened).await
}

struct Runner {
    held: BTreeMap<Attempt, Held>,
    env: Arc<BTreeMap<OsString, OsString>>,
    lease: Option<Time>,
    daemon: Option<Daemon>,
    exits: Exits,
    idle_since: Time,
    is_leaving: bool,
    around: Arc<Around>,
}

struct Held {
    kept: Kept,
    end: watch::Sender<Option<Duration>>,
    save: watch::Sender<bool>,
    /// Since when it stands still.
    stands_since: Option<Time>,
    /// Whether its end is on the disk.
    is_stored: bool,
}

impl Held {
    /// An attempt that stands still uses none of its time: what it began with moves along.
    fn leave_out_standstill(&mut self) {
        if let Some(since) = self.stands_since {
            let now = clock::now();
            self.kept.since = self.kept.since + now.since(since);
            (self.kept.heard, self.stands_since) = (now, Some(now));
        }
    }
}

impl Runner {
    async fn run(mut self, listener: UnixListener, mut happened: mpsc::Receiver<(Attempt, Happened)>) -> Result<()> {
        let (mut said, mut news) = (Vec::new(), Vec::new());
        while !self.is_over() {
            self.exits.write();
            if self.daemon.as_mut().is_some_and(|daemon| !daemon.send()) {
                self.leave_daemon("it does not read");
            }
            let wait = self.lease.map_or(SLEEP_MAX, |until| clock::until(until).min(SLEEP_MAX));
            tokio::select! {
                heard = hear(&mut self.daemon, &mut said) => match heard {
                    Ok(true) => {}
                    Ok(false) => self.leave_daemon("it is gone"),
                    Err(error) => self.leave_daemon(&error.to_string()),
                },
                _ = happened.recv_many(&mut news, HAPPENED_MAX) => {}
                stored = self.exits.written() => self.stored(stored),
                Ok((socket, _)) = listener.accept() => self.daemon = Some(Daemon::new(socket)),
                () = sleep(wait) => {}
            }
            // What is overdue comes before what has just arrived.
            self.watch_lease();
            for message in said.drain(..) {
                self.obey(message);
            }
            for (attempt, what) in news.drain(..) {
                self.note(attempt, what);
            }
        }
        self.around.warm.close().await;
        Ok(())
    }

    fn is_over(&self) -> bool {
        let is_busy = self.held.values().any(|held| !held.is_stored) || self.exits.is_busy();
        let is_needed = self.daemon.is_some() || clock::now().since(self.idle_since) < IDLE_MAX;
        !is_busy && (self.is_leaving || !is_needed)
    }

    fn leave_daemon(&mut self, why: &str) {
        tracing::info!("the daemon is left: {why}");
        self.daemon = None;
        self.idle_since = clock::now();
    }

    /// A lease that ends takes its attempts with it: others are given them soon.
    fn watch_lease(&mut self) {
        if self.lease.is_some_and(|until| until <= clock::now()) {
            self.lease = None;
            let running: Vec<Attempt> =
                self.held.iter().filter(|(_, held)| held.kept.exit.is_none()).map(|(one, _)| *one).collect();
            for attempt in running {
                self.end(attempt, Duration::ZERO, Reason::LeaseEnded);
            }
        }
    }

    fn obey(&mut self, message: ToRunner) {
        match message {
            ToRunner::Hello(_) => self.greet(),
            ToRunner::Terms { env } => {
                let own = |Bytes(text): Bytes| OsString::from_vec(text);
                self.env = Arc::new(env.into_iter().map(|(name, value)| (own(name), own(value))).collect());
            }
            ToRunner::Lease { until } => self.lease = Some(until),
            // One that is ending takes nothing: its daemon will miss it and say so.
            ToRunner::Run { .. } if self.is_leaving => {}
            ToRunner::Run { start, ordered } => self.start(*start, ordered),
            ToRunner::Save { attempt, until } => {
                if let Some(held) = self.held.get_mut(&attempt) {
                    held.kept.save_until = Some(until);
                    held.save.send_replace(true);
                }
            }
            ToRunner::Resume { attempt } => {
                if let Some(held) = self.held.get_mut(&attempt) {
                    held.leave_out_standstill();
                    (held.kept.stopped, held.stands_since) = (None, None);
                    held.kept.save_until = None;
                    held.save.send_replace(false);
                }
            }
            ToRunner::End { attempt, grace_ms, reason } => self.end(attempt, Duration::from_millis(grace_ms), reason),
            ToRunner::Forget { attempt } => {
                self.held.remove(&attempt);
                self.exits.forgotten.push(attempt);
            }
            ToRunner::Leave => {
                self.is_leaving = true;
                for held in self.held.values() {
                    held.end.send_replace(Some(Duration::ZERO));
                }
            }
        }
    }

    /// Says who this is and all that is held.
    fn greet(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        daemon.say(&FromRunner::Hello(Hello::ours()));
        for held in self.held.values_mut() {
            held.leave_out_standstill();
            let mut kept = held.kept.clone();
            // An end that is not durable yet is told when it is.
            kept.exit = kept.exit.filter(|_| held.is_stored);
            daemon.say(&FromRunner::Holds(Box::new(kept)));
        }
        daemon.say(&FromRunner::HoldsNoMore);
    }

    fn start(&mut self, start: Start, ordered: Time) {
        let attempt = start.attempt;
        if self.held.contains_key(&attempt) {
            return;
        }
        let (end, ended) = watch::channel(None);
        let (save, saving) = watch::channel(false);
        let kept = Kept {
            attempt,
            limits: start.spec.timeouts,
            can_save: can_save(&start.spec),
            since: clock::now(),
            heard: clock::now(),
            save_until: None,
            stopped: None,
            ending: None,
            tests: Vec::new(),
            log_bytes: 0,
            exit: None,
        };
        self.held.insert(attempt, Held { kept, end, save, stands_since: None, is_stored: false });
        let orders = Orders { end: ended, save: saving };
        tokio::spawn(attempt::run(start, ordered, self.env.clone(), self.around.clone(), orders));
    }

    fn end(&mut self, attempt: Attempt, grace: Duration, reason: Reason) {
        if let Some(held) = self.held.get_mut(&attempt).filter(|held| held.kept.exit.is_none()) {
            held.kept.ending = Some(reason);
            held.end.send_replace(Some(grace));
        }
    }

    /// Takes in what happened to an attempt, and passes it on.
    fn note(&mut self, attempt: Attempt, happened: Happened) {
        let Some(held) = self.held.get_mut(&attempt) else { return };
        let kept = &mut held.kept;
        let message = match happened {
            Happened::Started => {
                (kept.since, kept.heard) = (clock::now(), clock::now());
                FromRunner::Started { attempt }
            }
            Happened::Tests(results) => {
                kept.tests.extend(results.iter().cloned());
                FromRunner::Tests { attempt, results }
            }
            Happened::Grew(total) => {
                (kept.log_bytes, kept.heard) = (total, clock::now());
                if self.daemon.as_ref().is_some_and(|daemon| daemon.unsent.len() > UNSENT_BYTES_AIM) {
                    return;
                }
                FromRunner::Grew { attempt, total }
            }
            Happened::Stopped(is_saved) => {
                (kept.stopped, held.stands_since) = (Some(is_saved), Some(clock::now()));
                FromRunner::Stopped { attempt, is_saved }
            }
            Happened::Ended(outcome, log_bytes, is_clean) => {
                let outcome: Outcome = *outcome;
                kept.log_bytes = log_bytes;
                let exit = Exit { attempt, outcome, tests: kept.tests.clone(), log_bytes, is_clean, by: kept.ending };
                kept.exit = Some(exit.clone());
                // It is told when it is durable.
                self.exits.ended.push(exit);
                return;
            }
        };
        if let Some(daemon) = &mut self.daemon {
            daemon.say(&message);
        }
    }

    /// Ends are durable: now they may be told.
    fn stored(&mut self, exits: Vec<Exit>) {
        self.idle_since = clock::now();
        for exit in exits {
            if let Some(held) = self.held.get_mut(&exit.attempt) {
                held.is_stored = true;
                if let Some(daemon) = &mut self.daemon {
                    daemon.say(&FromRunner::Ended(Box::new(exit)));
                }
            }
        }
    }
}

/// A connection to a daemon.
struct Daemon {
    socket: UnixStream,
    frames: Frames,
    unsent: Vec<u8>,
}

impl Daemon {
    fn new(socket: UnixStream) -> Self {
        Self { socket, frames: Frames::default(), unsent: Vec::new() }
    }

    fn say(&mut self, message: &impl Serialize) {
        put(message, &mut self.unsent);
    }

    /// Sends what it takes now; false when it takes too little.
    fn send(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match self.socket.try_write(&self.unsent) {
                Ok(bytes) => drop(self.unsent.drain(..bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                // That it is gone is learned from reading.
                Err(_) => self.unsent.clear(),
            }
        }
        self.unsent.len() <= UNSENT_BYTES_MAX
    }
}

/// Waits until the daemon says something, which is added to `said`, or takes more of what it is told.
async fn hear(daemon: &mut Option<Daemon>, said: &mut Vec<ToRunner>) -> std::io::Result<bool> {
    match daemon {
        Some(Daemon { socket, frames, unsent }) => tokio::select! {
            heard = frames.read(socket, said) => heard,
            Ok(()) = socket.writable(), if !unsent.is_empty() => Ok(true),
        },
        None => std::future::pending().await,
    }
}

/// Ends on their way to the disk. What ends while some are written is written together next.
struct Exits {
    /// Absent while it is being written.
    journal: Option<Journal>,
    storing: Option<JoinHandle<(Journal, Vec<Exit>)>>,
    ended: Vec<Exit>,
    forgotten: Vec<Attempt>,
}

impl Exits {
    fn is_busy(&self) -> bool {
        self.storing.is_some() || !self.ended.is_empty() || !self.forgotten.is_empty()
    }

    /// Begins to write what waits, unless something is being written.
    fn write(&mut self) {
        if self.ended.is_empty() && self.forgotten.is_empty() {
            return;
        }
        let Some(mut journal) = self.journal.take() else { return };
        let (ended, forgotten) = (std::mem::take(&mut self.ended), std::mem::take(&mut self.forgotten));
        self.storing = Some(tokio::task::spawn_blocking(move || {
            let forgot = journal.forget(&forgotten);
            let kept = if ended.is_empty() { Ok(()) } else { journal.keep(&ended) };
            if let Err(error) = kept.and(forgot) {
                tracing::error!(%error, "the ends of attempts cannot be kept; should this runner end now, they are run again");
            }
            (journal, ended)
        }));
    }

    /// Waits until what is being written is durable.
    async fn written(&mut self) -> Vec<Exit> {
        let Some(storing) = &mut self.storing else { return std::future::pending().await };
        let (journal, ended) = storing.await.expect("writing the journal does not panic");
        (self.storing, self.journal) = (None, Some(journal));
        ended
    }
}
