//! What sets apart the policies that push.

use super::{a_minute, fleet, places, timed};
use crate::common::{machine, spec};
use crate::floor::{Floor, at_speed, with_device};
use shared::hardware::{HardwareKind, Inventory};
use shared::id::TaskId;
use shared::protocol::Start;
use shared::task::TaskSpec;

#[test]
fn round_robin_gives_each_worker_its_turn() {
    let mut floor = fleet("round_robin", &[9, 9, 9]);
    let ids = floor.submit(vec![spec("x"); 7]);
    assert_eq!(places(&floor, &ids), [1, 2, 3, 1, 2, 3, 1].map(Some));
}

#[test]
fn round_robin_does_not_let_tasks_of_one_class_take_the_turns_of_another() {
    let mut floor = fleet("round_robin", &[9, 9]);
    floor.join("c", 3, with_device(machine(9), HardwareKind::Cuda));
    let gpu = TaskSpec { hardware: vec![HardwareKind::Cuda], ..spec("g") };
    let ids = floor.submit((0..8).map(|at| if at % 2 == 0 { gpu.clone() } else { spec("x") }).collect());
    let plain: Vec<TaskId> = ids.iter().copied().skip(1).step_by(2).collect();
    assert_eq!(places(&floor, &plain), [1, 2, 3, 1].map(Some));
}

#[test]
fn a_pushed_task_waits_for_its_worker_though_another_is_free() {
    let mut floor = fleet("round_robin", &[1, 1]);
    floor.submit(vec![spec("x"); 2]);
    floor.run_for(1.0);
    let more = floor.submit(vec![spec("x"); 3]);
    floor.join("c", 3, machine(9));
    floor.run_for(5.0);
    assert_eq!(places(&floor, &more), [None, None, None]);
    floor.finish(&more, 200.0);
    assert_eq!(places(&floor, &more), [1, 2, 1].map(Some));
}

#[test]
fn the_queue_of_a_worker_that_is_gone_is_given_to_others() {
    let mut floor = fleet("round_robin", &[1, 1]);
    let ids = floor.submit(vec![spec("x"); 6]);
    floor.run_for(1.0);
    floor.lose(1);
    floor.finish(&ids, 1000.0);
    assert_eq!(floor.count_at(1), 1, "what waited for it never went there");
}

#[test]
fn tasks_nobody_can_run_wait_for_one_who_can() {
    let mut floor = fleet("least_connections", &[2]);
    let ids = floor.submit(vec![TaskSpec { hardware: vec![HardwareKind::Cuda], ..spec("g") }]);
    floor.run_for(10.0);
    assert_eq!(floor.place_of(ids[0]), None);
    floor.join("b", 2, with_device(machine(1), HardwareKind::Cuda));
    floor.run_for(0.5);
    assert_eq!(floor.place_of(ids[0]), Some(2));
}

#[test]
fn a_wide_task_is_not_passed_by_for_ever() {
    let mut floor = fleet("round_robin", &[2]);
    let first = floor.submit(vec![spec("x"); 1]);
    let wide = floor.submit(vec![TaskSpec { requires: "cores>=2".parse().expect("valid"), ..spec("wide") }]);
    for _ in 0..60 {
        floor.submit(vec![spec("x")]);
        floor.run_for(30.0);
    }
    assert!(floor.place_of(first[0]).is_some());
    assert!(floor.place_of(wide[0]).is_some(), "its room was left to gather");
}

#[test]
fn weighted_round_robin_gives_turns_by_slots_and_speed() {
    let mut floor = fleet("weighted_round_robin", &[4]);
    floor.join("b", 2, at_speed(machine(4), 3.0));
    let ids = floor.submit(vec![spec("x"); 16]);
    floor.finish(&ids, 1000.0);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (4, 12));
    assert_eq!(floor.place_of(ids[0]), Some(2));
    assert!(ids[..4].iter().any(|id| floor.place_of(*id) == Some(1)), "its turn comes among the first four");
}

#[test]
fn least_connections_fills_slots_evenly_and_counts_what_was_just_given() {
    let mut floor = fleet("least_connections", &[2, 4]);
    floor.submit(vec![spec("x"); 6]);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (2, 4));
}

