//! A scenario: the machines, the network and the tasks of a simulated run, as the TOML file and the tables beside it say.

use crate::bound::Bound;
use crate::tables::{self, Observation, Task};
use crate::{SimError, fleet};
use serde::Deserialize;
use shared::hardware::{HardwareKind, Power};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Machines a scenario may have.
const MACHINES_MAX: usize = 12_000;

/// Everything a run is made of.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What people call it.
    pub name: String,
    /// Where the randomness begins, unless a run says otherwise.
    pub seed: u64,
    /// After this many seconds nothing is submitted.
    pub horizon_s: f64,
    /// What lies between the coordinator and the machines.
    pub network: NetworkSpec,
    /// The machines, in the order of the file.
    pub machines: Vec<MachineSpec>,
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
    /// What the coordinator may know before the run.
    pub history: Vec<Observation>,
    bound: OnceLock<Bound>,
}

/// The network.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    /// Milliseconds a message takes, on average.
    pub latency_ms: f64,
    /// Megabytes of saved state that travel in a second; absent means that they need no time.
    pub state_mb_per_s: Option<f64>,
}

/// One machine.
#[derive(Debug, Clone)]
pub struct MachineSpec {
    /// Its name.
    pub name: Arc<str>,
    /// The kinds of hardware it has.
    pub hardware: Vec<HardwareKind>,
    /// Tasks of one core it runs at a time.
    pub slots: u32,
    /// Memory in gigabytes; absent means more than anyone needs.
    pub memory_gb: Option<f64>,
    /// Memory in gigabytes that its devices share.
    pub gpu_memory_gb: Option<f64>,
    /// Progress per second relative to a task's own column; 1 for what is not named.
    pub speed: BTreeMap<HardwareKind, f64>,
    /// What it draws, in watts.
    pub power: Option<Power>,
    /// How it warms and what it does when it is hot.
    pub thermal: Option<Thermal>,
    /// What an hour of it costs.
    pub cost_per_hour: Option<f64>,
    /// When it comes, in seconds.
    pub joins_s: f64,
    /// When it begins to go, in seconds.
    pub leaves_s: Option<f64>,
    /// When its process dies, in seconds.
    pub crashes_s: Vec<f64>,
    /// Seconds from a death to the return.
    pub restart_s: f64,
    /// Phases in which it is slower than it says.
    pub slow: Vec<SlowPhase>,
}

/// A first-order thermal model: the temperature goes to `ambient_c + c_per_w · watts` with the time constant `tau_s`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thermal {
    /// Degrees Celsius when it draws nothing.
    pub ambient_c: f64,
    /// Degrees for each watt.
    pub c_per_w: f64,
    /// Seconds to 63 % of a change.
    pub tau_s: f64,
    /// From this temperature on it slows down.
    pub throttle_c: f64,
    /// Its speed then, as a factor.
    pub throttle_speed: f64,
}

/// A phase in which a machine is slower.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowPhase {
    /// When it begins, in seconds.
    pub from_s: f64,
    /// When it ends, in seconds.
    pub to_s: f64,
    /// Its speed then, as a factor.
    pub factor: f64,
}

impl MachineSpec {
    /// Progress per second on `hardware` when the machine is well, relative to a task's own column.
    pub fn declared_speed(&self, hardware: HardwareKind) -> f64 {
        self.speed.get(&hardware).copied().unwrap_or(1.0)
    }

    /// Watts when `share` of its slots are busy; nothing where the scenario gives no power.
    pub fn watts(&self, share: f64) -> f64 {
        self.power.map_or(0.0, |power| power.idle_w + (power.busy_w - power.idle_w) * share)
    }

