//! Scores: the one place where the terms of a decision become a number, for policies that decide and for whoever recomputes
//! what they decided.

use crate::fleet::WorkerIndex;
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule, Weighed};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, AttemptNumber, TaskId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Places that are kept of a decision.
const KEPT: usize = 8;

/// The score of a place; the lower the better.
pub fn score(weighed: &Weighed, rule: Rule) -> f64 {
    match rule {
        Rule::Price => weighed.cost,
        Rule::Finish { wait_weight } => wait_weight * weighed.wait_s + weighed.seconds + weighed.cost,
    }
}

/// Whether every number that follows from the terms of a decision is, to the last bit, what they give.
pub fn recomputes(decision: &Decision) -> bool {
    let all = decision.candidates.iter().chain(&decision.stays);
    let mut is_same = all.map(|weighed| weighed.score.to_bits() == score(weighed, decision.rule).to_bits());
    is_same.all(|same| same) && gain(decision).is_some_and(|gain| gain.to_bits() == decision.gain.to_bits())
}

/// The task whose lease in the same plan tells of the decision that this lease follows from, where there is one.
pub(crate) fn told_before(told: &mut Vec<(Arc<Decision>, TaskId)>, proposed: &Move) -> Option<TaskId> {
    let Move::Lease { task, decision: Some(decision), .. } = proposed else { return None };
    // Leases that share a decision mostly follow each other.
    let before = told.iter().rev().find(|(before, _)| Arc::ptr_eq(before, decision)).map(|(_, task)| *task);
    if before.is_none() {
        told.push((decision.clone(), *task));
    }
    before
}

/// Decisions that are remembered; the log has them all.
const REMEMBERED: usize = 50_000;

/// The newest decisions, by the attempts that followed from them.
#[derive(Debug, Default)]
pub struct Decisions {
    of: BTreeMap<Attempt, Arc<Decision>>,
    order: VecDeque<Attempt>,
}

impl Decisions {
    /// The decision an attempt followed from, while it is remembered.
    pub fn get(&self, attempt: Attempt) -> Option<&Arc<Decision>> {
        self.of.get(&attempt)
    }

    /// The decision the newest attempt of a task followed from.
    pub(crate) fn newest(&self, task: TaskId) -> Option<Arc<Decision>> {
        let all = Attempt { task, number: AttemptNumber(0) }..=Attempt { task, number: AttemptNumber(u64::MAX) };
        self.of.range(all).next_back().map(|(_, decision)| decision.clone())
    }

    pub(crate) fn keep(&mut self, attempt: Attempt, decision: Arc<Decision>) {
        self.of.insert(attempt, decision);
        self.order.push_back(attempt);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }
}

/// What is weighed of a place.
pub(crate) fn weighed(view: &View<'_>, at: (WorkerIndex, HardwareKind), wait_s: f64, seconds: f64, cost: f64) -> Weighed {
    let (worker, hardware) = (view.fleet().get(at.0).name.clone(), at.1);
    Weighed { worker, hardware, wait_s, seconds, cost, score: 0.0 }
}

/// The record of a decision for `winner`; nothing where there was no choice.
pub(crate) fn decided(rule: Rule, winner: Weighed, others: Vec<Weighed>, stays: Option<Weighed>) -> Option<Arc<Decision>> {
    let scored = |mut weighed: Weighed| {
        weighed.score = score(&weighed, rule);
        // JSON has no word for what is not finite.
        [weighed.wait_s, weighed.seconds, weighed.cost, weighed.score].iter().all(|term| term.is_finite()).then_some(weighed)
    };
    let winner = scored(winner)?;
    let is_other = |other: &Weighed| (&other.worker, other.hardware) != (&winner.worker, winner.hardware);
    let mut others: Vec<Weighed> = others.into_iter().filter_map(scored).filter(is_other).collect();
    let stays = stays.and_then(scored);
    let weighed = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
    others.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| (&a.worker, a.hardware).cmp(&(&b.worker, b.hardware))));
    others.truncate(KEPT - 1);
    others.insert(0, winner);
    let mut decision = Decision { rule, weighed, candidates: others, stays, gain: 0.0 };
    decision.gain = gain(&decision)?;
    Some(Arc::new(decision))
}

/// What the winner is better by; nothing where it is beside nothing.
fn gain(decision: &Decision) -> Option<f64> {
    let beside = decision.stays.as_ref().or(decision.candidates.get(1))?;
    Some(beside.score - decision.candidates.first()?.score)
}
