//! Prices against the exact linear program, and against all assignments where there are few.

use super::*;
use microlp::{ComparisonOp, OptimizationDirection, Problem};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// The exact optimum of the linear program.
fn exact(instance: &Instance) -> f64 {
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let end = problem.add_var(1.0, (0.0, f64::INFINITY));
    let mut loads = vec![vec![(end, -1.0)]; instance.capacity.len() * RESOURCES];
    for (count, offers) in instance.groups() {
        let mut whole = Vec::new();
        for offer in offers {
            let capacity = &instance.capacity[offer.class];
            if !fits(offer, capacity) {
                continue;
            }
            let load: Amounts = std::array::from_fn(|r| offer.seconds * offer.takes[r] / capacity[r]);
            let part = problem.add_var(0.0, (0.0, f64::INFINITY));
            whole.push((part, 1.0));
            for r in (0..RESOURCES).filter(|r| load[*r] > 0.0) {
                loads[offer.class * RESOURCES + r].push((part, count * load[r]));
            }
        }
        if !whole.is_empty() {
            problem.add_constraint(&whole, ComparisonOp::Eq, 1.0);
        }
    }
    for load in loads.iter().filter(|load| load.len() > 1) {
        problem.add_constraint(load.as_slice(), ComparisonOp::Le, 0.0);
    }
    problem.solve().expect("the program has a solution").solution().expect("it is found").objective()
}

