//! Few tasks wait: they are planned one by one onto the times at which room is expected, by earliest finish, and what the plan
//! begins now is started. Everything else stays free to be planned otherwise a moment later.

use super::field::{Choice, Field, Group};
use super::timeline::Timeline;
use super::{Outlook, fill, order};
use crate::decision::{decided, weighed};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule};
use std::sync::Arc;

/// A second of waiting for better hardware counts as this many seconds of work: a stand-in for the delay it inflicts on others.
const WAIT_WEIGHT: f64 = 2.0;
/// What begins within this many seconds begins now.
pub(super) const NOW_S: f64 = 1e-6;

pub(super) fn plan(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let mut lines = timelines(view, field);
    let mut queues = fill::waiting_tasks(view, field);
    for at in order::by_urgency(view, field, outlook) {
        let group = &field.groups[at];
        for task in queues[at].by_ref() {
            let Some((worker, choice, start)) = best(field, group.profile.avoid.as_slice(), &group.choices, &lines) else {
                break;
            };
            // Only what begins now is decided; the rest is a guess.
            let decision = if start <= NOW_S {
                let winner = Way { worker, choice, start, shunned: shunned(&group.profile.avoid, worker) };
                weigh(view, field, group, &lines, winner, WAIT_WEIGHT)
            } else {
                None
            };
            lines[worker.0 as usize].as_mut().expect("it was found there").book(start, choice.seconds, choice.takes);
            if start <= NOW_S && view.room_for(group.profile.class, worker, choice.hardware) > 0 {
                view.reserve(group.profile.class, worker, choice.hardware);
                let (to, hardware, why) = (worker, choice.hardware, "adaptive: it ends first here".into());
                moves.push(Move::Lease { task, to, hardware, why, decision });
            }
        }
    }
}

/// The worker and hardware on which a task is expected to end first, and when it begins there.
fn best(
    field: &Field<'_>,
    avoid: &[WorkerIndex],
    choices: &[Choice],
    lines: &[Option<Timeline>],
) -> Option<(WorkerIndex, Choice, f64)> {
    let mut best: Option<(f64, WorkerIndex, Choice, f64)> = None;
    for choice in choices {
        for &worker in &field.classes[choice.class].members {
            let Some(line) = &lines[worker.0 as usize] else { continue };
            let Some(start) = line.earliest(choice.takes, choice.seconds) else { continue };
            let score = WAIT_WEIGHT * start + choice.seconds + shunned(avoid, worker);
            if best.as_ref().is_none_or(|(least, ..)| score < *least) {
                best = Some((score, worker, *choice, start));
            }
        }
    }
    best.map(|(_, worker, choice, start)| (worker, choice, start))
}

/// What counts against a worker that is to be avoided, in seconds.
pub(super) fn shunned(avoid: &[WorkerIndex], worker: WorkerIndex) -> f64 {
    if avoid.contains(&worker) { 1e9 } else { 0.0 }
}

/// A way to run a task that was found on the timelines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub worker: WorkerIndex,
    pub choice: Choice,
    pub start: f64,
    pub shunned: f64,
}

/// The record of why a task of this group runs where `winner` says: the best way on each class, as the timelines are.
pub(super) fn weigh(
    view: &View<'_>,
    field: &Field<'_>,
    group: &Group<'_>,
    lines: &[Option<Timeline>],
    winner: Way,
    wait_weight: f64,
) -> Option<Arc<Decision>> {
    let term = |way: Way| weighed(view, (way.worker, way.choice.hardware), way.start, way.choice.seconds, way.shunned);
    let others = group.choices.iter().filter_map(|choice| {
        let is_winner = choice.class == winner.choice.class && choice.hardware == winner.choice.hardware;
        let members = field.classes[choice.class].members.iter().filter(|_| !is_winner);
        let ways = members.filter_map(|&worker| {
            let start = lines[worker.0 as usize].as_ref()?.earliest(choice.takes, choice.seconds)?;
            Some(Way { worker, choice: *choice, start, shunned: shunned(&group.profile.avoid, worker) })
        });
        ways.min_by(|a, b| (wait_weight * a.start + a.shunned).total_cmp(&(wait_weight * b.start + b.shunned))).map(term)
    });
    decided(Rule::Finish { wait_weight }, term(winner), others.collect(), None)
}

pub(super) fn timelines(view: &View<'_>, field: &Field<'_>) -> Vec<Option<Timeline>> {
    let mut ends = vec![Vec::new(); field.class_of.len()];
    for running in &field.running {
        ends[running.worker.0 as usize].push((running.remaining_s, running.takes));
    }
    let workers = ends.into_iter().enumerate();
    let line = |(at, ends): (usize, _)| field.class_of[at].map(|_| Timeline::new(view.free(WorkerIndex(at as u32)), ends));
    workers.map(line).collect()
}
