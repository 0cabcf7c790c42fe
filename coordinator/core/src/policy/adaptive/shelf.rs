//! What each class of workers would take next: for each class the groups in the order of its choice. Made when a class first has
//! room after a look at the field, and kept until the next look: meanwhile a plan costs what it gives away, however much waits.

use super::known::{Choice, Known};
use super::order::Urgency;
use super::{Goal, Outlook};
use crate::plan::View;
use std::cmp::Ordering;

/// A task belongs to a class where it costs at most this much more than where it costs least.
const BELONGS: f64 = 1.05;
/// A task is slow on a class where it takes this many times as long as where it is fastest.
const SLOW: f64 = 1.2;

/// A group as one class sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Which group.
    pub group: usize,
    /// The cheapest way to run a task of it here.
    pub choice: Choice,
    /// Whether it takes markedly longer here than where it is fastest.
    is_slow: bool,
    urgency: Urgency,
}

/// The candidates of one class, the first to be taken first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    candidates: Vec<Candidate>,
    /// Places in `candidates`.
    order: Vec<u32>,
}

impl Candidate {
    fn new(view: &View<'_>, known: &Known, outlook: Outlook<'_>, (group, class): (usize, usize)) -> Option<Self> {
        let entry = &known.groups[group];
        let ways = entry.on(class).iter();
        let choice = *ways.min_by(|a, b| a.ratio.total_cmp(&b.ratio).then(a.seconds.total_cmp(&b.seconds)))?;
        let is_slow = outlook.goal == Goal::Makespan && choice.seconds > SLOW * entry.least_s;
        Some(Self { group, choice, is_slow, urgency: Urgency::of(view, entry, outlook) })
    }

    /// Whether it costs hardly more here than anywhere else.
    pub(super) fn belongs(&self) -> bool {
        self.choice.ratio <= BELONGS
    }

    /// 0 for those that belong here, then the dearer the more. Costs that differ by less than a tenth are one.
    fn step(&self) -> u32 {
        if self.belongs() { 0 } else { 1 + (self.choice.ratio.ln() * 10.0) as u32 }
    }

    /// Those that belong here by urgency, then the others by how little dearer they are here.
    fn by_right(&self, other: &Self) -> Ordering {
        self.step().cmp(&other.step()).then_with(|| match (self.is_slow, other.is_slow) {
            (false, false) => self.urgency.before(&other.urgency).then(self.group.cmp(&other.group)),
            // A slow worker takes the least urgent: short and certain ones, so that it never holds up the end.
            (true, true) => other.urgency.before(&self.urgency).then(self.group.cmp(&other.group)),
            (a, b) => a.cmp(&b),
        })
    }
}

impl Shelf {
    /// The shelf of a class, from all groups that are known.
    pub(super) fn new(view: &View<'_>, known: &Known, outlook: Outlook<'_>, class: usize) -> Self {
        let groups = 0..known.groups.len();
        let candidates: Vec<Candidate> =
            groups.filter_map(|group| Candidate::new(view, known, outlook, (group, class))).collect();
        let mut order: Vec<u32> = (0..candidates.len() as u32).collect();
        order.sort_unstable_by(|a, b| candidates[*a as usize].by_right(&candidates[*b as usize]));
        Self { candidates, order }
    }

    /// Takes in a group that came since.
    pub(super) fn add(&mut self, view: &View<'_>, known: &Known, outlook: Outlook<'_>, place: (usize, usize)) {
        let Some(new) = Candidate::new(view, known, outlook, place) else { return };
        let at = self.order.partition_point(|other| self.candidates[*other as usize].by_right(&new).is_le());
        self.order.insert(at, self.candidates.len() as u32);
        self.candidates.push(new);
    }

    /// The candidates in order.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.order.iter().map(|at| &self.candidates[*at as usize])
    }
}
