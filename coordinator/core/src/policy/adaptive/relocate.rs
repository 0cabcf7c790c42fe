//! What runs and would end sooner elsewhere: it is moved with its state where it can save it, or begun a second time where it
//! cannot; and what blocks a slot that many short tasks wait for is set aside.

use super::field::{Field, Running, belief};
use super::known::Group;
use super::{Goal, Outlook, order};
use crate::decision::{decided, weighed};
use crate::fleet::WorkerIndex;
use crate::plan::{Move, RESTART_S, View, move_cost_s};
use shared::fact::{Decision, Rule, Weighed};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::sync::Arc;

/// A move must save this share of what remains, and this many times what it costs.
const GAIN_SHARE: f64 = 0.2;
const GAIN_COSTS: f64 = 2.0;
/// A task is moved at most this often while it runs.
const MOVES_MAX: u32 = 2;
/// An attempt that has just begun is left alone for this long, in seconds.
const SETTLE_S: f64 = 5.0;
/// A worker that runs slower than this beside its own normal is slowed down.
const SLOWED: f64 = 0.8;

/// One move that was weighed.
struct Offer {
    to: WorkerIndex,
    hardware: HardwareKind,
    gain_s: f64,
    cost_s: f64,
    decision: Option<Arc<Decision>>,
}

/// A running task that will outlast all other work where it runs is moved, or begun again, before anything else is started:
/// it is what the whole waits for.
pub(super) fn rescue(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    if outlook.goal == Goal::Makespan && !field.known.groups.is_empty() {
        move_longest(view, field, outlook.goal, outlook.left_s, moves);
    }
}

/// Uses slots that nothing waits for, and sets long tasks aside for short ones.
pub(super) fn relocate(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    if outlook.goal == Goal::Flow {
        preempt(view, field, outlook, moves);
    }
    let leased = moves.iter().filter(|planned| matches!(planned, Move::Lease { .. })).count();
    let some_wait = field.known.groups.iter().map(|group| group.count).sum::<usize>() > leased;
    move_longest(view, field, outlook.goal, if some_wait { outlook.left_s } else { 0.0 }, moves);
}

/// Moves those of the running tasks that will run for longer than `beyond_s`, the longest first, as far as room and budget go.
fn move_longest(view: &mut View<'_>, field: &Field<'_>, goal: Goal, beyond_s: f64, moves: &mut Vec<Move>) {
    let mut order: Vec<&Running<'_>> =
        field.running.iter().filter(|running| running.remaining_s > beyond_s && may_move(running)).collect();
    order.sort_by(|a, b| b.remaining_s.total_cmp(&a.remaining_s).then(a.id.cmp(&b.id)));
    for running in order {
        if !view.has_room() {
            break;
        }
        if moves.iter().any(|planned| concerns(planned, running.id)) {
            continue;
        }
        if running.task.can_save() {
            if view.migrations_left() > 0
                && let Some(Offer { to, hardware, gain_s, cost_s, decision }) = best(view, running, true)
            {
                view.reserve(running.class, to, hardware);
                let why = "adaptive: it ends sooner there".into();
                moves.push(Move::Migrate { task: running.id, to, hardware, gain_s, cost_s, why, decision });
                view.use_migration();
            }
        } else if may_hedge(view, running, goal)
            && let Some(Offer { to, hardware, decision, .. }) = best(view, running, false)
        {
            view.reserve(running.class, to, hardware);
            let why = "adaptive: begun again it ends sooner".into();
            moves.push(Move::Hedge { task: running.id, to, hardware, why, decision });
        }
    }
}

/// Whether a move is of that running task.
fn concerns(planned: &Move, running: TaskId) -> bool {
    match planned {
        Move::Lease { .. } => false,
        Move::Preempt { task, .. } | Move::Migrate { task, .. } | Move::Hedge { task, .. } => *task == running,
    }
}

/// A second attempt costs a slot for as long as it runs. At the end of a batch slots are free; in a stream others come, and it is
/// worth its slot only where the worker says that it runs slower than it should.
fn may_hedge(view: &View<'_>, running: &Running<'_>, goal: Goal) -> bool {
    goal == Goal::Makespan || view.fleet().get(running.worker).load.speed.is_some_and(|speed| speed < SLOWED)
}

fn may_move(running: &Running<'_>) -> bool {
    running.task.is_open()
        && running.elapsed_s >= SETTLE_S
        && running.task.standstill().is_none()
        && running.task.live().count() == 1
        && running.task.moves() < MOVES_MAX
        && !running.task.is_cancelled()
}

