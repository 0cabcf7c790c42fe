//! The balancer's looks at the fleet and what follows from them, driven by events alone. Each switch is shown to change what
//! happens.

mod common;

use common::{Bench, failed, machine, passed, spec};
use coordinator_core::fleet::WorkerIndex;
use coordinator_core::plan::{Plan, Policy, View};
use coordinator_core::{Command, Config, ConnectionId, Event, Reply, policy};
use shared::api::WhyCode;
use shared::config::BalancerConfig;
use shared::fact::{Admission, Fact, LoadForecast, What};
use shared::hardware::Load;
use shared::id::{Attempt, Digest, TaskId};
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{CheckpointRef, FromCoordinator, FromWorker, Heartbeat};
use shared::task::TaskSpec;
use shared::time::Time;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Workers send a heartbeat this often, in seconds.
const HEARTBEAT_S: u64 = 5;

fn bench(policy_name: &str, balancer: BalancerConfig, facts: &[Arc<Fact>], now: Time) -> Bench {
    let chosen = policy::by_name(policy_name).expect("a known policy");
    Bench::configured(Config { balancer, ..Config::default() }, chosen, facts, now)
}

fn by_default() -> BalancerConfig {
    BalancerConfig::default()
}

/// One heartbeat of a worker: it holds what it should, and has this load.
fn beat(bench: &mut Bench, connection: u64, load: Load) {
    let fleet = &bench.coordinator.state().fleet;
    let worker = fleet.by_connection(ConnectionId(connection)).expect("it is connected");
    let heartbeat = Heartbeat { number: 1, load: load.into(), holds: fleet.get(worker).digest() };
    bench.say(connection, FromWorker::Heartbeat(heartbeat));
}

/// Lets time pass while the workers 1 to `workers` are heard and say nothing of their load.
fn live(bench: &mut Bench, workers: u64, seconds: u64) {
    for _ in 0..seconds / HEARTBEAT_S {
        bench.wait(Duration::from_secs(HEARTBEAT_S));
        (1..=workers).for_each(|connection| beat(bench, connection, Load::default()));
    }
}

fn join(bench: &mut Bench, workers: u64, slots: u32) {
    for connection in 1..=workers {
        let name = char::from(b'a' + connection as u8 - 1).to_string();
        bench.join(&name, connection, machine(slots), &[], vec![]);
    }
}

/// Starts what was given out; the attempts by connection.
fn start_all(bench: &mut Bench) -> Vec<(u64, Attempt)> {
    let given: Vec<(u64, Attempt)> = bench.starts().into_iter().map(|(to, start)| (to, start.attempt)).collect();
    given.iter().for_each(|(to, attempt)| bench.say(*to, FromWorker::Started { attempt: *attempt }));
    given
}

fn held_by(bench: &Bench, worker: u32) -> Vec<Attempt> {
    let held = bench.coordinator.state().fleet.get(WorkerIndex(worker)).held.iter();
    held.map(|(task, held)| Attempt { task: *task, number: held.number }).collect()
}

fn saving(name: &str) -> TaskSpec {
    TaskSpec { checkpointable: true, state_bytes: 1_000_000, ..spec(name) }
}

/// The samples that were recorded: load, high threshold, forecast, accuracy.
fn samples(bench: &Bench) -> Vec<(f64, f64, Option<LoadForecast>, Option<f64>)> {
    let sample = |fact: &Arc<Fact>| match &fact.what {
        What::LoadSampled { load, high, forecast, accuracy, .. } => Some((*load, *high, *forecast, *accuracy)),
        _ => None,
    };
    bench.facts.iter().filter_map(sample).collect()
}

fn thresholds_moved(bench: &Bench) -> usize {
    bench.facts.iter().filter(|fact| matches!(fact.what, What::Thresholds { .. })).count()
}

fn migrations(bench: &Bench) -> usize {
    bench.facts.iter().filter(|fact| matches!(fact.what, What::Migration { .. })).count()
}