    /// Seconds `task` takes on `hardware` here when nothing else runs and the machine is well; nothing where it cannot run.
    pub fn service_s(&self, task: &Task, hardware: HardwareKind) -> Option<f64> {
        let has_room = task.cores <= f64::from(self.slots) && self.memory_gb.is_none_or(|memory| task.memory_gb <= memory);
        let fits = !hardware.has_own_memory() || task.gpu_memory_gb <= self.gpu_memory_gb.unwrap_or(0.0);
        let service = task.service_s(hardware).filter(|_| has_room && fits && self.hardware.contains(&hardware))?;
        Some(service / self.declared_speed(hardware))
    }

    /// The shortest of [`MachineSpec::service_s`] over its hardware.
    pub fn best_service_s(&self, task: &Task) -> Option<f64> {
        self.hardware.iter().filter_map(|hardware| self.service_s(task, *hardware)).min_by(f64::total_cmp)
    }
}

impl Scenario {
    /// Reads a scenario and the tables beside it.
    ///
    /// # Errors
    /// What cannot be read or understood, in which file and where in it.
    pub fn load(path: &Path) -> Result<Self, SimError> {
        Self::of_texts(path, &tables::read)
    }

    /// The scenario called `path`, where `read` knows the text of it and of the tables beside it.
    pub(crate) fn of_texts(path: &Path, read: &dyn Fn(&Path) -> Result<String, SimError>) -> Result<Self, SimError> {
        let text = read(path)?;
        let file: File = toml::from_str(&text).map_err(|error| SimError::scenario(path, error.to_string()))?;
        let wrong = |problem: String| SimError::scenario(path, problem);
        require(file.horizon_s > 0.0, || "horizon_s must be above 0".into()).map_err(wrong)?;
        let mut machines = Vec::new();
        for worker in file.worker {
            machines.extend(worker.machines().map_err(wrong)?);
        }
        require(!machines.is_empty(), || "it has no [[worker]]".into()).map_err(wrong)?;
        require(machines.len() <= MACHINES_MAX, || format!("it has more than {MACHINES_MAX} workers")).map_err(wrong)?;
        let mut names = BTreeSet::new();
        let twice = machines.iter().find(|machine| !names.insert(machine.name.clone()));
        require(twice.is_none(), || format!("two workers are called `{}`", twice.map_or("", |machine| &machine.name)))
            .map_err(wrong)?;
        let network = file.network;
        let is_network_good = (0.0..=1e6).contains(&network.latency_ms) && network.state_mb_per_s.is_none_or(|rate| rate > 0.0);
        require(is_network_good, || "latency_ms must be from 0 to 1000000 and state_mb_per_s above 0".into()).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let (tasks, history) = (folder.join(&file.tasks), file.history.map(|history| folder.join(history)));
        let tasks = tables::tasks(&tasks, &read(&tasks)?)?;
        let history = history.map(|path| tables::history(&path, &read(&path)?)).transpose()?.unwrap_or_default();
        let (name, seed, horizon_s, bound) = (file.name, file.seed, file.horizon_s, OnceLock::new());
        Ok(Self { name, seed, horizon_s, network, machines, tasks, history, bound })
    }

    /// What no schedule of the tasks that some machine can run could beat; found once, as it takes a while.
    pub fn bound(&self) -> Bound {
        *self.bound.get_or_init(|| fleet::bound(self, &self.possible()))
    }

    /// The tasks that some machine can run, as rows of the table.
    pub fn possible(&self) -> Vec<usize> {
        (0..self.tasks.len()).filter(|row| self.best_service_s(&self.tasks[*row]).is_some()).collect()
    }