fn unit(random: &mut Pcg64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn slots(class: usize, seconds: f64) -> Offer {
    Offer { class, mode: 0, seconds, takes: [1.0, 0.0, 0.0] }
}

fn random_instance(random: &mut Pcg64, classes: usize, groups: usize, resources: usize) -> Instance {
    let mut amount = |most: f64| 1.0 + (unit(random) * most).floor();
    let mut capacity: Vec<Amounts> = (0..classes).map(|_| [amount(31.0), amount(200.0), amount(80.0)]).collect();
    if classes > 2 && unit(random) < 0.3 {
        capacity[1] = [0.0; RESOURCES];
    }
    let class_speed: Vec<f64> = (0..classes).map(|_| (unit(random) * 2.0).exp()).collect();
    let mut instance = Instance::new(capacity);
    for _ in 0..groups {
        let size = (unit(random) * 5.0).exp();
        let cores = 1.0 + (unit(random) * 1.5).floor();
        let memory = if resources > 1 { unit(random) * 16.0 } else { 0.0 };
        let device = if resources > 2 { unit(random) * 16.0 } else { 0.0 };
        let share = if unit(random) < 0.1 { 0.1 } else { 0.8 };
        let offers: Vec<Offer> = (0..classes)
            .filter_map(|class| {
                let seconds = size * (unit(random) * 2.0).exp() / class_speed[class];
                let takes = [cores, memory, if class % 2 == 0 { device } else { 0.0 }];
                (unit(random) < share).then_some(Offer { class, mode: 0, seconds, takes })
            })
            .collect();
        instance.add(1.0 + (unit(random) * 30.0).floor(), offers);
    }
    instance
}

#[test]
fn a_hundred_rounds_come_within_half_a_percent_of_the_linear_program() {
    let mut random = Pcg64::seed_from_u64(11);
    for (classes, groups, resources) in
        [(1, 5, 1), (2, 1, 1), (2, 3, 1), (3, 10, 1), (6, 40, 3), (8, 6, 2), (12, 100, 3), (20, 80, 3)]
    {
        for _ in 0..30 {
            let instance = random_instance(&mut random, classes, groups, resources);
            let optimum = exact(&instance);
            let found = solve(&instance, None, 100, false);
            assert!(found.bound <= optimum * (1.0 + 1e-7) + 1e-9, "{} is above {optimum}", found.bound);
            assert!(found.bound >= optimum * 0.995, "{} of {optimum} with {classes} {groups} {resources}", found.bound);
        }
    }
}

#[test]
fn four_warm_rounds_follow_a_change_of_the_work() {
    let mut random = Pcg64::seed_from_u64(12);
    for _ in 0..20 {
        let mut instance = random_instance(&mut random, 6, 60, 1);
        let before = solve(&instance, None, 60, false);
        instance.groups.iter_mut().for_each(|group| group.0 *= 0.9 + 0.2 * unit(&mut random));
        let after = solve(&instance, Some(&before), 4, false);
        let optimum = exact(&instance);
        assert!(after.bound >= optimum * 0.985 && after.bound <= optimum * (1.0 + 1e-7), "{} of {optimum}", after.bound);
    }
}

#[test]
fn the_bound_is_what_the_prices_prove_and_they_cost_one_a_second() {
    let mut random = Pcg64::seed_from_u64(13);
    for prune in [false, true] {
        let instance = random_instance(&mut random, 5, 20, 3);
        let prices = solve(&instance, None, 50, prune);
        let whole: f64 =
            instance.capacity.iter().zip(&prices.y).map(|(c, y)| (0..RESOURCES).map(|r| c[r] * y[r]).sum::<f64>()).sum();
        assert!((whole - 1.0).abs() < 1e-12, "{whole}");
        assert_eq!(prices.bound, prices.certify(&instance));
        let doubled = Prices { y: prices.y.iter().map(|y| y.map(|y| 2.0 * y)).collect(), ..prices.clone() };
        assert!((doubled.certify(&instance) / prices.bound - 1.0).abs() < 1e-12, "scale does not matter");
        assert!(prices.y.iter().flatten().all(|y| *y >= 0.0));
    }
}

#[test]
fn prices_balance_two_classes() {
    // Twelve tasks, one slot each; 1 s here, 3 s there: nine here, three there, 9 s. The slower slot is worth a third.
    let mut instance = Instance::new(vec![[1.0, 0.0, 0.0]; 2]);
    instance.add(12.0, [slots(0, 1.0), slots(1, 3.0)]);
    let prices = solve(&instance, None, 100, false);
    assert!((prices.bound - 9.0).abs() < 0.01, "{prices:?}");
    assert!((prices.y[0][0] / prices.y[1][0] - 3.0).abs() < 0.03, "{prices:?}");
}

#[test]
fn what_nobody_needs_is_worth_nothing_and_what_is_missing_is_not_counted() {
    let mut instance = Instance::new(vec![[4.0, 64.0, 0.0], [8.0, 64.0, 0.0], [0.0; RESOURCES]]);
    instance.add(8.0, [Offer { class: 0, mode: 0, seconds: 5.0, takes: [1.0, 1.0, 0.0] }]);
    // These three cannot run: no offer, more than the class has, a class without anything.
    instance.add(100.0, []);
    instance.add(100.0, [Offer { class: 0, mode: 0, seconds: 5.0, takes: [1.0, 65.0, 0.0] }]);
    instance.add(100.0, [slots(2, 5.0)]);
    let prices = solve(&instance, None, 100, false);
    assert!((prices.bound - 10.0).abs() < 0.02, "{prices:?}");
    assert!(prices.y[0][0] > 100.0 * prices.y[1][0], "{prices:?}");
    assert_eq!(prices.y[2], [0.0; RESOURCES]);
}

#[test]
fn nothing_to_do_and_nobody_to_do_it_have_the_bound_zero() {
    let idle = Instance::new(vec![[4.0, 8.0, 0.0]]);
    assert_eq!(solve(&idle, None, 10, false).bound, 0.0);
    let mut nobody = Instance::new(Vec::new());
    nobody.add(3.0, []);
    assert_eq!(solve(&nobody, None, 10, true).bound, 0.0);
    let mut empty = Instance::new(vec![[0.0; RESOURCES]]);
    empty.add(3.0, [slots(0, 1.0)]);
    assert_eq!(solve(&empty, None, 10, true).bound, 0.0);
    let mut instant = Instance::new(vec![[1.0, 0.0, 0.0]]);
    instant.add(3.0, [slots(0, 0.0)]);
    assert_eq!(solve(&instant, None, 10, true).bound, 0.0);
}

/// The least makespan without interruptions when every class is one slot: all assignments are tried.
fn assignment_optimum(instance: &Instance, from: usize, busy: &mut [f64]) -> f64 {
    let Some((_, range)) = instance.groups.get(from) else { return busy.iter().copied().fold(0.0, f64::max) };
    let mut best = f64::INFINITY;
    for offer in &instance.offers[range.clone()] {
        busy[offer.class] += offer.seconds;
        best = best.min(assignment_optimum(instance, from + 1, busy));
        busy[offer.class] -= offer.seconds;
    }
    best
}

#[test]
fn pruning_raises_the_bound_but_not_above_the_best_schedule_without_interruptions() {
    let mut random = Pcg64::seed_from_u64(14);
    let mut raised = 0;
    for _ in 0..200 {
        let mut instance = Instance::new(vec![[1.0, 0.0, 0.0]; 3]);
        for _ in 0..6 {
            let size = 1.0 + 4.0 * unit(&mut random);
            let offers: Vec<Offer> = (0..3).map(|class| slots(class, size * (unit(&mut random) * 4.0).exp())).collect();
            instance.add(1.0, offers);
        }
        let optimum = assignment_optimum(&instance, 0, &mut [0.0; 3]);
        let (whole, pruned) = (solve(&instance, None, 100, false), solve(&instance, None, 100, true));
        assert!(pruned.bound <= optimum * (1.0 + 1e-9), "{} is above {optimum}", pruned.bound);
        assert!(pruned.bound >= whole.bound * 0.999, "{} {}", pruned.bound, whole.bound);
        raised += usize::from(pruned.bound > whole.bound * 1.02);
    }
    assert!(raised > 20, "pruning raised only {raised} of 200 bounds");
}