/// Two workers of two slots, all of which run for `seconds`.
fn full_for(balancer: BalancerConfig, seconds: u64) -> Bench {
    let mut bench = bench("adaptive", balancer, &[], Time::ZERO);
    join(&mut bench, 2, 2);
    bench.submit((0..4).map(|_| saving("long")).collect());
    start_all(&mut bench);
    live(&mut bench, 2, seconds);
    bench
}

#[test]
fn a_constant_load_ends_in_constant_thresholds_and_moves_nothing() {
    let bench = full_for(by_default(), 7_200);
    let samples = samples(&bench);
    let (first, last) = (samples[0].1, samples[samples.len() - 1].1);
    assert!(last < first && last < 0.85, "a full fleet lowers the high threshold: {first} then {last}");
    assert!(samples[samples.len() - 20..].iter().all(|sample| sample.1 == last), "it came to rest");
    assert!(thresholds_moved(&bench) > 0 && thresholds_moved(&bench) < samples.len() - 20);
    assert_eq!(migrations(&bench), 0);
}

#[test]
fn thresholds_stand_still_without_dynamic_thresholds() {
    let bench = full_for(BalancerConfig { enable_dynamic_thresholds: false, ..by_default() }, 900);
    assert!(samples(&bench).len() >= 29 && samples(&bench).iter().all(|sample| sample.1 == 0.85));
    assert_eq!(thresholds_moved(&bench), 0);
}

#[test]
fn a_faster_rate_of_adjustment_moves_the_thresholds_further() {
    let after = |rate| {
        let bench = full_for(BalancerConfig { threshold_adjustment_rate: rate, ..by_default() }, 120);
        bench.coordinator.load_balancer_stats().threshold_high
    };
    assert!(after(0.2) < after(0.05) && after(0.0) == 0.85);
}

#[test]
fn predictions_are_scored_from_the_first_that_fell_due() {
    let bench = full_for(by_default(), 400);
    let samples = samples(&bench);
    // Three minutes are six looks of 30 seconds: the forecast of the first is due at the seventh.
    let scored: Vec<bool> = samples.iter().map(|sample| sample.3.is_some()).collect();
    assert_eq!(scored.iter().position(|scored| *scored), Some(6), "{scored:?}");
    assert!(scored[6..].iter().all(|scored| *scored));
    for forecast in samples.iter().map(|sample| sample.2.expect("predictions are on")) {
        assert_eq!(forecast.window_s, 180.0);
        assert!(0.0 <= forecast.low && forecast.low <= forecast.load && forecast.load <= forecast.high && forecast.high <= 1.0);
    }
    let stats = bench.coordinator.load_balancer_stats();
    assert_eq!((stats.predictions_due, stats.load), (samples.len() as u64 - 6, Some(1.0)));
    assert!(stats.accuracy.is_some_and(|accuracy| accuracy > 0.9) && stats.coverage.is_some());
}

#[test]
fn nothing_is_predicted_without_predictive_balancing() {
    let bench = full_for(BalancerConfig { enable_predictive_balancing: false, ..by_default() }, 400);
    let samples = samples(&bench);
    assert!(samples.len() > 10 && samples.iter().all(|sample| sample.2.is_none() && sample.3.is_none()));
    assert_eq!(bench.coordinator.load_balancer_stats().forecast, None);
}

/// Two workers of 20 slots; the first gets one more task with each look, until it is exactly at its high threshold.
fn filling_up(balancer: BalancerConfig) -> Bench {
    let mut bench = bench("fifo", balancer, &[], Time::ZERO);
    join(&mut bench, 2, 20);
    for _ in 0..17 {
        bench.submit(vec![spec("long")]);
        start_all(&mut bench);
        live(&mut bench, 2, 30);
    }
    bench
}

#[test]
fn an_imbalance_that_is_on_its_way_counts_where_predictions_do() {
    let config = BalancerConfig { prediction_window_s: 60.0, enable_dynamic_thresholds: false, ..by_default() };
    let stats = filling_up(config).coordinator.load_balancer_stats();
    let slots = stats.imbalance["slots"];
    assert!(stats.uneven && !slots.uneven && slots.max == 0.85, "{stats:?}");
    assert!(slots.forecast.is_some_and(|forecast| forecast > 0.9), "{stats:?}");
    let without = filling_up(BalancerConfig { enable_predictive_balancing: false, ..config });
    assert!(!without.coordinator.load_balancer_stats().uneven);
}

