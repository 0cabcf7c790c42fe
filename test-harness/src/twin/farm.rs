//! Real daemons that play the machines of a scenario: a coordinator, and a worker for each machine as it joins.

use super::work::{PACE, WORK};
use super::{CHECK_S, figures};
use crate::daemons::{program, spawn};
use anyhow::{Context, Result, bail};
use shared::api::{FactPage, RequestKind, TaskRequest};
use shared::fact::Fact;
use simulator::Scenario;
use simulator::scenario::MachineSpec;
use simulator::tables::Task;
use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the coordinator may take to be there.
const START: Duration = Duration::from_secs(30);
/// A run that takes so many times as long as the simulated one should is given up.
const PATIENCE: f64 = 6.0;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub policy: &'a str,
    /// Every time of the scenario is multiplied by it.
    pub scale: f64,
    pub port: u16,
    pub report: &'a Path,
}

/// The processes of a run; they are gone when it is dropped.
struct Farm {
    folder: tempfile::TempDir,
    children: Vec<Child>,
    url: String,
    http: reqwest::Client,
    began: Instant,
    /// The same moment in seconds since 1970.
    began_at: f64,
}

/// What is due at a time of the scenario.
enum Due<'a> {
    Machine(&'a MachineSpec),
    Tasks(Vec<&'a Task>),
}

/// Runs the scenario under a policy and writes the report of it.
pub(super) async fn run(scenario: &Scenario, terms: Terms<'_>) -> Result<figures::Measured> {
    let mut farm = Farm::start(terms).await?;
    for (at_s, due) in schedule(scenario) {
        let at = Duration::from_secs_f64(at_s * terms.scale);
        tokio::time::sleep(at.saturating_sub(farm.began.elapsed())).await;
        match due {
            Due::Machine(machine) => farm.join(machine, terms.scale)?,
            Due::Tasks(tasks) => farm.submit(&tasks, terms.scale).await?,
        }
    }
    let limit = Duration::from_secs_f64(PATIENCE * scenario.horizon_s * terms.scale);
    farm.wait(scenario.tasks.len() as u64, limit).await?;
    farm.keep_report(terms.report).await?;
    let facts = farm.facts().await?;
    Ok(figures::of(&facts))
}

/// Machines and tasks by time; machines that are there from the beginning come before the first tasks.
fn schedule(scenario: &Scenario) -> Vec<(f64, Due<'_>)> {
    let mut due: Vec<(f64, Due<'_>)> = scenario.machines.iter().map(|machine| (machine.joins_s, Due::Machine(machine))).collect();
    let mut tasks: Vec<&Task> = scenario.tasks.iter().collect();
    tasks.sort_by(|a, b| a.submit_s.total_cmp(&b.submit_s));
    for together in tasks.chunk_by(|a, b| a.submit_s == b.submit_s) {
        due.push((together[0].submit_s, Due::Tasks(together.to_vec())));
    }
    due.sort_by(|a, b| a.0.total_cmp(&b.0));
    due
}

impl Farm {
    async fn start(terms: Terms<'_>) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let announce = folder.path().join("url");
        let mut command = Command::new(program("coordinator")?);
        command.args(["--exit-with-parent", "--policy", terms.policy, "--port", &terms.port.to_string()]);
        command.arg("--check-interval").arg(format!("{}s", CHECK_S * terms.scale));
        command.arg("--db-path").arg(folder.path().join("metrics.duckdb")).arg("--announce").arg(&announce);
        let mut children = vec![spawn(command, folder.path(), "coordinator")?];
        let began = Instant::now();
        let url = loop {
            if let Ok(url) = std::fs::read_to_string(&announce) {
                break url.trim().to_owned();
            }
            if let Some(status) = children[0].try_wait()? {
                let log = std::fs::read_to_string(folder.path().join("coordinator.log")).unwrap_or_default();
                bail!("the coordinator ended with {status}: {log}");
            }
            if began.elapsed() > START {
                bail!("the coordinator did not start within {} s", START.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let began_at = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?.as_secs_f64();
        Ok(Self { folder, children, url, http: reqwest::Client::new(), began: Instant::now(), began_at })
    }

    /// Starts the worker that plays a machine.
    fn join(&mut self, machine: &MachineSpec, scale: f64) -> Result<()> {
        let mut command = Command::new(program("worker")?);
        command.args(["--exit-with-parent", "--inherit-env", "--coordinator", &self.url, "--name", &machine.name]);
        command.args(["--slots", &machine.slots.to_string()]).arg("--work-dir").arg(self.folder.path().join(&*machine.name));
        let mut pace = String::new();
        for hardware in &machine.hardware {
            let speed = machine.declared_speed(*hardware);
            command.args(["--hardware", &format!("{}:speed={speed}", hardware.name())]);
            write!(pace, "{}={speed} ", hardware.name()).expect("text takes any length");
        }
        for slow in &machine.slow {
            let at = |seconds: f64| self.began_at + seconds * scale;
            write!(pace, "slow={}:{}:{} ", at(slow.from_s), at(slow.to_s), slow.factor).expect("text takes any length");
        }
        command.env(PACE, pace);
        self.children.push(spawn(command, self.folder.path(), &machine.name)?);
        Ok(())
    }

    async fn submit(&self, tasks: &[&Task], scale: f64) -> Result<()> {
        let own = std::env::current_exe().context("finding this program")?;
        let request = |task: &&Task| {
            let on = task.hardware().filter_map(|kind| Some((kind, task.service_s(kind)? * scale)));
            let mut command = vec![own.display().to_string(), WORK.to_owned()];
            command.extend(on.map(|(kind, seconds)| format!("{}={seconds}", kind.name())));
            TaskRequest {
                name: Some(task.id.to_string()),
                group: Some(task.kind.to_string()),
                kind: RequestKind::Command,
                command,
                hardware: task.hardware().collect(),
                checkpointable: task.checkpointable,
                state_bytes: task.checkpointable.then_some((task.state_mb * 1e6) as u64),
                owner: task.owner.as_deref().map(String::from),
                ..TaskRequest::default()
            }
        };
        let requests: Vec<TaskRequest> = tasks.iter().map(request).collect();
        let answer =
            self.http.post(format!("{}/api/tasks", self.url)).json(&requests).send().await.context("submitting tasks")?;
        answer.error_for_status()?;
        Ok(())
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.with_context(|| format!("asking for {path}"))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits until all tasks have their verdicts, telling from time to time how many have.
    async fn wait(&self, tasks: u64, limit: Duration) -> Result<()> {
        let mut told = Instant::now();
        loop {
            let status: shared::api::Status = self.get("/status").await?;
            let done = status.tasks.get("done").copied().unwrap_or(0);
            if done >= tasks {
                return Ok(());
            }
            if self.began.elapsed() > limit {
                bail!("{done} of {tasks} tasks are done after {} s", limit.as_secs());
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                eprintln!("  {:>4.0} s: {done} of {tasks} tasks are done", self.began.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn keep_report(&self, path: &Path) -> Result<()> {
        let answer = self.http.get(format!("{}/api/report", self.url)).send().await.context("asking for the report")?;
        let page = answer.error_for_status()?.bytes().await?;
        std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
    }

    async fn facts(&self) -> Result<Vec<Fact>> {
        let (mut facts, mut from) = (Vec::new(), 0);
        loop {
            let page: FactPage = self.get(&format!("/api/facts?from={from}")).await?;
            if page.facts.is_empty() {
                return Ok(facts);
            }
            from = page.next;
            facts.extend(page.facts);
        }
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself; that it is gone is all that matters.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
