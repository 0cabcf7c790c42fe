//! F68: a small genetic search over where the next tasks run. An individual names a way for each of the first 64 waiting tasks
//! that somebody has room for; it is read as a plan by giving each task, in order, the slots of that worker that are free
//! first. Fitness is a weighed sum of the mean end (latency), the end of the last (which is utilization), how uneven the
//! slots' work is (balance) and what it costs, each beside that of the earliest-finish plan, which is itself the first individual:
//! the search never ends worse than it.
//!
//! Bounded: 16 individuals, 20 generations, the two best kept, parents by tournament of three, uniform crossover, one gene in
//! 32 mutated. The dice begin at the same place in each life. Only what begins now is started.

use super::push::{lease, running_s};
use super::random::Dice;
use super::window::{Frame, Next, Way, next};
use crate::fleet::WorkerIndex;
use crate::plan::{Plan, Policy, View};
use std::collections::BTreeSet;

const FRAME: Frame = Frame { tasks: 64, ways_now: 12, ways_later: 4 };
const POPULATION: usize = 16;
const GENERATIONS: usize = 20;
const KEPT: usize = 2;
const TOURNAMENT: usize = 3;
const MUTATES_ONE_IN: usize = 32;
/// How latency, utilization, balance and cost count.
const WEIGHTS: [f64; 4] = [0.4, 0.3, 0.2, 0.1];

/// See the module.
#[derive(Debug)]
pub(super) struct Genetic(Dice);

impl Default for Genetic {
    fn default() -> Self {
        Self(Dice::new(3))
    }
}

type Genes = Vec<usize>;

/// The ways of the next tasks, and when the slots of their workers are free, in seconds from now, the first to be free first.
#[derive(Debug)]
struct Ground {
    ways: Vec<Vec<Step>>,
    slots: Vec<Vec<f64>>,
}

/// A way as the search needs it.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Which worker of the ground.
    at: usize,
    slots: usize,
    seconds: f64,
    cost: f64,
}

/// Latency, utilization, balance and cost of a plan; less is better.
type Terms = [f64; 4];

impl Policy for Genetic {
    fn name(&self) -> &'static str {
        "genetic"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let (mut moves, why) = (Vec::new(), self.name().into());
        let mut given = BTreeSet::new();
        while view.has_room() {
            let window = next(view, FRAME, &given);
            let ground = Ground::new(view, &window);
            let best = self.search(&ground);
            let starts = ground.starts(&best);
            let before = moves.len();
            for ((next, gene), start) in window.iter().zip(&best).zip(starts) {
                let way = next.ways[*gene];
                if start <= 0.0 && view.room_for(next.class, way.worker, way.hardware) > 0 {
                    moves.push(lease(view, next.id, next.class, way.worker, way.hardware, &why));
                    given.insert(next.id);
                }
            }
            // While something begins, more may begin behind it, or on workers that were not in the window.
            if moves.len() == before {
                break;
            }
        }
        Plan { moves, again: None }
    }
}

impl Genetic {
    /// The best individual that was found.
    fn search(&mut self, ground: &Ground) -> Genes {
        let first = ground.earliest_finish();
        if ground.ways.len() <= 1 {
            return first;
        }
        let scale = ground.terms(&first);
        let fitness = |genes: &Genes| weigh(ground.terms(genes), scale);
        let mut population: Vec<(f64, Genes)> = vec![(fitness(&first), first.clone())];
        while population.len() < POPULATION {
            let mut genes = first.clone();
            genes.iter_mut().zip(&ground.ways).for_each(|(gene, ways)| {
                if self.0.below(4) == 0 {
                    *gene = self.0.below(ways.len());
                }
            });
            population.push((fitness(&genes), genes));
        }
        for _ in 0..GENERATIONS {
            population.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut offspring: Vec<(f64, Genes)> = population[..KEPT].to_vec();
            while offspring.len() < POPULATION {
                let child = self.child(ground, &population);
                offspring.push((fitness(&child), child));
            }
            population = offspring;
        }
        population.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(first, |(_, genes)| genes)
    }

    /// A child of two parents, each the best of a few taken at random.
    fn child(&mut self, ground: &Ground, population: &[(f64, Genes)]) -> Genes {
        let mut parent = || {
            let drawn = (0..TOURNAMENT).map(|_| &population[self.0.below(population.len())]);
            drawn.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, genes)| genes)
        };
        let (Some(one), Some(other)) = (parent(), parent()) else { return population[0].1.clone() };
        let mut child = one.clone();
        for (at, gene) in child.iter_mut().enumerate() {
            if self.0.below(2) == 0 {
                *gene = other[at];
            }
            if self.0.below(MUTATES_ONE_IN) == 0 {
                *gene = self.0.below(ground.ways[at].len());
            }
        }
        child
    }
}

