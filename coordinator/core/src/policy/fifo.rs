//! Late binding, first come first served within a priority: the baseline that knows nothing of durations.

use crate::plan::{Move, Plan, Policy, View};
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Fifo;

impl Policy for Fifo {
    fn name(&self) -> &'static str {
        "fifo"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let why: Arc<str> = self.name().into();
        let slots: usize = view.fleet().iter().map(|(_, worker)| worker.free().slots as usize).sum();
        let mut waiting = Vec::new();
        for (profile, tasks) in view.groups() {
            waiting.extend(tasks.take(slots).map(|task| (profile.priority, task, profile)));
        }
        waiting.sort_unstable_by_key(|(priority, task, _)| (*priority, *task));
        let mut moves = Vec::new();
        for (_, task, profile) in waiting {
            if !view.has_room() {
                break;
            }
            let mut open = view.candidates(profile).into_iter();
            let open = open.find_map(|worker| Some((worker, view.fits_now(profile.class, worker)?)));
            if let Some((to, hardware)) = open {
                view.reserve(profile.class, to, hardware);
                moves.push(Move::Lease { task, to, hardware, why: why.clone(), decision: None });
            }
        }
        Plan { moves, again: None }
    }
}
