//! `SUITE.toml`: plain commands as tasks.
//!
//! ```toml
//! [defaults]
//! timeout_s = 60
//! [[task]]
//! name = "checksum"
//! command = ["sh", "-c", "sha256sum data.bin"]
//! repeat = 3          # checksum-1, checksum-2, checksum-3
//! ```

use crate::error::DiscoverError;
use serde::Deserialize;
use shared::api::{BATCH_TASKS_MAX, RequestKind, Requirements, TaskRequest};
use shared::requirement::Requirement;
use shared::task::{Priority, Timeouts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::Spanned;

/// Most tasks of one suite file.
const TASKS_MAX: usize = 100 * BATCH_TASKS_MAX;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    #[serde(default)]
    defaults: Settings,
    #[serde(default)]
    task: Vec<Spanned<Entry>>,
}

/// What `[defaults]` and each task may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    priority: Option<Priority>,
    timeout_s: Option<f64>,
    timeouts: Option<Timeouts>,
    requires: Option<String>,
    retries: Option<u8>,
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    owner: Option<String>,
    group: Option<String>,
    checkpointable: Option<bool>,
    estimate_s: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    command: Vec<String>,
    #[serde(default)]
    repeat: Option<u32>,
    // Every key of `Settings` again: serde cannot refuse unknown keys of a flattened part.
    priority: Option<Priority>,
    timeout_s: Option<f64>,
    timeouts: Option<Timeouts>,
    requires: Option<String>,
    retries: Option<u8>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    owner: Option<String>,
    group: Option<String>,
    checkpointable: Option<bool>,
    estimate_s: Option<f64>,
}

/// Reads the suite file at `path`.
pub fn read_suite_file(path: &Path) -> Result<Vec<TaskRequest>, DiscoverError> {
    let text = std::fs::read_to_string(path).map_err(DiscoverError::io(format!("read the suite file {}", path.display())))?;
    parse_suite_file(&text, path)
}

/// The tasks that `text` describes; `path` is only named in errors.
pub fn parse_suite_file(text: &str, path: &Path) -> Result<Vec<TaskRequest>, DiscoverError> {
    let problem = |offset: usize, problem: String| {
        let line = 1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count();
        DiscoverError::SuiteFile { path: path.to_path_buf(), line, problem }
    };
    let file: SuiteFile = toml::from_str(text)
        .map_err(|error| problem(error.span().map_or(0, |span| span.start), error.message().trim().to_owned()))?;
    let (mut tasks, mut names) = (Vec::new(), BTreeSet::new());
    for entry in file.task {
        let at = entry.span().start;
        let entry = entry.into_inner();
        check(&entry, &file.defaults).map_err(|text| problem(at, text))?;
        let copies = entry.repeat.unwrap_or(1) as usize;
        if tasks.len() + copies > TASKS_MAX {
            return Err(problem(at, format!("the file describes more than {TASKS_MAX} tasks; submit it in parts")));
        }
        let request = request(&entry, &file.defaults);
        for copy in 1..=copies {
            let name = if entry.repeat.is_some() { format!("{}-{copy}", entry.name) } else { entry.name.clone() };
            if !names.insert(name.clone()) {
                return Err(problem(at, format!("there are two tasks named {name}; give each a name of its own")));
            }
            tasks.push(TaskRequest { name: Some(name), ..request.clone() });
        }
    }
    if tasks.is_empty() {
        return Err(problem(0, "there are no tasks in it; add a [[task]] with a name and a command".to_owned()));
    }
    Ok(tasks)
}

/// What is wrong with a task that is well formed.
fn check(entry: &Entry, defaults: &Settings) -> Result<(), String> {
    let name = &entry.name;
    if name.is_empty() {
        return Err("a task has an empty name".to_owned());
    }
    if entry.command.first().is_none_or(String::is_empty) {
        return Err(format!("the command of {name} is empty; write command = [\"program\", \"argument\"]"));
    }
    if entry.repeat == Some(0) {
        return Err(format!("repeat of {name} is 0; leave the task out, or say how many copies to run"));
    }
    if let Some(requires) = entry.requires.as_ref().or(defaults.requires.as_ref()) {
        requires.parse::<Requirement>().map_err(|error| format!("requires of {name}: {error}"))?;
    }
    for limit in [entry.timeout_s, defaults.timeout_s, entry.estimate_s, defaults.estimate_s].into_iter().flatten() {
        if !(limit > 0.0 && limit.is_finite()) {
            return Err(format!("{name} has a time of {limit} seconds; give a number above 0"));
        }
    }
    Ok(())
}