/// Gives tasks out like another, and remembers what it saw.
#[derive(Debug, Clone, Default)]
struct Watching(Arc<Mutex<Vec<(f64, bool, usize)>>>);

impl Policy for Watching {
    fn name(&self) -> &'static str {
        "watching"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let mut seen = self.0.lock().expect("nothing panicked");
        seen.push((view.thresholds().high, view.is_uneven(), view.migrations_left()));
        policy::by_name("fifo").expect("it exists").plan(view)
    }
}

#[test]
fn a_policy_sees_the_thresholds_and_is_asked_when_the_fleet_is_uneven() {
    let watching = Watching::default();
    let mut bench = Bench::driven(Box::new(watching.clone()), &[], Time::ZERO);
    join(&mut bench, 2, 1);
    bench.submit(vec![spec("long")]);
    start_all(&mut bench);
    let plans = watching.0.lock().expect("nothing panicked").len();
    live(&mut bench, 2, 25);
    assert_eq!(watching.0.lock().expect("nothing panicked").len(), plans, "nothing happened");
    live(&mut bench, 2, 10);
    assert_eq!(watching.0.lock().expect("nothing panicked")[plans..], [(0.85, true, 2)]);
}

#[test]
fn the_windows_and_the_interval_are_what_was_configured() {
    let config = BalancerConfig { check_interval_s: 10.0, prediction_window_s: 60.0, performance_window_s: 20.0, ..by_default() };
    let mut bench = full_for(config, 100);
    assert!((9..=10).contains(&samples(&bench).len()));
    assert_eq!(samples(&bench)[0].2.map(|forecast| forecast.window_s), Some(60.0));
    let held: Vec<Attempt> = (0..2).flat_map(|at| held_by(&bench, at)).collect();
    for attempt in held {
        let task = bench.coordinator.state().ledger.get(attempt.task).and_then(|task| task.holder()).expect("it runs");
        bench.say(u64::from(task.0) + 1, FromWorker::Finished { attempt, outcome: passed() });
    }
    live(&mut bench, 2, 20);
    let stats = bench.coordinator.load_balancer_stats();
    assert_eq!((stats.load, stats.window_load), (Some(0.0), Some(0.0)), "only the last 20 seconds count");
}

/// One task that saves its state runs on worker 1, which is drained; worker 2 is free.
fn drained(policy_name: &str, balancer: BalancerConfig) -> (Bench, TaskId, Attempt) {
    let mut bench = bench(policy_name, balancer, &[], Time::ZERO);
    join(&mut bench, 1, 1);
    let id = bench.submit(vec![saving("long")])[0];
    live(&mut bench, 1, 5);
    let attempt = start_all(&mut bench)[0].1;
    bench.join("b", 2, machine(1), &[], vec![]);
    live(&mut bench, 2, 10);
    let before = migrations(&bench);
    assert_eq!(bench.order(Command::Admit("a".into(), Admission::Draining)), Reply::Done);
    live(&mut bench, 2, 10);
    assert_eq!(before, 0, "nothing moved before");
    (bench, id, attempt)
}

#[test]
fn a_drained_worker_is_emptied_whatever_the_policy() {
    for policy_name in ["adaptive", "fifo", "round_robin"] {
        let (mut bench, id, attempt) = drained(policy_name, by_default());
        assert_eq!(migrations(&bench), 1, "{policy_name}");
        assert_eq!(bench.coordinator.load_balancer_stats().migrations_in_flight, 1);
        let checkpoint = CheckpointRef { manifest: Digest([7; 32]), bytes: 1_000_000 };
        bench.say(1, FromWorker::Quiesced { attempt, checkpoint });
        bench.say(1, FromWorker::Finished { attempt, outcome: Outcome::bare(Ended::Saved) });
        let (to, next) = start_all(&mut bench)[0];
        assert_eq!((to, next.task), (2, id));
        bench.say(2, FromWorker::Finished { attempt: next, outcome: passed() });
        assert_eq!(bench.verdict(id), Some("passed"));
        let stats = bench.coordinator.load_balancer_stats();
        assert_eq!((stats.migrations_initiated, stats.migrations_successful, stats.migrations_in_flight), (1, 1, 0));
        assert_eq!(stats.migration_success_rate, Some(1.0));
        let replayed = Bench::replayed("fifo", &bench.facts, bench.now);
        assert_eq!(replayed.coordinator.load_balancer_stats().migrations_successful, 1);
    }
}

