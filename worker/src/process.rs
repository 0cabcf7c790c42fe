//! Processes as attempts need them: a leader in a process group of its own, its output in a spool, and an end that
//! leaves nothing behind.
//!
//! Every process of an attempt inherits [`COOKIE`]. The runner is the sub-reaper of what it starts, so whatever outlives
//! its parent becomes a child of the runner and is found there, even after `setsid` or a double fork.

mod descent;
mod ended;
pub(crate) mod reap;

use crate::output::OutputSink;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use shared::outcome::Usage;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::ChildStdin;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub use descent::Traces;
use ended::Ended;
pub use reap::become_reaper;

/// The variable by which the processes of an attempt are known.
pub const COOKIE: &str = "EVENKEEL_COOKIE";

/// How long the killing of what is left may take before it is given up and reported.
const CLEAR_MAX: Duration = Duration::from_secs(5);
/// How long the pump may take to drain the pipe once nothing can write to it any more.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Most bytes read from a pipe at a time: what a Linux pipe holds.
const CHUNK_BYTES: usize = 64 << 10;

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// The folder it starts in.
    pub dir: PathBuf,
    /// All of its environment: nothing is inherited beside it.
    pub env: BTreeMap<OsString, OsString>,
    /// Whether its input is a pipe; else it is empty.
    pub stdin: bool,
}

