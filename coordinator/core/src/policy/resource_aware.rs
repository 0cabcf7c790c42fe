//! F55: the worker with the most headroom: the mean of what is free of its processor, memory and device memory, and of how
//! well it matches what the task asks for.
//!
//! Headroom is 1 less what runs there and what was given to it, or less what it measures of itself where that is more; it may
//! fall below 0 when more waits there than fits, so that full workers are told apart. A worker without a device that has
//! memory of its own counts 0.5. The match is the share of the kinds of hardware the task can use that the worker has.
//! Workers with less than nine tenths of their slots spoken for come before all others (F127).

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;

/// The policy.
pub(super) type ResourceAware = Push<Headroom>;

/// What a worker without a device counts as having free of it.
const NO_DEVICE: f64 = 0.5;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Headroom;

impl Choose for Headroom {
    const NAME: &'static str = "resource_aware";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let available = desk.available(candidates);
        least(&available, |worker| -score(desk, arrival, worker))
    }
}

fn score(desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, worker: WorkerIndex) -> f64 {
    let given = desk.committed(worker);
    let entry = desk.view.fleet().get(worker);
    let (whole, measured) = (entry.whole(), &entry.load);
    let headroom = |given: u64, whole: u64, measured: Option<f64>| {
        let share = given as f64 / whole.max(1) as f64;
        1.0 - share.max(measured.unwrap_or(0.0))
    };
    let processor = headroom(u64::from(given.slots), u64::from(whole.slots), measured.cpu);
    let memory = headroom(given.memory_bytes, whole.memory_bytes, measured.memory);
    let device = match whole.gpu_memory_bytes {
        0 => NO_DEVICE,
        bytes => headroom(given.gpu_memory_bytes, bytes, None),
    };
    let wanted = desk.view.class(arrival.class).hardware.len().max(1);
    let fit = desk.view.options(arrival.class, worker).len() as f64 / wanted as f64;
    (processor + memory + device + fit) / 4.0
}
