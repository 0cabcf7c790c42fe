//! When alerts are raised, when they are cleared, and that nothing flickers.

use super::*;
use shared::api::{PulseView, WorkerRow, WorkerState};
use shared::fact::{Admission, BreakerState};
use shared::hardware::{DeviceLoad, Load, Throttle};

fn row(name: &str) -> WorkerRow {
    WorkerRow {
        name: name.into(),
        state: WorkerState::Ready,
        admission: Admission::Open,
        breaker: BreakerState::Closed,
        held_back: false,
        simulated: false,
        slots: 4,
        busy_slots: 0,
        hardware: Vec::new(),
        declared: Vec::new(),
        load: Load::default(),
        throttle_c: None,
        silent_s: None,
    }
}

fn signs(workers: &[WorkerRow]) -> Signs<'_> {
    Signs {
        workers,
        bottlenecks: &[],
        pulse: PulseView::default(),
        impossible: 0,
        log_problem: None,
        database_problem: None,
        disk: None,
    }
}

/// What changed at each of these seconds, as words.
fn told(alerts: &mut Alerts, at_s: u64, signs: &Signs<'_>) -> Vec<String> {
    let word = |change: Change| match change {
        Change::Raised(alert) => format!("+{} {} {:?}", alert.kind.name(), alert.subject, alert.severity),
        Change::Cleared(alert) => format!("-{} {}", alert.kind.name(), alert.subject),
    };
    alerts.judge(Time(at_s * 1_000_000), signs).into_iter().map(word).collect()
}

#[test]
fn a_silent_worker_is_told_once_gets_worse_and_is_over_when_it_is_heard() {
    let mut alerts = Alerts::default();
    let steps: [(u64, WorkerState, Option<u64>, &[&str]); 6] = [
        (0, WorkerState::Ready, Some(12), &[]),
        (1, WorkerState::Suspect, Some(16), &["+worker_silent w Warning"]),
        (2, WorkerState::Disconnected, Some(40), &[]),
        (3, WorkerState::Gone, Some(42), &["+worker_silent w Critical"]),
        (4, WorkerState::Gone, Some(600), &[]),
        (5, WorkerState::Ready, None, &["-worker_silent w"]),
    ];
    for (at_s, state, silent_s, expected) in steps {
        let rows = [WorkerRow { state, silent_s, ..row("w") }];
        assert_eq!(told(&mut alerts, at_s, &signs(&rows)), expected, "at {at_s}");
    }
}

#[test]
fn a_worker_that_said_goodbye_is_no_alert_and_a_lost_one_is_forgotten_in_the_end() {
    let mut alerts = Alerts::default();
    let gone = |silent_s| [WorkerRow { state: WorkerState::Gone, silent_s: Some(silent_s), ..row("w") }];
    assert!(told(&mut alerts, 0, &signs(&gone(100))).is_empty());
    let silent = [WorkerRow { state: WorkerState::Disconnected, silent_s: Some(20), ..row("w") }];
    assert_eq!(told(&mut alerts, 1, &signs(&silent)).len(), 1);
    assert_eq!(told(&mut alerts, 2, &signs(&gone(50))), ["+worker_silent w Critical"]);
    assert_eq!(told(&mut alerts, 3, &signs(&gone(4_000))), ["-worker_silent w"]);
}

#[test]
fn a_value_between_its_two_limits_changes_nothing() {
    let mut alerts = Alerts::default();
    let disk = |used| Signs { disk: Some(Disk { used, free_bytes: 1 }), ..signs(&[]) };
    let steps: [(f64, &[&str]); 7] = [
        (0.89, &[]),
        (0.91, &["+disk_full coordinator Warning"]),
        (0.88, &[]),
        (0.98, &["+disk_full coordinator Critical"]),
        (0.95, &[]),
        (0.98, &[]),
        (0.86, &["-disk_full coordinator"]),
    ];
    for (at_s, (used, expected)) in steps.into_iter().enumerate() {
        assert_eq!(told(&mut alerts, at_s as u64, &disk(used)), expected, "{used}");
    }
}

