//! How warm a worker gets, and when it will have to slow down, from what it tells of itself: a law for each of its devices.

mod body;
#[cfg(test)]
mod tests;

pub use body::{Body, Law};

use shared::hardware::{Inventory, Load};
use shared::time::Time;
use std::collections::BTreeMap;

/// The speed of a hot device beside its normal one, before it was seen.
const HOT_SPEED: f64 = 0.7;
/// A device that runs slower than this beside its normal speed, and is hot, is slowed down by heat.
const SLOWED: f64 = 0.95;
/// As hot as this many degrees below its limit is hot.
const HOT_MARGIN_C: f64 = 5.0;

/// A part of a worker that has a temperature of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// One device, by its place in the inventory.
    Device(u32),
    /// The machine as a whole, where it tells of no device.
    Whole,
}

/// What is known of a worker's warmth.
#[derive(Debug, Clone, Default)]
pub struct Heat {
    bodies: BTreeMap<Part, Body>,
    hot_speed: Option<f64>,
}

impl Heat {
    /// Takes in what a worker told at `at`. A part that tells no temperature or no power teaches nothing.
    pub fn observe(&mut self, at: Time, load: &Load, inventory: &Inventory) {
        for (part, celsius, watts) in parts(load) {
            self.bodies.entry(part).or_default().observe(at, celsius, watts);
            let slowed = load.speed.filter(|speed| *speed < SLOWED);
            if let (Some(speed), Some(limit)) = (slowed, throttle_c(inventory, part))
                && celsius > limit - HOT_MARGIN_C
            {
                self.hot_speed = Some(speed);
            }
        }
    }

    /// The mean speed over the next `horizon_s` seconds beside the speed it has now: less than 1 where it is going to slow down.
    pub fn outlook(&self, load: &Load, inventory: &Inventory, horizon_s: f64) -> f64 {
        if load.speed.is_some_and(|speed| speed < SLOWED) {
            return 1.0;
        }
        let until = parts(load).filter_map(|(part, ..)| self.bodies.get(&part)?.time_to(throttle_c(inventory, part)?));
        let until_s = until.fold(f64::INFINITY, f64::min);
        let cool = (until_s / horizon_s).min(1.0);
        cool + (1.0 - cool) * self.hot_speed.unwrap_or(HOT_SPEED)
    }

    /// The law a device follows, by its place in the inventory, as far as is known.
    pub fn law(&self, device: u32) -> Option<Law> {
        self.bodies.get(&Part::Device(device))?.law()
    }
}

/// The parts that tell a temperature and a power, in degrees Celsius and watts.
fn parts(load: &Load) -> impl Iterator<Item = (Part, f64, f64)> + '_ {
    let devices = load.devices.iter().filter_map(|one| Some((Part::Device(one.device), one.temperature_c?, one.power_w?)));
    let whole = load.devices.is_empty().then(|| Some((Part::Whole, load.temperature_c?, load.power_w?)));
    devices.chain(whole.flatten())
}

/// The temperature at which a part slows down, in degrees Celsius; of the whole, that of its first device to do so.
fn throttle_c(inventory: &Inventory, part: Part) -> Option<f64> {
    match part {
        Part::Device(device) => inventory.devices.get(device as usize)?.throttle_c,
        Part::Whole => inventory.devices.iter().filter_map(|device| device.throttle_c).min_by(f64::total_cmp),
    }
}
