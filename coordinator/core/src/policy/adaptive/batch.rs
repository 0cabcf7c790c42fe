//! The last tasks of a batch: each is assigned to a class of workers so that all classes end together as early as possible, and
//! placed there. What the plan begins now is started; what else could begin now and end no later than planned is started too.
//!
//! The assignment begins where each task costs least by prices, and is improved task by task: the sum of a high power of the
//! classes' loads falls with each change, and with it the highest (descent on the L_p norm of loads, Awerbuch et al. 1995).

use super::field::Field;
use super::known::Choice;
use super::stream::{Way, Weights, best, timelines, weigh};
use super::timeline::Timeline;
use super::{Outlook, fill, order};
use crate::decision::{decided, weighed};
use crate::plan::{Move, View};
use shared::fact::{Decision, Rule};
use std::sync::Arc;

/// The power of the loads.
const POWER: i32 = 16;
/// At most this many rounds over all tasks.
const ROUNDS: u32 = 12;
/// A task counts as longer by so many standard deviations of what is known of it.
const DOUBT: f64 = 0.5;
/// How much longer than the least possible time the work may take.
const SLACK: f64 = 1.1;

/// What counts is the end of the batch.
const WEIGHTS: Weights = Weights { wait: 1.0, energy: 0.0 };

/// Where a task of a group is planned.
struct Place {
    group: usize,
    way: Way,
    /// What was weighed, where it begins now.
    decision: Option<Arc<Decision>>,
}

pub(super) fn plan(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let waiting: Vec<usize> =
        (0..field.known.groups.len()).flat_map(|at| std::iter::repeat_n(at, field.known.groups[at].count)).collect();
    let assigned = assign(field, outlook, &waiting);
    let lines = timelines(view, field);
    let mut tasks: Vec<Task> = waiting.iter().zip(assigned).map(|(group, choice)| Task::new(field, *group, choice)).collect();
    // The longest first where it was assigned; what may take longer than it should counts as longer.
    tasks.sort_by(|a, b| b.is_critical.cmp(&a.is_critical).then(b.size_s.total_cmp(&a.size_s)));
    let (balanced, balanced_s) = place(view, field, &tasks, lines.clone(), |task, choice| task.assigned == Some(choice.class));
    let (earliest, earliest_s) = place(view, field, &tasks, lines, |_, _| true);
    start(view, field, if balanced_s <= earliest_s { balanced } else { earliest }, moves);
}

/// A waiting task and the class it was assigned to.
struct Task {
    group: usize,
    assigned: Option<usize>,
    is_critical: bool,
    size_s: f64,
}

impl Task {
    fn new(field: &Field<'_>, group: usize, assigned: Option<&Choice>) -> Self {
        let entry = &field.known.groups[group];
        let size_s = assigned.map_or(0.0, |choice| choice.seconds) * (DOUBT * entry.deviation).exp();
        Self { group, assigned: assigned.map(|choice| choice.class), is_critical: order::is_critical(entry), size_s }
    }
}

