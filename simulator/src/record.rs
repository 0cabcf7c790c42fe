//! `log.jsonl`: every fact the coordinator of a simulated run recorded, as a real one writes them to its log, after a line that
//! says which run it was.

use crate::options::{Options, Setting};
use crate::{Scenario, SimError, Source};
use serde::{Deserialize, Serialize};
use shared::fact::Fact;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// The name of the file in the folder of a run.
pub const LOG: &str = "log.jsonl";

/// Which run it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The scenario, as it was asked for.
    pub scenario: String,
    /// The policy.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// The settings, each `key=value`.
    pub settings: Vec<String>,
}

impl Head {
    /// What a run of that scenario is known by.
    pub fn of(scenario: &str, seed: u64, options: &Options) -> Self {
        let settings = options.settings.iter().map(|Setting { key, value }| format!("{key}={value}")).collect();
        Self { scenario: scenario.to_owned(), policy: options.policy.clone(), seed, settings }
    }

    /// The options of the run.
    ///
    /// # Errors
    /// The file was changed: a setting is not one.
    pub fn options(&self) -> Result<Options, SimError> {
        let settings: Result<_, _> = self.settings.iter().map(|text| text.parse()).collect();
        let settings = settings.map_err(SimError::Option)?;
        Ok(Options { policy: self.policy.clone(), seed: Some(self.seed), settings, log: false })
    }

    /// The scenario, where it still is: its path is as it was typed, or beside the record.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load_scenario(&self, beside: &Path) -> Result<Scenario, SimError> {
        let typed = Path::new(&self.scenario);
        let moved = beside.join(typed.file_name().unwrap_or_default());
        if !typed.exists() && moved.exists() {
            return Scenario::load(&moved);
        }
        match Source::find(&self.scenario)? {
            Source::File(scenario) => Ok(*scenario),
            Source::Builtin(builtin) => builtin.scenario(self.seed),
        }
    }
}

/// Writes the facts of a run.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, head: &Head, facts: &[Arc<Fact>]) -> Result<(), SimError> {
    let wrong = |source| SimError::Write { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(wrong)?);
    let mut line = |value: serde_json::Result<Vec<u8>>| {
        let mut bytes = value.map_err(std::io::Error::from)?;
        bytes.push(b'\n');
        file.write_all(&bytes)
    };
    line(serde_json::to_vec(head)).map_err(wrong)?;
    facts.iter().try_for_each(|fact| line(serde_json::to_vec(&**fact))).map_err(wrong)?;
    file.flush().map_err(wrong)
}

/// Reads the facts of a run, one after the other.
///
/// # Errors
/// The file cannot be read, or is none of ours.
pub fn read(path: &Path) -> Result<(Head, impl Iterator<Item = Result<Fact, SimError>> + use<>), SimError> {
    let path = path.to_owned();
    let cannot = |source| SimError::Read { path: path.clone(), source };
    let mut lines = BufReader::new(File::open(&path).map_err(cannot)?).lines();
    let first = lines.next().transpose().map_err(cannot)?.unwrap_or_default();
    let of_line = |path: &Path, line: u64, error: serde_json::Error| SimError::Row {
        path: path.to_owned(),
        line,
        problem: format!("it cannot be understood: {error}"),
    };
    let head = serde_json::from_str(&first).map_err(|error| of_line(&path, 1, error))?;
    let facts = lines.enumerate().map(move |(at, line)| {
        let line = line.map_err(|source| SimError::Read { path: path.clone(), source })?;
        serde_json::from_str(&line).map_err(|error| of_line(&path, at as u64 + 2, error))
    });
    Ok((head, facts))
}
