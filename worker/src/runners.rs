//! The daemon's side of its runners: starts one, finds those that an earlier life of the daemon left, and buries the dead.
//!
//! There is one runner of this build, which gets all new tasks, and there may be others: of another build, with tasks that
//! have not ended. One that speaks another protocol cannot be told when to stop, so it is ended. A runner that dies takes its tasks with it; what they had ended with before is read from its journal.

mod link;

use crate::clock;
use crate::process;
use crate::runner::journal::Journal;
use crate::runner::wire::{Exit, FromRunner, Hello, Kept, ToRunner};
use crate::runner::{EXITS, WARM};
use crate::suite::warm;
use crate::workdir::WorkDir;
use anyhow::{Context, Result};
use link::Link;
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::protocol::Start;
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use worker_core::Reason;

/// What a runner says, or that it is gone.
#[derive(Debug)]
pub enum Said {
    /// Messages, in order.
    Messages(Vec<FromRunner>),
    /// The connection ended, and why.
    Gone(String),
}

/// Which runner, in this life of the daemon.
pub type RunnerId = u64;

/// The runners of a daemon.
pub struct Runners {
    work: Arc<WorkDir>,
    env: Vec<(Bytes, Bytes)>,
    slots: usize,
    said: mpsc::Sender<(RunnerId, Said)>,
    links: BTreeMap<RunnerId, Link>,
    /// The runner that gets new tasks.
    current: Option<RunnerId>,
    next: RunnerId,
    /// Which runner holds each attempt.
    holders: BTreeMap<Attempt, RunnerId>,
    /// What runners left that are gone, and which of them did.
    left: BTreeMap<Attempt, PathBuf>,
    lease: Option<Time>,
}

impl Runners {
    /// Finds the runners of an earlier life, or starts the first one. Also what they hold and what dead ones left.
    pub async fn find(
        work: Arc<WorkDir>,
        env: &BTreeMap<OsString, OsString>,
        slots: usize,
        said: mpsc::Sender<(RunnerId, Said)>,
    ) -> Result<(Self, Vec<Kept>, Vec<Exit>)> {
        // What a dead runner leaves becomes our child where we have started it.
        process::become_reaper();
        let bytes = |text: &OsString| Bytes(text.as_bytes().to_vec());
        let env = env.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
        let (links, holders, left) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut found = Self { work, env, slots, said, links, current: None, next: 0, holders, left, lease: None };
        let (mut held, mut exits) = (Vec::new(), Vec::new());
        for folder in found.work.runners()? {
            match Link::attach(&folder).await {
                Some((link, hello, kept)) => {
                    let id = found.add(link);
                    if hello == Hello::ours() {
                        found.current = Some(id);
                    }
                    found.holders.extend(kept.iter().map(|kept| (kept.attempt, id)));
                    held.extend(kept);
                }
                None => exits.extend(found.bury(folder).await?),
            }
        }
        if found.current.is_none() {
            found.start()?;
        }
        found.release_idle();
        Ok((found, held, exits))
    }

    fn add(&mut self, link: Link) -> RunnerId {
        self.next += 1;
        let mut link = link.listen(self.next, self.said.clone());
        link.say(&ToRunner::Terms { env: self.env.clone() });
        if let Some(until) = self.lease {
            link.say(&ToRunner::Lease { until });
        }
        self.links.insert(self.next, link);
        self.next
    }

    fn start(&mut self) -> Result<()> {
        let link = Link::start(&self.work.make_runner()?, self.slots)?;
        self.current = Some(self.add(link));
        Ok(())
    }

    /// Attempts may run until then.
    pub fn lease(&mut self, until: Time) {
        self.lease = Some(until);
        for link in self.links.values_mut() {
            link.say(&ToRunner::Lease { until });
        }
    }

    /// Runs an attempt whose folder is ready.
    pub fn run(&mut self, start: Start, ordered: Time) {
        let current = self.current.expect("there is always one, or the daemon has ended");
        self.holders.insert(start.attempt, current);
        self.say(start.attempt, &ToRunner::Run { start: Box::new(start), ordered });
    }

    /// Whether a runner holds an attempt.
    pub fn holds(&self, attempt: Attempt) -> bool {
        self.holders.contains_key(&attempt)
    }

    /// See [`ToRunner::Save`].
    pub fn save(&mut self, attempt: Attempt, until: Time) {
        self.say(attempt, &ToRunner::Save { attempt, until });
    }

