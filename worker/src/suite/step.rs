//! One process after another on behalf of a chunk: started, listened to, ended when the attempt is cancelled.

use super::Stop;
use crate::output::OutputSink;
use crate::process::{Exit, Group, Launch};
use shared::outcome::Usage;
use shared::output::Window;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// What of one process's output waits at most to be read.
const WINDOW: Window = Window { head_bytes: 0, tail_bytes: 8 << 20 };
/// Bytes read from a spool at a time.
const READ_BYTES: usize = 64 << 10;
/// What is kept of a process's output to explain how it ended.
const TAIL_BYTES: usize = 16 << 10;

/// Where the processes of a chunk run, and what they have used.
pub struct Steps {
    /// The task's folder.
    pub dir: PathBuf,
    /// A folder for files that come and go.
    pub scratch: PathBuf,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The attempt's output.
    pub output: OutputSink,
    /// Set once the attempt is to end.
    pub cancelled: watch::Receiver<Option<Duration>>,
    /// Whether the attempt is to stop between two tests.
    pub save: watch::Receiver<bool>,
    /// The attempt's mark.
    pub cookie: String,
    usage: Usage,
    last: Option<Exit>,
}

/// How a process ended, and the end of what it printed.
pub struct Ran {
    /// How it ended.
    pub exit: Exit,
    /// The end of its output.
    pub tail: Tail,
}

/// The newest bytes of an output.
#[derive(Debug, Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// Adds `bytes`.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() > 2 * TAIL_BYTES {
            self.0.drain(..self.0.len() - TAIL_BYTES);
        }
    }

    /// As text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Steps {
    /// Nothing has run yet.
    pub fn new(
        dir: PathBuf,
        scratch: PathBuf,
        env: BTreeMap<OsString, OsString>,
        output: OutputSink,
        cancelled: watch::Receiver<Option<Duration>>,
        save: watch::Receiver<bool>,
        cookie: String,
    ) -> Self {
        Self { dir, scratch, env, output, cancelled, save, cookie, usage: Usage::default(), last: None }
    }

    /// The command `argv` in the task's folder.
    pub fn launch(&self, argv: Vec<String>) -> Launch {
        Launch { argv, dir: self.dir.clone(), env: self.env.clone(), stdin: false }
    }

    /// Runs `launch` to its end. What it prints goes to `heard` as it comes.
    pub async fn run(&mut self, launch: &Launch, mut heard: impl FnMut(&[u8])) -> Result<Ran, Stop> {
        let spool = OutputSink::with_window(self.scratch.join("step.out"), WINDOW);
        let mut group = Group::launch(launch, &self.cookie, &spool).map_err(|error| Stop::Infra(error.to_string()))?;
        let (mut cursor, mut tail) = (0, Tail::default());
        let mut listen = |cursor: &mut u64| {
            while let Ok(Some((offset, bytes))) = spool.read_at(*cursor, READ_BYTES) {
                *cursor = offset + bytes.len() as u64;
                tail.push(&bytes);
                heard(&bytes);
            }
        };
        let exit = loop {
            tokio::select! {
                exit = group.wait() => break exit,
                () = spool.grown() => listen(&mut cursor),
                grace = ending(&mut self.cancelled) => {
                    group.end(grace).await;
                    listen(&mut cursor);
                    return Err(Stop::Cancelled);
                }
            }
        };
        listen(&mut cursor);
        // The spool is made by the first byte; a silent process leaves none.
        let _ = std::fs::remove_file(spool.path());
        self.count(exit);
        Ok(Ran { exit, tail })
    }

    /// To be asked between two tests: an error where the attempt is to stop here.
    pub fn boundary(&self) -> Result<(), Stop> {
        if *self.save.borrow() { Err(Stop::Saved) } else { Ok(()) }
    }

    /// Adds what a process has used.
    pub fn count(&mut self, exit: Exit) {
        self.usage = self.usage.and(exit.usage);
        self.last = Some(exit);
    }

    /// What all processes have used.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// How the last process ended.
    pub fn last_exit(&self) -> Option<Exit> {
        self.last
    }

    /// The file `path` of the task.
    pub fn file(&self, path: &str) -> PathBuf {
        self.dir.join(Path::new(path))
    }
}

/// Waits until the attempt is to end, and gives the grace period. Never comes back when nobody can say so any more.
pub async fn ending(cancelled: &mut watch::Receiver<Option<Duration>>) -> Duration {
    match cancelled.wait_for(Option::is_some).await.map(|grace| *grace) {
        Ok(Some(grace)) => grace,
        _ => std::future::pending().await,
    }
}

/// How a process ended, in words.
pub fn in_words(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (_, Some(signal)) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(named) => format!("signal {signal}, {named}"),
            Err(_) => format!("signal {signal}"),
        },
        (Some(code), None) => format!("exit status {code}"),
        (None, None) => "an unknown end".to_owned(),
    }
}
