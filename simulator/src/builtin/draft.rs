//! A scenario while it is being made: kinds of tasks, who is submitted when, and what was seen of them before.

use super::Files;
use super::chance::Chance;
use shared::hardware::HardwareKind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The error of an estimate that a history gives, as the standard deviation of its logarithm. Measured on month-old times of
/// test files on unlike machines; it is made of an error that all observations share and one that each has.
const SHARED_ERROR: f64 = 0.65;
const OWN_ERROR: f64 = 0.68;
/// Observations of a kind on a kind of hardware.
const OBSERVATIONS: usize = 3;
/// Those who submit.
const OWNERS: usize = 4;

/// A kind of task.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Typical seconds at speed 1 on what can run it.
    pub seconds: Vec<(HardwareKind, f64)>,
    /// How far its tasks are from what is typical, as the standard deviation of the logarithm.
    pub spread: f64,
    /// Slots a task of it occupies.
    pub cores: u32,
    /// Memory of a task, in gigabytes.
    pub memory_gb: f64,
    /// Memory of a task on a device that has its own, in gigabytes.
    pub gpu_memory_gb: f64,
    /// The size of its state in megabytes, where it can be saved.
    pub state_mb: Option<f64>,
}

impl Kind {
    /// A kind of task of one core and one gigabyte that cannot be checkpointed and whose tasks are much alike.
    pub fn new(name: impl Into<String>, seconds: &[(HardwareKind, f64)]) -> Self {
        let (name, seconds) = (name.into(), seconds.to_vec());
        Self { name, seconds, spread: 0.3, cores: 1, memory_gb: 1.0, gpu_memory_gb: 0.0, state_mb: None }
    }

    /// Typical slot-seconds where it is fastest.
    pub fn work_s(&self) -> f64 {
        let fastest_s = self.seconds.iter().map(|(_, seconds)| *seconds).fold(f64::INFINITY, f64::min);
        // The mean of a log-normal distribution is above its median.
        fastest_s * f64::from(self.cores) * libm::exp(self.spread * self.spread / 2.0)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Draft {
    /// After this many seconds nothing is submitted.
    pub horizon_s: f64,
    /// The `[[worker]]` tables.
    pub workers: String,
    /// All kinds of tasks.
    pub kinds: Vec<Kind>,
    /// What the history of a kind (its index) on a kind of hardware is multiplied with beside the usual error.
    pub mistakes: BTreeMap<(usize, HardwareKind), f64>,
    tasks: Vec<Submission>,
}

#[derive(Debug)]
struct Submission {
    at_s: f64,
    kind: usize,
    /// This task's time divided by what is typical.
    factor: f64,
    owner: usize,
}

impl Draft {
    /// A scenario without tasks.
    pub fn new(horizon_s: f64, workers: String, kinds: Vec<Kind>) -> Self {
        Self { horizon_s, workers, kinds, mistakes: BTreeMap::new(), tasks: Vec::new() }
    }

    /// Submits a task of a kind.
    pub fn submit(&mut self, chance: &mut Chance, at_s: f64, kind: usize) {
        let factor = chance.factor(self.kinds[kind].spread);
        self.tasks.push(Submission { at_s, kind, factor, owner: chance.pick(OWNERS) });
    }

    /// Submits `count` tasks of any kind at the same moment.
    pub fn burst(&mut self, chance: &mut Chance, at_s: f64, count: usize) {
        for _ in 0..count {
            let kind = chance.pick(self.kinds.len());
            self.submit(chance, at_s, kind);
        }
    }

    /// Submits tasks of any kind from 0 to `until_s`, independently of each other. `load(at_s)` is the share of
    /// `capacity` (slot-seconds per second of hardware at speed 1) that they ask for, and never above `load_max`.
    pub fn stream(&mut self, chance: &mut Chance, until_s: f64, capacity: f64, load_max: f64, load: impl Fn(f64) -> f64) {
        let work_s = self.kinds.iter().map(Kind::work_s).sum::<f64>() / self.kinds.len() as f64;
        let pause_s = work_s / (capacity * load_max);
        let mut at_s = chance.pause(pause_s);
        while at_s < until_s {
            // Thinning (Lewis and Shedler): what comes at the highest rate is kept with the share of the rate of this moment.
            if chance.share() * load_max < load(at_s) {
                let kind = chance.pick(self.kinds.len());
                self.submit(chance, at_s, kind);
            }
            at_s += chance.pause(pause_s);
        }
    }

    /// The files of the scenario.
    pub fn files(mut self, name: &str, seed: u64, chance: &mut Chance) -> Files {
        self.tasks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let head = format!(
            "name = \"{name}\"\nseed = {seed}\nhorizon_s = {}\ntasks = \"tasks.csv\"\nhistory = \"history.csv\"\n\n\
             [network]\nlatency_ms = 2\nstate_mb_per_s = 100\n",
            self.horizon_s
        );
        Files { scenario: head + &self.workers, tasks: self.task_table(), history: self.history(chance) }
    }

    fn task_table(&self) -> String {
        let mut text = "id,submit_s,kind,owner,cores,memory_gb,gpu_memory_gb,state_mb,checkpointable".to_owned();
        HardwareKind::ALL.iter().for_each(|hardware| text += &format!(",{}_s", hardware.name()));
        text += "\n";
        for (at, task) in self.tasks.iter().enumerate() {
            let kind = &self.kinds[task.kind];
            let sizes = format!("{},{},{}", kind.cores, kind.memory_gb, kind.gpu_memory_gb);
            let (state_mb, can_save) = (kind.state_mb.unwrap_or(0.0), kind.state_mb.is_some());
            let (number, owner, at_s) = (at + 1, task.owner + 1, round(task.at_s));
            write!(text, "t{number},{at_s},{},team{owner},{sizes},{state_mb},{can_save}", kind.name).expect(GROWS);
            for hardware in HardwareKind::ALL {
                match kind.seconds.iter().find(|(on, _)| *on == hardware) {
                    Some((_, seconds)) => write!(text, ",{}", round(seconds * task.factor).max(0.001)).expect(GROWS),
                    None => text += ",",
                }
            }
            text += "\n";
        }
        text
    }

    /// A few observations of each kind on each kind of hardware, all of them wrong.
    fn history(&self, chance: &mut Chance) -> String {
        let mut text = "kind,hardware,seconds\n".to_owned();
        for (at, kind) in self.kinds.iter().enumerate() {
            for (hardware, seconds) in &kind.seconds {
                let mistake = self.mistakes.get(&(at, *hardware)).copied().unwrap_or(1.0);
                let believed_s = seconds * mistake * chance.factor(SHARED_ERROR);
                for _ in 0..OBSERVATIONS {
                    let seen_s = round(believed_s * chance.factor(OWN_ERROR)).max(0.001);
                    writeln!(text, "{},{},{seen_s}", kind.name, hardware.name()).expect(GROWS);
                }
            }
        }
        text
    }
}

const GROWS: &str = "text takes any length";

/// To the millisecond.
fn round(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
