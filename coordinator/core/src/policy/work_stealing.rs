//! F30 to F32: tasks are pushed in turn, and a worker that has nothing to do steals half of another's queue. The victim is
//! the worker with the most tasks waiting among those with more than the threshold, 5, never the thief itself. Where no
//! queue is that long the thief has only the global queue, which holds the tasks that found no worker; those are given out as
//! soon as one comes.
//!
//! A thief takes only what it can run, from the end of the queue: what would wait longest (Hendler and Shavit 2002,
//! "Non-blocking steal-half work queues").

use super::push::{Place, Queues, Sight};
use super::round_robin::Turns;
use crate::fleet::WorkerIndex;
use crate::plan::{Plan, Policy, View};
use std::cmp::Reverse;

/// A queue of no more tasks than this is left alone.
const STEAL_THRESHOLD: usize = 5;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WorkStealing {
    queues: Queues,
    turns: Turns,
}

impl Policy for WorkStealing {
    fn name(&self) -> &'static str {
        "work_stealing"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let (mut moves, pushed, stolen) = (Vec::new(), "work_stealing: pushed".into(), "work_stealing: stolen".into());
        self.queues.take_in(view, &mut self.turns);
        self.queues.start(view, Sight::Blind, &pushed, &mut moves);
        let mut victims = self.victims();
        for thief in (0..self.queues.lines().len() as u32).map(WorkerIndex) {
            if victims.is_empty() {
                break;
            }
            // A thief that stole more than it can begin now is no longer idle; it looks again when it is.
            let is_idle = view.free(thief).slots > 0 && self.queues.lines()[thief.0 as usize].is_empty();
            if is_idle && self.steal(view, thief, &victims) {
                self.queues.start(view, Sight::Blind, &stolen, &mut moves);
                victims = self.victims();
            }
        }
        Plan { moves, again: self.queues.gathered() }
    }
}

impl WorkStealing {
    /// The workers whose queues are long enough, the longest first.
    fn victims(&self) -> Vec<WorkerIndex> {
        let lines = self.queues.lines().iter().enumerate().filter(|(_, line)| line.len() > STEAL_THRESHOLD);
        let mut long: Vec<(Reverse<usize>, WorkerIndex)> =
            lines.map(|(at, line)| (Reverse(line.len()), WorkerIndex(at as u32))).collect();
        long.sort_unstable();
        long.into_iter().map(|(_, worker)| worker).collect()
    }

    /// Lets `thief` take half of what it can run from the longest queue that holds any; whether there was one.
    fn steal(&mut self, view: &mut View<'_>, thief: WorkerIndex, victims: &[WorkerIndex]) -> bool {
        for victim in victims.iter().copied().filter(|victim| *victim != thief) {
            let line = &self.queues.lines()[victim.0 as usize];
            let counts = line.classes().map(|(class, count)| (class, count, !view.options(class, thief).is_empty()));
            let suited: Vec<_> = counts.filter(|(_, _, runs)| *runs).map(|(class, count, _)| (class, count)).collect();
            let half = suited.iter().map(|(_, count)| count).sum::<usize>().div_ceil(2);
            let runs = |class| suited.iter().any(|(suited, _)| *suited == class);
            let avoids = |at: Place| view.ledger().get(at.1).is_some_and(|task| task.avoid().contains(&thief));
            let booty = line.iter().rev().filter(|(at, entry)| runs(entry.class) && !avoids(*at)).take(half);
            let booty: Vec<Place> = booty.map(|(at, _)| at).collect();
            for at in &booty {
                self.queues.transfer(view, *at, victim, thief, Sight::Blind);
            }
            if !booty.is_empty() {
                return true;
            }
        }
        false
    }
}
