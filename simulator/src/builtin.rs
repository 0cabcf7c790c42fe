//! The built-in scenarios: made by code from a seed, so that ten seeds are ten instances of the same problem. They are made as
//! the files of a scenario and read like any other, so what is run is what can be written and judged by others.
//!
//! A history holds a few observations of each kind of task on each kind of hardware, wrong by a factor whose logarithm has
//! the deviation 0.76; never the true time of a task.

mod chance;
mod draft;
mod fleets;
mod loads;
mod troubles;
mod twin;

use crate::{Scenario, SimError};
pub(crate) use chance::Chance;
use draft::Draft;
use std::path::Path;

/// What the name of a built-in scenario begins with where a file could stand too.
pub const PREFIX: &str = "builtin:";
/// The instance that is made when no seed is given.
pub const SEED: u64 = 1;

/// A built-in scenario.
#[derive(Debug)]
pub struct Builtin {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    make: fn(&mut Chance) -> Draft,
}

/// All built-in scenarios.
pub const ALL: &[Builtin] = &[
    builtin(
        "sudden-spike",
        "300 to 400 tasks at once at load 0.5, and 3 of 12 machines at a quarter of their speed",
        loads::sudden_spike,
    ),
    builtin(
        "gradual-increase",
        "the load grows from 0.2 to 0.9 in an hour, on machines of speed 0.5, 1 and 2",
        loads::gradual_increase,
    ),
    builtin(
        "mixed-workload",
        "tasks for GPUs, processors and both, wide and large ones, on unlike machines",
        fleets::mixed_workload,
    ),
    builtin("energy", "load 0.25 on machines that take very unlike power", fleets::energy),
    builtin(
        "completion",
        "trainings with heavy-tailed times arrive at load 0.7 on three generations of GPUs",
        fleets::completion,
    ),
    builtin(
        "slow-machine",
        "long tasks with checkpoints, and one of 6 machines drops to a quarter of its speed",
        troubles::slow_machine,
    ),
    builtin("heat", "load 0.65 on fast machines that throttle when full, beside slower ones that stay cool", troubles::heat),
    builtin("late-joiners", "400 tasks at once on 8 machines, and 4 more machines 10 seconds later", loads::late_joiners),
    builtin(
        "wrong-estimates",
        "a batch of 600, one kind said to be a hundred times shorter than it is on slow machines",
        fleets::wrong_estimates,
    ),
    builtin("crash", "load 0.6 while machines die, come back, stay away and leave", troubles::crash),
    builtin("gpu-batch-3000", "3,000 trainings at once on three generations of GPUs", fleets::gpu_batch_3000),
    builtin("livelock", "2 machines, 2 tasks without checkpoints: moving them for balance never ends", troubles::livelock),
    builtin("constant-load", "load 0.6 on equal machines", loads::constant_load),
    builtin("real-twin", "four unlike machines that real daemons can play in a few minutes", twin::real_twin),
];

const fn builtin(name: &'static str, about: &'static str, make: fn(&mut Chance) -> Draft) -> Builtin {
    Builtin { name, about, make }
}

/// The built-in scenario of this name.
///
/// # Errors
/// There is none; the error names those there are.
pub fn by_name(name: &str) -> Result<&'static Builtin, SimError> {
    ALL.iter().find(|builtin| builtin.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|builtin| builtin.name).collect();
        SimError::Option(format!("no built-in scenario is called `{name}`; there are {}", names.join(", ")))
    })
}

/// The texts of the files of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `scenario.toml`.
    pub scenario: String,
    /// `tasks.csv`.
    pub tasks: String,
    /// `history.csv`.
    pub history: String,
}

impl Builtin {
    /// The files of the instance of this seed.
    pub fn files(&self, seed: u64) -> Files {
        let mut chance = Chance::new(seed);
        let draft = (self.make)(&mut chance);
        draft.files(self.name, seed, &mut chance)
    }

    /// The instance of this seed.
    ///
    /// # Errors
    /// It is not a good scenario: a bug of ours.
    pub fn scenario(&self, seed: u64) -> Result<Scenario, SimError> {
        let files = self.files(seed);
        let path = Path::new(self.name).join("scenario.toml");
        Scenario::of_texts(&path, &|path| {
            let text = match path.file_name().and_then(|name| name.to_str()) {
                Some("tasks.csv") => &files.tasks,
                Some("history.csv") => &files.history,
                _ => &files.scenario,
            };
            Ok(text.clone())
        })
    }

    /// Writes the files of the instance of this seed.
    ///
    /// # Errors
    /// The folder cannot be made or a file cannot be written.
    pub fn write(&self, seed: u64, folder: &Path) -> Result<(), SimError> {
        std::fs::create_dir_all(folder).map_err(|source| SimError::Write { path: folder.into(), source })?;
        let files = self.files(seed);
        for (name, text) in [("scenario.toml", files.scenario), ("tasks.csv", files.tasks), ("history.csv", files.history)] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|source| SimError::Write { path, source })?;
        }
        Ok(())
    }
}
