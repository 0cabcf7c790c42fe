//! Late binding, longest task first: tasks wait in the coordinator until a slot is free, and then the longest of the most
//! urgent goes to the worker with the largest share of its slots free (Graham 1969, "Bounds on multiprocessing timing
//! anomalies": at most 4/3 − 1/(3m) of the optimum on m equal machines).

use crate::plan::{Move, Plan, Policy, View};
use shared::hardware::HardwareKind;
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct LongestFirst;

impl Policy for LongestFirst {
    fn name(&self) -> &'static str {
        "longest_first"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let why: Arc<str> = self.name().into();
        let mut moves = Vec::new();
        let mut full = BTreeSet::new();
        for (profile, tasks) in view.groups() {
            if !view.has_room() {
                break;
            }
            if full.contains(&profile.class) {
                continue;
            }
            let seat = |view: &mut View<'_>, worker| {
                let hardware = view.fits_now(profile.class, worker)?;
                Some(Seat { free: view.free_share(worker), worker, hardware })
            };
            let mut open: BinaryHeap<Seat> =
                view.candidates(profile).into_iter().filter_map(|worker| seat(view, worker)).collect();
            if open.is_empty() && profile.avoid.is_empty() {
                full.insert(profile.class);
            }
            for task in tasks {
                let Some(Seat { worker, hardware, .. }) = open.pop() else { break };
                view.reserve(profile.class, worker, hardware);
                moves.push(Move::Lease { task, to: worker, hardware, why: why.clone(), decision: None });
                open.extend(seat(view, worker));
            }
        }
        Plan { moves, again: None }
    }
}

/// A worker with room; the one with the largest share free comes first, and among equals the one that joined first.
#[derive(Debug, PartialEq)]
struct Seat {
    free: f64,
    worker: crate::fleet::WorkerIndex,
    hardware: HardwareKind,
}

impl Eq for Seat {}

impl Ord for Seat {
    fn cmp(&self, other: &Self) -> Ordering {
        self.free.total_cmp(&other.free).then(other.worker.cmp(&self.worker))
    }
}

impl PartialOrd for Seat {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
