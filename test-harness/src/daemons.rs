//! A coordinator and workers as child processes in a folder of their own; all of it is gone when this is dropped.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to be there.
const START: Duration = Duration::from_secs(30);

/// A running coordinator.
#[derive(Debug)]
pub struct Daemons {
    coordinator: Child,
    workers: Vec<Child>,
    folder: tempfile::TempDir,
    /// Its address.
    pub url: String,
    http: reqwest::Client,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// Seconds of processor time.
    pub cpu_s: f64,
    /// Resident memory, in kB.
    pub rss_kb: u64,
}

impl Daemons {
    /// Starts a coordinator.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a coordinator with more arguments than those that every one has.
    pub async fn start_with(more: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let announce = folder.path().join("url");
        let mut command = Command::new(program("coordinator")?);
        command.args(["--exit-with-parent", "--announce"]).arg(&announce);
        if !more.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        if !more.contains(&"--db-path") {
            command.arg("--db-path").arg(folder.path().join("metrics.duckdb"));
        }
        command.args(more);
        let coordinator = spawn(command, folder.path(), "coordinator")?;
        let mut started = Self { coordinator, workers: Vec::new(), folder, url: String::new(), http: reqwest::Client::new() };
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Ok(url) = std::fs::read_to_string(&announce) {
                started.url = url.trim().into();
                return Ok(started);
            }
            if let Some(status) = started.coordinator.try_wait()? {
                bail!("the coordinator ended with {status}: {}", started.log("coordinator"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the coordinator did not start within {} s: {}", START.as_secs(), started.log("coordinator"))
    }

    /// Starts workers and waits until all of them are ready.
    pub async fn add_workers(&mut self, workers: u32, slots: u32) -> Result<()> {
        for number in 1..=workers {
            let url = self.url.clone();
            self.add_worker(&format!("bench-{number}"), &url, slots)?;
        }
        self.wait_for_workers(workers).await
    }

    /// Starts a worker that finds the coordinator at `url`.
    pub fn add_worker(&mut self, name: &str, url: &str, slots: u32) -> Result<()> {
        let work_dir = self.folder.path().join(name);
        self.add_worker_in(&work_dir, name, url, slots)
    }

    /// Starts a worker that keeps its files in `work_dir`.
    pub fn add_worker_in(&mut self, work_dir: &Path, name: &str, url: &str, slots: u32) -> Result<()> {
        self.add_worker_as(work_dir, name, url, slots, |_| {})
    }

    /// Starts a worker that keeps its files in `work_dir`, with more arguments or variables.
    pub fn add_worker_as(
        &mut self,
        work_dir: &Path,
        name: &str,
        url: &str,
        slots: u32,
        more: impl FnOnce(&mut Command),
    ) -> Result<()> {
        let mut command = Command::new(program("worker")?);
        command.args(["--exit-with-parent", "--coordinator", url, "--name", name, "--slots", &slots.to_string()]);
        command.arg("--work-dir").arg(work_dir);
        more(&mut command);
        self.workers.push(spawn(command, self.folder.path(), name)?);
        Ok(())
    }

    /// The folder in which all of it lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until this many workers are ready.
    pub async fn wait_for_workers(&self, workers: u32) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let status = self.get("/status").await?;
            if status["workers"]["ready"].as_u64() == Some(u64::from(workers)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the workers did not join within {} s", START.as_secs())
    }

    /// The JSON at a path of the coordinator.
    pub async fn get(&self, path: &str) -> Result<serde_json::Value> {
        self.get_as(path).await
    }

    /// What the JSON at a path of the coordinator says.
    pub async fn get_as<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        serde_json::from_slice(&self.get_bytes(path).await?).with_context(|| format!("understanding {path}"))
    }

    /// What is at a path of the coordinator.
    pub async fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.with_context(|| format!("asking for {path}"))?;
        Ok(answer.error_for_status()?.bytes().await?.to_vec())
    }

    /// Submits tasks; the answer as it is.
    pub async fn try_submit(&self, tasks: &[shared::api::TaskRequest]) -> Result<reqwest::Response> {
        self.http.post(format!("{}/api/tasks", self.url)).json(tasks).send().await.context("submitting tasks")
    }

    /// Submits tasks; their numbers.
    pub async fn submit(&self, tasks: &[shared::api::TaskRequest]) -> Result<Vec<u64>> {
        let answer = self.try_submit(tasks).await?;
        let accepted: shared::api::Accepted = answer.error_for_status()?.json().await?;
        Ok(accepted.task_ids.into_iter().map(|id| id.0).collect())
    }

    /// A figure of the coordinator's own, as Prometheus sees it.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await?.text().await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.with_context(|| format!("the coordinator has no figure {name}"))
    }

    /// What the coordinator has used so far.
    pub fn used(&self) -> Result<Used> {
        let pid = self.coordinator.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("reading what the coordinator used")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("understanding /proc");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        // Linux counts processor time in hundredths of a second here, whatever its own clock.
        Ok(Used { cpu_s: (ticks(11)? + ticks(12)?) / 100.0, rss_kb: rss.context("understanding /proc")? })
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().chain([&mut self.coordinator]) {
            // It may have ended by itself; that it is gone is all that matters.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The program of this name that was built beside this one.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let found = own.with_file_name(name);
    if !found.exists() {
        bail!("{} is missing: build the whole workspace first (`cargo xtask bench …` does)", found.display());
    }
    Ok(found)
}

/// Starts a daemon that ends with this program; what it says goes to `NAME.log` in `folder`.
pub fn spawn(mut command: Command, folder: &Path, name: &str) -> Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join(format!("{name}.log")))
        .context("making a log file")?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).env("RUST_LOG", "warn").env_remove("EVENKEEL_TOKEN");
    command.spawn().with_context(|| format!("starting {name}"))
}
