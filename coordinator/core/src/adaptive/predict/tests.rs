//! What an ensemble promises, on values worked by hand and on series made from a seed.

use super::*;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Steps of a made series: two days of 30 s.
const STEPS: usize = 5_760;

struct Dice(Pcg64);

impl Dice {
    fn even(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, of deviation 1: the sum of twelve even draws.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }
}

fn series(seed: u64, mut next: impl FnMut(usize, &mut Dice) -> f64) -> Vec<f64> {
    let mut dice = Dice(Pcg64::seed_from_u64(seed));
    (0..STEPS).map(|step| next(step, &mut dice).clamp(0.0, 1.0)).collect()
}

/// A day's swing of 288 steps with noise.
fn daily(seed: u64) -> Vec<f64> {
    series(seed, |step, dice| 0.5 + 0.3 * (step as f64 * std::f64::consts::TAU / 288.0).sin() + 0.05 * dice.normal())
}

/// A load that wanders about one half.
fn wandering(seed: u64) -> Vec<f64> {
    let mut off = 0.0;
    series(seed, move |_, dice| {
        off = 0.9 * off + 0.05 * dice.normal();
        0.5 + off
    })
}

/// A load that jumps to another level now and then.
fn jumping(seed: u64) -> Vec<f64> {
    let mut level = 0.5;
    series(seed, move |_, dice| {
        if dice.even() < 0.01 {
            level = dice.even();
        }
        level + 0.03 * dice.normal()
    })
}

/// A low load with a spike in one of twenty steps.
fn spiky(seed: u64) -> Vec<f64> {
    series(seed, |_, dice| 0.2 + 0.03 * dice.normal() + if dice.even() < 0.05 { 0.6 } else { 0.0 })
}

/// The share of 32 slots that is busy with tasks of 20 steps on average, one arriving every second step.
fn slots(seed: u64) -> Vec<f64> {
    let mut ends: Vec<f64> = Vec::new();
    series(seed, move |step, dice| {
        ends.retain(|end| *end > step as f64);
        let arrivals = (0..4).filter(|_| dice.even() < 0.2).count();
        (0..arrivals).for_each(|_| ends.push(step as f64 - 20.0 * (1.0 - dice.even()).ln()));
        ends.truncate(32);
        ends.len() as f64 / 32.0
    })
}

/// A load that takes steps without any way back, but for the ends.
fn walking(seed: u64) -> Vec<f64> {
    let mut at = 0.5;
    series(seed, move |_, dice| {
        at = (at + 0.01 * dice.normal()).clamp(0.0, 1.0);
        at
    })
}

fn run(setup: Setup, values: &[f64]) -> Ensemble {
    let mut ensemble = Ensemble::new(setup);
    values.iter().for_each(|value| ensemble.observe(*value));
    ensemble
}

fn alone(member: Box<dyn Member>, values: &[f64]) -> f64 {
    let mut ensemble = Ensemble::of(Setup::default(), vec![member]);
    values.iter().for_each(|value| ensemble.observe(*value));
    ensemble.score().mase().expect("the series changes")
}

#[test]
fn on_loads_that_can_be_forecast_it_is_better_than_no_change() {
    for seed in [1, 2, 3] {
        let steady = [("daily", daily(seed), 0.9), ("wandering", wandering(seed), 0.95), ("slots", slots(seed), 0.98)];
        let rough = [("jumping", jumping(seed), 0.99), ("spiky", spiky(seed), 0.8)];
        for (name, values, limit) in steady.into_iter().chain(rough) {
            let mase = run(Setup::default(), &values).score().mase().expect("the series changes");
            assert!(mase < limit, "{name} {seed}: {mase}");
        }
    }
}

#[test]
fn where_nothing_can_be_forecast_it_costs_next_to_nothing() {
    for seed in [1, 2, 3] {
        let mase = run(Setup::default(), &walking(seed)).score().mase().expect("the series changes");
        assert!(mase < 1.01, "{seed}: {mase}");
    }
}

#[test]
fn the_stated_share_of_values_is_within_the_interval() {
    for seed in [1, 2, 3] {
        let all = [daily(seed), wandering(seed), jumping(seed), spiky(seed), slots(seed), walking(seed)];
        for (i, values) in all.into_iter().enumerate() {
            for coverage in [0.8, 0.5] {
                let held = run(Setup { coverage, ..Setup::default() }, &values).score().coverage().expect("many are due");
                assert!((held - coverage).abs() < 0.05, "series {i}, seed {seed}: {held} for {coverage}");
            }
        }
    }
}

