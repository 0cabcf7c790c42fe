//! What sets each policy apart from the others, and what all have in common: nothing is lost, whatever is decided.

mod adaptive;
mod balance;
#[path = "../common/mod.rs"]
mod common;
mod floor;
mod push;

use common::{machine, spec};
use coordinator_core::policy;
use floor::{Floor, at_speed, with_device};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::protocol::Start;
use shared::task::{Priority, TaskSpec};

/// A minute each, wherever.
fn a_minute(_: u64, _: &Start) -> f64 {
    60.0
}

fn timed(kind: &str, seconds: f64) -> TaskSpec {
    TaskSpec { estimate_s: Some(seconds), ..spec(kind) }
}

/// Workers `a`, `b`, `c`... of these slots, with connections 1, 2, 3...
fn fleet(policy: &str, slots: &[u32]) -> Floor {
    let mut floor = Floor::new(policy, a_minute);
    for (at, slots) in slots.iter().enumerate() {
        let name = char::from(b'a' + at as u8).to_string();
        floor.join(&name, at as u64 + 1, machine(*slots));
    }
    floor
}

fn places(floor: &Floor, ids: &[TaskId]) -> Vec<Option<u64>> {
    ids.iter().map(|id| floor.place_of(*id)).collect()
}

#[test]
fn every_policy_finishes_a_mixed_batch_on_unlike_workers_and_loses_nothing() {
    for listed in policy::ALL {
        let takes = |connection: u64, start: &Start| {
            let long = if start.spec.kind == "long" { 40.0 } else { 4.0 };
            let there = if start.hardware == HardwareKind::Cuda { 0.25 } else { 1.0 };
            long * there * if connection == 2 { 3.0 } else { 1.0 }
        };
        let mut floor = Floor::new(listed.name, takes);
        floor.join("a", 1, machine(2));
        floor.join("b", 2, at_speed(machine(4), 1.0 / 3.0));
        floor.join("c", 3, with_device(machine(2), HardwareKind::Cuda));
        let both = vec![HardwareKind::Cuda, HardwareKind::Cpu];
        let mut specs = Vec::new();
        for at in 0..60u8 {
            let kind = if at % 5 == 0 { "long" } else { "short" };
            let urgent = Priority::new(1 + at % 10).expect("valid");
            let wide = if at % 7 == 0 { "cores>=2" } else { "" };
            specs.push(TaskSpec {
                hardware: if at % 3 == 0 { both.clone() } else { Vec::new() },
                gpu_memory_bytes: if at % 3 == 0 { 9_000_000_000 } else { 0 },
                requires: wide.parse().expect("valid"),
                checkpointable: at % 2 == 0,
                priority: urgent,
                ..spec(kind)
            });
        }
        let mut ids = floor.submit(specs);
        floor.run_for(20.0);
        floor.join("d", 4, machine(3));
        floor.run_for(20.0);
        floor.lose(1);
        ids.extend(floor.submit(vec![timed("short", 4.0); 20]));
        floor.finish(&ids, 3000.0);
        assert!(ids.iter().all(|id| floor.bench.verdict(*id) == Some("passed")), "{}", listed.name);
        let ends = floor.bench.facts.iter().filter(|fact| matches!(fact.what, shared::fact::What::TaskFinished { .. }));
        assert_eq!(ends.count(), ids.len(), "{}: each task has one verdict", listed.name);
    }
}

#[test]
fn every_policy_is_made_by_its_name_and_knows_it() {
    for listed in policy::ALL {
        assert_eq!(listed.make().name(), listed.name);
        assert!(!listed.about.is_empty() && policy::NAMES.contains(&listed.name));
    }
    assert!(policy::by_name("fastest").is_none());
}

#[test]
fn a_policy_that_is_chosen_while_tasks_wait_and_run_takes_all_of_them_over() {
    for listed in policy::ALL {
        let mut floor = fleet("round_robin", &[1, 2]);
        let ids = floor.submit(vec![spec("x"); 9]);
        floor.run_for(5.0);
        let reply = floor.bench.order(coordinator_core::Command::UsePolicy(listed.name.into()));
        assert_eq!(reply, coordinator_core::Reply::Done);
        floor.run_for(1.0);
        floor.bench.order(coordinator_core::Command::Cancel(ids[8]));
        floor.finish(&ids, 2000.0);
        let passed = ids.iter().filter(|id| floor.bench.verdict(**id) == Some("passed")).count();
        assert_eq!((passed, floor.bench.verdict(ids[8])), (8, Some("cancelled")), "{}", listed.name);
    }
}
