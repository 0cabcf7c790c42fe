//! F69: which of the next tasks begin where, as a constraint problem that is solved to the end: each task begins on one of its
//! workers or not at all, and on no worker do they take more than it has free. The most slots in use is best, and among
//! those the least sum of expected seconds, so that the earliest ends win.
//!
//! Branch and bound. A branch is left when the tasks that remain could not do better even if each had its quickest way.
//! The bounds: at most 12 tasks at a time, each with its 12 quickest ways that have room, and 20,000 branches; past those the
//! best found so far counts, which is never worse than giving each task in turn its quickest way. Then come the next
//! 12, while there is room.

use super::push::lease;
use super::window::{Frame, Next, next};
use crate::fleet::{Room, WorkerIndex};
use crate::plan::{Plan, Policy, View};
use std::collections::{BTreeMap, BTreeSet};

/// Tasks that are decided together, and ways of each: with as many ways as tasks nothing better is left out, because the
/// others can take no more than all but one away.
const FRAME: Frame = Frame { tasks: 12, ways_now: 12, ways_later: 0 };
/// Branches that are followed.
const BRANCHES_MAX: u32 = 20_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Constraint;

impl Policy for Constraint {
    fn name(&self) -> &'static str {
        "constraint"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let (mut moves, why) = (Vec::new(), self.name().into());
        let mut given = BTreeSet::new();
        while view.has_room() {
            let window = next(view, FRAME, &given);
            let choices = solve(view, &window);
            if choices.iter().all(Option::is_none) {
                break;
            }
            for (next, choice) in window.iter().zip(choices) {
                let Some(way) = choice.map(|at| next.ways[at]) else { continue };
                moves.push(lease(view, next.id, next.class, way.worker, way.hardware, &why));
                given.insert(next.id);
            }
        }
        Plan { moves, again: None }
    }
}

/// Slots in use and the sum of seconds: more of the first is better, then less of the second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Worth {
    slots: u32,
    seconds: f64,
}

impl Worth {
    fn beats(self, other: Worth) -> bool {
        self.slots > other.slots || self.slots == other.slots && self.seconds < other.seconds - 1e-9
    }

    fn plus(self, other: Worth) -> Worth {
        Worth { slots: self.slots + other.slots, seconds: self.seconds + other.seconds }
    }
}

#[derive(Debug)]
struct Search<'n> {
    window: &'n [Next],
    free: BTreeMap<WorkerIndex, Room>,
    /// The best that the tasks from each place on could add.
    most: Vec<Worth>,
    now: Vec<Option<usize>>,
    best: Vec<Option<usize>>,
    best_worth: Worth,
    branches: u32,
}

/// For each task the way it begins, or nothing.
fn solve(view: &View<'_>, window: &[Next]) -> Vec<Option<usize>> {
    let workers = window.iter().flat_map(|next| next.ways.iter().map(|way| way.worker));
    let free = workers.map(|worker| (worker, view.free(worker))).collect();
    let mut most = vec![Worth::default(); window.len() + 1];
    for at in (0..window.len()).rev() {
        let ways = window[at].ways.iter();
        let slots = ways.clone().map(|way| way.takes.slots).max().unwrap_or(0);
        let seconds = ways.map(|way| way.seconds).fold(f64::INFINITY, f64::min);
        most[at] = most[at + 1].plus(Worth { slots, seconds: if slots > 0 { seconds } else { 0.0 } });
    }
    let nothing = vec![None; window.len()];
    let (now, best) = (nothing.clone(), nothing);
    let mut search = Search { window, free, most, now, best, best_worth: Worth::default(), branches: 0 };
    search.branch(0, Worth::default());
    search.best
}

impl Search<'_> {
    fn branch(&mut self, at: usize, worth: Worth) {
        self.branches += 1;
        if worth.beats(self.best_worth) {
            self.best_worth = worth;
            self.best.clone_from(&self.now);
        }
        // Seconds of tasks that remain only count where all of them must begin to use as many slots.
        let could = worth.plus(self.most[at]);
        if at == self.window.len() || self.branches > BRANCHES_MAX || !could.beats(self.best_worth) {
            return;
        }
        let window = self.window;
        for (index, way) in window[at].ways.iter().enumerate() {
            let free = self.free[&way.worker];
            if free.holds(way.takes) {
                self.free.insert(way.worker, free.less(way.takes));
                self.now[at] = Some(index);
                self.branch(at + 1, worth.plus(Worth { slots: way.takes.slots, seconds: way.seconds }));
                self.now[at] = None;
                self.free.insert(way.worker, free);
            }
        }
        self.branch(at + 1, worth);
    }
}
