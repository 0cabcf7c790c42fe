//! How warm a worker gets, and when it will have to slow down, from what it tells of itself.
//!
//! A body that draws constant power goes to a steady temperature exponentially. Three readings under the same power, equally far
//! apart, determine it (Aitken's delta-squared process, 1926); they are taken anew whenever the power changes.

use shared::hardware::Load;
use shared::time::Time;

/// Readings closer together than this are one, in seconds.
const STEP_S: f64 = 20.0;
/// The power is the same while it changes by less than this share.
const SAME_POWER: f64 = 0.1;
/// The speed of a hot device beside its normal one, before it was seen.
const HOT_SPEED: f64 = 0.7;
/// A device that runs slower than this beside its normal speed, and is hot, is slowed down by heat.
const SLOWED: f64 = 0.95;

/// What is known of a worker's warmth.
#[derive(Debug, Clone, Default)]
pub struct Heat {
    readings: Vec<(Time, f64, f64)>,
    steady: Option<Steady>,
    hot_speed: Option<f64>,
}

/// Where the temperature goes under the power drawn now.
#[derive(Debug, Clone, Copy)]
struct Steady {
    celsius: f64,
    tau_s: f64,
}

impl Heat {
    /// Takes in what a worker told at `at`. Without a temperature and a power nothing is learned.
    pub fn observe(&mut self, at: Time, load: &Load, throttle_c: Option<f64>) {
        let (Some(celsius), Some(watts)) = (load.temperature_c, load.power_w) else { return };
        if let (Some(speed), Some(limit)) = (load.speed.filter(|speed| *speed < SLOWED), throttle_c)
            && celsius > limit - 5.0
        {
            self.hot_speed = Some(speed);
        }
        if self.readings.last().is_some_and(|(_, _, before)| (watts - before).abs() > SAME_POWER * before.max(1.0)) {
            self.readings.clear();
        }
        if self.readings.last().is_none_or(|(last, ..)| at.since(*last).as_secs_f64() >= STEP_S) {
            self.readings.push((at, celsius, watts));
        }
        if let [.., (_, first, _), (from, second, _), (to, third, _)] = self.readings[..] {
            let ratio = (third - second) / (second - first);
            if (0.05..0.98).contains(&ratio) {
                let celsius = first + (second - first) / (1.0 - ratio);
                self.steady = Some(Steady { celsius, tau_s: -to.since(from).as_secs_f64() / ratio.ln() });
            }
            self.readings.drain(..self.readings.len() - 2);
        }
    }

    /// The mean speed over the next `horizon_s` seconds beside the speed it has now: less than 1 where it is going to slow down.
    pub fn outlook(&self, load: &Load, throttle_c: Option<f64>, horizon_s: f64) -> f64 {
        let (Some(steady), Some(limit), Some(now)) = (self.steady, throttle_c, load.temperature_c) else { return 1.0 };
        if steady.celsius <= limit || load.speed.is_some_and(|speed| speed < SLOWED) {
            return 1.0;
        }
        let until_s = steady.tau_s * ((steady.celsius - now) / (steady.celsius - limit)).max(1.0).ln();
        let cool = (until_s / horizon_s).min(1.0);
        cool + (1.0 - cool) * self.hot_speed.unwrap_or(HOT_SPEED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(celsius: f64, watts: f64, speed: f64) -> Load {
        Load { temperature_c: Some(celsius), power_w: Some(watts), speed: Some(speed), ..Load::default() }
    }

    /// From 25 degrees toward 88 with a time constant of 180 s.
    fn celsius(seconds: f64) -> f64 {
        88.0 - 63.0 * (-seconds / 180.0_f64).exp()
    }

    #[test]
    fn three_readings_tell_where_the_temperature_goes_and_when_it_is_too_hot() {
        let mut heat = Heat::default();
        let reading = |seconds: u64| (Time(seconds * 1_000_000), load(celsius(seconds as f64), 420.0, 1.0));
        for seconds in [0, 30, 60] {
            let (at, load) = reading(seconds);
            assert_eq!(heat.outlook(&load, Some(84.0), 900.0), 1.0, "nothing is claimed before");
            heat.observe(at, &load, Some(84.0));
        }
        let (_, now) = reading(60);
        // It takes 180 ln(63 / 4) = 496 s from the start to 84 degrees: 436 more.
        let expected = 436.0 / 900.0 + (1.0 - 436.0 / 900.0) * HOT_SPEED;
        let outlook = heat.outlook(&now, Some(84.0), 900.0);
        assert!((outlook - expected).abs() < 0.01, "{outlook} is not {expected}");
        assert_eq!(heat.outlook(&now, Some(90.0), 900.0), 1.0, "it never gets there");
        assert_eq!(heat.outlook(&now, None, 900.0), 1.0, "nobody says where it slows down");
    }

    #[test]
    fn a_slowdown_that_was_seen_replaces_the_guess_and_other_power_begins_anew() {
        let mut heat = Heat::default();
        for seconds in [0, 30, 60] {
            heat.observe(Time(seconds * 1_000_000), &load(celsius(seconds as f64), 420.0, 1.0), Some(84.0));
        }
        heat.observe(Time(600_000_000), &load(86.0, 420.0, 0.5), Some(84.0));
        let cold = load(25.0, 420.0, 1.0);
        let cool = heat.outlook(&cold, Some(84.0), 10_000.0);
        assert!((0.5..0.55).contains(&cool), "{cool}");
        heat.observe(Time(700_000_000), &load(60.0, 90.0, 1.0), Some(84.0));
        assert_eq!(heat.readings.len(), 1);
    }
}