#[test]
fn work_is_uneven_only_after_a_minute_and_with_enough_of_it() {
    let rows = |busy: [u32; 4]| busy.map(|busy_slots| WorkerRow { busy_slots, ..row(&busy_slots.to_string()) });
    let mut alerts = Alerts::default();
    let (few, uneven, even) = (rows([3, 0, 0, 0]), rows([4, 4, 0, 1]), rows([4, 3, 3, 3]));
    assert!(told(&mut alerts, 0, &signs(&few)).is_empty());
    assert!(told(&mut alerts, 100, &signs(&few)).is_empty(), "three tasks cannot keep four workers busy");
    assert!(told(&mut alerts, 101, &signs(&uneven)).is_empty());
    assert!(told(&mut alerts, 160, &signs(&uneven)).is_empty());
    assert_eq!(told(&mut alerts, 161, &signs(&uneven)), ["+load_deviation fleet Critical"]);
    assert_eq!(told(&mut alerts, 162, &signs(&even)), ["-load_deviation fleet"]);
}

#[test]
fn a_hot_worker_is_told_and_what_is_not_measured_is_no_alert() {
    let mut alerts = Alerts::default();
    let at = |temperature_c| [WorkerRow { throttle_c: Some(90.0), load: Load { temperature_c, ..Load::default() }, ..row("w") }];
    assert!(told(&mut alerts, 0, &signs(&at(None))).is_empty());
    assert!(told(&mut alerts, 1, &signs(&at(Some(91.0)))).is_empty(), "one hot moment is not yet throttling");
    assert_eq!(told(&mut alerts, 11, &signs(&at(Some(91.0)))), ["+worker_throttled w Warning"]);
    assert!(told(&mut alerts, 12, &signs(&at(Some(87.0)))).is_empty());
    assert_eq!(told(&mut alerts, 13, &signs(&at(Some(70.0)))), ["-worker_throttled w"]);
}

#[test]
fn a_device_that_says_it_is_slowed_down_by_heat_is_told_and_one_at_its_limit_of_power_is_not() {
    let mut alerts = Alerts::default();
    let slowed = |throttle| {
        let devices = vec![DeviceLoad { device: 1, throttle: Some(throttle), ..DeviceLoad::default() }];
        [WorkerRow { load: Load { throttle: Some(Throttle::Nothing), devices, ..Load::default() }, ..row("w") }]
    };
    for second in [0, 11] {
        assert!(told(&mut alerts, second, &signs(&slowed(Throttle::Power))).is_empty());
    }
    assert!(told(&mut alerts, 12, &signs(&slowed(Throttle::Heat))).is_empty());
    assert_eq!(told(&mut alerts, 22, &signs(&slowed(Throttle::Heat))), ["+worker_throttled w Warning"]);
    assert_eq!(told(&mut alerts, 23, &signs(&slowed(Throttle::Setting))), ["-worker_throttled w"]);
}

#[test]
fn a_worker_that_fails_what_it_is_given_is_an_alert_until_it_is_trusted_again() {
    let mut alerts = Alerts::default();
    let with = |breaker| [WorkerRow { breaker, ..row("w") }];
    assert_eq!(told(&mut alerts, 0, &signs(&with(BreakerState::Open))), ["+worker_distrusted w Warning"]);
    assert!(told(&mut alerts, 60, &signs(&with(BreakerState::HalfOpen))).is_empty());
    assert_eq!(told(&mut alerts, 61, &signs(&with(BreakerState::Closed))), ["-worker_distrusted w"]);
}

#[test]
fn the_worst_comes_first() {
    let mut alerts = Alerts::default();
    let all = Signs { log_problem: Some("full"), database_problem: Some("gone"), impossible: 2, ..signs(&[]) };
    for at_s in [0, 20] {
        alerts.judge(Time(at_s * 1_000_000), &all);
    }
    let kinds: Vec<&str> = alerts.raised().iter().map(|alert| alert.kind.name()).collect();
    assert_eq!(kinds[0], "log_unwritable");
    assert_eq!(kinds.len(), 3);
}
