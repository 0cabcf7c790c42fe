//! Follows submitted tasks until each has its verdict, whatever becomes of the coordinator meanwhile.

use super::local::cancel_all;
use super::outcome::{Notice, Tally};
use super::progress::Progress;
use crate::client::{Client, ClientError};
use shared::api::{FactPage, Status};
use shared::id::TaskId;
use shared::outcome::Verdict;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// How long a coordinator may be away before the run is given up.
const AWAY_MAX: Duration = Duration::from_secs(600);
/// How long it may be away before the user is told.
const AWAY_QUIET: Duration = Duration::from_secs(3);
/// How long a request for facts waits for news.
const WAIT_S: u64 = 10;
/// How often the coordinator is asked about tasks that nobody can run.
const LOOK: Duration = Duration::from_secs(2);
/// How long cancelled tasks are waited for after ctrl-c.
const INTERRUPT_MAX: Duration = Duration::from_secs(10);
/// Impossible tasks that are explained.
const EXPLAINED: usize = 3;
/// Failed commands whose output is fetched, how much of each, and how long that may take.
const OUTPUTS_MAX: usize = 100;
const OUTPUT_BYTES: u64 = 8 << 10;
const OUTPUT_MAX: Duration = Duration::from_secs(5);

/// How following came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Every task has its verdict.
    Done,
    /// The user interrupted.
    Interrupted,
    /// There is no point in going on, and why.
    GivenUp(String),
}

/// What following needs.
#[derive(Debug)]
pub struct Follow<'a> {
    /// The coordinator.
    pub client: &'a Client,
    /// The fact before the first that can matter.
    pub from: u64,
    /// The tasks.
    pub tally: &'a mut Tally,
    /// Where news go.
    pub progress: &'a mut Progress,
    /// Whether the fleet is this run's own: tasks that it cannot run will never be run.
    pub is_own_fleet: bool,
    /// Told when a daemon of this run cannot be kept alive.
    pub gave_up: &'a mut mpsc::Receiver<String>,
}