fn request(entry: &Entry, defaults: &Settings) -> TaskRequest {
    let mut env = defaults.env.clone();
    env.extend(entry.env.clone());
    let own = |own: &Option<String>, default: &Option<String>| own.clone().or_else(|| default.clone());
    TaskRequest {
        kind: RequestKind::Command,
        command: entry.command.clone(),
        group: own(&entry.group, &defaults.group).or_else(|| Some(entry.name.clone())),
        cwd: own(&entry.cwd, &defaults.cwd),
        env,
        requirements: own(&entry.requires, &defaults.requires).map(Requirements::Expression),
        priority: entry.priority.or(defaults.priority),
        timeout_s: entry.timeout_s.or(defaults.timeout_s),
        timeouts: entry.timeouts.or(defaults.timeouts),
        retries: entry.retries.or(defaults.retries),
        checkpointable: entry.checkpointable.or(defaults.checkpointable).unwrap_or(false),
        owner: own(&entry.owner, &defaults.owner),
        estimate_s: entry.estimate_s.or(defaults.estimate_s),
        ..TaskRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<TaskRequest>, DiscoverError> {
        parse_suite_file(text, Path::new("SUITE.toml"))
    }

    #[test]
    fn copies_are_numbered_and_defaults_are_filled_in() {
        let tasks = parse(
            "[defaults]\ntimeout_s = 60\nrequires = \"cores>=1\"\nenv = { A = \"1\", B = \"1\" }\n\
             [[task]]\nname = \"sum\"\ncommand = [\"true\"]\npriority = 7\nrepeat = 2\nenv = { B = \"2\" }\n\
             [[task]]\nname = \"one\"\ncommand = [\"false\"]\ntimeout_s = 5\n",
        )
        .expect("well formed");
        let names: Vec<&str> = tasks.iter().filter_map(|task| task.name.as_deref()).collect();
        assert_eq!(names, ["sum-1", "sum-2", "one"]);
        assert_eq!((tasks[0].timeout_s, tasks[2].timeout_s), (Some(60.0), Some(5.0)));
        assert_eq!(tasks[1].priority, Priority::new(7));
        assert_eq!((tasks[1].env["A"].as_str(), tasks[1].env["B"].as_str()), ("1", "2"));
        assert_eq!(tasks[2].requirements, Some(Requirements::Expression("cores>=1".to_owned())));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, words) in [
            ("[[task]]\nname = \"a\"\ncommand = [\"true\"]\ntimeout = 3\n", 4, "timeout"),
            ("[defaults]\nspeed = 1\n", 2, "speed"),
            ("\n[[task]\n", 2, ""),
            ("[[task]]\nname = \"a\"\n", 1, "command"),
            ("# a\n[[task]]\nname = \"a\"\ncommand = []\n", 2, "empty"),
            ("[[task]]\nname = \"a\"\ncommand = [\"true\"]\npriority = 11\n", 4, "priority 11"),
            ("[[task]]\nname = \"a\"\ncommand = [\"true\"]\nrequires = \"cores>\"\n", 1, "requires of a"),
            ("[[task]]\nname = \"a\"\ncommand = [\"true\"]\n[[task]]\nname = \"a\"\ncommand = [\"true\"]\n", 4, "two tasks"),
            ("", 1, "no tasks"),
        ] {
            let error = parse(text).expect_err(text);
            let DiscoverError::SuiteFile { line: found, problem, .. } = &error else { panic!("{error}") };
            assert!(*found == line && problem.contains(words), "{text}: {error}");
        }
    }
}
