//! The default policy: tasks wait in the coordinator; what a second on each class of workers is worth decides which task a free
//! slot takes; near the end the next tasks are planned one by one; and what runs is moved when that ends the work sooner.
//!
//! - Many tasks wait: [`fill`], guided by [`crate::price`]. A slot takes the first in order of the tasks that belong to its
//!   class: those that cost hardly more there than anywhere else. It may stay idle for a moment when nothing belongs to it.
//! - Few tasks wait: those of a batch are spread over the classes so that all classes end together ([`batch`]); each of a stream
//!   is planned where it ends first ([`stream`]). Only what a plan begins now is started.
//! - Slots are free and nothing waits for them, a worker slows down, or short tasks wait behind long ones: [`relocate`].
//!
//! The goal is read off the work: tasks that came together are one batch, whose makespan counts; a stream is served so that
//! the mean flow time is short.

mod batch;
mod field;
mod fill;
mod order;
mod relocate;
mod stream;
mod timeline;

use crate::plan::{Plan, Policy, View};
use crate::price::{self, Prices};
use field::Field;
use shared::time::Time;
use std::time::Duration;

/// Rounds of the price engine from nothing, and from the prices of a moment ago.
const ROUNDS_COLD: u32 = 60;
const ROUNDS_WARM: u32 = 6;
/// How often a time is tried in one plan, and how close is close enough.
const TRIALS: u32 = 8;
const CLOSE: f64 = 0.03;
/// At most this many waiting tasks are planned one by one.
const FEW_TASKS: usize = 300;
/// Tasks that came within this many seconds of each other are one batch.
const BATCH_S: f64 = 5.0;

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The end of the last task.
    Makespan,
    /// The time tasks spend here, on average.
    Flow,
}

/// What a plan aims at, and what is known of the whole of the work.
#[derive(Debug, Clone, Copy)]
struct Outlook<'a> {
    goal: Goal,
    prices: &'a Prices,
    /// Seconds that all that waits and runs will take at least.
    left_s: f64,
}

/// Prices of a moment ago serve while no more than this changed: the time in seconds, and the share of the tasks that wait.
const FRESH_S: f64 = 1.0;
const FRESH_SHARE: f64 = 0.02;

/// See the module.
#[derive(Debug, Default)]
pub struct Adaptive {
    market: Option<Market>,
}

/// Prices, and what they were found for.
#[derive(Debug)]
struct Market {
    prices: Prices,
    at: Time,
    waiting: usize,
}

impl Policy for Adaptive {
    fn name(&self) -> &'static str {
        "adaptive"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let field = Field::new(view);
        if field.groups.is_empty() && field.running.is_empty() {
            return Plan::default();
        }
        let goal = goal_of(view, &field);
        let waiting: usize = field.groups.iter().map(|group| group.count).sum();
        let prices = self.refresh(&field, view.now(), waiting);
        let longest_s = field.running.iter().map(|running| running.remaining_s).fold(0.0, f64::max);
        let outlook = Outlook { goal, prices, left_s: prices.bound.max(longest_s) };
        let slots: f64 = field.classes.iter().map(|class| class.capacity[0]).sum();
        let mut moves = Vec::new();
        if view.has_room() {
            relocate::rescue(view, &field, outlook, &mut moves);
            match goal {
                _ if waiting > FEW_TASKS.max(2 * slots as usize) => fill::plan(view, &field, outlook, &mut moves),
                Goal::Makespan => batch::plan(view, &field, outlook, &mut moves),
                Goal::Flow => stream::plan(view, &field, outlook, &mut moves),
            }
        }
        relocate::relocate(view, &field, outlook, &mut moves);
        Plan { moves, again: Some(view.now() + Duration::from_secs_f64(view.config().check_interval_s)) }
    }
}

impl Adaptive {
    /// Prices for what waits, on the room that what runs leaves until all of it is done. How long that is, is sought: over a
    /// longer time more room is left, and the least time in which the room is enough counts.
    fn refresh(&mut self, field: &Field<'_>, now: Time, waiting: usize) -> &Prices {
        let known = self.market.take().filter(|market| market.prices.y.len() == field.classes.len());
        let is_fresh = |market: &Market| {
            let changed = market.waiting.abs_diff(waiting) as f64;
            now.since(market.at).as_secs_f64() < FRESH_S && changed <= FRESH_SHARE * market.waiting as f64
        };
        let market = match known {
            Some(market) if is_fresh(&market) => market,
            known => Market { prices: find(field, known.map(|market| market.prices)), at: now, waiting },
        };
        &self.market.insert(market).prices
    }
}

/// Seeks prices and the time that goes with them, from those of a moment ago where there are any.
fn find(field: &Field<'_>, known: Option<Prices>) -> Prices {
    let mut prices = known.unwrap_or_else(|| price::solve(&field.instance(None), None, ROUNDS_COLD, true));
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut within_s = prices.bound.max(1e-3);
    for _ in 0..TRIALS {
        prices = price::solve(&field.instance(Some(within_s)), Some(&prices), ROUNDS_WARM, true);
        if prices.bound <= within_s {
            high = within_s;
        } else {
            low = within_s;
        }
        if high - low < CLOSE * high || (within_s - prices.bound).abs() < CLOSE * within_s {
            break;
        }
        within_s = if high.is_finite() { 0.5 * (low.max(prices.bound.min(high)) + high) } else { 1.5 * within_s };
    }
    prices.bound = if high.is_finite() { high } else { within_s };
    prices
}

fn goal_of(view: &View<'_>, field: &Field<'_>) -> Goal {
    let (mut first, mut last) = (Time(u64::MAX), Time::ZERO);
    let heads = field.groups.iter().map(|group| group.head.submitted);
    let tails = field.groups.iter().filter_map(|group| view.newest(group.profile));
    let running = field.running.iter().map(|running| running.task.submitted);
    for submitted in heads.chain(tails).chain(running) {
        first = first.min(submitted);
        last = last.max(submitted);
    }
    if last.since(first).as_secs_f64() <= BATCH_S { Goal::Makespan } else { Goal::Flow }
}