/// Asks again while the coordinator is away; `None` as soon as it must be given up.
pub async fn patiently<T, F: Future<Output = Result<T, ClientError>>>(
    mut ask: impl FnMut() -> F,
    mut tell: impl FnMut(&ClientError),
) -> Result<T, ClientError> {
    let (began, mut pause, mut told) = (Instant::now(), Duration::from_millis(100), false);
    loop {
        match ask().await {
            Err(error) if error.is_passing() && began.elapsed() < AWAY_MAX => {
                if !told && began.elapsed() > AWAY_QUIET {
                    told = true;
                    tell(&error);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            other => return other,
        }
    }
}

/// Reads facts into a channel, from a task of its own: waiting for them never keeps anything else from being done.
fn read_facts(
    client: Client,
    mut from: u64,
    range: (TaskId, TaskId),
) -> (mpsc::Receiver<Result<FactPage, ClientError>>, JoinHandle<()>) {
    let (send, receive) = mpsc::channel(4);
    let reader = tokio::spawn(async move {
        loop {
            let tell = |error: &ClientError| crate::screen::say(&format!("warning: {error}; the run waits for it to come back"));
            let page = patiently(|| client.facts(from, range.0, range.1, WAIT_S), tell).await;
            let is_over = page.is_err();
            if let Ok(page) = &page {
                if page.facts.is_empty() && page.next == from {
                    // A coordinator that is stopping answers at once.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                from = page.next;
            }
            if send.send(page).await.is_err() || is_over {
                return;
            }
        }
    });
    (receive, reader)
}

impl Follow<'_> {
    /// Follows to the end.
    pub async fn run(mut self) -> End {
        let Some(range) = self.tally.range() else { return End::Done };
        let (mut facts, reader) = read_facts(self.client.clone(), self.from, range);
        let mut outputs = JoinSet::new();
        let end = self.until_done(&mut facts, &mut outputs).await;
        reader.abort();
        let all = async {
            while let Some(fetched) = outputs.join_next().await {
                if let Ok((task, Some(output))) = fetched {
                    self.tally.set_output(task, output);
                }
            }
        };
        let _ = tokio::time::timeout(OUTPUT_MAX, all).await;
        end
    }

    async fn until_done(
        &mut self,
        facts: &mut mpsc::Receiver<Result<FactPage, ClientError>>,
        outputs: &mut JoinSet<(TaskId, Option<String>)>,
    ) -> End {
        let mut interrupts = Interrupts::new();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut interrupted, mut explained) = (None::<Instant>, BTreeSet::new());
        let mut statuses: JoinSet<Option<Status>> = JoinSet::new();
        while !self.tally.is_done() {
            let deadline = interrupted.map_or(LOOK, |at| INTERRUPT_MAX.saturating_sub(at.elapsed()));
            if interrupted.is_some() && deadline.is_zero() {
                return End::Interrupted;
            }
            tokio::select! {
                page = facts.recv() => match page {
                    Some(Ok(page)) => self.take_in(&page, outputs),
                    Some(Err(error)) => return End::GivenUp(error.to_string()),
                    None => return End::GivenUp("reading the facts ended".to_owned()),
                },
                () = interrupts.next() => {
                    if interrupted.is_some() {
                        return End::Interrupted;
                    }
                    interrupted = Some(Instant::now());
                    self.progress.say("interrupted: the tasks are cancelled; once more to leave at once");
                    let (client, open) = (self.client.clone(), self.tally.open().collect::<Vec<_>>());
                    // Not waited for: a second ctrl-c must be heard at once.
                    drop(tokio::spawn(async move { cancel_all(&client, open).await }));
                }
                Some(words) = self.gave_up.recv() => return End::GivenUp(words),
                Some(status) = statuses.join_next() => {
                    if let Ok(Some(status)) = status
                        && interrupted.is_none()
                        && let Some(end) = self.explain(&status, &mut explained).await
                    {
                        return end;
                    }
                }
                _ = look.tick() => {
                    self.progress.tick();
                    if statuses.is_empty() {
                        let client = self.client.clone();
                        statuses.spawn(async move { client.status().await.ok() });
                    }
                }
                () = tokio::time::sleep(deadline), if interrupted.is_some() => {}
            }
        }
        if interrupted.is_some() { End::Interrupted } else { End::Done }
    }

    fn take_in(&mut self, page: &FactPage, outputs: &mut JoinSet<(TaskId, Option<String>)>) {
        for fact in &page.facts {
            for notice in self.tally.apply(fact) {
                if let Notice::Finished { task, verdict } = notice
                    && verdict != Verdict::Passed
                    && let Some(wrote) = self.tally.command_wrote(task).filter(|wrote| *wrote > 0)
                    && outputs.len() < OUTPUTS_MAX
                {
                    let client = self.client.clone();
                    outputs.spawn(async move { (task, last_output(&client, task, wrote).await) });
                }
                self.progress.show(&notice);
            }
        }
    }

    /// Tells about tasks of this run that no machine can ever run.
    async fn explain(&mut self, status: &Status, explained: &mut BTreeSet<TaskId>) -> Option<End> {
        let ours: Vec<TaskId> = status.impossible.iter().copied().filter(|task| self.tally.holds(*task)).collect();
        let new: Vec<TaskId> = ours.into_iter().filter(|task| explained.insert(*task)).collect();
        let first = *new.first()?;
        let mut reasons = Vec::new();
        for task in new.iter().take(EXPLAINED) {
            // A worker that can run it may have come meanwhile.
            if let Ok(why) = self.client.why(*task).await
                && why.impossible
            {
                reasons.push(format!("{} (task {task}): {}", self.tally.name(*task), why.summary));
            }
        }
        if reasons.is_empty() {
            explained.retain(|task| !new.contains(task));
            return None;
        }
        let more = new.len().saturating_sub(EXPLAINED);
        let more = if more > 0 { format!("; and {more} more like that") } else { String::new() };
        let text = format!("no machine can run {}{more}", reasons.join("; "));
        if self.is_own_fleet {
            let open: Vec<TaskId> = self.tally.open().collect();
            cancel_all(self.client, open).await;
            return Some(End::GivenUp(format!("{text}; change what it requires, or run it on a farm with --coordinator URL")));
        }
        self.progress.warn(&format!("{text}; it waits for a machine that can (see `evenkeel why {first}`)"));
        None
    }
}

/// The end of what a command wrote. Its last bytes may reach the coordinator a moment after its result.
async fn last_output(client: &Client, task: TaskId, wrote: u64) -> Option<String> {
    let (mut from, mut all) = (wrote.saturating_sub(OUTPUT_BYTES), Vec::new());
    let began = Instant::now();
    while from < wrote && began.elapsed() < OUTPUT_MAX {
        let piece = client.log(task, None, from, 2).await.ok()?;
        all.extend_from_slice(&piece.bytes);
        from = piece.next.max(from);
        if piece.is_complete {
            break;
        }
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    (!text.trim().is_empty()).then_some(text)
}

/// Ctrl-c, and what a CI system sends when it is tired of waiting. Both are listened to all the time: a signal that comes
/// while something else is done is heard next.
struct Interrupts {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Interrupts {
    fn new() -> Self {
        Self { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }

    async fn next(&mut self) {
        async fn heard(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = heard(&mut self.interrupt) => {}
            () = heard(&mut self.terminate) => {}
        }
    }
}
