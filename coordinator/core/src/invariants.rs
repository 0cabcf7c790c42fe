//! What must hold after every step. The simulator and the tests check it; a violation is a bug of ours.

use crate::Coordinator;
use crate::fleet::Room;
use crate::ledger::State as TaskState;
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
        let queued = waiting.get(&id).copied().unwrap_or(0);
        let live = task.attempts.iter().filter(|attempt| attempt.stopped.is_none()).count();
        if live > 1 {
            return Err(format!("I6: task {id} has {live} live attempts"));
        }
        if task.attempts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
            return Err(format!("I5: the attempts of task {id} do not increase"));
        }
        match task.state {
            TaskState::Queued { .. } if queued != 1 || live != 0 => {
                return Err(format!("I2: task {id} waits, stands {queued} times in the queue and has {live} live attempts"));
            }
            TaskState::Leased(worker) | TaskState::Running(worker) => {
                let newest = task.attempts.last().map(|attempt| attempt.number);
                let held = state.fleet.get(worker).held.get(&id).map(|held| held.number);
                if live != 1 || held.is_none() || held != newest {
                    return Err(format!("I2: task {id} is with {worker:?}, which holds {held:?} of {newest:?}"));
                }
            }
            TaskState::Done(..) if live != 0 => return Err(format!("I3: task {id} has its verdict and a live attempt")),
            TaskState::Queued { .. } | TaskState::Done(..) => {}
        }
    }
    for (_, worker) in state.fleet.iter() {
        let sum = worker.held.values().fold(Room::default(), |sum, held| Room {
            slots: sum.slots + held.takes.slots,
            memory_bytes: sum.memory_bytes + held.takes.memory_bytes,
        });
        if worker.whole().less(sum) != worker.free() {
            return Err(format!(
                "I8: {} has {:?}, gave {sum:?} and counts {:?} free",
                worker.name,
                worker.whole(),
                worker.free()
            ));
        }
        let stray = worker.held.keys().find(|task| state.ledger.get(**task).is_none_or(|task| task.holder().is_none()));
        if let Some(task) = stray {
            return Err(format!("I2: {} holds task {task}, which is not with any worker", worker.name));
        }
    }
    Ok(())
}
