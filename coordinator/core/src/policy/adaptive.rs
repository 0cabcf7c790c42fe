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
mod known;
mod order;
mod relocate;
mod shelf;
mod stream;
mod timeline;

use crate::plan::{Plan, Policy, View};
use crate::price::{self, Prices};
use field::Field;
use known::{Choice, Known};
use shared::time::Time;
use std::time::Duration;

/// Rounds of the price engine from nothing, and from the prices of a moment ago.
const ROUNDS_COLD: u32 = 60;
const ROUNDS_WARM: u32 = 6;
/// How often a time is tried in one look, how many offers are looked at for that in all, and how close is close enough.
const TRIALS_MAX: usize = 8;
const OFFERS_MAX: usize = 250_000;
const CLOSE: f64 = 0.03;
/// At most this many waiting tasks are planned one by one, or twice as many as there are slots …
const FEW_TASKS: usize = 300;
/// … while that is at most this many tasks times workers.
const PLANNED_MAX: usize = 200_000;
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

impl Outlook<'_> {
    /// What a task costs there, in seconds of the whole fleet.
    fn cost(&self, choice: &Choice) -> f64 {
        self.prices.cost(&choice.offer())
    }
}

/// What was found a moment ago serves while no more than this changed: the time in seconds, and the share of the tasks that wait.
const FRESH_S: f64 = 1.0;
const FRESH_SHARE: f64 = 0.02;

/// See the module.
#[derive(Debug, Default)]
pub struct Adaptive {
    market: Option<Market>,
}

/// What was found, and when.
#[derive(Debug)]
struct Market {
    at: Time,
    /// Tasks that waited then.
    waiting: u64,
    goal: Goal,
    prices: Prices,
    left_s: f64,
    /// The field, where many tasks waited.
    known: Option<Known>,
}

impl Market {
    fn outlook(&self) -> Outlook<'_> {
        Outlook { goal: self.goal, prices: &self.prices, left_s: self.left_s }
    }

    fn is_fresh(&self, view: &View<'_>) -> bool {
        let changed = self.waiting.abs_diff(view.ledger().counts().queued) as f64;
        view.now().since(self.at).as_secs_f64() < FRESH_S && changed <= FRESH_SHARE * self.waiting as f64
    }
}

impl Policy for Adaptive {
    fn name(&self) -> &'static str {
        "adaptive"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let Some(mut market) = self.market.take() else { return self.look(view, None) };
        let fresh = market.known.take().filter(|known| market.is_fresh(view) && known.is_of(view));
        if let Some(mut known) = fresh
            && known.catch_up(view, market.outlook())
        {
            return self.go_on(view, market, known);
        }
        self.look(view, Some(market))
    }
}

impl Adaptive {
    /// Many tasks wait and little has changed since the last look: free slots take the next of them.
    fn go_on(&mut self, view: &mut View<'_>, mut market: Market, mut known: Known) -> Plan {
        let mut moves = Vec::new();
        fill::plan(view, &mut known, market.outlook(), &mut moves);
        market.known = Some(known);
        self.market = Some(market);
        Plan { moves, again: next_look(view) }
    }

    /// Looks at all that waits and runs.
    fn look(&mut self, view: &mut View<'_>, before: Option<Market>) -> Plan {
        let mut field = Field::new(view);
        if field.known.groups.is_empty() && field.running.is_empty() {
            self.market = before;
            return Plan::default();
        }
        let goal = goal_of(view, &field);
        let mut market = price_work(view, &field, goal, before);
        let mut moves = Vec::new();
        let is_much = is_much(view, &field);
        if is_much {
            field.known.groups.iter_mut().for_each(|group| group.price(&market.prices));
        }
        if view.has_room() {
            relocate::rescue(view, &field, market.outlook(), &mut moves);
            match goal {
                _ if is_much => fill::plan(view, &mut field.known, market.outlook(), &mut moves),
                Goal::Makespan => batch::plan(view, &field, market.outlook(), &mut moves),
                Goal::Flow => stream::plan(view, &field, market.outlook(), &mut moves),
            }
        }
        relocate::relocate(view, &field, market.outlook(), &mut moves);
        market.known = is_much.then_some(field.known);
        self.market = Some(market);
        Plan { moves, again: next_look(view) }
    }
}

fn next_look(view: &View<'_>) -> Option<Time> {
    Some(view.now() + Duration::from_secs_f64(view.config().check_interval_s))
}

/// Whether more waits than is planned one by one.
fn is_much(view: &View<'_>, field: &Field<'_>) -> bool {
    let slots: f64 = field.known.classes.iter().map(|class| class.capacity[0]).sum();
    let waiting = field.known.waiting();
    waiting > FEW_TASKS.max(2 * slots as usize) || waiting * view.fleet().len() > PLANNED_MAX
}

/// Prices for what waits, on the room that what runs leaves until all of it is done. How long that is, is sought: over a
/// longer time more room is left, and the least time in which the room is enough counts.
fn price_work(view: &View<'_>, field: &Field<'_>, goal: Goal, before: Option<Market>) -> Market {
    let known = before.filter(|market| market.prices.y.len() == field.known.classes.len());
    let (prices, at, waiting) = match known {
        Some(market) if market.is_fresh(view) => (market.prices, market.at, market.waiting),
        known => (find(field, known.map(|market| market.prices)), view.now(), view.ledger().counts().queued),
    };
    let longest_s = field.running.iter().map(|running| running.remaining_s).fold(0.0, f64::max);
    Market { at, waiting, goal, left_s: prices.bound.max(longest_s), prices, known: None }
}

/// Seeks prices and the time that goes with them, from those of a moment ago where there are any.
fn find(field: &Field<'_>, known: Option<Prices>) -> Prices {
    let mut instance = field.instance();
    let mut prices = known.unwrap_or_else(|| price::solve(&instance, None, ROUNDS_COLD, true));
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut within_s = prices.bound.max(1e-3);
    for _ in 0..(OFFERS_MAX / instance.offers().max(1)).clamp(1, TRIALS_MAX) {
        instance.set_capacity(field.left(within_s));
        prices = price::solve(&instance, Some(&prices), ROUNDS_WARM, true);
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
    let heads = field.known.groups.iter().map(|group| group.submitted);
    let tails = field.known.groups.iter().filter_map(|group| view.newest(&group.profile));
    let running = field.running.iter().map(|running| running.task.submitted);
    for submitted in heads.chain(tails).chain(running) {
        first = first.min(submitted);
        last = last.max(submitted);
    }
    if last.since(first).as_secs_f64() <= BATCH_S { Goal::Makespan } else { Goal::Flow }
}
