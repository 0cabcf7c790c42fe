//! The journal as `facts.jsonl`: one JSON object a line, tasks and machines by their names in the scenario.

use crate::journal::{AttemptOf, Entry, Happened, Journal};
use crate::scenario::Scenario;
use serde_json::{Map, Value, json};
use shared::fact::{Fact, What};
use shared::id::AttemptNumber;
use shared::time::Time;
use std::sync::Arc;

/// What things are called.
#[derive(Debug)]
pub struct Names {
    scenario: String,
    policy: String,
    seed: u64,
    estimates: &'static str,
    tasks: Vec<Arc<str>>,
    machines: Vec<Arc<str>>,
    order: Vec<usize>,
}

impl Names {
    /// The names of a scenario, its tasks numbered by the coordinator in this order.
    pub fn new(scenario: &Scenario, order: &[usize], policy: &str, seed: u64, estimates: &'static str) -> Self {
        Self {
            scenario: scenario.name.clone(),
            policy: policy.into(),
            seed,
            estimates,
            tasks: scenario.tasks.iter().map(|task| task.id.clone()).collect(),
            machines: scenario.machines.iter().map(|machine| machine.name.clone()).collect(),
            order: order.to_vec(),
        }
    }
}

/// All lines.
pub fn lines(journal: &Journal, names: &Names) -> String {
    let Names { scenario, policy, seed, estimates, .. } = names;
    let first = json!({"scenario": scenario, "policy": policy, "seed": seed, "estimates": estimates, "simulated": true});
    let mut text = String::new();
    line(&mut text, Time::ZERO, "run_started", first);
    for entry in journal.entries() {
        write(&mut text, entry, names);
    }
    text
}

fn line(text: &mut String, at: Time, fact: &str, rest: Value) {
    use std::fmt::Write;
    let rest = rest.to_string();
    let more = rest.strip_prefix('{').filter(|more| *more != "}");
    let end = more.map_or_else(|| "}".to_owned(), |more| format!(",{more}"));
    writeln!(text, r#"{{"t":{},"fact":"{fact}"{end}"#, json!(at.seconds())).expect("text takes any length");
}

fn write(text: &mut String, entry: &Entry, names: &Names) {
    let at = entry.at;
    let worker = |machine: &usize| json!(names.machines[*machine]);
    let task = |of: &AttemptOf| json!(names.tasks[of.row]);
    match &entry.what {
        Happened::MachineUp(machine) => line(text, at, "machine_up", json!({"worker": worker(machine)})),
        Happened::MachineCrashed(machine) => line(text, at, "machine_crashed", json!({"worker": worker(machine)})),
        Happened::MachineLeaving(machine) => line(text, at, "machine_leaving", json!({"worker": worker(machine)})),
        Happened::MachineGone(machine) => line(text, at, "machine_gone", json!({"worker": worker(machine)})),
        Happened::Started { of, machine, hardware, progress } => {
            let rest = json!({"task": task(of), "attempt": of.ordinal, "worker": worker(machine), "hardware": hardware,
                "progress": progress});
            line(text, at, "attempt_started", rest);
        }
        Happened::Stopped { of, machine, reason, progress } => {
            let rest = json!({"task": task(of), "attempt": of.ordinal, "worker": worker(machine), "reason": reason.name(),
                "progress": progress});
            line(text, at, "attempt_stopped", rest);
        }
        Happened::SpeedChanged { machine, hardware, speed } => {
            let rest = json!({"worker": worker(machine), "hardware": hardware, "speed": speed});
            line(text, at, "speed_changed", rest);
        }
        Happened::Decided(fact) => decided(text, fact, names),
    }
}

/// A fact of the coordinator: its own words, except that tasks and attempts are named as the scenario does.
fn decided(text: &mut String, fact: &Fact, names: &Names) {
    // The machine has told of it already, at the moment at which it was so.
    if matches!(fact.what, What::AttemptStopped { .. }) {
        return;
    }
    let Ok(Value::Object(mut said)) = serde_json::to_value(&fact.what) else { return };
    let name = match said.remove("fact") {
        Some(Value::String(name)) => name,
        _ => return,
    };
    rename(&mut said, names);
    if let What::AttemptLeased { .. } = fact.what {
        // What was weighed for each lease is in the log, which is asked for; here it would be most of the file.
        said.retain(|key, _| key != "decision" && key != "decided_with");
    }
    if let What::TaskQueued { .. } = fact.what {
        said.retain(|key, _| key == "task");
    }
    line(text, fact.at, &name, Value::Object(said));
}

fn rename(said: &mut Map<String, Value>, names: &Names) {
    for (key, value) in said.iter_mut() {
        match (key.as_str(), value.as_u64()) {
            ("task", Some(number)) => *value = json!(names.tasks[names.order[number as usize - 1]]),
            ("attempt", Some(number)) => *value = json!(AttemptNumber(number).ordinal()),
            _ => {}
        }
    }
}
