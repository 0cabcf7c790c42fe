//! F76: the traditional balancer. Tasks are pushed to the worker with the fewest connections; every check interval, when the
//! busiest worker is above the high threshold, the idlest below the low one and the two are more than 0.4 apart, up to
//! `max_simultaneous_migrations` tasks go from the busiest to the idlest: first those that wait, then those that run. The
//! thresholds are the configured ones and never move.
//!
//! Utilization is the largest of the shares in use of slots, memory and device memory. The published design also cancels tasks
//! that cannot save their state and starts them over elsewhere, and can do so for ever with none of them ever ending; there is
//! no such move here, so that only tasks that can save their state move once they run. Nor is a running task moved where that
//! would only exchange the two workers' places.

use super::least_connections::Fewest;
use super::push::{Looks, Queues, Sight, migrate, moves_left, runners, shares};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, Plan, Policy, View};
use std::sync::Arc;

/// Busiest and idlest must be further apart than this.
const SPREAD_MIN: f64 = 0.4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FixedThreshold {
    queues: Queues,
    looks: Looks,
}

impl Policy for FixedThreshold {
    fn name(&self) -> &'static str {
        "fixed_threshold"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let (mut moves, pushed) = (Vec::new(), "fixed_threshold: pushed".into());
        self.queues.take_in(view, &mut Fewest);
        self.queues.start(view, Sight::Blind, &pushed, &mut moves);
        if self.looks.is_due(view) && view.config().enable_task_migration {
            let moved: Arc<str> = "fixed_threshold: moved".into();
            let left = moves_left(view, &self.queues);
            self.balance(view, left, &moved, &mut moves);
        }
        Plan { moves, again: self.looks.again(&self.queues) }
    }
}

impl FixedThreshold {
    /// Moves up to `left` tasks, where the thresholds ask for it: from the busiest to the idlest, and when nothing more can go
    /// between those two, between the next two that are beyond the thresholds.
    fn balance(&mut self, view: &mut View<'_>, mut left: usize, why: &Arc<str>, moves: &mut Vec<Move>) {
        let (high, low) = (view.config().utilization_threshold_high, view.config().utilization_threshold_low);
        let open: Vec<WorkerIndex> = view.fleet().iter().filter(|(_, worker)| worker.admits()).map(|(at, _)| at).collect();
        let load = |at: WorkerIndex| (utilization(view, at), self.queues.lines()[at.0 as usize].len());
        let mut by_load: Vec<(f64, usize, WorkerIndex)> = open.into_iter().map(|at| (load(at).0, load(at).1, at)).collect();
        by_load.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        let over: Vec<_> = by_load.iter().copied().filter(|(load, ..)| *load > high).collect();
        let under: Vec<_> = by_load.iter().rev().copied().filter(|(load, waiting, _)| *load < low && *waiting == 0).collect();
        for (from_load, _, from) in over {
            for (to_load, _, to) in under.iter().copied().filter(|(load, ..)| from_load - load > SPREAD_MIN) {
                let mut apart = from_load - to_load;
                while left > 0
                    && (self.move_waiting(view, (from, to), why, moves) || move_running(view, (from, to), &mut apart, why, moves))
                {
                    left -= 1;
                }
            }
        }
    }

    fn move_waiting(
        &mut self,
        view: &mut View<'_>,
        (from, to): (WorkerIndex, WorkerIndex),
        why: &Arc<str>,
        moves: &mut Vec<Move>,
    ) -> bool {
        let line = &self.queues.lines()[from.0 as usize];
        let fits: Vec<_> = line.classes().map(|(class, _)| class).filter(|class| view.fits_now(*class, to).is_some()).collect();
        let first = line.iter().find(|(_, entry)| fits.contains(&entry.class)).map(|(at, _)| at);
        let Some(at) = first.filter(|_| !fits.is_empty()) else { return false };
        self.queues.transfer(view, at, from, to, Sight::Blind);
        self.queues.start(view, Sight::Blind, why, moves);
        true
    }
}

/// Moves a running task where that brings the two workers, which are `apart`, closer together.
fn move_running(
    view: &mut View<'_>,
    (from, to): (WorkerIndex, WorkerIndex),
    apart: &mut f64,
    why: &Arc<str>,
    moves: &mut Vec<Move>,
) -> bool {
    let share =
        |view: &View<'_>, slots: u32, at: WorkerIndex| f64::from(slots) / f64::from(view.fleet().get(at).inventory.slots.max(1));
    for runner in runners(view, from) {
        let after = *apart - share(view, runner.takes.slots, from) - share(view, runner.takes.slots, to);
        let already = moves.iter().any(|proposed| matches!(proposed, Move::Migrate { task, .. } if *task == runner.id));
        if already || after.abs() >= *apart {
            continue;
        }
        if let Some(proposed) = migrate(view, runner, from, to, why) {
            moves.push(proposed);
            *apart = after;
            return true;
        }
    }
    false
}

fn utilization(view: &View<'_>, worker: WorkerIndex) -> f64 {
    let (slots, memory, device) = shares(view, worker);
    slots.max(memory).max(device.unwrap_or(0.0))
}
