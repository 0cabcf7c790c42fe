//! Real daemons that play the machines of a scenario: a coordinator, and a worker for each machine as it joins.

use super::work::{PACE, WORK};
use super::{CHECK_S, figures};
use crate::daemons::Daemons;
use anyhow::{Context, Result, bail};
use shared::api::{FactPage, RequestKind, TaskRequest};
use shared::fact::Fact;
use simulator::Scenario;
use simulator::scenario::MachineSpec;
use simulator::tables::Task;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// The processes of a run.
struct Farm {
    daemons: Daemons,
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
        let (port, interval) = (terms.port.to_string(), format!("{}s", CHECK_S * terms.scale));
        let daemons = Daemons::start_with(&["--policy", terms.policy, "--port", &port, "--check-interval", &interval]).await?;
        let began_at = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?.as_secs_f64();
        Ok(Self { daemons, began: Instant::now(), began_at })
    }

    /// Starts the worker that plays a machine.
    fn join(&mut self, machine: &MachineSpec, scale: f64) -> Result<()> {
        let mut pace = String::new();
        let mut declared = Vec::new();
        for hardware in &machine.hardware {
            let speed = machine.declared_speed(*hardware);
            declared.extend(["--hardware".to_owned(), format!("{}:speed={speed}", hardware.name())]);
            write!(pace, "{}={speed} ", hardware.name()).expect("text takes any length");
        }
        for slow in &machine.slow {
            let at = |seconds: f64| self.began_at + seconds * scale;
            write!(pace, "slow={}:{}:{} ", at(slow.from_s), at(slow.to_s), slow.factor).expect("text takes any length");
        }
        let (folder, url) = (self.daemons.folder().join(&*machine.name), self.daemons.url.clone());
        self.daemons.add_worker_as(&folder, &machine.name, &url, machine.slots, |command| {
            command.arg("--inherit-env").args(declared).env(PACE, pace);
        })
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
        self.daemons.submit(&requests).await?;
        Ok(())
    }

    /// Waits until all tasks have their verdicts, telling from time to time how many have.
    async fn wait(&self, tasks: u64, limit: Duration) -> Result<()> {
        let mut told = Instant::now();
        loop {
            let status: shared::api::Status = self.daemons.get_as("/status").await?;
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
        let page = self.daemons.get_bytes("/api/report").await?;
        std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
    }

    async fn facts(&self) -> Result<Vec<Fact>> {
        let (mut facts, mut from) = (Vec::new(), 0);
        loop {
            let page: FactPage = self.daemons.get_as(&format!("/api/facts?from={from}")).await?;
            if page.facts.is_empty() {
                return Ok(facts);
            }
            from = page.next;
            facts.extend(page.facts);
        }
    }
}