#[test]
fn a_drained_worker_keeps_its_task_without_task_migration() {
    let (bench, ..) = drained("adaptive", BalancerConfig { enable_task_migration: false, ..by_default() });
    assert_eq!(migrations(&bench), 0);
}

#[test]
fn no_more_tasks_move_at_a_time_than_is_allowed() {
    for most in [0, 1, 3] {
        let mut bench = bench("fifo", BalancerConfig { max_simultaneous_migrations: most, ..by_default() }, &[], Time::ZERO);
        join(&mut bench, 1, 4);
        bench.submit((0..4).map(|_| saving("long")).collect());
        start_all(&mut bench);
        bench.join("b", 2, machine(4), &[], vec![]);
        bench.order(Command::Admit("a".into(), Admission::Draining));
        live(&mut bench, 2, 20);
        assert_eq!(migrations(&bench), most as usize);
    }
}

fn busy_with(cpu: f64) -> Load {
    Load { cpu: Some(cpu), ..Load::default() }
}

#[test]
fn foreign_load_stops_new_work_and_its_end_lets_it_come_again() {
    for (foreign, own) in [(busy_with(0.97), busy_with(0.3)), (Load { memory: Some(0.97), ..Load::default() }, Load::default())] {
        let mut bench = bench("fifo", by_default(), &[], Time::ZERO);
        join(&mut bench, 2, 1);
        (0..2).for_each(|_| beat(&mut bench, 1, foreign.clone()));
        let ids = bench.submit(vec![spec("x"), spec("y")]);
        let given = start_all(&mut bench);
        assert_eq!(given.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2], "only the other worker gets work");
        assert_eq!(bench.coordinator.load_balancer_stats().held_back, ["a"]);
        let why = bench.coordinator.why(ids[1]).expect("it exists");
        let code = |name: &str| why.workers.iter().find(|worker| worker.worker == name).map(|worker| worker.code);
        assert_eq!((code("a"), code("b")), (Some(WhyCode::Overloaded), Some(WhyCode::Busy)));
        beat(&mut bench, 1, own);
        bench.wait(Duration::from_millis(1));
        assert_eq!(start_all(&mut bench).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1]);
        assert!(bench.coordinator.load_balancer_stats().held_back.is_empty());
    }
}

#[test]
fn load_of_ones_own_tasks_or_an_unknown_load_stops_nothing() {
    let mut bench = bench("fifo", by_default(), &[], Time::ZERO);
    join(&mut bench, 2, 2);
    let ids = bench.submit((0..4).map(|_| spec("x")).collect());
    let given = start_all(&mut bench);
    (0..3).for_each(|_| beat(&mut bench, 1, busy_with(1.0)));
    // What the heartbeat tells of is what ran until then, also when it has ended meanwhile.
    for (to, attempt) in &given {
        bench.say(*to, FromWorker::Finished { attempt: *attempt, outcome: passed() });
    }
    beat(&mut bench, 1, busy_with(1.0));
    assert!(bench.coordinator.load_balancer_stats().held_back.is_empty());
    (0..3).for_each(|_| beat(&mut bench, 1, Load::default()));
    bench.submit((0..4).map(|_| spec("x")).collect());
    assert_eq!(start_all(&mut bench).iter().filter(|(to, _)| *to == 1).count(), 2);
    assert_eq!(bench.verdict(ids[0]), Some("passed"));
}

#[test]
fn where_others_use_every_worker_none_is_kept_from_work() {
    let mut bench = Bench::new("fifo");
    join(&mut bench, 2, 1);
    for connection in [1, 2] {
        (0..3).for_each(|_| beat(&mut bench, connection, busy_with(1.0)));
    }
    bench.submit(vec![spec("x"), spec("y")]);
    assert_eq!(start_all(&mut bench).len(), 2);
}

