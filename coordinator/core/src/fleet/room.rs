//! Amounts of what workers have and tasks take.

/// Slots, memory and memory of devices, taken or free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Room {
    /// Slots.
    pub slots: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Memory of the devices that have their own, in bytes.
    pub gpu_memory_bytes: u64,
}

impl Room {
    /// Whether `needed` fits.
    pub fn holds(self, needed: Room) -> bool {
        self.slots >= needed.slots && self.memory_bytes >= needed.memory_bytes && self.gpu_memory_bytes >= needed.gpu_memory_bytes
    }

    /// How many times `one` fits.
    pub fn times(self, one: Room) -> u32 {
        let by = |whole: u64, part: u64| whole.checked_div(part).unwrap_or(u64::MAX);
        let slots = by(u64::from(self.slots), u64::from(one.slots));
        let least = slots.min(by(self.memory_bytes, one.memory_bytes)).min(by(self.gpu_memory_bytes, one.gpu_memory_bytes));
        u32::try_from(least).unwrap_or(u32::MAX)
    }

    /// What is left after `taken`; nothing below zero.
    pub fn less(self, taken: Room) -> Room {
        Room {
            slots: self.slots.saturating_sub(taken.slots),
            memory_bytes: self.memory_bytes.saturating_sub(taken.memory_bytes),
            gpu_memory_bytes: self.gpu_memory_bytes.saturating_sub(taken.gpu_memory_bytes),
        }
    }

    /// Of each amount the larger one.
    pub fn most(self, other: Room) -> Room {
        Room {
            slots: self.slots.max(other.slots),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            gpu_memory_bytes: self.gpu_memory_bytes.max(other.gpu_memory_bytes),
        }
    }

    /// Both together.
    pub fn plus(self, other: Room) -> Room {
        Room {
            slots: self.slots + other.slots,
            memory_bytes: self.memory_bytes + other.memory_bytes,
            gpu_memory_bytes: self.gpu_memory_bytes + other.gpu_memory_bytes,
        }
    }
}
