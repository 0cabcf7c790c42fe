//! How fast a machine is at a moment: slow phases and heat.

use crate::network::ceil_us;
use crate::scenario::{MachineSpec, SlowPhase, Thermal};
use shared::hardware::HardwareKind;
use shared::time::Time;
use std::time::Duration;

/// A machine that slowed down for heat recovers when it is this much cooler, in degrees.
const HYSTERESIS_C: f64 = 2.0;
/// See [`begin`].
pub const TOLERANCE: Duration = Duration::from_micros(1_100);

/// What makes a machine slower than it says.
#[derive(Debug)]
pub struct Pace {
    slow: f64,
    heat: Option<Heat>,
}

impl Pace {
    /// A machine that has not been switched on.
    pub fn new(spec: &MachineSpec) -> Self {
        Self { slow: 1.0, heat: spec.thermal.map(|thermal| Heat::new(thermal, spec.watts(0.0))) }
    }

    /// How fast it runs beside its own normal, as its clocks would tell.
    pub fn factor(&self) -> f64 {
        let throttle = self.heat.as_ref().map_or(1.0, |heat| if heat.is_throttled { heat.thermal.throttle_speed } else { 1.0 });
        self.slow * throttle
    }

    /// Progress per second on `hardware`, relative to a task's own column.
    pub fn speed(&self, spec: &MachineSpec, hardware: HardwareKind) -> f64 {
        spec.declared_speed(hardware) * self.factor()
    }

    /// Takes the slow phases of this moment into account.
    pub fn set_slow(&mut self, spec: &MachineSpec, now: Time) {
        let phases = spec.slow.iter().filter(|phase| begin(phase) <= now && now < end(phase));
        self.slow = phases.map(|phase| phase.factor).fold(1.0, f64::min);
    }

    /// Lets time pass with the power drawn so far, without warming: the machine was away.
    pub fn rest(&mut self, now: Time) {
        if let Some(heat) = &mut self.heat {
            heat.at = now;
        }
    }

    /// It draws `watts` from now on. Returns when its temperature will make a difference, if this lasts.
    pub fn draw(&mut self, now: Time, watts: f64) -> Option<Time> {
        let heat = self.heat.as_mut()?;
        heat.pass(now);
        heat.watts = watts;
        heat.crossing().map(|wait| now + wait)
    }

    /// Its temperature reached the point at which it slows down or recovers.
    pub fn cross(&mut self, now: Time) {
        if let Some(heat) = &mut self.heat {
            heat.pass(now);
            heat.is_throttled = !heat.is_throttled;
        }
    }

    /// Its temperature in degrees Celsius, where the scenario has one.
    pub fn celsius(&self, now: Time) -> Option<f64> {
        self.heat.as_ref().map(|heat| heat.celsius_at(now))
    }
}

#[derive(Debug)]
struct Heat {
    thermal: Thermal,
    celsius: f64,
    watts: f64,
    at: Time,
    is_throttled: bool,
}

impl Heat {
    fn new(thermal: Thermal, watts: f64) -> Self {
        Self { thermal, celsius: thermal.ambient_c, watts, at: Time::ZERO, is_throttled: false }
    }

    fn target(&self) -> f64 {
        self.thermal.ambient_c + self.thermal.c_per_w * self.watts
    }

    fn celsius_at(&self, now: Time) -> f64 {
        let elapsed = now.since(self.at).as_secs_f64();
        self.target() + (self.celsius - self.target()) * (-elapsed / self.thermal.tau_s).exp()
    }

    fn pass(&mut self, now: Time) {
        self.celsius = self.celsius_at(now);
        self.at = now;
    }

    /// How long until it must slow down, or may recover; nothing if that never comes while it draws what it does.
    fn crossing(&self) -> Option<Duration> {
        let (from, target) = (self.celsius, self.target());
        let level = if self.is_throttled { self.thermal.throttle_c - HYSTERESIS_C } else { self.thermal.throttle_c };
        let is_past = if self.is_throttled { from <= level } else { from >= level };
        if is_past {
            return Some(Duration::ZERO);
        }
        let is_ahead = if self.is_throttled { target < level } else { target > level };
        is_ahead.then(|| ceil_us(self.thermal.tau_s * ((from - target) / (level - target)).ln()))
    }
}

/// When a slow phase begins. What is read from facts is read with a tolerance of a millisecond: a disturbance begins and ends
/// so much outside of what the scenario says that no reader can find the machine too good.
pub fn begin(phase: &SlowPhase) -> Time {
    at(phase.from_s) - TOLERANCE
}

/// When a slow phase ends; see [`begin`].
pub fn end(phase: &SlowPhase) -> Time {
    at(phase.to_s) + TOLERANCE
}

/// Seconds of a scenario as a time.
pub fn at(seconds: f64) -> Time {
    Time((seconds * 1e6).round().clamp(0.0, 1e18) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERMAL: Thermal = Thermal { ambient_c: 25.0, c_per_w: 0.2, tau_s: 100.0, throttle_c: 80.0, throttle_speed: 0.5 };

    #[test]
    fn the_temperature_at_a_crossing_is_the_one_that_was_asked_for() {
        let mut heat = Heat::new(THERMAL, 400.0);
        let hot = Time::ZERO + heat.crossing().expect("105 degrees are above 80");
        assert!((heat.celsius_at(hot) - 80.0).abs() < 1e-3, "{}", heat.celsius_at(hot));
        heat.pass(hot);
        heat.is_throttled = true;
        assert_eq!(heat.crossing(), None, "it does not cool while it draws as much");
        heat.watts = 50.0;
        let cool = hot + heat.crossing().expect("35 degrees are below 78");
        assert!((heat.celsius_at(cool) - 78.0).abs() < 1e-3);
    }

    #[test]
    fn a_machine_whose_target_is_below_the_limit_never_slows_down() {
        assert_eq!(Heat::new(THERMAL, 275.0).crossing(), None);
    }
}