/// How a leader ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exit {
    /// Its exit status, where it exited.
    pub code: Option<i32>,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// What it and the children it waited for used.
    pub usage: Usage,
    /// Seconds from its start to its end.
    pub run_s: f64,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no program of that name.
    #[error("`{program}` was not found in PATH ({path}); install it on this worker or name it by its full path")]
    NotFound {
        /// The name as given.
        program: String,
        /// Where it was looked for.
        path: String,
    },
    /// The file cannot be executed.
    #[error("{program} is not an executable file; try `chmod +x` or name its interpreter", program = program.display())]
    NotExecutable {
        /// The file.
        program: PathBuf,
    },
    /// The folder is not there.
    #[error("the folder {dir} does not exist on this worker", dir = dir.display())]
    NoFolder {
        /// The folder.
        dir: PathBuf,
    },
    /// The command has no words.
    #[error("the command is empty: name a program")]
    Empty,
    /// The system refused.
    #[error("starting {program}: {source}")]
    System {
        /// What was being started.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A leader process, its process group and all that descends from them.
#[derive(Debug)]
pub struct Group {
    pid: Pid,
    traces: Traces,
    started: Instant,
    exit: Option<Exit>,
    cleared: Option<bool>,
    stdin: Option<ChildStdin>,
    pump: Option<JoinHandle<()>>,
    ended: Ended,
}

impl Group {
    /// Starts `launch` in a process group of its own; everything it prints goes to `sink`, standard output and standard
    /// error in the order in which they were written. Needs a tokio runtime.
    pub fn launch(launch: &Launch, cookie: &str, sink: &OutputSink) -> Result<Group, LaunchError> {
        let word = launch.argv.first().filter(|word| !word.is_empty()).ok_or(LaunchError::Empty)?;
        let system = |source| LaunchError::System { program: word.clone(), source };
        if !launch.dir.is_dir() {
            return Err(LaunchError::NoFolder { dir: launch.dir.clone() });
        }
        let program = find(word, &launch.dir, launch.env.get(OsStr::new("PATH")))?;
        reap::become_reaper();
        let (reader, writer) = io::pipe().map_err(system)?;
        let mut command = std::process::Command::new(&program);
        command
            .arg0(word)
            .args(&launch.argv[1..])
            .current_dir(&launch.dir)
            .env_clear()
            .envs(&launch.env)
            .env(COOKIE, cookie)
            .process_group(0)
            .stdin(if launch.stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(writer.try_clone().map_err(system)?)
            .stderr(writer);
        let started = Instant::now();
        let mut child = reap::spawn_leader(&mut command).map_err(system)?;
        // The command holds the writing end: the pipe ends only when it is gone.
        drop(command);
        let pid = Pid::from_raw(child.id().cast_signed());
        let stdin = child.stdin.take();
        let ended = match Ended::of(pid) {
            Ok(ended) => ended,
            Err(error) => {
                let _ = killpg(pid, Signal::SIGKILL);
                reap::collect(pid, 0.0);
                return Err(system(error));
            }
        };
        let mut group = Group {
            pid,
            traces: Traces { group: Some(pid.as_raw()), cookie: cookie.into(), known: BTreeSet::new() },
            started,
            exit: None,
            cleared: None,
            stdin: None,
            pump: None,
            ended,
        };
        // From here on an error drops the group, and with it the process.
        group.stdin = stdin.map(ChildStdin::from_std).transpose().map_err(system)?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(system)?;
        group.pump = Some(tokio::spawn(pump(reader, sink.clone())));
        Ok(group)
    }

    /// The leader's process id, which is also its group's.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The writing end of the leader's input, once, where it was asked for.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Waits for the leader to end, then kills what is left of the attempt and drains its output. It may be dropped half
    /// way and called again.
    pub async fn wait(&mut self) -> Exit {
        while !self.leader_ended() {
            self.ended.wait().await;
        }
        // The ended leader still holds its number, so the group cannot be another's.
        let _ = killpg(self.pid, Signal::SIGKILL);
        let exit = self.collect();
        self.clear().await;
        exit
    }

    /// Asks the processes of the group to end, and no more.
    pub fn terminate(&self) {
        // A leader that was collected may have left its number to another.
        if self.exit.is_none() && !self.leader_ended() {
            let _ = killpg(self.pid, Signal::SIGTERM);
        }
    }

    /// Ends the attempt: SIGTERM to its group and, when something is left after `grace`, SIGKILL to every process of it.
    /// True when nothing is left.
    pub async fn end(&mut self, grace: Duration) -> bool {
        if let Some(cleared) = self.cleared {
            return cleared;
        }
        self.stdin = None;
        // Who descends from whom is known only while the parents live.
        self.traces = self.traces.clone().on_thread(Traces::found).await;
        if !grace.is_zero() && !self.leader_ended() && killpg(self.pid, Signal::SIGTERM).is_ok() {
            let deadline = Instant::now() + grace;
            while !self.group_is_empty() && Instant::now() < deadline {
                self.pause(Duration::from_millis(20).min(deadline.saturating_duration_since(Instant::now()))).await;
            }
        }
        if self.exit.is_none() || !self.group_is_empty() {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        let deadline = Instant::now() + CLEAR_MAX;
        while !self.leader_ended() && Instant::now() < deadline {
            self.pause(Duration::from_millis(20)).await;
        }
        if !self.leader_ended() {
            return false;
        }
        self.collect();
        self.clear().await
    }

    /// Whether nothing is left of the attempt, once it was waited for or ended.
    pub fn is_clear(&self) -> bool {
        self.cleared == Some(true)
    }

    /// Whether the leader ended but was not yet collected, or was.
    fn leader_ended(&self) -> bool {
        self.exit.is_some() || reap::has_ended(self.pid)
    }

    fn group_is_empty(&mut self) -> bool {
        if !self.leader_ended() {
            return false;
        }
        self.collect();
        killpg(self.pid, None).is_err()
    }

    fn collect(&mut self) -> Exit {
        *self.exit.get_or_insert_with(|| reap::collect(self.pid, self.started.elapsed().as_secs_f64()))
    }

    /// Waits for the leader's end, or where that has come for what else may: others of the group.
    async fn pause(&mut self, at_most: Duration) {
        if self.leader_ended() {
            sleep(at_most).await;
        } else {
            let _ = timeout(at_most, self.ended.wait()).await;
        }
    }

    async fn clear(&mut self) -> bool {
        let cleared = match self.cleared {
            Some(cleared) => cleared,
            None if self.traces.known.is_empty() && descent::no_orphans() => true,
            None => {
                let deadline = Instant::now() + CLEAR_MAX;
                self.traces.clone().on_thread(move |traces| descent::kill_all(traces, deadline)).await
            }
        };
        self.cleared = Some(cleared);
        if let Some(pump) = &mut self.pump {
            if timeout(DRAIN_MAX, &mut *pump).await.is_err() {
                pump.abort();
            }
            self.pump = None;
        }
        cleared
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.cleared.is_some() {
            return;
        }
        // A group dropped half way takes its processes with it; a thread sees to it, for a destructor must not wait.
        let (pid, collected, traces) = (self.pid, self.exit.is_some(), self.traces.clone());
        if !collected {
            let _ = killpg(pid, Signal::SIGKILL);
        }
        std::thread::spawn(move || {
            descent::kill_all(traces, Instant::now() + CLEAR_MAX);
            if !collected {
                reap::collect(pid, 0.0);
            }
        });
    }
}

/// Kills what is left of the attempts with these cookies; true when nothing is left.
pub fn kill_leftovers(cookies: impl IntoIterator<Item = String>) -> bool {
    let deadline = Instant::now() + CLEAR_MAX;
    let mut all_killed = true;
    for cookie in cookies {
        all_killed &= descent::kill_all(Traces { group: None, cookie, known: BTreeSet::new() }, deadline);
    }
    all_killed
}

async fn pump(mut reader: pipe::Receiver, sink: OutputSink) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = match reader.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => bytes,
        };
        // A disk may stall for seconds; that must not hold up the heartbeats of this daemon.
        let to = sink.clone();
        let written = tokio::task::spawn_blocking(move || {
            to.write(&chunk[..bytes]);
            chunk
        });
        match written.await {
            Ok(back) => chunk = back,
            Err(_) => return,
        }
    }
}

/// The file to execute for `word`, as a shell in `dir` would find it.
fn find(word: &str, dir: &Path, path: Option<&OsString>) -> Result<PathBuf, LaunchError> {
    let is_program = |file: &Path| file.is_file() && access(file, AccessFlags::X_OK).is_ok();
    let path = path.map_or_else(|| OsStr::new("/usr/local/bin:/usr/bin:/bin"), |path| path.as_os_str());
    let not_found = || LaunchError::NotFound { program: word.into(), path: path.to_string_lossy().into_owned() };
    if word.contains('/') {
        let file = dir.join(word);
        return match (file.exists(), is_program(&file)) {
            (true, true) => Ok(file),
            (true, false) => Err(LaunchError::NotExecutable { program: file }),
            (false, _) => Err(not_found()),
        };
    }
    std::env::split_paths(path).map(|folder| dir.join(folder).join(word)).find(|file| is_program(file)).ok_or_else(not_found)
}

#[cfg(test)]
mod tests;
