//! What must hold after every step. The simulator and the tests check it; a violation is a bug of ours.

use crate::Coordinator;
use crate::fleet::{Bays, Held, Presence, Room, Worker};
use crate::ledger::{State as TaskState, Task};
use shared::id::TaskId;
use std::collections::BTreeMap;

/// Checks all of them.
///
/// # Errors
/// The first one that does not hold, in a sentence that begins with its number in the reliability design.
pub fn check(coordinator: &Coordinator) -> Result<(), String> {
    let state = coordinator.state();
    let mut waiting: BTreeMap<_, u32> = BTreeMap::new();
    for (_, tasks) in state.queue.groups() {
        tasks.iter().filter(|task| state.waits(**task)).for_each(|task| *waiting.entry(*task).or_default() += 1);
    }
    for (id, task) in state.ledger.iter() {
        let live = task.attempts.iter().filter(|attempt| attempt.stopped.is_none()).count();
        let most = if task.attempts.last().is_some_and(|newest| newest.stopped.is_none()) { 2 } else { 1 };
        if live > most {
            return Err(format!("I6: task {id} has {live} live attempts"));
        }
        if task.attempts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
            return Err(format!("I5: the attempts of task {id} do not increase"));
        }
        let target = task.standstill().and_then(|order| order.target);
        if target.is_some_and(|(to, _)| !state.fleet.get(to).reserved.contains_key(&id)) {
            return Err(format!("I16: task {id} is on its way to {target:?}, where no room is kept for it"));
        }
        match task.state {
            TaskState::Queued { .. } => {
                let queued = waiting.get(&id).copied().unwrap_or(0);
                if queued != 1 || live != 0 {
                    return Err(format!("I2: task {id} waits, stands {queued} times in the queue and has {live} live attempts"));
                }
            }
            TaskState::Leased(worker) | TaskState::Running(worker) => {
                let oldest = task.live().next().map(|attempt| attempt.number);
                let held = state.fleet.get(worker).held.get(&id).map(|held| held.number);
                if held.is_none() || held != oldest {
                    return Err(format!("I2: task {id} is with {worker:?}, which holds {held:?} and should hold {oldest:?}"));
                }
            }
            TaskState::Done(..) if live > 1 => return Err(format!("I3: task {id} has its verdict and {live} live attempts")),
            TaskState::Done(..) => {}
        }
    }
    for (index, worker) in state.fleet.iter() {
        let is_connected = worker.presence.connection().is_some();
        if worker.ready != matches!(worker.presence, Presence::Ready(_)) || worker.connected != is_connected {
            return Err(format!(
                "facts say of {} that it is ready: {}, and it is {:?}",
                worker.name, worker.ready, worker.presence
            ));
        }
        check_room(worker)?;
        let comes = |task: &TaskId| {
            let order = state.ledger.get(*task).and_then(Task::standstill);
            order.and_then(|order| order.target).is_some_and(|(to, _)| to == index)
        };
        if let Some(task) = worker.reserved.keys().find(|task| !comes(task)) {
            return Err(format!("I16: {} keeps room for task {task}, which is not on its way there", worker.name));
        }
        let lives = |task: &TaskId, held: &Held| {
            let attempt = state.ledger.get(*task).and_then(|task| task.attempt(held.number));
            attempt.is_some_and(|attempt| attempt.stopped.is_none())
        };
        let stray = worker.held.iter().find(|(task, held)| !lives(task, held)).map(|(task, _)| task);
        if let Some(task) = stray {
            return Err(format!("I2: {} holds task {task}, which is not with any worker", worker.name));
        }
    }
    Ok(())
}

/// What is given out is what is kept, in all and on each device.
fn check_room(worker: &Worker) -> Result<(), String> {
    let takes = worker.held.values().map(|held| held.takes).chain(worker.reserved.values().map(|kept| kept.0));
    let sum = takes.fold(Room::default(), Room::plus);
    if worker.whole().less(sum) != worker.free() {
        return Err(format!("I8: {} has {:?}, gave {sum:?} and counts {:?} free", worker.name, worker.whole(), worker.free()));
    }
    let mut bays = Bays::of(&worker.inventory);
    let seats = worker.held.values().filter_map(|held| held.seat).chain(worker.reserved.values().filter_map(|kept| kept.1));
    seats.for_each(|seat| bays.take(seat));
    if bays == *worker.bays() {
        return Ok(());
    }
    Err(format!("I8: {} has {bays:?} free on its devices and counts {:?}", worker.name, worker.bays()))
}
