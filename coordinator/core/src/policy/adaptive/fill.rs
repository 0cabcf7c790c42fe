//! Many tasks wait: each free slot takes the first of those that belong to its class, by prices.

use super::Outlook;
use super::field::Field;
use super::known::{Choice, Known};
use super::shelf::{Candidate, Shelf};
use crate::decision::{decided, weighed};
use crate::fleet::{Room, WorkerIndex};
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule};
use shared::id::TaskId;
use std::sync::Arc;

pub(super) fn plan(view: &mut View<'_>, known: &mut Known, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let prices = outlook.prices;
    let mut taken = vec![0; known.groups.len()];
    // The dearest class chooses first: what it leaves, others can have.
    let mut order: Vec<usize> = (0..known.classes.len()).collect();
    order.sort_by(|a, b| prices.y[*b][0].total_cmp(&prices.y[*a][0]));
    for class in order {
        let mut workers: Vec<WorkerIndex> =
            known.classes[class].members.iter().copied().filter(|worker| view.free(*worker).slots > 0).collect();
        if workers.is_empty() {
            continue;
        }
        workers.sort_by(|a, b| view.free_share(*b).total_cmp(&view.free_share(*a)).then(a.cmp(b)));
        let largest = workers.iter().map(|worker| view.free(*worker)).fold(Room::default(), Room::most);
        let shelf = known.shelves[class].take().unwrap_or_else(|| Shelf::new(view, known, outlook, class));
        for candidate in shelf.candidates() {
            if workers.is_empty() {
                break;
            }
            // What does not belong here is begun only where it does not outlast the rest.
            let outlasts = !candidate.belongs() && candidate.choice.seconds > prices.bound.min(prices.horizon);
            if !outlasts && !known.groups[candidate.group].is_gone && largest.holds(candidate.choice.takes) {
                give(view, known, candidate, &mut workers, &mut taken[candidate.group], moves);
            }
        }
        known.shelves[class] = Some(shelf);
    }
}

/// The record of why the class of this candidate takes tasks of its group.
fn weigh(view: &View<'_>, known: &Known, candidate: &Candidate, worker: WorkerIndex) -> Option<Arc<Decision>> {
    let term = |worker: WorkerIndex, choice: &Choice| weighed(view, (worker, choice.hardware), 0.0, choice.seconds, choice.ratio);
    let is_winner = |choice: &&Choice| choice.class == candidate.choice.class && choice.hardware == candidate.choice.hardware;
    let others = known.groups[candidate.group].choices.iter().filter(|choice| !is_winner(choice));
    let others = others.filter_map(|choice| Some(term(*known.classes[choice.class].members.first()?, choice)));
    decided(Rule::Price, term(worker, &candidate.choice), others.collect(), None)
}

/// The waiting tasks of each group, in order.
pub(super) fn waiting_tasks<'a>(view: &View<'a>, field: &Field<'_>) -> Vec<impl Iterator<Item = TaskId> + use<'a>> {
    field.known.groups.iter().map(|group| view.tasks_of(&group.profile)).collect()
}

/// Gives tasks of one group to the workers of the class while both last; workers that are full leave the list.
fn give(
    view: &mut View<'_>,
    known: &mut Known,
    candidate: &Candidate,
    workers: &mut Vec<WorkerIndex>,
    taken: &mut usize,
    moves: &mut Vec<Move>,
) {
    let profile = &known.groups[candidate.group].profile;
    let (class, hardware) = (profile.class, candidate.choice.hardware);
    let avoided = |worker: &WorkerIndex| profile.avoid.contains(worker);
    let everywhere = workers.iter().all(avoided);
    let mut tasks = view.tasks_of(profile).skip(*taken);
    let mut decision = None;
    loop {
        let before = moves.len();
        for &worker in workers.iter() {
            if (avoided(&worker) && !everywhere) || view.room_for(class, worker, hardware) == 0 {
                continue;
            }
            let Some(task) = tasks.next() else {
                known.groups[candidate.group].is_gone = *taken == 0;
                return;
            };
            view.reserve(class, worker, hardware);
            *taken += 1;
            // All tasks that one class takes from a group in one plan follow from one decision.
            let decision = decision.get_or_insert_with(|| weigh(view, known, candidate, worker)).clone();
            let why = if candidate.belongs() { "adaptive: it belongs here" } else { "adaptive: nothing that belongs here waits" };
            moves.push(Move::Lease { task, to: worker, hardware, why: why.into(), decision });
        }
        workers.retain(|worker| view.free(*worker).slots > 0);
        if moves.len() == before {
            return;
        }
    }
}
