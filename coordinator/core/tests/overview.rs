//! What those who watch the whole farm are told: what waits and why, what runs and where, how it went lately.

#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use common::{Bench, machine, passed, spec};
use coordinator_core::Command;
use shared::fact::Admission;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::protocol::FromWorker;
use std::time::Duration;

fn gpu_machine(slots: u32) -> Inventory {
    let mut machine = machine(slots);
    machine.devices.push(Device::of_kind(HardwareKind::Cuda, ProbeLevel::Declared));
    machine
}

/// What waits, in words.
fn words(bench: &Bench) -> Vec<String> {
    bench.coordinator.bottlenecks(bench.now, 10).into_iter().map(|found| found.words).collect()
}

fn cuda(name: &str) -> shared::task::TaskSpec {
    shared::task::TaskSpec { requires: "cuda".parse().expect("a requirement"), ..spec(name) }
}

#[test]
fn what_waits_is_told_with_what_keeps_it_the_most_first() {
    let mut bench = Bench::new("adaptive");
    bench.submit(vec![cuda("a"), cuda("b"), cuda("c"), cuda("d"), cuda("e")]);
    assert_eq!(words(&bench), ["5 tasks wait for cuda: no worker has joined"]);
    bench.join("cpu", 1, machine(1), &[], vec![]);
    assert_eq!(words(&bench), ["5 tasks wait for cuda: none of 1 workers could ever run them"]);
    bench.join("gpu", 2, gpu_machine(1), &[], vec![]);
    bench.join("hpu", 3, gpu_machine(1), &[], vec![]);
    assert_eq!(words(&bench), ["3 tasks wait for cuda: 2 workers have it, both full"]);
    bench.order(Command::Admit("gpu".into(), Admission::Draining));
    assert_eq!(words(&bench), ["3 tasks wait for cuda: 2 workers have it, 1 full, 1 cordoned or draining"]);
    bench.submit((0..6).map(|at| spec(&format!("plain-{at}"))).collect());
    assert!(words(&bench)[0].contains("for a free slot"), "{:?}", words(&bench));
}

#[test]
fn what_runs_is_shown_by_its_length_and_counted_by_its_hardware() {
    let mut bench = Bench::new("adaptive");
    bench.join("gpu", 1, gpu_machine(2), &[], vec![]);
    let mut row = |name: &str| {
        bench.submit(vec![cuda(name)]);
        bench.wait(Duration::from_millis(20));
        let (connection, start) = bench.starts().pop().expect("there is room");
        bench.say(connection, FromWorker::Started { attempt: start.attempt });
        bench.wait(Duration::from_secs(1));
        start.attempt
    };
    let (first, _second) = (row("first"), row("second"));
    let seen = bench.coordinator.at_work(1);
    assert_eq!((seen.running_total, seen.running.len(), seen.running[0].name.as_str()), (2, 1, "first"));
    let used: Vec<_> = seen.hardware.iter().map(|used| (used.kind, used.slots, used.busy_slots)).collect();
    assert_eq!(used, [(HardwareKind::Cpu, 2, 0), (HardwareKind::Cuda, 2, 2)]);
    let workers = bench.coordinator.worker_rows(bench.now);
    assert_eq!((workers[0].declared.as_slice(), workers[0].busy_slots), (&[HardwareKind::Cuda][..], 2));
    bench.say(1, FromWorker::Finished { attempt: first, outcome: passed() });
    let lately = bench.coordinator.pulse().view(bench.now);
    assert_eq!((lately.passed, lately.starts), (Some(1.0), 2));
    assert_eq!(bench.coordinator.pulse().totals().run.sum_s, 1.0);
    assert_eq!(bench.coordinator.at_work(9).running.len(), 1);
}
