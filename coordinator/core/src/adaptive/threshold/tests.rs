//! The default rule comes to rest, and the published one does not where it says so.

use super::*;
use crate::adaptive::trend::{Direction, WorkloadTrend};

const STABLE: WorkloadTrend = WorkloadTrend { direction: Direction::Stable, magnitude: 0.0, confidence: 0.0 };
const CONFIGURED: Limits = Limits { high: 0.85, low: 0.2 };

fn default_rule() -> Thresholds {
    Thresholds::of(&BalancerConfig::default())
}

fn after(mut thresholds: Thresholds, load: f64, looks: usize) -> Thresholds {
    (0..looks).for_each(|_| thresholds.observe(load, &STABLE));
    thresholds
}

fn seed_after(mut thresholds: SeedThresholds, load: f64, looks: usize) -> SeedThresholds {
    (0..looks).for_each(|_| thresholds.observe(load, &STABLE));
    thresholds
}

fn near(limits: Limits, high: f64, low: f64) {
    assert!((limits.high - high).abs() < 1e-9 && (limits.low - low).abs() < 1e-9, "{limits:?} is not {high}/{low}");
}

#[test]
fn a_constant_load_of_any_level_ends_in_constant_thresholds() {
    for percent in 0..=100u32 {
        let load = f64::from(percent) / 100.0;
        let settled = after(default_rule(), load, 200);
        assert_eq!(settled.limits(), settled.target(), "{load}");
        assert_eq!(after(settled, load, 100), settled, "{load}");
        let Limits { high, low } = settled.limits();
        assert!((0.6..=0.95).contains(&high) && (0.1..=0.4).contains(&low) && high - low >= 0.3, "{settled:?}");
    }
}

#[test]
fn a_load_in_the_middle_leaves_the_configured_thresholds() {
    for load in [0.3, 0.49, 0.51, 0.75] {
        assert_eq!(after(default_rule(), load, 50).limits(), CONFIGURED);
    }
}

#[test]
fn an_excursion_ends_where_it_began() {
    for load in [0.0, 0.1, 0.9, 1.0] {
        let away = after(default_rule(), load, 40);
        assert_ne!(away.limits(), CONFIGURED);
        assert_eq!(after(away, 0.6, 200).limits(), CONFIGURED, "{load}");
    }
}

#[test]
fn an_excursion_that_fades_slowly_ends_there_too() {
    // Pressures 0.16, then 0.03, which is followed, then none: a step of 0.03 that must not be taken for trembling.
    let mut thresholds = default_rule();
    for load in [0.79, 0.7575, 0.6] {
        thresholds = after(thresholds, load, 200);
    }
    assert_eq!(thresholds.limits(), CONFIGURED);
}

#[test]
fn full_load_moves_both_inwards_and_idleness_both_outwards() {
    // One look at full load: targets 0.85 − 0.12 and 0.2 + 0.08, a twentieth of the way.
    near(after(default_rule(), 1.0, 1).limits(), 0.85 - 0.006, 0.2 + 0.004);
    near(after(default_rule(), 1.0, 300).limits(), 0.73, 0.28);
    // At a load of 0: 0.85 + 0.08, and 0.2 − 0.12 is kept at 0.1.
    near(after(default_rule(), 0.0, 300).limits(), 0.93, 0.1);
}

#[test]
fn a_rising_load_is_met_before_it_is_high_and_sooner() {
    let rising = WorkloadTrend { direction: Direction::Increasing, magnitude: 0.04, confidence: 1.0 };
    let mut thresholds = default_rule();
    // 0.7 + 5 · 0.04 = 0.9 is a pressure of 0.6: 0.072 inwards, 1.5 twentieths of it now.
    thresholds.observe(0.7, &rising);
    near(thresholds.limits(), 0.85 - 0.075 * 0.072, 0.2 + 0.075 * 0.048);
    let falling = WorkloadTrend { direction: Direction::Decreasing, ..rising };
    thresholds = default_rule();
    thresholds.observe(0.9, &falling);
    assert_eq!(thresholds.limits(), CONFIGURED, "0.9 falls to 0.7, which is no pressure");
}

#[test]
fn a_load_that_trembles_does_not_move_the_target() {
    let mut thresholds = after(default_rule(), 0.9, 200);
    let settled = thresholds.limits();
    for step in 0..100u32 {
        thresholds.observe(if step % 2 == 0 { 0.885 } else { 0.915 }, &STABLE);
        assert_eq!(thresholds.limits(), settled);
    }
}

#[test]
fn without_dynamic_thresholds_they_stay_as_configured() {
    let config = BalancerConfig { enable_dynamic_thresholds: false, ..BalancerConfig::default() };
    assert_eq!(after(Thresholds::of(&config), 1.0, 100).limits(), CONFIGURED);
}

#[test]
fn what_was_configured_outside_of_the_ranges_is_returned_to() {
    let odd = Limits { high: 0.5, low: 0.4 };
    let away = after(Thresholds::new(odd, 0.05, true), 1.0, 100);
    assert_eq!(after(away, 0.5, 300).limits(), odd);
    let Limits { high, low } = away.limits();
    assert!(high - low >= 0.1 - 1e-9, "{away:?}");
}

#[test]
fn the_published_rule_moves_by_the_published_amounts() {
    let seed = SeedThresholds::new(CONFIGURED, 0.05);
    near(seed_after(seed, 0.8, 1).limits(), 0.79, 0.24);
    near(seed_after(seed, 0.2, 1).limits(), 0.89, 0.14);
    near(seed_after(seed, 0.6, 1).limits(), 0.80, 0.25);
    near(seed_after(seed, 0.5, 1).limits(), 0.90, 0.15);
    let mut rising = seed;
    rising.observe(0.8, &WorkloadTrend { direction: Direction::Increasing, magnitude: 0.1, confidence: 1.0 });
    near(rising.limits(), 0.76, 0.26);
}

#[test]
fn the_published_rule_keeps_the_separation() {
    let seed = SeedThresholds::new(CONFIGURED, 0.05);
    // 0.79/0.24, 0.73/0.28, 0.67/0.32; then 0.61/0.36 is too close, high fell and low rose: high is 0.36 + 0.3.
    near(seed_after(seed, 0.8, 4).limits(), 0.66, 0.36);
}

#[test]
fn the_published_rule_saturates_where_the_default_one_does_not_move() {
    let seed = SeedThresholds::new(CONFIGURED, 0.05);
    for (load, high, low) in [(0.6, 0.7, 0.4), (0.8, 0.7, 0.4), (0.4, 0.95, 0.1), (0.1, 0.95, 0.1)] {
        near(seed_after(seed, load, 7).limits(), high, low);
        near(seed_after(seed, load, 70).limits(), high, low);
    }
    assert_eq!(after(default_rule(), 0.6, 70).limits(), CONFIGURED);
    assert_eq!(after(default_rule(), 0.4, 70).limits(), CONFIGURED);
}

#[test]
fn the_published_rule_turns_round_at_one_half_and_does_not_come_back() {
    let seed = SeedThresholds::new(CONFIGURED, 0.05);
    let (below, above) = (seed_after(seed, 0.49, 7).limits(), seed_after(seed, 0.51, 7).limits());
    assert!(below.high - above.high > 0.24 && above.low - below.low > 0.29, "{below:?} {above:?}");
    assert_eq!(after(default_rule(), 0.49, 7).limits(), after(default_rule(), 0.51, 7).limits());
    // An hour of high load, then an hour in the middle: still at its end.
    near(seed_after(seed_after(seed, 0.9, 120), 0.6, 120).limits(), 0.7, 0.4);
}