#[test]
fn random_uses_every_worker_and_does_the_same_each_time() {
    let spread = || {
        let mut floor = fleet("random", &[99, 99, 99]);
        let ids = floor.submit(vec![spec("x"); 90]);
        places(&floor, &ids)
    };
    let once = spread();
    assert_eq!(once, spread());
    for worker in 1..=3 {
        let share = once.iter().filter(|to| **to == Some(worker)).count();
        assert!((15..=45).contains(&share), "{worker} got {share} of 90");
    }
}

#[test]
fn power_of_two_is_more_even_than_chance() {
    let most = |policy: &str| {
        let mut floor = fleet(policy, &[99; 8]);
        floor.submit(vec![spec("x"); 80]);
        (1..=8).map(|worker| floor.count_at(worker)).max().expect("eight")
    };
    assert!(most("power_of_two") <= 12 && most("power_of_two") < most("random"));
}

#[test]
fn least_work_prefers_the_fast_worker_until_its_queue_is_long() {
    let mut floor = fleet("least_work", &[1]);
    floor.join("b", 2, at_speed(machine(1), 4.0));
    let ids = floor.submit(vec![timed("x", 40.0); 6]);
    floor.finish(&ids, 1000.0);
    // Ten seconds each there and forty here: the fourth in line there would end as late as one that begins here.
    assert_eq!(floor.place_of(ids[0]), Some(2));
    assert_eq!((floor.count_at(1), floor.count_at(2)), (1, 5));
}

#[test]
fn least_response_time_turns_to_the_worker_that_answers_sooner() {
    let takes = |connection: u64, _: &Start| if connection == 1 { 50.0 } else { 10.0 };
    let mut floor = Floor::new("least_response_time", takes);
    floor.join("a", 1, machine(4));
    floor.join("b", 2, machine(4));
    let first = floor.submit(vec![spec("x"); 8]);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (4, 4), "nothing is known yet");
    floor.finish(&first, 500.0);
    let next = floor.submit(vec![spec("x"); 4]);
    assert_eq!(places(&floor, &next), [Some(2); 4]);
}

#[test]
fn consistent_hashing_sends_a_task_to_the_same_worker_when_another_leaves() {
    let spread = |leaves: Option<u64>| {
        let mut floor = fleet("consistent_hashing", &[99; 5]);
        if let Some(connection) = leaves {
            floor.lose(connection);
        }
        let ids = floor.submit(vec![spec("x"); 100]);
        places(&floor, &ids)
    };
    let (before, after) = (spread(None), spread(Some(3)));
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let its_own = before.iter().filter(|to| **to == Some(3)).count();
    assert_eq!(moved, its_own, "only what was the third worker's own moves");
    assert!((10..=32).contains(&its_own), "a fifth or so: {its_own}");
}

#[test]
fn dynamic_capacity_shuns_the_worker_that_fails() {
    let mut floor = fleet("dynamic_capacity", &[8, 8]);
    let ids = floor.submit(vec![TaskSpec { retries: 0, ..spec("x") }; 4]);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (2, 2));
    floor.fail_all_at(1, shared::outcome::Failure::Test);
    floor.finish(&ids, 500.0);
    let next = floor.submit(vec![spec("x"); 2]);
    assert_eq!(places(&floor, &next), [Some(2); 2]);
}

#[test]
fn queue_length_counts_tasks_and_not_slots() {
    // Four wait at each, whatever its size; by the slot the large one would have got them all.
    let mut floor = fleet("queue_length", &[1, 4]);
    let ids = floor.submit(vec![spec("x"); 5 + 8]);
    floor.finish(&ids, 1000.0);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (5, 8));
}

#[test]
fn resource_aware_keeps_memory_free_where_slots_alone_would_not_tell() {
    let mut floor = Floor::new("resource_aware", a_minute);
    floor.join("a", 1, Inventory { memory_bytes: 4_000_000_000, ..machine(4) });
    floor.join("b", 2, Inventory { memory_bytes: 64_000_000_000, ..machine(4) });
    let ids = floor.submit(vec![TaskSpec { requires: "memory>=1GB".parse().expect("valid"), ..spec("x") }; 3]);
    assert_eq!((floor.count_at(1), floor.count_at(2)), (1, 2), "{:?}", places(&floor, &ids));
}

