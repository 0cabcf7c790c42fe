//! Many tasks wait: each free slot takes the first of those that belong to its class, by prices.

use super::field::{Choice, Field, Group};
use super::order::{Urgency, urgencies};
use super::{Goal, Outlook};
use crate::decision::{decided, weighed};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule};
use shared::id::TaskId;
use std::cmp::Ordering;
use std::sync::Arc;

/// A task belongs to a class where it costs at most this much more than where it costs least.
const BELONGS: f64 = 1.05;

/// A task is slow on a class where it takes this many times as long as where it is fastest.
const SLOW: f64 = 1.2;

/// A group as one class sees it.
struct Candidate {
    group: usize,
    choice: Choice,
    /// What it costs here beside what it costs where it costs least.
    ratio: f64,
    /// Whether it takes markedly longer here than where it is fastest.
    is_slow: bool,
    urgency: Urgency,
}

pub(super) fn plan(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let prices = outlook.prices;
    let urgencies = urgencies(view, field, outlook);
    let mut queues = waiting_tasks(view, field);
    // The dearest class chooses first: what it leaves, others can have.
    let mut order: Vec<usize> = (0..field.classes.len()).collect();
    order.sort_by(|a, b| prices.y[*b][0].total_cmp(&prices.y[*a][0]));
    for class in order {
        let mut workers: Vec<WorkerIndex> =
            field.classes[class].members.iter().copied().filter(|worker| view.free(*worker).slots > 0).collect();
        if workers.is_empty() {
            continue;
        }
        let mut candidates = candidates(field, outlook, &urgencies, class);
        candidates.sort_by(by_right);
        workers.sort_by(|a, b| view.free_share(*b).total_cmp(&view.free_share(*a)).then(a.cmp(b)));
        for candidate in candidates {
            // What does not belong here is begun only where it does not outlast the rest.
            if candidate.ratio > BELONGS && candidate.choice.seconds > prices.bound.min(prices.horizon) {
                continue;
            }
            give(view, field, (outlook, &candidate), &mut workers, &mut queues[candidate.group], moves);
            if workers.is_empty() {
                break;
            }
        }
    }
}

/// Those that belong here by urgency, then the others by how little dearer they are here.
fn by_right(a: &Candidate, b: &Candidate) -> Ordering {
    // Costs that differ by less than a tenth are one.
    let step = |candidate: &Candidate| if candidate.ratio <= BELONGS { 0 } else { 1 + (candidate.ratio.ln() * 10.0) as u32 };
    step(a).cmp(&step(b)).then_with(|| match (a.is_slow, b.is_slow) {
        (false, false) => a.urgency.before(&b.urgency).then(a.group.cmp(&b.group)),
        // A slow worker takes the least urgent: short and certain ones, so that it never holds up the end.
        (true, true) => b.urgency.before(&a.urgency).then(a.group.cmp(&b.group)),
        (a, b) => a.cmp(&b),
    })
}

fn candidates(field: &Field<'_>, outlook: Outlook<'_>, urgencies: &[Urgency], class: usize) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (at, group) in field.groups.iter().enumerate() {
        let least = least_cost(outlook, group);
        let here = group.choices.iter().filter(|choice| choice.class == class).map(|choice| (cost(outlook, choice), choice));
        if let Some((cost, choice)) = here.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.seconds.total_cmp(&b.1.seconds))) {
            let ratio = ratio(cost, least);
            let is_slow = outlook.goal == Goal::Makespan && choice.seconds > SLOW * group.least_s();
            candidates.push(Candidate { group: at, choice: *choice, ratio, is_slow, urgency: urgencies[at] });
        }
    }
    candidates
}

pub(super) fn cost(outlook: Outlook<'_>, choice: &Choice) -> f64 {
    outlook.prices.cost(&choice.offer())
}

/// What a task of the group costs where it costs least, of the places where it takes no longer than it may.
fn least_cost(outlook: Outlook<'_>, group: &Group<'_>) -> f64 {
    let limit = outlook.prices.horizon.max(group.least_s());
    let allowed = group.choices.iter().filter(|choice| choice.seconds <= limit);
    allowed.map(|choice| cost(outlook, choice)).fold(f64::INFINITY, f64::min)
}

fn ratio(cost: f64, least: f64) -> f64 {
    if least > 0.0 { cost / least } else { 1.0 }
}

/// The record of why the class of this candidate takes tasks of its group.
fn weigh(
    view: &View<'_>,
    field: &Field<'_>,
    outlook: Outlook<'_>,
    candidate: &Candidate,
    worker: WorkerIndex,
) -> Option<Arc<Decision>> {
    let group = &field.groups[candidate.group];
    let least = least_cost(outlook, group);
    let term = |worker: WorkerIndex, choice: &Choice| {
        weighed(view, (worker, choice.hardware), 0.0, choice.seconds, ratio(cost(outlook, choice), least))
    };
    let is_winner = |choice: &&Choice| choice.class == candidate.choice.class && choice.hardware == candidate.choice.hardware;
    let others = group.choices.iter().filter(|choice| !is_winner(choice));
    let others = others.filter_map(|choice| Some(term(*field.classes[choice.class].members.first()?, choice)));
    decided(Rule::Price, term(worker, &candidate.choice), others.collect(), None)
}

/// The waiting tasks of each group, in order.
pub(super) fn waiting_tasks<'a>(view: &View<'a>, field: &Field<'a>) -> Vec<impl Iterator<Item = TaskId> + use<'a>> {
    field.groups.iter().map(|group| view.tasks_of(group.profile)).collect()
}

/// Gives tasks of one group to the workers of the class while both last; workers that are full leave the list.
fn give(
    view: &mut View<'_>,
    field: &Field<'_>,
    (outlook, candidate): (Outlook<'_>, &Candidate),
    workers: &mut Vec<WorkerIndex>,
    tasks: &mut impl Iterator<Item = TaskId>,
    moves: &mut Vec<Move>,
) {
    let profile = field.groups[candidate.group].profile;
    let (class, hardware) = (profile.class, candidate.choice.hardware);
    let avoided = |worker: &WorkerIndex| profile.avoid.contains(worker);
    let everywhere = workers.iter().all(avoided);
    let mut decision = None;
    loop {
        let before = moves.len();
        for &worker in workers.iter() {
            if (avoided(&worker) && !everywhere) || view.room_for(class, worker, hardware) == 0 {
                continue;
            }
            let Some(task) = tasks.next() else { return };
            view.reserve(class, worker, hardware);
            // All tasks that one class takes from a group in one plan follow from one decision.
            let decision = decision.get_or_insert_with(|| weigh(view, field, outlook, candidate, worker)).clone();
            let why = if candidate.ratio <= BELONGS {
                "adaptive: it belongs here"
            } else {
                "adaptive: nothing that belongs here waits"
            };
            moves.push(Move::Lease { task, to: worker, hardware, why: why.into(), decision });
        }
        workers.retain(|worker| view.free(*worker).slots > 0);
        if moves.len() == before {
            return;
        }
    }
}
