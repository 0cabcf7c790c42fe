//! The built-in scenarios are what they are said to be, and the same in files as in memory.

use simulator::builtin::{ALL, Builtin, by_name};
use simulator::{Options, Scenario, run};
use std::collections::BTreeMap;

fn named(name: &str) -> &'static Builtin {
    by_name(name).expect("it is built in")
}

fn scenario(name: &str, seed: u64) -> Scenario {
    named(name).scenario(seed).expect("a good scenario")
}

fn fifo(seed: u64) -> Options {
    Options { policy: "fifo".into(), seed: Some(seed), ..Options::default() }
}

#[test]
fn every_built_in_scenario_runs_the_same_from_its_written_files_and_loses_nothing() {
    for builtin in ALL {
        let folder = tempfile::tempdir().expect("a folder");
        builtin.write(3, folder.path()).expect("it is written");
        let read = Scenario::load(&folder.path().join("scenario.toml")).expect("a good scenario");
        let made = run(&scenario(builtin.name, 3), &fifo(3)).expect("it runs");
        assert_eq!(made.facts(), run(&read, &fifo(3)).expect("it runs").facts(), "{}", builtin.name);
        assert_eq!((made.summary.lost, made.summary.impossible), (0, 0), "{}", builtin.name);
    }
}

#[test]
fn a_seed_is_an_instance() {
    for builtin in ALL {
        assert_eq!(builtin.files(5), builtin.files(5), "{}", builtin.name);
        assert_ne!(builtin.files(5).tasks, builtin.files(6).tasks, "{}", builtin.name);
        assert_ne!(builtin.files(5).history, builtin.files(6).history, "{}", builtin.name);
    }
}

/// The logarithm of what the history of a kind and hardware says over what its tasks take in truth.
fn errors(scenario: &Scenario) -> BTreeMap<(String, &'static str), f64> {
    let mut logs: BTreeMap<(String, &'static str), [(f64, f64); 2]> = BTreeMap::new();
    let mut add = |kind: &str, hardware: &'static str, which: usize, seconds: f64| {
        let sums = &mut logs.entry((kind.to_owned(), hardware)).or_default()[which];
        *sums = (sums.0 + seconds.ln(), sums.1 + 1.0);
    };
    for seen in &scenario.history {
        add(&seen.kind, seen.hardware.name(), 0, seen.seconds);
    }
    for task in &scenario.tasks {
        for hardware in task.hardware() {
            add(&task.kind, hardware.name(), 1, task.service_s(hardware).expect("one of its kinds"));
        }
    }
    logs.into_iter().map(|(of, [(seen, times), (truth, tasks)])| (of, seen / times - truth / tasks)).collect()
}

#[test]
fn histories_are_as_wrong_as_they_are_said_to_be() {
    let errors: Vec<f64> = (1..=8).flat_map(|seed| errors(&scenario("gpu-batch-3000", seed)).into_values()).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let deviation = (errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / errors.len() as f64).sqrt();
    assert!(mean.abs() < 0.1 && (deviation - 0.76).abs() < 0.08, "{mean} {deviation}");
    let wrong: Vec<f64> = (1..=8).map(|seed| errors_of_first_kind(seed, "cpu") - errors_of_first_kind(seed, "cuda")).collect();
    let mean = wrong.iter().sum::<f64>() / wrong.len() as f64;
    assert!((mean + 100f64.ln()).abs() < 1.2, "a hundredfold too hopeful: {mean}");
}

fn errors_of_first_kind(seed: u64, hardware: &'static str) -> f64 {
    errors(&scenario("wrong-estimates", seed))[&("kind-1".to_owned(), hardware)]
}

/// How many tasks are submitted at the moment at which most are, and when that is.
fn burst(scenario: &Scenario) -> (usize, f64) {
    let mut moments: BTreeMap<u64, usize> = BTreeMap::new();
    scenario.tasks.iter().for_each(|task| *moments.entry((task.submit_s * 1e3) as u64).or_default() += 1);
    let (moment, count) = moments.into_iter().max_by_key(|(_, count)| *count).expect("it has tasks");
    (count, moment as f64 / 1e3)
}

#[test]
fn disturbances_come_when_they_are_said_to_come() {
    for seed in 1..=5 {
        let spike = scenario("sudden-spike", seed);
        let (count, at_s) = burst(&spike);
        let slow: Vec<f64> = spike.machines.iter().flat_map(|machine| machine.slow.iter().map(|phase| phase.from_s)).collect();
        assert!((300..=401).contains(&count) && slow == [at_s; 3], "{count} at {at_s}, slow from {slow:?}");
        let late = scenario("late-joiners", seed);
        let (count, at_s) = burst(&late);
        let joins: Vec<f64> = late.machines.iter().map(|machine| machine.joins_s).filter(|at| *at > 0.0).collect();
        assert!(count >= 400 && joins == [at_s + 10.0; 4], "{count} at {at_s}, joining at {joins:?}");
    }
}

#[test]
fn streams_ask_for_the_load_they_are_said_to_ask_for() {
    for (name, capacity, load, horizon_s) in [("constant-load", 40.0, 0.6, 1800.0), ("gradual-increase", 28.0, 0.55, 3600.0)] {
        let work = |seed| {
            let scenario = scenario(name, seed);
            let seconds = |task: &simulator::tables::Task| task.hardware().filter_map(|on| task.service_s(on)).sum::<f64>();
            scenario.tasks.iter().map(seconds).sum::<f64>() / (capacity * horizon_s)
        };
        let mean = (1..=10).map(work).sum::<f64>() / 10.0;
        assert!((mean - load).abs() < 0.04, "{name}: {mean}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_refused_with_those_that_do() {
    let error = by_name("spike").expect_err("it is called otherwise").to_string();
    assert!(error.contains("sudden-spike") && error.contains("livelock"), "{error}");
}
