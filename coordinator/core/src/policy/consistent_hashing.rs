//! F50: the worker follows from the task's number, so that whoever knows the fleet knows where a task is, and a worker that
//! leaves moves its own tasks and no others.
//!
//! Rendezvous hashing (Thaler and Ravishankar 1998): each worker gets a number from the hash of its name and the task's, and
//! the greatest wins. The numbers are weighed by slots (Schindelhauer and Schomaker 2005: −weight ÷ ln(hash)), so that a
//! machine of twice the slots gets twice the tasks. The hash is FNV-1a, the same on every machine and in every release,
//! stirred at the end because the last bytes of FNV-1a hardly reach its high bits.

use super::push::{Arrival, Choose, Desk, Push, Sight, least};
use crate::fleet::WorkerIndex;
use shared::id::TaskId;

/// The policy.
pub(super) type ConsistentHashing = Push<Rendezvous>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rendezvous;

impl Choose for Rendezvous {
    const NAME: &'static str = "consistent_hashing";
    const SIGHT: Sight = Sight::Blind;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        least(candidates, |worker| {
            let share = share_of(arrival.id, &desk.view.fleet().get(worker).name);
            // The least of -ln(share) / weight is the greatest of weight / -ln(share).
            -share.ln() / desk.slots(worker)
        })
    }
}

/// A number above 0 and below 1 that follows from a task and a worker's name.
fn share_of(task: TaskId, worker: &str) -> f64 {
    let bytes = worker.bytes().chain(task.0.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // The finalizer of splitmix64 (Steele, Lea and Flood 2014).
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ (hash >> 31)) >> 11).max(1) as f64 / (1u64 << 53) as f64
}
