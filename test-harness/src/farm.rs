//! A coordinator and workers that are killed, stopped and started again, in a folder and on a port of their own. They end
//! with this program.

use crate::daemons::{program, spawn};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a daemon may take to end when it is asked to.
const END: Duration = Duration::from_secs(20);
/// The number of the coordinator among them.
pub const COORDINATOR: usize = 0;

/// A process that is started again and again.
#[derive(Debug)]
struct Daemon {
    name: String,
    arguments: Vec<String>,
    program: PathBuf,
    child: Option<Child>,
    is_stopped: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Farm {
    /// The coordinator first, then the workers.
    daemons: Vec<Daemon>,
    folder: tempfile::TempDir,
    /// Where the coordinator listens, in every life.
    pub url: String,
    http: reqwest::Client,
}

impl Farm {
    /// Starts a coordinator with this policy, and workers with so many slots.
    pub fn start(policy: &str, workers: u32, slots: u32) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).context("finding a free port")?.port();
        let (url, port, slots) = (format!("http://127.0.0.1:{port}"), port.to_string(), slots.to_string());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let arguments = ["--port", &port, "--policy", policy, "--db-path", &at("metrics.duckdb")];
        let mut daemons = vec![Daemon::new("coordinator", "coordinator", &arguments)?];
        for number in 1..=workers {
            let name = format!("worker-{number}");
            let arguments = ["--coordinator", &url, "--name", &name, "--slots", &slots, "--work-dir", &at(&name)];
            daemons.push(Daemon::new("worker", &name, &arguments)?);
        }
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().context("making an HTTP client")?;
        let mut farm = Self { daemons, folder, url, http };
        for daemon in 0..farm.daemons.len() {
            farm.begin(daemon)?;
        }
        Ok(farm)
    }

    /// How many processes there are; the first is the coordinator.
    pub fn len(&self) -> usize {
        self.daemons.len()
    }

    /// What a process is called.
    pub fn name(&self, daemon: usize) -> &str {
        &self.daemons[daemon].name
    }

    /// Whether it runs and was not stopped.
    pub fn is_up(&self, daemon: usize) -> bool {
        self.daemons[daemon].child.is_some() && !self.daemons[daemon].is_stopped
    }

    /// Starts one that is down.
    pub fn begin(&mut self, daemon: usize) -> Result<()> {
        let daemon = &mut self.daemons[daemon];
        if daemon.child.is_none() {
            let mut command = Command::new(&daemon.program);
            command.arg("--exit-with-parent").args(&daemon.arguments);
            daemon.child = Some(spawn(command, self.folder.path(), &daemon.name)?);
            daemon.is_stopped = false;
        }
        Ok(())
    }

    /// Kills one with no warning.
    pub fn kill(&mut self, daemon: usize) -> Result<()> {
        if let Some(mut child) = self.daemons[daemon].child.take() {
            if let Some(status) = child.try_wait()? {
                let name = &self.daemons[daemon].name;
                bail!("{name} had ended by itself with {status}: {}", self.said(name));
            }
            child.kill().and_then(|()| child.wait()).context("killing a daemon")?;
        }
        Ok(())
    }

    /// Stops one where it is, or lets it go on.
    pub fn stop(&mut self, daemon: usize, is_stopped: bool) -> Result<()> {
        let daemon = &mut self.daemons[daemon];
        if let Some(child) = &daemon.child {
            let signal = if is_stopped { Signal::SIGSTOP } else { Signal::SIGCONT };
            kill(Pid::from_raw(child.id() as i32), signal).context("stopping a daemon")?;
            daemon.is_stopped = is_stopped;
        }
        Ok(())
    }

    /// Kills the process that holds the tasks of a worker; false where there is none.
    pub fn kill_runner(&self, worker: usize) -> bool {
        let Some(pid) = self.runners().into_iter().find_map(|(of, pid)| (of == worker).then_some(pid)) else { return false };
        kill(pid, Signal::SIGKILL).is_ok()
    }

    /// The processes that hold the tasks of workers, and whose they are: they are started by the workers, with a folder of
    /// the worker's among their arguments.
    fn runners(&self) -> Vec<(usize, Pid)> {
        let folder = self.folder.path().canonicalize().unwrap_or_else(|_| self.folder.path().to_owned());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let mut words =
                line.split(|byte| *byte == 0).map(String::from_utf8_lossy).skip_while(|word| word != "--runner").skip(1);
            let Some(place) = words.next() else { continue };
            let whose = self.daemons.iter().position(|daemon| Path::new(place.as_ref()).starts_with(folder.join(&daemon.name)));
            found.extend(whose.map(|worker| (worker, Pid::from_raw(pid))));
        }
        found
    }

    /// Tasks that have no verdict yet.
    pub async fn open_tasks(&self) -> Result<u64> {
        let status = self.get("/status").await?;
        let tasks = status["tasks"].as_object().context("the status counts tasks")?;
        Ok(tasks.iter().filter(|(state, _)| *state != "done").filter_map(|(_, count)| count.as_u64()).sum())
    }

    /// The JSON at a path of the coordinator.
    pub async fn get(&self, path: &str) -> Result<serde_json::Value> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.with_context(|| format!("asking for {path}"))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// The client for submits.
    pub fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// Its folder, for files beside those of the daemons.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the coordinator's log.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("metrics.data")
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Ends all of them, the workers first.
    pub fn end(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            daemon.end();
        }
        for (_, runner) in self.runners() {
            // It may have ended since.
            let _ = kill(runner, Signal::SIGKILL);
        }
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.end();
    }
}

impl Daemon {
    fn new(program_name: &str, name: &str, arguments: &[&str]) -> Result<Self> {
        let arguments = arguments.iter().map(|argument| String::from(*argument)).collect();
        Ok(Self { name: name.into(), arguments, program: program(program_name)?, child: None, is_stopped: false })
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // It may have ended by itself; that it is gone is all that matters.
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGCONT);
        drop(child.stdin.take());
        let deadline = Instant::now() + END;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(child.kill());
        drop(child.wait());
    }
}