/// Where a running task would end soonest, if that is enough sooner: with its state, or from the beginning.
fn best(view: &mut View<'_>, running: &Running<'_>, with_state: bool) -> Option<Offer> {
    let workers: Vec<WorkerIndex> = view.fleet().iter().map(|(at, _)| at).filter(|at| *at != running.worker).collect();
    let source = belief(view, running.task, running.worker, running.hardware);
    let mut best: Option<(Offer, Weighed)> = None;
    let mut others = Vec::new();
    for to in workers {
        if view.free(to).slots == 0 {
            continue;
        }
        for hardware in view.options(running.class, to).to_vec() {
            if view.room_for(running.class, to, hardware) == 0 {
                continue;
            }
            let target = belief(view, running.task, to, hardware);
            // How long a task is, is its own: begun again it has to do all of it again, at the other's speed.
            let (again_s, cost_s) = if with_state { (0.0, move_cost_s(running.task)) } else { (running.elapsed_s, RESTART_S) };
            let there_s = (running.remaining_s + again_s) * (target.log - source.log).exp();
            let gain_s = running.remaining_s - there_s - cost_s;
            let least_s = match view.config().enable_cost_benefit_analysis {
                true => (GAIN_SHARE * running.remaining_s).max(GAIN_COSTS * cost_s),
                false => 0.0,
            };
            let enough = gain_s > least_s;
            let place = weighed(view, (to, hardware), 0.0, there_s, cost_s);
            if enough && best.as_ref().is_none_or(|(best, _)| gain_s > best.gain_s) {
                let before = best.replace((Offer { to, hardware, gain_s, cost_s, decision: None }, place));
                others.extend(before.map(|(_, place)| place));
            } else {
                others.push(place);
            }
        }
    }
    let (offer, place) = best?;
    let stays = weighed(view, (running.worker, running.hardware), 0.0, running.remaining_s, 0.0);
    let decision = decided(Rule::Finish { wait_weight: 1.0 }, place, others, Some(stays));
    Some(Offer { decision, ..offer })
}

/// A running task that is expected to take at least this many times as long as one that waits gives way to it.
const GIVES_WAY: f64 = 2.0;
/// No attempt gives way before it ran this long, in seconds, nor before it added half to what is behind it.
const QUANTUM_S: f64 = 60.0;

/// Long tasks that can save their state give way to short ones: while they wait the short ones' time counts, and the long ones
/// lose little. The more a task has had, the longer it is left alone, so that it gives way a bounded number of times.
fn preempt(view: &mut View<'_>, field: &Field<'_>, outlook: Outlook<'_>, moves: &mut Vec<Move>) {
    let gives =
        |running: &&Running<'_>| !order::is_long(running.remaining_s, running.deviation, outlook) && may_give_way(view, running);
    let mut victims: Vec<&Running<'_>> = field.running.iter().filter(gives).collect();
    if victims.is_empty() || field.known.groups.is_empty() || view.has_room() {
        return;
    }
    victims.sort_by(|a, b| b.remaining_s.total_cmp(&a.remaining_s).then(a.id.cmp(&b.id)));
    // A slot that is being made free already is enough for one of those that wait.
    let mut spare = field.running.iter().filter(|running| running.task.standstill().is_some()).count();
    let mut waiting: Vec<&Group> = field.known.groups.iter().collect();
    waiting.sort_by(|a, b| a.least_s.total_cmp(&b.least_s));
    for group in waiting {
        for _ in 0..group.count {
            if spare > 0 {
                spare -= 1;
                continue;
            }
            let shortest = |victim: &Running<'_>| {
                let class = field.known.class_of[victim.worker.0 as usize];
                let here =
                    group.choices.iter().filter(|choice| Some(choice.class) == class && choice.takes.slots <= victim.takes.slots);
                here.map(|choice| (choice.seconds, choice.hardware)).min_by(|a, b| a.0.total_cmp(&b.0))
            };
            let gives_way =
                |victim: &&Running<'_>| shortest(victim).is_some_and(|(seconds, _)| victim.remaining_s > GIVES_WAY * seconds);
            let Some(victim) = victims.iter().position(gives_way) else { break };
            let victim = victims.remove(victim);
            // What is weighed is the slot with the short task against the slot with the long one.
            let decision = shortest(victim).and_then(|(seconds, hardware)| {
                let short = weighed(view, (victim.worker, hardware), 0.0, seconds, 0.0);
                let long = weighed(view, (victim.worker, victim.hardware), 0.0, victim.remaining_s, 0.0);
                decided(Rule::Finish { wait_weight: 1.0 }, short, Vec::new(), Some(long))
            });
            moves.push(Move::Preempt { task: victim.id, why: "adaptive: shorter tasks wait".into(), decision });
        }
    }
}

fn may_give_way(view: &View<'_>, running: &Running<'_>) -> bool {
    let behind = view.behind_s(running.task, running.hardware) / view.speed(running.worker, running.hardware);
    running.task.can_save()
        && running.task.is_open()
        && running.task.standstill().is_none()
        && running.task.live().count() == 1
        && running.elapsed_s >= QUANTUM_S.max(behind / 2.0)
}
