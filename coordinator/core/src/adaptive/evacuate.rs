//! Workers that are drained are emptied: what runs there and can save its state goes on elsewhere, whatever the policy.

use crate::decision::{decided, weighed};
use crate::fleet::{Worker, WorkerIndex};
use crate::plan::{Move, View, move_cost_s};
use shared::fact::{Admission, Rule};
use shared::hardware::HardwareKind;
use shared::id::TaskId;

/// Moves as many tasks away from draining workers as may be moved at a time. Tasks without state, and those no other worker
/// has room for, run on to their end.
pub fn evacuate(view: &mut View<'_>) -> Vec<Move> {
    let mut moves = Vec::new();
    if view.migrations_left() == 0 {
        return moves;
    }
    let is_drained = |worker: &Worker| worker.admission == Admission::Draining && worker.connected;
    let drained = view.fleet().iter().filter(|(_, worker)| is_drained(worker));
    let tasks: Vec<(WorkerIndex, TaskId)> =
        drained.flat_map(|(at, worker)| worker.held.keys().map(move |task| (at, *task))).collect();
    for (from, task) in tasks {
        if view.migrations_left() == 0 {
            break;
        }
        if let Some(proposed) = away(view, from, task) {
            view.use_migration();
            moves.push(proposed);
        }
    }
    moves
}

/// The move of a task to the worker on which it ends first among those with room; of equal ones the emptiest.
fn away(view: &mut View<'_>, from: WorkerIndex, id: TaskId) -> Option<Move> {
    let task = view.ledger().get(id).filter(|task| task.can_save() && task.is_open() && !task.is_cancelled())?;
    let attempt = task.attempts.last().filter(|attempt| attempt.worker == from && attempt.stopped.is_none())?;
    let elapsed_s = view.now().since(attempt.started?).as_secs_f64();
    if task.standstill().is_some() || task.live().count() > 1 {
        return None;
    }
    let workers: Vec<WorkerIndex> = view.fleet().iter().map(|(at, _)| at).filter(|at| view.free(*at).slots > 0).collect();
    let mut best: Option<(f64, f64, WorkerIndex, HardwareKind)> = None;
    for to in workers {
        for hardware in view.options(task.class, to).to_vec() {
            if view.room_for(task.class, to, hardware) == 0 {
                continue;
            }
            // What was done here counts there by how much faster or slower this kind of task is there.
            let ratio = view.believe(task, to, hardware).log - view.believe(task, from, attempt.hardware).log;
            let there_s = view.remaining_s(task, to, hardware, elapsed_s * ratio.exp());
            let busy_share = 1.0 - view.free_share(to);
            if best.is_none_or(|(seconds, busy, ..)| (there_s, busy_share) < (seconds, busy)) {
                best = Some((there_s, busy_share, to, hardware));
            }
        }
    }
    let (there_s, _, to, hardware) = best?;
    let cost_s = move_cost_s(task);
    let here_s = view.remaining_s(task, from, attempt.hardware, elapsed_s);
    let gain_s = here_s - there_s - cost_s;
    let (goes, stays) =
        (weighed(view, (to, hardware), 0.0, there_s, cost_s), weighed(view, (from, attempt.hardware), 0.0, here_s, 0.0));
    let decision = decided(Rule::Finish { wait_weight: 1.0 }, goes, Vec::new(), Some(stays));
    view.reserve(task.class, to, hardware);
    let why = "drain: its worker is to be emptied".into();
    Some(Move::Migrate { task: id, to, hardware, gain_s, cost_s, why, decision })
}
