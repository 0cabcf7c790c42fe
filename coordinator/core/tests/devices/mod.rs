//! Memory of devices is given out device by device: never more than there is, and without scattering what is free.

use crate::common::{Bench, machine, passed, spec};
use coordinator_core::fleet::{Bays, WorkerIndex};
use coordinator_core::plan::{Move, Plan, Policy, View};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use shared::fact::What;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::TaskId;
use shared::task::TaskSpec;
use shared::time::Time;

const GB: u64 = 1_000_000_000;

fn gpu(bytes: u64) -> Device {
    Device { memory_bytes: Some(bytes), ..Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated) }
}

fn with_gpus(slots: u32, sizes: &[u64]) -> Inventory {
    let mut inventory = machine(slots);
    inventory.devices.extend(sizes.iter().map(|bytes| gpu(*bytes)));
    inventory
}

fn train(bytes: u64) -> TaskSpec {
    TaskSpec { gpu_memory_bytes: bytes, hardware: vec![HardwareKind::Cuda], ..spec("train") }
}

fn device_of(bench: &Bench, at: usize) -> Option<u32> {
    let mut leased = bench.facts.iter().filter_map(|fact| match &fact.what {
        What::AttemptLeased { device, .. } => Some(*device),
        _ => None,
    });
    leased.nth(at).expect("it was leased")
}

#[test]
fn tasks_go_onto_devices_one_by_one_and_the_order_names_the_device() {
    let mut bench = Bench::new("fifo");
    bench.join("w1", 1, with_gpus(8, &[16 * GB, 24 * GB]), &[], vec![]);
    let ids = bench.submit(vec![train(14 * GB), train(20 * GB), train(10 * GB), train(2 * GB)]);
    let starts = bench.starts();
    // The first leaves the least over on the smaller device, the second fits the larger one only, the last fills a gap.
    let placed: Vec<(u64, Option<u32>)> = starts.iter().map(|(_, start)| (start.attempt.task.0, start.device)).collect();
    assert_eq!(placed, [(ids[0].0, Some(1)), (ids[1].0, Some(2)), (ids[3].0, Some(1))]);
    assert_eq!([0, 1, 2].map(|at| device_of(&bench, at)), [Some(1), Some(2), Some(1)]);

    let first = starts[0].1.attempt;
    bench.say(1, shared::protocol::FromWorker::Started { attempt: first });
    bench.say(1, shared::protocol::FromWorker::Finished { attempt: first, outcome: passed() });
    bench.wait(std::time::Duration::from_millis(20));
    let next = bench.starts();
    assert_eq!(next.iter().map(|(_, start)| (start.attempt.task, start.device)).collect::<Vec<_>>(), [(ids[2], Some(1))]);
}

#[test]
fn a_task_larger_than_any_one_device_waits_and_is_told_why() {
    let mut bench = Bench::new("fifo");
    bench.join("w1", 1, with_gpus(8, &[16 * GB, 16 * GB]), &[], vec![]);
    let ids = bench.submit(vec![train(20 * GB)]);
    assert!(bench.starts().is_empty(), "32 GB in two halves are not 20 GB");
    let why = bench.coordinator.why(ids[0]).expect("it exists");
    let unmet = why.workers[0].unmet.clone().expect("something is lacking");
    assert!(unmet.needs.contains("20000 MB on the device") && unmet.has.contains("16000 MB on the device"), "{unmet:?}");
}

#[test]
fn a_device_whose_memory_nobody_tells_gives_none_and_runs_what_asks_for_none() {
    let mut bench = Bench::new("fifo");
    let mut machine = machine(8);
    machine.devices.push(Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated));
    bench.join("w1", 1, machine, &[], vec![]);
    bench.submit(vec![train(GB), train(0)]);
    let starts = bench.starts();
    assert_eq!(starts.iter().map(|(_, start)| start.device).collect::<Vec<_>>(), [Some(1)]);
}

#[test]
fn tasks_that_keep_no_memory_are_spread_over_the_devices_and_those_on_the_processor_name_none() {
    let mut bench = Bench::new("fifo");
    bench.join("w1", 1, with_gpus(8, &[GB, GB, GB]), &[], vec![]);
    bench.submit(vec![train(0), train(0), train(0), spec("plain")]);
    let mut devices: Vec<Option<u32>> = bench.starts().iter().map(|(_, start)| start.device).collect();
    devices.sort_unstable();
    assert_eq!(devices, [None, Some(1), Some(2), Some(3)]);
}