    /// Seconds the task takes on the best machine of the fleet; nothing where none can run it.
    pub fn best_service_s(&self, task: &Task) -> Option<f64> {
        self.machines.iter().filter_map(|machine| machine.best_service_s(task)).min_by(f64::total_cmp)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    seed: u64,
    horizon_s: f64,
    tasks: String,
    history: Option<String>,
    #[serde(default)]
    network: NetworkSpec,
    #[serde(default)]
    worker: Vec<Worker>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worker {
    id: String,
    count: Option<u32>,
    hardware: Vec<HardwareKind>,
    slots: u32,
    memory_gb: Option<f64>,
    gpu_memory_gb: Option<f64>,
    #[serde(default)]
    speed: BTreeMap<HardwareKind, f64>,
    power: Option<Power>,
    thermal: Option<Thermal>,
    cost_per_hour: Option<f64>,
    #[serde(default)]
    joins_s: f64,
    leaves_s: Option<f64>,
    #[serde(default)]
    crashes_s: Vec<f64>,
    #[serde(default)]
    restart_s: f64,
    #[serde(default)]
    slow: Vec<SlowPhase>,
}

impl Worker {
    fn machines(self) -> Result<Vec<MachineSpec>, String> {
        self.check().map_err(|problem| format!("worker `{}`: {problem}", self.id))?;
        let names: Vec<String> = match self.count {
            None => vec![self.id.clone()],
            Some(count) => (1..=count).map(|number| format!("{}-{number}", self.id)).collect(),
        };
        let machine = MachineSpec {
            name: "".into(),
            hardware: self.hardware,
            slots: self.slots,
            memory_gb: self.memory_gb,
            gpu_memory_gb: self.gpu_memory_gb,
            speed: self.speed,
            power: self.power,
            thermal: self.thermal,
            cost_per_hour: self.cost_per_hour,
            joins_s: self.joins_s,
            leaves_s: self.leaves_s,
            crashes_s: self.crashes_s,
            restart_s: self.restart_s,
            slow: self.slow,
        };
        Ok(names.into_iter().map(|name| MachineSpec { name: name.into(), ..machine.clone() }).collect())
    }

    fn check(&self) -> Result<(), String> {
        let is_time = |s: &f64| (0.0..=1e9).contains(s);
        let is_size = |size: Option<f64>| size.is_none_or(|size| (0.0..=1e6).contains(&size));
        let hot = |t: &Thermal| t.tau_s > 0.0 && t.c_per_w >= 0.0 && (0.0..=1.0).contains(&t.throttle_speed);
        let phase = |p: &SlowPhase| is_time(&p.from_s) && p.to_s >= p.from_s && (0.0..=1.0).contains(&p.factor);
        let crashes = self.crashes_s.iter().all(|s| is_time(s) && *s >= self.joins_s);
        require(self.count.is_none_or(|count| count as usize <= MACHINES_MAX), || format!("count is above {MACHINES_MAX}"))?;
        require((1..=100_000).contains(&self.slots), || "slots must be from 1 to 100000".into())?;
        require(!self.hardware.is_empty(), || "it has no hardware".into())?;
        require(self.hardware.iter().collect::<BTreeSet<_>>().len() == self.hardware.len(), || {
            "it names a kind of hardware twice".into()
        })?;
        require(self.speed.values().all(|speed| *speed > 0.0 && *speed <= 1e6), || "speeds must be above 0".into())?;
        require(is_size(self.memory_gb) && is_size(self.gpu_memory_gb), || "memory must be from 0 to 1000000 GB".into())?;
        require(is_time(&self.joins_s) && is_time(&self.restart_s), || "joins_s and restart_s must not be negative".into())?;
        require(self.leaves_s.is_none_or(|s| is_time(&s) && s > self.joins_s), || "leaves_s must come after joins_s".into())?;
        require(crashes, || "crashes_s must not come before joins_s".into())?;
        require(self.power.is_none_or(|p| p.idle_w >= 0.0 && p.busy_w >= p.idle_w), || "busy_w must not be below idle_w".into())?;
        require(self.thermal.as_ref().is_none_or(hot), || {
            "thermal needs tau_s above 0, c_per_w of at least 0 and throttle_speed from 0 to 1".into()
        })?;
        require(self.slow.iter().all(phase), || "a slow phase needs from_s <= to_s and a factor from 0 to 1".into())
    }
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}
