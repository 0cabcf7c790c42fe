//! A coordinator and workers of one's own: child processes of this one, in a folder of their own, started again when
//! they die.

use super::daemon::{Daemon, Supervised};
use crate::client::Client;
use crate::screen::say;
use anyhow::{Context, bail};
use shared::id::TaskId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How long the coordinator may take until it listens; it reads its whole log first.
const START_MAX: Duration = Duration::from_secs(120);
/// How often the file with its address is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Tasks of an earlier run that are asked about at a time.
const PAGE: u64 = 1000;

/// What is started.
#[derive(Debug)]
pub struct Settings {
    /// The folder everything lies in.
    pub data_dir: PathBuf,
    /// The metrics database.
    pub db_path: PathBuf,
    /// How many workers.
    pub workers: usize,
    /// Tasks each runs at a time.
    pub slots: usize,
}

/// A coordinator and its workers, running.
#[derive(Debug)]
pub struct Local {
    /// How to talk to the coordinator.
    pub client: Client,
    coordinator: Supervised,
    workers: Vec<Supervised>,
    stop_coordinator: watch::Sender<bool>,
    stop_workers: watch::Sender<bool>,
}

impl Local {
    /// Starts everything. A daemon that cannot be kept alive is told through `gave_up`.
    pub async fn start(settings: &Settings, gave_up: &mpsc::Sender<String>) -> anyhow::Result<Self> {
        let data = make_folder(&settings.data_dir)?;
        let announce = data.join("run/url");
        // What an earlier run left would be taken for the address of this one.
        let _ = std::fs::remove_file(&announce);
        let (stop_coordinator, stopping_coordinator) = watch::channel(false);
        let (stop_workers, stopping_workers) = watch::channel(false);
        let mut daemon = Daemon::new("coordinator", &data, coordinator_words(settings, &data, &announce, 0))?;
        let mut child = daemon.spawn().context("starting the coordinator")?;
        let url = match wait_for_address(&announce, &mut child).await {
            Ok(url) => url,
            Err(error) => bail!("{error:#}{}", daemon.last_words()),
        };
        let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).context("reading the coordinator's address")?;
        // Started again, it listens where its workers and we look for it.
        daemon.set_words(coordinator_words(settings, &data, &announce, port));
        let coordinator = Supervised::new(daemon, child, stopping_coordinator, gave_up.clone());
        let client = Client::new(&url, None)?;
        cancel_leftovers(&client).await?;
        let mut workers = Vec::new();
        for number in 1..=settings.workers {
            let name = format!("worker-{number}");
            let mut daemon = Daemon::new(&name, &data, worker_words(&url, number, settings.slots, &data))?;
            let child = daemon.spawn().with_context(|| format!("starting {name}"))?;
            workers.push(Supervised::new(daemon, child, stopping_workers.clone(), gave_up.clone()));
        }
        Ok(Self { client, coordinator, workers, stop_coordinator, stop_workers })
    }

    /// Ends the workers and then the coordinator, which first brings its database up to date.
    pub async fn stop(self) {
        self.stop_workers.send_replace(true);
        for worker in self.workers {
            worker.ended().await;
        }
        self.stop_coordinator.send_replace(true);
        self.coordinator.ended().await;
    }
}

fn make_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let make = || -> std::io::Result<PathBuf> {
        for part in ["run", "log", "workers", "coordinator"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(ignore, "*\n")?;
        }
        folder.canonicalize()
    };
    make().with_context(|| format!("making the folder {}; name another with --data-dir", folder.display()))
}

fn coordinator_words(settings: &Settings, data: &Path, announce: &Path, port: u16) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["coordinator", "--exit-with-parent", "--host", "127.0.0.1", "--port"].map(Into::into).into();
    words.push(port.to_string().into());
    let folder = data.join("coordinator");
    for (option, path) in [("--data-dir", &*folder), ("--db-path", &settings.db_path), ("--announce", announce)] {
        words.extend([option.into(), path.into()]);
    }
    words
}

fn worker_words(url: &str, number: usize, slots: usize, data: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["worker", "--exit-with-parent", "--inherit-env", "--coordinator", url].map(Into::into).into();
    words.extend(["--name".into(), format!("local-{number}").into(), "--slots".into(), slots.to_string().into()]);
    words.extend(["--work-dir".into(), data.join(format!("workers/{number}")).into()]);
    words
}

async fn wait_for_address(announce: &Path, child: &mut tokio::process::Child) -> anyhow::Result<String> {
    let deadline = Instant::now() + START_MAX;
    loop {
        if let Ok(url) = std::fs::read_to_string(announce)
            && !url.trim().is_empty()
        {
            return Ok(url.trim().to_owned());
        }
        if let Some(status) = child.try_wait().context("looking after the coordinator")? {
            bail!("the coordinator of this run ended at once ({status})");
        }
        if Instant::now() > deadline {
            let _ = child.kill().await;
            bail!("the coordinator of this run did not listen within {} s", START_MAX.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tasks of an earlier run in this folder that was killed: nobody waits for them any more.
async fn cancel_leftovers(client: &Client) -> anyhow::Result<()> {
    let mut left = Vec::new();
    for state in ["queued", "leased", "running"] {
        let mut offset = 0;
        loop {
            let page = client.tasks(Some(state), PAGE, offset).await?;
            left.extend(page.tasks.iter().map(|task| task.task_id));
            offset += PAGE;
            if page.tasks.is_empty() || offset >= page.total {
                break;
            }
        }
    }
    if !left.is_empty() {
        say(&format!(
            "note: {} left by an earlier run in this folder are cancelled",
            crate::screen::count(left.len() as u64, "task")
        ));
        cancel_all(client, left).await;
    }
    Ok(())
}

/// Asks for tasks to stop, several at a time. One that cannot be cancelled any more needs no cancelling.
pub async fn cancel_all(client: &Client, tasks: impl IntoIterator<Item = TaskId>) {
    let mut asked = JoinSet::new();
    for task in tasks {
        if asked.len() >= 16 {
            asked.join_next().await;
        }
        let client = client.clone();
        asked.spawn(async move { client.cancel(task).await.is_ok() });
    }
    while asked.join_next().await.is_some() {}
}