#[test]
fn facts_of_a_time_before_devices_were_told_apart_are_replayed() {
    let old = r#"{"t":1.0,"fact":"attempt_leased","task":1,"attempt":1,"worker":"w","hardware":"cuda","why":"free first"}"#;
    let fact: shared::fact::Fact = serde_json::from_str(old).expect("it was written by an older version");
    assert!(matches!(fact.what, What::AttemptLeased { device: None, .. }));
}

/// What a rule of placement made of a sequence: the bytes of all tasks that found a place.
struct Farm {
    whole: Vec<u64>,
    free: Vec<u64>,
    placed: u64,
    sitting: Vec<Option<(usize, u64)>>,
}

impl Farm {
    fn new(whole: &[u64]) -> Self {
        Self { whole: whole.to_vec(), free: whole.to_vec(), placed: 0, sitting: Vec::new() }
    }

    fn arrive(&mut self, bytes: u64, choice: Option<usize>) {
        if let Some(at) = choice {
            assert!(self.free[at] >= bytes, "device {at} is given out twice: {bytes} of {:?}", self.free);
            self.free[at] -= bytes;
            self.placed += bytes;
        }
        self.sitting.push(choice.map(|at| (at, bytes)));
    }

    fn leave(&mut self, task: usize) -> Option<(usize, u64)> {
        let (at, bytes) = self.sitting[task].take()?;
        self.free[at] += bytes;
        assert!(self.free[at] <= self.whole[at]);
        Some((at, bytes))
    }
}

#[test]
fn ten_thousand_random_sequences_never_overcommit_and_place_no_less_than_first_fit_and_best_fit() {
    let mut random = Pcg64Mcg::seed_from_u64(77);
    let mut draw = |below: u64| random.next_u64() % below;
    let (mut ours, mut first_fit, mut best_fit) = (0_u64, 0_u64, 0_u64);
    for _ in 0..10_000 {
        let whole: Vec<u64> = (0..1 + draw(6)).map(|_| [8, 16, 24, 40, 80][draw(5) as usize] * GB).collect();
        let mut bays = Bays::of(&with_gpus(1, &whole));
        let [mut mine, mut first, mut best] = [0; 3].map(|_| Farm::new(&whole));
        for _ in 0..60 {
            if draw(3) > 0 || mine.sitting.is_empty() {
                let bytes = (1 + draw(48)) * GB / 2;
                let seat = bays.seat(HardwareKind::Cuda, bytes);
                seat.into_iter().for_each(|seat| bays.take(seat));
                mine.arrive(bytes, seat.map(|seat| seat.device as usize - 1));
                first.arrive(bytes, (0..whole.len()).find(|at| first.free[*at] >= bytes));
                let fits = (0..whole.len()).filter(|at| best.free[*at] >= bytes);
                best.arrive(bytes, fits.min_by_key(|at| best.free[*at]));
            } else {
                let task = draw(mine.sitting.len() as u64) as usize;
                if let Some((at, bytes)) = mine.leave(task) {
                    bays.leave(coordinator_core::fleet::Seat { device: at as u32 + 1, bytes });
                }
                let _ = (first.leave(task), best.leave(task));
            }
        }
        for (at, free) in mine.free.iter().enumerate() {
            assert!(*free <= whole[at], "more is free than there is");
        }
        ours += mine.placed;
        first_fit += first.placed;
        best_fit += best.placed;
    }
    assert!(ours >= first_fit.max(best_fit), "placed {ours}; first fit {first_fit}, best fit {best_fit}");
}

/// Proposes to give every waiting task to the first worker, whatever is free there.
#[derive(Debug)]
struct Reckless;

impl Policy for Reckless {
    fn name(&self) -> &'static str {
        "reckless"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let tasks: Vec<TaskId> = view.groups().flat_map(|(_, tasks)| tasks).collect();
        let lease =
            |task| Move::Lease { task, to: WorkerIndex(0), hardware: HardwareKind::Cuda, why: "why not".into(), decision: None };
        Plan { moves: tasks.into_iter().map(lease).collect(), again: None }
    }
}

#[test]
fn a_policy_that_gives_out_more_than_there_is_is_refused_device_by_device() {
    let mut bench = Bench::driven(Box::new(Reckless), &[], Time::ZERO);
    bench.join("w1", 1, with_gpus(8, &[16 * GB, 16 * GB]), &[], vec![]);
    bench.submit((0..4).map(|_| train(10 * GB)).collect());
    let devices: Vec<Option<u32>> = bench.starts().iter().map(|(_, start)| start.device).collect();
    assert_eq!(devices, [Some(1), Some(2)], "12 GB are free together, and no 10 GB on either");
}