#[test]
fn least_squares_is_worse_than_no_change_and_loses_its_weight() {
    for values in [wandering(4), spiky(4), slots(4), walking(4)] {
        assert!(alone(Box::<least_squares::LeastSquares>::default(), &values) > 1.2);
        let with = run(Setup { least_squares: true, ..Setup::default() }, &values);
        let weights = &with.forecast().expect("it has values").weights;
        let (name, weight) = *weights.last().expect("it has members");
        assert!(name == "least_squares" && weight < 0.05, "{weights:?}");
        let without = run(Setup::default(), &values).score().mase().expect("the series changes");
        assert!(with.score().mase().expect("the series changes") < without + 0.01);
    }
}

#[test]
fn the_first_value_is_forecast_to_stay_and_nothing_is_ruled_out() {
    let ensemble = run(Setup::default(), &[0.3]);
    let forecast = ensemble.forecast().expect("there was a value");
    assert_eq!((forecast.value, forecast.low, forecast.high, forecast.confidence), (0.3, 0.0, 1.0, 0.0));
    assert!(forecast.weights.iter().all(|(_, weight)| *weight == 0.25), "{forecast:?}");
    let open = run(Setup { share: false, ..Setup::default() }, &[30.0]);
    assert_eq!(open.forecast().map(|forecast| forecast.high), Some(f64::INFINITY));
    assert_eq!(Ensemble::new(Setup::default()).forecast(), None);
}

#[test]
fn a_forecast_is_scored_when_it_is_due_and_not_replaced_before() {
    let persistence = || vec![Box::<persistence::Persistence>::default() as Box<dyn Member>];
    let mut ensemble = Ensemble::of(Setup { horizon: 3, ..Setup::default() }, persistence());
    for value in [0.1, 0.2, 0.4] {
        ensemble.observe(value);
        assert_eq!((ensemble.score().due(), ensemble.accuracy()), (0, None));
    }
    assert_eq!(ensemble.waiting(), 3);
    // The forecasts 0.1, 0.2 and 0.4 come due at 0.8, 0.9 and 0.4: errors 0.7, 0.7 and 0.
    for (value, due) in [(0.8, 1), (0.9, 2), (0.4, 3)] {
        ensemble.observe(value);
        assert_eq!((ensemble.score().due(), ensemble.waiting()), (due, 3));
    }
    let mean = ensemble.score().mean_absolute_error().expect("three are due");
    assert!((mean - 1.4 / 3.0).abs() < 1e-12, "{mean}");
    assert!((ensemble.accuracy().expect("three are due") - (1.0 - 1.4 / 3.0)).abs() < 1e-12);
    assert!((ensemble.score().mase().expect("it changed") - 1.0).abs() < 1e-12);
}

#[test]
fn a_step_that_was_not_measured_is_no_value_and_scores_nothing() {
    let mut ensemble = Ensemble::new(Setup { horizon: 2, ..Setup::default() });
    for value in [0.5, f64::NAN, f64::NAN, 0.9] {
        ensemble.observe(value);
    }
    // 0.5 was due at a step without a value, and what was due at 0.9 was never forecast.
    assert_eq!((ensemble.score().due(), ensemble.waiting()), (0, 1));
    ensemble.observe(0.9);
    ensemble.observe(0.9);
    assert_eq!(ensemble.score().due(), 1);
}

#[test]
fn a_load_that_never_changes_is_sure() {
    let ensemble = run(Setup::default(), &[0.6; 60]);
    let forecast = ensemble.forecast().expect("it has values");
    assert!((forecast.value - 0.6).abs() < 1e-9 && forecast.confidence > 0.999, "{forecast:?}");
    assert!(ensemble.accuracy().is_some_and(|accuracy| accuracy > 0.999));
    assert_eq!(run(Setup::default(), &[0.5; 60]).score().mase(), None, "there is no change to compare with");
}

#[test]
fn shares_stay_within_zero_and_one_and_the_value_within_its_interval() {
    let mut ensemble = Ensemble::new(Setup { least_squares: true, ..Setup::default() });
    for value in spiky(5).into_iter().take(500).chain((0..50).map(|x| f64::from(x) / 50.0)).chain([1.0; 20]) {
        ensemble.observe(value);
        let forecast = ensemble.forecast().expect("it has values");
        assert!(0.0 <= forecast.low && forecast.low <= forecast.value, "{forecast:?}");
        assert!(forecast.value <= forecast.high && forecast.high <= 1.0, "{forecast:?}");
        assert!((forecast.weights.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn an_interval_is_surer_on_a_quiet_load_than_on_a_restless_one() {
    let confidence = |values: &[f64]| run(Setup::default(), values).forecast().map_or(0.0, |forecast| forecast.confidence);
    let quiet: Vec<f64> = wandering(6).iter().map(|value| 0.5 + (value - 0.5) / 10.0).collect();
    assert!(confidence(&quiet) > 0.9 && confidence(&wandering(6)) < 0.8);
}