#[test]
fn latency_based_keeps_the_history_of_each_location_apart() {
    let takes = |connection: u64, start: &Start| {
        let near = start.spec.env.get("CLIENT_LOCATION").is_some_and(|at| (at == "east") == (connection == 1));
        if near { 5.0 } else { 50.0 }
    };
    let mut floor = Floor::new("latency_based", takes);
    floor.join("a", 1, machine(8));
    floor.join("b", 2, machine(8));
    let from = |at: &str| TaskSpec { env: [("CLIENT_LOCATION".to_owned(), at.to_owned())].into(), ..spec("x") };
    let first = floor.submit(vec![from("east"), from("east"), from("west"), from("west")]);
    floor.finish(&first, 500.0);
    let next = floor.submit(vec![from("east"), from("west"), from("east"), from("west")]);
    assert_eq!(places(&floor, &next), [1, 2, 1, 2].map(Some));
}

#[test]
fn cost_aware_takes_the_free_worker_first_and_keeps_to_the_budget() {
    let priced = |cost| Inventory { cost_per_hour: Some(cost), ..machine(1) };
    let mut floor = Floor::new("cost_aware", a_minute);
    floor.join("a", 1, priced(9.0));
    floor.join("b", 2, priced(2.0));
    floor.join("c", 3, priced(0.0));
    let ids = floor.submit(vec![timed("x", 3600.0); 3]);
    // An hour costs 9, 2 and nothing; 9 is above the budget of 5 and waits for nobody when all others are taken.
    assert_eq!(places(&floor, &ids), [3, 2, 1].map(Some));
    let mut floor = Floor::new("cost_aware", a_minute);
    floor.join("a", 1, priced(9.0));
    floor.join("b", 2, priced(2.0));
    floor.submit(vec![timed("x", 3600.0)]);
    assert_eq!(floor.sent[0].1, 2);
}

#[test]
fn smart_adaptive_learns_what_nobody_told_it() {
    // The first worker is ten times as slow with this kind only, which no declared speed shows.
    let takes = |connection: u64, _: &Start| if connection == 1 { 100.0 } else { 10.0 };
    let mut floor = Floor::new("smart_adaptive", takes);
    floor.join("a", 1, machine(2));
    floor.join("b", 2, machine(2));
    for _ in 0..10 {
        let ids = floor.submit(vec![spec("x"); 4]);
        floor.finish(&ids, 1000.0);
    }
    let before = (floor.count_at(1), floor.count_at(2));
    let next = floor.submit(vec![spec("x"); 2]);
    assert_eq!(places(&floor, &next), [Some(2); 2], "after {before:?}");
}

#[test]
fn dynamic_follows_cost_once_the_budget_is_nearly_used() {
    let priced = |cost| Inventory { cost_per_hour: Some(cost), ..machine(8) };
    let takes = |_: u64, _: &Start| 3600.0;
    let mut floor = Floor::new("dynamic", takes);
    floor.join("a", 1, priced(9.0));
    floor.join("b", 2, priced(8.0));
    let first = floor.submit(vec![timed("x", 3600.0)]);
    assert_eq!(floor.place_of(first[0]), Some(1), "by the predictor they are alike");
    floor.finish(&first, 8000.0);
    let next = floor.submit(vec![timed("x", 3600.0)]);
    assert_eq!(floor.place_of(next[0]), Some(2));
}

#[test]
fn tasks_that_are_there_before_the_workers_are_not_all_given_to_the_first() {
    for policy in ["round_robin", "least_work", "work_stealing", "fixed_threshold", "seed_v1"] {
        let mut floor = Floor::new(policy, a_minute);
        let ids = floor.submit(vec![spec("x"); 6]);
        floor.join("a", 1, machine(2));
        floor.run_for(0.1);
        floor.join("b", 2, machine(2));
        floor.finish(&ids, 500.0);
        assert_eq!((floor.count_at(1), floor.count_at(2)), (3, 3), "{policy}");
    }
}