/// A way to run for each of the tasks, which are given by their groups; none where no class can run it.
fn assign<'f>(field: &'f Field<'_>, outlook: Outlook<'_>, tasks: &[usize]) -> Vec<Option<&'f Choice>> {
    let slots: Vec<f64> = field.known.classes.iter().map(|class| class.capacity[0].max(1.0)).collect();
    let mut loads = vec![0.0; slots.len()];
    for running in &field.running {
        if let Some(class) = field.known.class_of[running.worker.0 as usize] {
            loads[class] += running.remaining_s * f64::from(running.takes.slots) / slots[class];
        }
    }
    let cost = |choice: &Choice| outlook.cost(choice);
    let adds = |choice: &Choice| choice.seconds * f64::from(choice.takes.slots) / slots[choice.class];
    // Nothing is put where it alone takes longer than all of the work should, unless it takes that long everywhere.
    let allowed = |group: usize| {
        let limit = (SLACK * outlook.prices.bound).max(field.known.groups[group].least_s);
        field.known.groups[group].choices.iter().filter(move |choice| choice.seconds <= limit)
    };
    let mut chosen: Vec<Option<&Choice>> = Vec::with_capacity(tasks.len());
    for &group in tasks {
        let choices = allowed(group);
        let cheapest = choices.min_by(|a, b| cost(a).total_cmp(&cost(b)).then(a.seconds.total_cmp(&b.seconds)));
        cheapest.into_iter().for_each(|choice| loads[choice.class] += adds(choice));
        chosen.push(cheapest);
    }
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (task, &group) in tasks.iter().enumerate() {
            let Some(now) = chosen[task] else { continue };
            let whole = loads.iter().copied().fold(1e-9, f64::max);
            loads[now.class] -= adds(now);
            let power = |load: f64| (load / whole).powi(POWER);
            let worth = |choice: &&Choice| power(loads[choice.class] + adds(choice)) - power(loads[choice.class]);
            let best = allowed(group).min_by(|a, b| worth(a).total_cmp(&worth(b))).expect("where it is now is allowed");
            loads[best.class] += adds(best);
            if !std::ptr::eq(best, now) {
                chosen[task] = Some(best);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    chosen
}

/// Places the tasks one by one where they end first among the ways they may be run. Says when the last one ends.
fn place(
    view: &View<'_>,
    field: &Field<'_>,
    tasks: &[Task],
    mut lines: Vec<Option<Timeline>>,
    may: impl Fn(&Task, &Choice) -> bool,
) -> (Vec<Place>, f64) {
    let mut places = Vec::with_capacity(tasks.len());
    let mut last = 0.0f64;
    for task in tasks {
        let group = &field.known.groups[task.group];
        let Some(way) = best(field, group, &lines, WEIGHTS, |choice| may(task, choice)) else { continue };
        let decision = way.is_now().then(|| weigh(view, field, group, &lines, way, WEIGHTS)).flatten();
        way.book(&mut lines);
        last = last.max(way.end());
        places.push(Place { group: task.group, way, decision });
    }
    (places, last)
}

fn start(view: &mut View<'_>, field: &Field<'_>, places: Vec<Place>, moves: &mut Vec<Move>) {
    let mut queues = fill::waiting_tasks(view, field);
    let mut give = |view: &mut View<'_>, group: usize, way: &Way, decision: Option<Arc<Decision>>, why: &str| {
        let (class, to, hardware) = (field.known.groups[group].profile.class, way.worker, way.choice.hardware);
        let fits = view.room_for(class, to, hardware) > 0;
        if fits && let Some(task) = queues[group].next() {
            view.reserve(class, to, hardware);
            moves.push(Move::Lease { task, to, hardware, why: why.into(), decision });
        }
        fits
    };
    let (now, later): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|place| place.way.is_now());
    for Place { group, way, decision } in now {
        give(view, group, &way, decision, "adaptive: the batch ends soonest so");
    }
    for Place { group, way: planned, .. } in later {
        if !view.has_room() {
            break;
        }
        let mut sooner: Vec<Way> = Vec::new();
        for choice in field.known.groups[group].choices.iter().filter(|choice| choice.seconds <= planned.end()) {
            let idle = field.known.classes[choice.class].members.iter().filter(|worker| view.free(**worker).slots > 0);
            sooner.extend(idle.map(|worker| Way { worker: *worker, choice: *choice, start: 0.0, penalty_s: 0.0 }));
        }
        sooner.sort_by(|a, b| a.choice.seconds.total_cmp(&b.choice.seconds).then(a.worker.cmp(&b.worker)));
        for idle in sooner {
            let decision = instead(view, &idle, &planned);
            if give(view, group, &idle, decision, "adaptive: it ends no later here than planned") {
                break;
            }
        }
    }
}

/// The record of why a task begins on an idle worker instead of where it was planned for later.
fn instead(view: &View<'_>, idle: &Way, planned: &Way) -> Option<Arc<Decision>> {
    let term = |way: &Way| weighed(view, (way.worker, way.choice.hardware), way.start, way.choice.seconds, 0.0);
    decided(Rule::Finish { wait_weight: 1.0 }, term(idle), vec![term(planned)], None)
}