#[test]
fn a_rebalance_that_is_ordered_happens_at_once_and_is_counted() {
    let mut bench = bench("fixed_threshold", by_default(), &[], Time::ZERO);
    join(&mut bench, 1, 4);
    bench.submit((0..4).map(|_| saving("long")).collect());
    live(&mut bench, 1, 5);
    assert_eq!(start_all(&mut bench).len(), 4);
    live(&mut bench, 1, 60);
    bench.join("b", 2, machine(4), &[], vec![]);
    assert_eq!(migrations(&bench), 0);
    let Reply::Rebalanced(moved) = bench.order(Command::Rebalance) else { panic!("it is carried out") };
    assert_eq!(moved as usize, migrations(&bench));
    assert!(moved > 0, "one worker is full and the other empty");
    let stats = bench.coordinator.load_balancer_stats();
    assert!(stats.uneven && stats.imbalance["slots"].uneven, "{stats:?}");
    assert_eq!(bench.order(Command::Rebalance), Reply::Rebalanced(0), "all that may move is under way");
    let stats = bench.coordinator.load_balancer_stats();
    assert_eq!((stats.rebalance_count, stats.migrations_initiated), (2, u64::from(moved)));
}

#[test]
fn a_replayed_coordinator_knows_its_history() {
    let first = full_for(by_default(), 1_200);
    let mut second = bench("adaptive", by_default(), &first.facts, first.now);
    let (before, after) = (first.coordinator.load_balancer_stats(), second.coordinator.load_balancer_stats());
    assert_eq!((before.threshold_high, before.load, &before.trend), (after.threshold_high, after.load, &after.trend));
    assert_eq!((before.accuracy, before.predictions_due), (after.accuracy, after.predictions_due));
    assert_eq!(before.forecast, after.forecast);
    let looks = samples(&second).len();
    second.join("a", 11, machine(2), &held_by(&first, 0), vec![]);
    second.join("b", 12, machine(2), &held_by(&first, 1), vec![]);
    second.wait(Duration::from_secs(10));
    [11, 12].into_iter().for_each(|connection| beat(&mut second, connection, Load::default()));
    second.wait(Duration::from_secs(25));
    assert_eq!(samples(&second).len(), looks + 1);
    assert!(samples(&second)[looks].3.is_some(), "a forecast of the earlier life is scored");
}

#[test]
fn what_was_forecast_over_a_pause_is_not_scored() {
    let first = full_for(by_default(), 400);
    let mut second = bench("adaptive", by_default(), &first.facts, first.now + Duration::from_secs(3_600));
    let due = second.coordinator.load_balancer_stats().predictions_due;
    second.join("a", 11, machine(2), &[], vec![]);
    second.wait(Duration::from_secs(10));
    beat(&mut second, 11, Load::default());
    second.wait(Duration::from_secs(25));
    assert_eq!(second.coordinator.load_balancer_stats().predictions_due, due);
}

#[test]
fn a_worker_that_left_is_forgotten_and_an_empty_fleet_is_not_looked_at() {
    let mut bench = full_for(by_default(), 100);
    let looks = samples(&bench).len();
    for connection in [1, 2] {
        bench.say(connection, FromWorker::Leaving);
        bench.step(Event::Disconnected { connection: ConnectionId(connection), why: "stopped".into() });
    }
    bench.wait(Duration::from_secs(300));
    assert_eq!(samples(&bench).len(), looks);
    assert!(bench.sent.iter().all(|(_, sent)| !matches!(sent, FromCoordinator::Start(_))));
    bench.join("c", 3, machine(2), &[], vec![]);
    for (to, attempt) in start_all(&mut bench) {
        bench.say(to, FromWorker::Finished { attempt, outcome: failed(Failure::Test) });
    }
    bench.wait(Duration::from_secs(31));
    assert_eq!(samples(&bench).len(), looks + 1);
    assert!(bench.closed.is_empty());
}
