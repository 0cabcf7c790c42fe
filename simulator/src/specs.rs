//! The tasks of a scenario in the words of the coordinator. The true times stay here.

use crate::SimError;
use crate::options::Estimates;
use crate::scenario::Scenario;
use crate::tables::Task;
use shared::fact::Known;
use shared::requirement::Requirement;
use shared::task::{TaskSpec, Work};
use std::sync::Arc;

/// What is submitted for a task.
pub fn spec(task: &Task, estimates: Estimates) -> Result<Arc<TaskSpec>, SimError> {
    let mut spec = TaskSpec::new(&*task.id, Work::Command(vec!["simulated".into()]));
    spec.kind = match estimates {
        Estimates::History => task.kind.to_string(),
        Estimates::Perfect => task.id.to_string(),
    };
    spec.requires = requirement(task).map_err(|source| SimError::Task { task: task.id.to_string(), source })?;
    spec.hardware = task.hardware().collect();
    spec.gpu_memory_bytes = (task.gpu_memory_gb * 1e9).round() as u64;
    spec.priority = task.priority;
    spec.checkpointable = task.checkpointable;
    spec.state_bytes = (task.state_mb * 1e6).round() as u64;
    spec.owner = task.owner.as_deref().map(str::to_owned);
    spec.deadline_s = task.deadline_s;
    Ok(Arc::new(spec))
}

fn requirement(task: &Task) -> Result<Requirement, shared::requirement::InvalidRequirement> {
    let cores = (task.cores > 1.0).then(|| format!("cores>={}", task.cores.ceil()));
    let memory = (task.memory_gb > 0.0).then(|| format!("memory>={}kB", (task.memory_gb * 1e6).floor()));
    let parts: Vec<String> = cores.into_iter().chain(memory).collect();
    parts.join(" && ").parse()
}

/// What was met so often is no longer doubted.
const SURE: u32 = 10_000;

/// What the coordinator is told before the run.
pub fn known(scenario: &Scenario, estimates: Estimates) -> Vec<Known> {
    let history = scenario.history.iter().map(|seen| Known {
        kind: seen.kind.clone(),
        hardware: seen.hardware,
        seconds: seen.seconds,
        times: 1,
    });
    let truth = scenario.tasks.iter().flat_map(|task| {
        let seconds = |hardware| task.service_s(hardware).expect("one of its kinds");
        task.hardware().map(move |hardware| Known { kind: task.id.clone(), hardware, seconds: seconds(hardware), times: SURE })
    });
    match estimates {
        Estimates::History => history.collect(),
        Estimates::Perfect => truth.collect(),
    }
}
