//! What attempts ran on, under which conditions, and which results may be set side by side.

use crate::common::*;
use shared::fact::{Fact, StopReason, What};
use shared::hardware::{Device, DeviceLoad, HardwareKind, Inventory, Load, ProbeLevel, Throttle};
use shared::id::TaskId;
use shared::outcome::Verdict;

/// A worker whose second device is a GPU of this model.
fn described(worker: &str, model: &str) -> Fact {
    let device = |kind, name: &str| Device { name: Some(name.into()), ..Device::of_kind(kind, ProbeLevel::Enumerated) };
    let devices = vec![device(HardwareKind::Cpu, "processor"), device(HardwareKind::Cuda, model)];
    at(0.0, What::WorkerDescribed { worker: worker.into(), inventory: Inventory { slots: 2, devices, ..Inventory::default() } })
}

/// A task of ten seconds on the GPU of `worker`, which told this meanwhile.
fn ran(task: u64, worker: &str, from: f64, seconds: f64, throttle: Option<Throttle>) -> Vec<Fact> {
    let (id, attempt, hardware) = (TaskId(task), number(1), HardwareKind::Cuda);
    let leased = What::AttemptLeased {
        task: id,
        attempt,
        worker: worker.into(),
        hardware,
        device: Some(1),
        hedge: false,
        why: "free first".into(),
        decision: None,
        decided_with: None,
    };
    // The other device is hot: that is nothing to this task.
    let other = DeviceLoad { device: 0, throttle: Some(Throttle::Heat), ..DeviceLoad::default() };
    let (utilization, memory_used_bytes) = (Some(0.5), Some(1000 + task));
    let own = DeviceLoad { device: 1, throttle, utilization, memory_used_bytes, ..DeviceLoad::default() };
    let load = Load { temperature_c: Some(70.0), clock_mhz: Some(2000), devices: vec![other, own], ..Load::default() };
    vec![
        queued(from, task, "bench", "", 1),
        at(from, leased),
        at(from, What::AttemptStarted { task: id, attempt, worker: worker.into(), hardware, progress: 0.0 }),
        at(from + 1.0, What::WorkerSampled { worker: worker.into(), load, busy_slots: 1, slots: 2 }),
        stopped(from + seconds, task, 1, worker, StopReason::Finished, 1.0),
        finished(from + seconds, task, Some(1), Verdict::Passed),
    ]
}

#[test]
fn results_of_unlike_or_slowed_machines_are_set_side_by_side_with_the_reason_and_without_a_ratio() {
    let mut facts = vec![described("a", "X"), described("b", "X"), described("c", "Y")];
    facts.extend(ran(1, "a", 10.0, 10.0, Some(Throttle::Nothing)));
    facts.extend(ran(2, "b", 30.0, 20.0, Some(Throttle::Nothing)));
    facts.extend(ran(3, "c", 60.0, 5.0, Some(Throttle::Nothing)));
    facts.extend(ran(4, "b", 70.0, 10.0, Some(Throttle::Heat)));
    facts.extend(ran(5, "a", 90.0, 10.0, None));
    let (_folder, database) = database(&facts);
    let text = |sql: &str| -> Option<String> { database.connection().query_row(sql, [], |row| row.get(0)).expect("a query") };
    let pair = |one: u64, other: u64, column: &str| {
        text(&format!("SELECT CAST({column} AS VARCHAR) FROM comparisons WHERE task = {one} AND other_task = {other}"))
    };
    assert_eq!((pair(1, 2, "ratio").as_deref(), pair(1, 2, "why_not")), (Some("0.5"), None));
    assert_eq!((pair(1, 3, "ratio"), pair(1, 3, "why_not").as_deref()), (None, Some("different models: X and Y")));
    assert_eq!(
        (pair(1, 4, "ratio"), pair(1, 4, "why_not").as_deref()),
        (None, Some("a device was slowed down by heat or power"))
    );
    assert_eq!((pair(1, 5, "ratio").as_deref(), pair(1, 5, "is_throttling_unknown").as_deref()), (Some("1.0"), Some("true")));
    let stamp = "SELECT concat_ws(' ', model, temperature_c, clock_mhz, is_throttled, device_utilization, device_memory_bytes)
        FROM conditions WHERE task = 4";
    assert_eq!(text(stamp).as_deref(), Some("X 70.0 2000 true 0.5 1004"));
}