/// The terms beside those of the first plan, by their weights. What nobody pays for does not count.
fn weigh(terms: Terms, scale: Terms) -> f64 {
    let beside = |term: f64, scale: f64| if scale > 0.0 { term / scale } else { term };
    terms.iter().zip(scale).zip(WEIGHTS).map(|((term, scale), weight)| weight * beside(*term, scale)).sum()
}

impl Ground {
    fn new(view: &View<'_>, window: &[Next]) -> Self {
        let workers: BTreeSet<WorkerIndex> = window.iter().flat_map(|next| next.ways.iter().map(|way| way.worker)).collect();
        let workers: Vec<WorkerIndex> = workers.into_iter().collect();
        let step = |way: &Way| {
            let an_hour = view.fleet().get(way.worker).inventory.cost_per_hour.unwrap_or(0.0).max(0.0);
            let at = workers.binary_search(&way.worker).expect("it was collected from these ways");
            Step { at, slots: way.takes.slots as usize, seconds: way.seconds, cost: an_hour * way.seconds / 3600.0 }
        };
        let ways = window.iter().map(|next| next.ways.iter().map(step).collect()).collect();
        Self { ways, slots: workers.iter().map(|worker| slots_of(view, *worker)).collect() }
    }

    /// When each task begins.
    fn starts(&self, genes: &Genes) -> Vec<f64> {
        let mut slots = self.slots.clone();
        let steps = self.ways.iter().zip(genes).map(|(ways, gene)| ways[*gene]);
        steps.map(|step| book(&mut slots[step.at], step.slots, step.seconds)).collect()
    }

    /// What the plan is worth.
    fn terms(&self, genes: &Genes) -> Terms {
        let mut slots = self.slots.clone();
        let (mut ends, mut last, mut cost) = (0.0, 0.0_f64, 0.0);
        for (ways, gene) in self.ways.iter().zip(genes) {
            let step = ways[*gene];
            let end = book(&mut slots[step.at], step.slots, step.seconds) + step.seconds;
            ends += end;
            last = last.max(end);
            cost += step.cost;
        }
        let workers = slots.len().max(1) as f64;
        let busy: Vec<f64> = slots.iter().map(|own| own.iter().sum::<f64>() / own.len() as f64).collect();
        let mean = busy.iter().sum::<f64>() / workers;
        let uneven = busy.iter().map(|busy| (busy - mean).abs()).sum::<f64>() / workers;
        [ends / genes.len().max(1) as f64, last, uneven, cost]
    }

    /// Each task in order the way on which it ends first.
    fn earliest_finish(&self) -> Genes {
        let mut slots = self.slots.clone();
        let mut genes = Vec::with_capacity(self.ways.len());
        for ways in &self.ways {
            let mut best = (0, f64::INFINITY);
            for (index, step) in ways.iter().enumerate() {
                let own = &slots[step.at];
                let end = own[step.slots.clamp(1, own.len()) - 1] + step.seconds;
                if end < best.1 {
                    best = (index, end);
                }
            }
            let step = ways[best.0];
            book(&mut slots[step.at], step.slots, step.seconds);
            genes.push(best.0);
        }
        genes
    }
}

/// Takes `count` of the slots that are free first for `seconds`; when.
fn book(slots: &mut [f64], count: usize, seconds: f64) -> f64 {
    let count = count.clamp(1, slots.len());
    let start = slots[count - 1];
    slots[..count].iter_mut().for_each(|free| *free = start + seconds);
    // All but the first are in order: those go to where they belong.
    let still = slots[count..].partition_point(|free| *free < start + seconds);
    slots[..count + still].rotate_left(count);
    start
}

/// When the slots of a worker are free: now, or when what runs there is expected to end.
fn slots_of(view: &View<'_>, worker: WorkerIndex) -> Vec<f64> {
    let entry = view.fleet().get(worker);
    let whole = entry.inventory.slots.max(1) as usize;
    let free = view.free(worker).slots as usize;
    let mut slots: Vec<f64> = vec![0.0; free.min(whole)];
    for (left_s, taken) in running_s(view, worker) {
        slots.extend(std::iter::repeat_n(left_s, taken as usize));
    }
    // What was given a moment ago, or is on its way, is taken for as long as what runs.
    let usual = slots.iter().copied().fold(1.0, f64::max);
    slots.resize(whole, usual);
    slots.sort_by(f64::total_cmp);
    slots
}
