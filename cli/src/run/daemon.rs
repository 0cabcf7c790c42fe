//! One child process that is kept alive: started, watched, started again when it dies, ended when it is to end.

use crate::screen::say;
use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How often a child is started again before the run is given up.
const RESTARTS_MAX: u32 = 20;
/// The first wait before a child is started again; it doubles.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a child may take to end when it is told to, before it is killed.
const END_MAX: Duration = Duration::from_secs(30);
/// Lines of its log that are shown when it did not start.
const LAST_WORDS: usize = 8;

/// How to start a child.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    program: PathBuf,
    words: Vec<OsString>,
    log: PathBuf,
    pid: PathBuf,
    /// Closed when this process ends, whatever ends it: that is how the child learns of it.
    lifeline: Option<ChildStdin>,
    started: u32,
}

impl Daemon {
    /// A child called `name` that runs this program with `words`. Its log and its process id are kept below `data`.
    pub fn new(name: &str, data: &Path, words: Vec<OsString>) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("asking which program this is")?;
        let (log, pid) = (data.join(format!("log/{name}.log")), data.join(format!("run/{name}.pid")));
        Ok(Self { name: name.to_owned(), program, words, log, pid, lifeline: None, started: 0 })
    }

    /// What it is started with from now on.
    pub fn set_words(&mut self, words: Vec<OsString>) {
        self.words = words;
    }

    /// Starts it.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let log = match self.started {
            0 => File::create(&self.log)?,
            _ => File::options().append(true).create(true).open(&self.log)?,
        };
        let mut command = Command::new(&self.program);
        command.args(&self.words).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        // A ctrl-c at the terminal is for this process alone, which then ends its children in order. A token is for
        // coordinators on other machines, and the token of one is nothing a test should see.
        command.process_group(0).env_remove("EVENKEEL_TOKEN").env_remove("EVENKEEL_COORDINATOR");
        let mut child = command.spawn()?;
        self.started += 1;
        self.lifeline = child.stdin.take();
        if let Some(id) = child.id() {
            std::fs::write(&self.pid, format!("{id}\n"))?;
        }
        Ok(child)
    }

    /// The end of its log, for an error.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
        let indented: String = last.iter().map(|line| format!("\n  {line}")).collect();
        format!("; its log {} ends with:{indented}", self.log.display())
    }
}

/// A child that is kept alive.
#[derive(Debug)]
pub struct Supervised {
    task: JoinHandle<()>,
}

impl Supervised {
    /// Watches `child` from now on.
    pub fn new(daemon: Daemon, child: Child, stopping: watch::Receiver<bool>, gave_up: mpsc::Sender<String>) -> Self {
        Self { task: tokio::spawn(supervise(daemon, child, stopping, gave_up)) }
    }

    /// Returns when the child has ended because it was told to.
    pub async fn ended(self) {
        let _ = self.task.await;
    }
}

async fn supervise(mut daemon: Daemon, mut child: Child, mut stopping: watch::Receiver<bool>, gave_up: mpsc::Sender<String>) {
    let mut backoff = BACKOFF;
    loop {
        let status = tokio::select! {
            status = child.wait() => status,
            () = told_to(&mut stopping) => break end(&mut child).await,
        };
        if *stopping.borrow() {
            break;
        }
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        if daemon.started > RESTARTS_MAX {
            let _ = gave_up.send(format!("{} ended {RESTARTS_MAX} times{}", daemon.name, daemon.last_words())).await;
            break;
        }
        say(&format!("warning: {} ended ({how}); it is started again", daemon.name));
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            () = told_to(&mut stopping) => break,
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
        child = match daemon.spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = gave_up.send(format!("{} could not be started again: {error}", daemon.name)).await;
                break;
            }
        };
    }
    let _ = std::fs::remove_file(&daemon.pid);
}

/// Returns when the child is to end, also because nobody is left to say so.
async fn told_to(stopping: &mut watch::Receiver<bool>) {
    // What it answers holds a lock, and must be gone before anything else is waited for.
    let _ = stopping.wait_for(|stopping| *stopping).await.is_ok();
}

async fn end(child: &mut Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if id.is_some_and(|id| kill(Pid::from_raw(id), Signal::SIGTERM).is_ok())
        && tokio::time::timeout(END_MAX, child.wait()).await.is_ok()
    {
        return;
    }
    let _ = child.kill().await;
}
