//! Few tasks wait: they are planned one by one onto the times at which room is expected, by earliest finish, and what the plan
//! begins now is started. Everything else stays free to be planned otherwise a moment later.

use super::field::Field;
use super::known::{Choice, Group};
use super::timeline::Timeline;
use super::{Outlook, fill, order};
use crate::decision::{decided, weighed};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule};
use std::sync::Arc;

/// A second of waiting for better hardware counts as this many seconds of work: a stand-in for the delay it inflicts on others.
const WAIT_WEIGHT: f64 = 2.0;

/// How things count beside a second of work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// A second of waiting.
    pub wait: f64,
    /// A kilojoule.
    pub energy: f64,
}

impl Weights {
    fn of(view: &View<'_>) -> Self {
        let config = view.config();
        Self { wait: WAIT_WEIGHT, energy: if config.enable_resource_efficiency { config.energy_weight } else { 0.0 } }
    }
}

/// What begins within this many seconds begins now.
const NOW_S: f64 = 1e-6;

pub(super) fn plan(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let mut lines = timelines(view, field);
    let mut queues = fill::waiting_tasks(view, field);
    let weights = Weights::of(view);
    for at in order::by_urgency(view, &field.known.groups, outlook) {
        let group = &field.known.groups[at];
        for task in queues[at].by_ref() {
            let Some(way) = best(field, group, &lines, weights, |_| true) else { break };
            // Only what begins now is decided; the rest is a guess.
            let decision = way.is_now().then(|| weigh(view, field, group, &lines, way, weights)).flatten();
            way.book(&mut lines);
            let Way { worker: to, choice: Choice { hardware, .. }, .. } = way;
            if way.is_now() && view.room_for(group.profile.class, to, hardware) > 0 {
                view.reserve(group.profile.class, to, hardware);
                moves.push(Move::Lease { task, to, hardware, why: "adaptive: it ends first here".into(), decision });
            }
        }
    }
}

/// What counts against a worker that is to be avoided, in seconds.
fn shunned(avoid: &[WorkerIndex], worker: WorkerIndex) -> f64 {
    if avoid.contains(&worker) { 1e9 } else { 0.0 }
}

/// A way to run a task that was found on the timelines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub worker: WorkerIndex,
    pub choice: Choice,
    /// When it begins, in seconds from now.
    pub start: f64,
    /// What counts against it beside its time, in seconds.
    pub penalty_s: f64,
}

impl Way {
    pub(super) fn is_now(&self) -> bool {
        self.start <= NOW_S
    }

    /// When it ends, in seconds from now.
    pub(super) fn end(&self) -> f64 {
        self.start + self.choice.seconds
    }

    pub(super) fn book(&self, lines: &mut [Option<Timeline>]) {
        let line = lines[self.worker.0 as usize].as_mut().expect("it was found there");
        line.book(self.start, self.choice.seconds, self.choice.takes);
    }
}

/// The way by which a task of this group ends first, as waiting and energy count, among those it may go.
pub(super) fn best(
    field: &Field<'_>,
    group: &Group,
    lines: &[Option<Timeline>],
    weights: Weights,
    may: impl Fn(&Choice) -> bool,
) -> Option<Way> {
    let mut best: Option<(f64, Way)> = None;
    for choice in group.choices.iter().filter(|choice| may(choice)) {
        for way in ways(field, group, lines, weights, choice) {
            let score = weights.wait * way.start + way.choice.seconds + way.penalty_s;
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, way));
            }
        }
    }
    best.map(|(_, way)| way)
}

/// The ways to run a task of this group by one of its choices, one for each worker on which it will find room.
fn ways<'f>(
    field: &'f Field<'_>,
    group: &'f Group,
    lines: &'f [Option<Timeline>],
    weights: Weights,
    choice: &'f Choice,
) -> impl Iterator<Item = Way> + 'f {
    field.known.classes[choice.class].members.iter().filter_map(move |&worker| {
        let start = lines[worker.0 as usize].as_ref()?.earliest(choice.takes, choice.seconds)?;
        let penalty_s = shunned(&group.profile.avoid, worker) + weights.energy * choice.kilojoules;
        Some(Way { worker, choice: *choice, start, penalty_s })
    })
}

/// The record of why a task of this group runs where `winner` says: the best way on each class, as the timelines are.
pub(super) fn weigh(
    view: &View<'_>,
    field: &Field<'_>,
    group: &Group,
    lines: &[Option<Timeline>],
    winner: Way,
    weights: Weights,
) -> Option<Arc<Decision>> {
    let term = |way: Way| weighed(view, (way.worker, way.choice.hardware), way.start, way.choice.seconds, way.penalty_s);
    let is_winner = |choice: &&Choice| choice.class == winner.choice.class && choice.hardware == winner.choice.hardware;
    let others = group.choices.iter().filter(|choice| !is_winner(choice)).filter_map(|choice| {
        let least = |way: &Way| weights.wait * way.start + way.penalty_s;
        ways(field, group, lines, weights, choice).min_by(|a, b| least(a).total_cmp(&least(b))).map(term)
    });
    decided(Rule::Finish { wait_weight: weights.wait }, term(winner), others.collect(), None)
}

pub(super) fn timelines(view: &View<'_>, field: &Field<'_>) -> Vec<Option<Timeline>> {
    let mut ends = vec![Vec::new(); field.known.class_of.len()];
    for running in &field.running {
        ends[running.worker.0 as usize].push((running.remaining_s, running.takes));
    }
    let workers = ends.into_iter().enumerate();
    let line = |(at, ends): (usize, _)| field.known.class_of[at].map(|_| Timeline::new(view.free(WorkerIndex(at as u32)), ends));
    workers.map(line).collect()
}
