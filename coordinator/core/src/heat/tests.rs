//! What the model foresees of simulated devices, through sensors as coarse and noisy as real ones.

use super::*;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use shared::hardware::{Device, DeviceLoad, HardwareKind, ProbeLevel};

/// A GPU that slows down at this temperature, in degrees Celsius.
const LIMIT_C: f64 = 83.0;
/// How far ahead is looked, in seconds.
const AHEAD_S: usize = 60;
/// Seconds between readings.
const EVERY_S: usize = 5;

fn load(celsius: f64, watts: f64, speed: f64) -> Load {
    Load { temperature_c: Some(celsius), power_w: Some(watts), speed: Some(speed), ..Load::default() }
}

fn limited(limit: Option<f64>) -> Inventory {
    let device = Device { throttle_c: limit, ..Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated) };
    Inventory { devices: vec![device], ..Inventory::default() }
}

/// From 25 degrees toward 88 with a time constant of 180 s.
fn celsius(seconds: f64) -> f64 {
    88.0 - 63.0 * (-seconds / 180.0_f64).exp()
}

fn warmed(until_s: u64) -> Heat {
    let mut heat = Heat::default();
    for seconds in (0..=until_s).step_by(10) {
        heat.observe(Time(seconds * 1_000_000), &load(celsius(seconds as f64), 420.0, 1.0), &limited(Some(84.0)));
    }
    heat
}

#[test]
fn a_rise_tells_where_the_temperature_goes_and_when_it_is_too_hot() {
    let now = load(celsius(240.0), 420.0, 1.0);
    assert_eq!(warmed(20).outlook(&now, &limited(Some(84.0)), 900.0), 1.0, "nothing is claimed before");
    // It takes 180 ln(63 / 4) = 496 s from the start to 84 degrees: 256 more.
    let expected = 256.0 / 900.0 + (1.0 - 256.0 / 900.0) * HOT_SPEED;
    let outlook = warmed(240).outlook(&now, &limited(Some(84.0)), 900.0);
    assert!((outlook - expected).abs() < 0.05, "{outlook} is not {expected}");
    assert_eq!(warmed(240).outlook(&now, &limited(Some(105.0)), 900.0), 1.0, "it never gets there");
    assert_eq!(warmed(240).outlook(&now, &limited(None), 900.0), 1.0, "nobody says where it slows down");
}

#[test]
fn a_slowdown_that_was_seen_replaces_the_guess() {
    let mut heat = warmed(600);
    heat.observe(Time(610_000_000), &load(86.0, 420.0, 0.5), &limited(Some(84.0)));
    let outlook = heat.outlook(&load(86.0, 420.0, 1.0), &limited(Some(84.0)), 10_000.0);
    assert!((0.5..0.55).contains(&outlook), "{outlook}");
}

#[test]
fn devices_of_one_worker_have_laws_of_their_own() {
    let mut heat = Heat::default();
    for seconds in (0..900).step_by(10) {
        let device = |device, celsius, watts| DeviceLoad {
            device,
            temperature_c: Some(celsius),
            power_w: Some(watts),
            ..DeviceLoad::default()
        };
        let devices = vec![device(0, celsius(seconds as f64), 420.0), device(1, 40.0, 50.0)];
        heat.observe(Time(seconds * 1_000_000), &Load { devices, ..Load::default() }, &limited(None));
    }
    let (hot, cool) = (heat.law(0).expect("it is known"), heat.law(1).expect("it is known"));
    assert!((hot.steady_c(420.0) - 88.0).abs() < 2.0 && (hot.tau_s - 180.0).abs() < 40.0, "{hot:?}");
    assert!((cool.steady_c(50.0) - 40.0).abs() < 1.0, "{cool:?}");
    assert_eq!(heat.law(2), None);
}

/// A second of a simulated device: its true temperature, its power, and the power its task would draw if it could.
#[derive(Clone, Copy)]
struct Second {
    celsius: f64,
    watts: f64,
    wanted_w: f64,
}

/// Two hours of a device that follows the law and slows down at its limit.
fn simulated(random: &mut impl FnMut() -> f64) -> Vec<Second> {
    let law = Law { ambient_c: 18.0 + 12.0 * random(), c_per_w: 0.12 + 0.12 * random(), tau_s: 40.0 + 200.0 * random() };
    let (mut celsius, mut watts, mut until) = (law.ambient_c + 5.0, 60.0, 0);
    let step = |seconds: usize| {
        if seconds >= until {
            // Tasks of 4 to 16 minutes, some idle time between them.
            watts = if random() < 0.2 { 40.0 } else { 100.0 + 300.0 * random() };
            until = seconds + 240 + (720.0 * random()) as usize;
        }
        // At its limit it draws no more than what it can get rid of.
        let drawn = if celsius >= LIMIT_C { watts.min((LIMIT_C - law.ambient_c) / law.c_per_w) } else { watts };
        celsius += (law.steady_c(drawn) - celsius) / law.tau_s;
        Second { celsius, watts: drawn, wanted_w: watts }
    };
    (0..2 * 3600).map(step).collect()
}

/// Whether the device slows down within the next minute; absent where that would be the doing of a task that only begins.
fn slows_down(next: &[Second]) -> Option<bool> {
    let until = next.iter().position(|second| second.celsius >= LIMIT_C);
    let same = next[..until.unwrap_or(next.len())].iter().all(|second| second.wanted_w == next[0].wanted_w);
    same.then_some(until.is_some())
}

#[test]
fn a_minute_ahead_is_foreseen_within_two_degrees_and_slowdowns_are_foreseen() {
    let (mut errors, mut hits, mut misses, mut false_alarms) = (Vec::new(), 0.0, 0.0, 0.0);
    for seed in 0..40 {
        let mut dice = Pcg64::seed_from_u64(seed);
        let mut uniform = move || (dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let truth = simulated(&mut uniform);
        let mut body = Body::default();
        for seconds in (0..truth.len() - AHEAD_S).step_by(EVERY_S) {
            let Second { celsius, watts, .. } = truth[seconds];
            // The sum of twelve uniform numbers is as good as normal: half a degree, 2 %; and the sensor tells whole degrees.
            let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            let (told_c, told_w) = ((celsius + 0.5 * normal()).round(), watts * (1.0 + 0.02 * normal()));
            body.observe(Time(seconds as u64 * 1_000_000), told_c, told_w);
            let Some(foreseen) = body.ahead_c(AHEAD_S as f64).filter(|_| seconds >= 600) else { continue };
            errors.push((foreseen - truth[seconds + AHEAD_S].celsius).abs());
            let happens = slows_down(&truth[seconds..seconds + AHEAD_S]);
            let Some(happens) = happens.filter(|_| celsius < LIMIT_C - 0.5) else { continue };
            let is_foreseen = body.time_to(LIMIT_C).is_some_and(|until_s| until_s <= AHEAD_S as f64);
            match (happens, is_foreseen) {
                (true, true) => hits += 1.0,
                (true, false) => misses += 1.0,
                (false, true) => false_alarms += 1.0,
                (false, false) => {}
            }
        }
    }
    let error = errors.iter().sum::<f64>() / errors.len() as f64;
    let (recall, precision) = (hits / (hits + misses), hits / (hits + false_alarms));
    assert!(hits > 100.0, "slowdowns happen: {hits} were foreseen");
    assert!(error <= 2.0, "mean error {error:.2} degrees");
    assert!(recall >= 0.9 && precision >= 0.7, "recall {recall:.3}, precision {precision:.3}, mean error {error:.2}");
}
