//! The devices of a worker, and which task sits on which.
//!
//! A task goes onto one device and keeps an amount of its memory. It goes where the least is left over (best fit), so that
//! large tasks find a device that is whole; among equals where the fewest tasks sit, then the first.

use shared::hardware::{HardwareKind, Inventory};

/// What is free of each device other than the processor, in the order of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bays(Vec<Bay>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bay {
    device: u32,
    kind: HardwareKind,
    whole_bytes: u64,
    used_bytes: u64,
    tasks: u32,
}

/// A place on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The device's place in the inventory.
    pub device: u32,
    /// Its memory that is kept, in bytes.
    pub bytes: u64,
}

impl Bays {
    /// All of them, with nothing on them. One whose memory nobody tells has none to give.
    pub fn of(inventory: &Inventory) -> Self {
        let devices = inventory.devices.iter().zip(0_u32..).filter(|(device, _)| device.kind != HardwareKind::Cpu);
        let bay = devices.map(|(device, at)| {
            let whole_bytes = if device.kind.has_own_memory() { device.memory_bytes.unwrap_or(0) } else { 0 };
            Bay { device: at, kind: device.kind, whole_bytes, used_bytes: 0, tasks: 0 }
        });
        Self(bay.collect())
    }

    /// The memory of all of them, in bytes.
    pub fn whole_bytes(&self) -> u64 {
        self.0.iter().map(|bay| bay.whole_bytes).sum()
    }

    /// The memory of the largest device of this kind, in bytes: what a task can keep at most.
    pub fn largest_bytes(&self, kind: HardwareKind) -> u64 {
        self.0.iter().filter(|bay| bay.kind == kind).map(|bay| bay.whole_bytes).max().unwrap_or(0)
    }

    /// How many tasks that keep `bytes` each still fit on devices of this kind; the largest number where they keep nothing.
    pub fn times(&self, kind: HardwareKind, bytes: u64) -> u32 {
        let fits = |bay: &Bay| bay.free_bytes().checked_div(bytes).unwrap_or(u64::from(u32::MAX));
        if bytes == 0 {
            return u32::MAX;
        }
        let sum: u64 = self.0.iter().filter(|bay| bay.kind == kind).map(fits).sum();
        u32::try_from(sum).unwrap_or(u32::MAX)
    }

    /// Where a task that keeps `bytes` sits best; nothing where no device of this kind has as much free, or there is none.
    pub fn seat(&self, kind: HardwareKind, bytes: u64) -> Option<Seat> {
        let fit = self.0.iter().filter(|bay| bay.kind == kind && bay.free_bytes() >= bytes);
        // For one that keeps no memory all devices fit equally well, however much of them is free.
        let best = fit.min_by_key(|bay| (if bytes == 0 { 0 } else { bay.free_bytes() }, bay.tasks, bay.device))?;
        Some(Seat { device: best.device, bytes })
    }

    /// Puts a task onto a device. A device the worker no longer has takes nothing.
    pub fn take(&mut self, seat: Seat) {
        if let Some(bay) = self.bay(seat.device) {
            bay.used_bytes += seat.bytes;
            bay.tasks += 1;
        }
    }

    /// Takes a task off a device.
    pub fn leave(&mut self, seat: Seat) {
        if let Some(bay) = self.bay(seat.device) {
            bay.used_bytes = bay.used_bytes.saturating_sub(seat.bytes);
            bay.tasks = bay.tasks.saturating_sub(1);
        }
    }

    fn bay(&mut self, device: u32) -> Option<&mut Bay> {
        self.0.iter_mut().find(|bay| bay.device == device)
    }
}

impl Bay {
    /// Nothing where more is kept than there is: a device that came back smaller.
    fn free_bytes(&self) -> u64 {
        self.whole_bytes.saturating_sub(self.used_bytes)
    }
}
