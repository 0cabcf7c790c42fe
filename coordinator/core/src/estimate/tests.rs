//! What is believed of durations after what was seen.

use super::*;

const CPU: HardwareKind = HardwareKind::Cpu;
const CUDA: HardwareKind = HardwareKind::Cuda;

fn known(kind: &str, hardware: HardwareKind, seconds: f64) -> Known {
    Known { kind: kind.into(), hardware, seconds, times: 1 }
}

#[test]
fn a_test_that_changed_is_believed_after_a_few_runs() {
    let mut estimates = Estimates::default();
    let name: Arc<str> = "pytest::a".into();
    for seconds in [1.0, 1.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0] {
        estimates.saw_test(&name, seconds);
    }
    let (_, learned) = estimates.tests("pytest::").next().expect("one test");
    assert!((7.0..10.0).contains(&learned), "{learned}");
}

#[test]
fn durations_are_found_by_prefix_and_nonsense_is_not_learned() {
    let mut estimates = Estimates::default();
    for name in ["a::1", "b::1", "b::2", "c::1"] {
        estimates.saw_test(&name.into(), 1.0);
    }
    estimates.saw_test(&"b::3".into(), f64::NAN);
    estimates.learn(&known("k", CPU, f64::INFINITY));
    let found: Vec<&str> = estimates.tests("b::").map(|(name, _)| name).collect();
    assert_eq!(found, ["b::1", "b::2"]);
    assert!(!estimates.has_seen(KindId(0)));
}

#[test]
fn estimates_keep_two_digits() {
    assert_eq!([0, 7, 99, 123, 99_999].map(two_digits), [0, 7, 99, 120, 99_000]);
}

#[test]
fn what_was_seen_often_is_believed_and_what_was_seen_nowhere_follows_the_hardware() {
    let mut estimates = Estimates::default();
    for kind in 0..30 {
        for _ in 0..5 {
            let cpu = 10.0 * f64::from(kind + 1);
            estimates.learn(&known(&format!("k{kind}"), CPU, cpu));
            estimates.learn(&known(&format!("k{kind}"), CUDA, cpu / 8.0));
        }
    }
    let seen = estimates.expect(KindId(9), CPU).median_s();
    assert!((95.0..105.0).contains(&seen), "{seen}");
    estimates.learn(&known("new", CPU, 800.0));
    let elsewhere = estimates.expect(KindId(30), CUDA).median_s();
    assert!((30.0..200.0).contains(&elsewhere), "near a hundred seconds, an eighth: {elsewhere}");
    let (known, guessed) = (estimates.expect(KindId(9), CUDA), estimates.expect(KindId(30), CUDA));
    assert!(guessed.variance > 2.0 * known.variance, "a guess says that it is one");
}

#[test]
fn a_slow_worker_is_noticed_by_predictable_tasks_and_not_by_noise() {
    let (mut steady, mut noisy) = (Estimates::default(), Estimates::default());
    for at in 0..40 {
        let swing = if at % 2 == 0 { 20.0 } else { 0.05 };
        steady.learn(&known("k", CPU, 10.0));
        noisy.learn(&known("k", CPU, 10.0 * swing));
    }
    for _ in 0..12 {
        for (worker, seconds) in [(0, 40.0), (1, 10.0)] {
            steady.saw_task("k", WorkerIndex(worker), CPU, 1.0, seconds);
            noisy.saw_task("k", WorkerIndex(worker), CPU, 1.0, seconds);
        }
    }
    assert!(steady.speed(WorkerIndex(0), CPU) < 0.5 * steady.speed(WorkerIndex(1), CPU));
    assert!(noisy.speed(WorkerIndex(0), CPU) > 0.7);
    assert_eq!(steady.speed(WorkerIndex(2), CPU), 1.0);
}

#[test]
fn an_overrun_means_longer_still() {
    let vague = Estimate { log: 10f64.ln(), variance: 1.5 };
    assert!(vague.remaining_s(100.0) > vague.remaining_s(20.0));
    assert!(vague.remaining_s(1e9) > 1e6);
    let sharp = Estimate { log: 10f64.ln(), variance: 0.0025 };
    let left = sharp.remaining_s(8.0);
    assert!((1.9..2.2).contains(&left), "{left}");
    assert!(sharp.remaining_s(14.0) < 1.5);
}