    /// See [`ToRunner::Resume`].
    pub fn resume(&mut self, attempt: Attempt) {
        self.say(attempt, &ToRunner::Resume { attempt });
    }

    /// See [`ToRunner::End`].
    pub fn end(&mut self, attempt: Attempt, grace: Duration, reason: Reason) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.say(attempt, &ToRunner::End { attempt, grace_ms, reason });
    }

    /// The end of an attempt is known where it counts.
    pub async fn forget(&mut self, attempt: Attempt) {
        self.say(attempt, &ToRunner::Forget { attempt });
        if self.holders.remove(&attempt).is_some() {
            self.release_idle();
        } else if let Some(folder) = self.left.remove(&attempt) {
            let is_last = !self.left.values().any(|other| *other == folder);
            let forgot = tokio::task::spawn_blocking(move || match is_last {
                true => std::fs::remove_dir_all(&folder),
                false => Journal::open(&folder.join(EXITS)).and_then(|(mut journal, _)| journal.forget(&[attempt])),
            });
            if let Ok(Err(error)) = forgot.await {
                tracing::warn!(%attempt, %error, "what a dead runner left cannot be removed");
            }
        }
    }

    fn say(&mut self, attempt: Attempt, message: &ToRunner) {
        let link = self.holders.get(&attempt).and_then(|id| self.links.get_mut(id));
        if let Some(link) = link {
            link.say(message);
        }
    }

    /// Runners of another build go when their last task has.
    fn release_idle(&mut self) {
        if self.links.len() < 2 {
            return;
        }
        let busy: BTreeSet<RunnerId> = self.holders.values().copied().collect();
        for (id, link) in &mut self.links {
            if Some(*id) != self.current && !busy.contains(id) {
                link.say(&ToRunner::Leave);
            }
        }
    }

    /// Sends what was said to them.
    pub fn flush(&mut self) {
        for link in self.links.values_mut() {
            link.flush();
        }
    }

    /// A runner is gone: its processes are ended, and a new one is started where it was the current one. The ends its
    /// attempts had, and those that are lost with it.
    pub async fn gone(&mut self, id: RunnerId) -> Result<(Vec<Exit>, Vec<Attempt>)> {
        let Some(link) = self.links.remove(&id) else { return Ok((Vec::new(), Vec::new())) };
        let folder = link.end().await;
        let mut lost: BTreeSet<Attempt> =
            self.holders.iter().filter(|(_, holder)| **holder == id).map(|(attempt, _)| *attempt).collect();
        self.holders.retain(|_, holder| *holder != id);
        let exits = self.bury(folder).await?;
        for exit in &exits {
            lost.remove(&exit.attempt);
        }
        if self.current == Some(id) {
            self.start()?;
        }
        Ok((exits, lost.into_iter().collect()))
    }

    /// Ends what a dead runner has left running, and reads how its attempts ended.
    async fn bury(&mut self, folder: PathBuf) -> Result<Vec<Exit>> {
        let mut cookies = self.work.cookies(&folder)?;
        let of_folder = folder.clone();
        let buried = tokio::task::spawn_blocking(move || -> Result<Vec<Exit>> {
            cookies.extend(warm::cookies(&of_folder.join(WARM)));
            if !process::kill_leftovers(cookies) {
                tracing::error!("processes of a runner that is gone cannot be killed; restart this machine to be rid of them");
            }
            let path = of_folder.join(EXITS);
            let (_, exits) = Journal::open(&path).with_context(|| format!("reading what a runner left in {}", path.display()))?;
            if exits.is_empty() {
                std::fs::remove_dir_all(&of_folder).with_context(|| format!("removing {}", of_folder.display()))?;
            }
            Ok(exits)
        });
        let exits = buried.await.context("looking after a dead runner")??;
        self.left.extend(exits.iter().map(|exit| (exit.attempt, folder.clone())));
        Ok(exits)
    }

    /// Ends all runners and what they hold; waits until they are gone, but not for ever.
    pub async fn leave(mut self, within: Duration) {
        let deadline = clock::now() + within;
        for link in self.links.values_mut() {
            link.say(&ToRunner::Leave);
            link.flush();
        }
        for link in self.links.into_values() {
            let folder = link.wait(clock::until(deadline)).await;
            clear(&folder);
        }
    }
}

/// Removes the folder of a runner that left nothing.
fn clear(folder: &Path) {
    if matches!(Journal::open(&folder.join(EXITS)), Ok((journal, _)) if journal.is_empty()) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests;
