//! The guard: which proposed moves may happen, whatever a policy makes of the world.

use super::Move;
use crate::fleet::WorkerIndex;
use crate::ledger::{State as Waiting, Task};
use crate::state::State;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::planted;
use shared::task::Work;

/// Distinct workers lost under a task that make it a suspect; one more and it is quarantined.
const SUSPECT_LOSSES: usize = 2;

/// Whether a move may happen now; the reason where it may not.
pub fn check(state: &State, proposed: &Move) -> Result<(), &'static str> {
    match proposed {
        Move::Lease { task, to, hardware, .. } => {
            let task = state.ledger.get(*task).ok_or("there is no such task")?;
            if !matches!(task.state, Waiting::Queued { .. }) {
                return Err("the task does not wait");
            }
            if is_suspect(task) && state.fleet.get(*to).held.keys().any(|other| state.ledger.get(*other).is_some_and(is_suspect))
            {
                return Err("another task that may take workers down runs there");
            }
            check_target(state, task, *to, *hardware)
        }
        Move::Preempt { task, .. } => check_running(state, *task).map(drop),
        Move::Migrate { task, to, hardware, .. } => {
            let task = check_running(state, *task)?;
            if task.holder() == Some(*to) {
                return Err("it runs there already");
            }
            check_target(state, task, *to, *hardware)
        }
        Move::Hedge { task, to, hardware, .. } => {
            let task = state.ledger.get(*task).ok_or("there is no such task")?;
            let Waiting::Running(from) = task.state else { return Err("the task does not run") };
            if task.live().count() > 1 || task.standstill().is_some() || task.is_cancelled() {
                return Err("it is on its way, runs twice or is being cancelled");
            }
            if !matches!(task.spec.work, Work::Command(_)) || task.spec.cwd.is_some() {
                return Err("only a command in a folder of its own may run twice");
            }
            if from == *to {
                return Err("it runs there already");
            }
            check_target(state, task, *to, *hardware)
        }
    }
}

/// Whether workers were lost under a task so often that it may be what takes them down. Two such tasks are kept apart, so
/// that the next loss tells which it is.
fn is_suspect(task: &Task) -> bool {
    task.extra.as_ref().is_some_and(|extra| extra.distinct_losses() >= SUSPECT_LOSSES)
}

/// Whether a running task may be asked for its state.
fn check_running(state: &State, task: TaskId) -> Result<&Task, &'static str> {
    let task = state.ledger.get(task).ok_or("there is no such task")?;
    if !matches!(task.state, Waiting::Running(_)) {
        return Err("the task does not run");
    }
    if !task.can_save() {
        return Err("it cannot save its state");
    }
    let is_moving = task.standstill().is_some() && !planted::bug(10);
    if is_moving || task.live().count() > 1 || task.is_cancelled() {
        return Err("it is on its way, runs twice or is being cancelled");
    }
    Ok(task)
}

/// Whether a worker can take a task now.
fn check_target(state: &State, task: &Task, to: WorkerIndex, hardware: HardwareKind) -> Result<(), &'static str> {
    let worker = state.fleet.get(to);
    if !worker.admits() {
        return Err("the worker takes no work");
    }
    let class = state.queue.class(task.class);
    if !worker.options(class).contains(&hardware) {
        return Err("the worker cannot run it");
    }
    if !worker.has_room(worker.takes(class.demand, hardware), hardware) {
        return Err("the worker has no room");
    }
    Ok(())
}
