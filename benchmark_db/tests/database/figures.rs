//! The published key figures, what the balancer saw and moved, and what machines drew: each against a case worked out by hand.

use crate::common::*;
use benchmark_db::{Database, MigrationPiece};
use shared::fact::{Fact, LoadForecast, StandstillEnd, StopReason, What};
use shared::hardware::{Device, HardwareKind, Inventory, Load, Power, ProbeLevel};
use shared::outcome::{Failure, Verdict};

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("a figure");
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

/// What a report reads of `facts`.
fn snapshot(facts: &[Fact]) -> (tempfile::TempDir, Database) {
    let (folder, database) = database(facts);
    let snapshot = database.snapshot(None).expect("a snapshot");
    (folder, snapshot)
}

/// A task that ran on one worker.
fn ran(task: u64, (submit, start, stop): (f64, f64, f64), worker: &str, owner: &str) -> [Fact; 4] {
    [
        queued(submit, task, "k", owner, 1),
        started(start, task, 1, worker, 0.0),
        stopped(stop, task, 1, worker, StopReason::Finished, 1.0),
        finished(stop, task, Some(1), Verdict::Passed),
    ]
}

/// Worker a (1 slot) runs three tasks of Ann's, 10 s each, worker b (1 slot) one of Bob's that takes 20 s; all over at 30 s.
fn four_tasks() -> Vec<Fact> {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend(joined(0.0, "b", 1));
    for n in 0..3 {
        let start = 10.0 * n as f64;
        facts.extend(ran(n + 1, (0.0, start, start + 10.0), "a", "ann"));
    }
    facts.extend(ran(4, (0.0, 0.0, 20.0), "b", "bob"));
    facts.sort_by_key(|fact| fact.at);
    facts
}

#[test]
fn the_key_figures_of_four_tasks_are_what_a_pencil_says() {
    let (_folder, database) = snapshot(&four_tasks());
    let kpis = database.kpis().expect("key figures");
    // F181: 4 tasks in 30 s; flows 10, 20, 30 and 20.
    near(kpis.throughput_per_s, 4.0 / 30.0);
    near(kpis.average_latency_s, 20.0);
    // F182: 3 and 1 tasks on 2 workers, ideal 2, variance 1.
    near(kpis.ideal_tasks_per_worker, 2.0);
    near(kpis.load_balance_efficiency, 0.5);
    // F183: utilizations 1 and 2/3: a sixth from their mean each.
    near(kpis.load_distribution_variance, 1.0 / 36.0);
    // F184: nothing moved.
    near(kpis.task_migration_rate, 0.0);
    // F185: waits 0, 10, 20 and 0; the 95th of four lies 0.85 of the way from the third to the fourth.
    near(kpis.mean_queue_latency_s, 7.5);
    near(kpis.p95_queue_latency_s, 18.5);
    // F186: 50 of 60 slot-seconds.
    near(kpis.utilization_efficiency, 50.0 / 60.0);
    // F187: best service of the kind 10 s; mean slowdowns 2 and 2.
    near(kpis.fairness_index, 1.0);
    assert_eq!(kpis.joules_per_passed_task, None);
}

#[test]
fn a_migration_rate_counts_arrivals_and_waste_lowers_the_efficiency() {
    // Task 1 moves from a to b at half its work, which is kept; task 2 fails on a broken machine after 5 s, and begins again.
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend(joined(0.0, "b", 1));
    facts.extend([
        queued(0.0, 1, "k", "", 1),
        queued(0.0, 2, "k", "", 1),
        started(0.0, 1, 1, "a", 0.0),
        started(0.0, 2, 1, "b", 0.0),
        stopped_with(5.0, 2, 1, "b", (StopReason::Failed, 0.0, Some(Failure::Infra), None)),
        requeued(5.0, 2, Failure::Infra),
        moved_for(5.0, 1, 1, ("a", "b"), (3.0, 1.0)),
        stopped(5.0, 1, 1, "a", StopReason::Migrated, 0.5),
        stood_still(5.0, 1, 1, StandstillEnd::Followed),
        started(5.0, 1, 2, "b", 0.5),
        started(5.0, 2, 2, "a", 0.0),
        stopped(10.0, 1, 2, "b", StopReason::Finished, 1.0),
        finished(10.0, 1, Some(2), Verdict::Passed),
        judged(10.0, 1, 3.0, 2.0),
        stopped(20.0, 2, 2, "a", StopReason::Finished, 1.0),
        finished(20.0, 2, Some(2), Verdict::Passed),
    ]);
    let (_folder, database) = snapshot(&facts);
    let kpis = database.kpis().expect("key figures");
    // One of two tasks that started moved.
    near(kpis.task_migration_rate, 0.5);
    // 5 + 5 + 15 of 40 slot-seconds counted.
    near(kpis.utilization_efficiency, 25.0 / 40.0);
    // Where a task was brought to an end counts: one each.
    near(kpis.load_balance_efficiency, 1.0);
    let moves = database.migration_figures().expect("figures");
    assert_eq!((moves.ordered, moves.arrived, moves.under_way, moves.judged), (1, 1, 0, 1));
    assert_eq!((moves.success_rate, moves.cost_s), (Some(1.0), Some(1.0)));
    assert_eq!((moves.predicted_gain_s, moves.realised_gain_s), (Some(3.0), Some(2.0)));
}

#[test]
fn what_becomes_of_an_order_to_move_is_told_apart() {
    let mut facts = Vec::from(joined(0.0, "a", 9));
    facts.extend(joined(0.0, "b", 9));
    for task in 1..=6 {
        facts.extend([queued(0.0, task, "k", "", 1), started(0.0, task, 1, "a", 0.0)]);
        facts.push(moved(10.0 * task as f64, task, 1, ("a", "b")));
    }
    facts.extend([
        stopped(11.0, 1, 1, "a", StopReason::Migrated, 0.5),
        stood_still(11.0, 1, 1, StandstillEnd::Followed),
        started(12.0, 1, 2, "b", 0.5),
        // The other worker was gone meanwhile: it goes on where it was.
        stopped(21.0, 2, 1, "a", StopReason::Migrated, 0.5),
        stood_still(21.0, 2, 1, StandstillEnd::Followed),
        started(22.0, 2, 2, "a", 0.5),
        stood_still(31.0, 3, 1, StandstillEnd::Withdrawn),
        stood_still(41.0, 4, 1, StandstillEnd::Unable),
        // It ended before the order reached it.
        stopped(51.0, 5, 1, "a", StopReason::Finished, 1.0),
        finished(51.0, 5, Some(1), Verdict::Passed),
        stopped(90.0, 1, 2, "b", StopReason::Finished, 1.0),
        finished(90.0, 1, Some(2), Verdict::Passed),
    ]);
    facts.sort_by_key(|fact| fact.at);
    let (_folder, database) = snapshot(&facts);
    let outcomes: Vec<String> = database.migrations(10).expect("migrations").into_iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, ["arrived", "came back", "withdrawn", "unable", "overtaken", "under way"]);
    let figures = database.migration_figures().expect("figures");
    assert_eq!((figures.ordered, figures.arrived, figures.under_way), (6, 1, 1));
    near(figures.success_rate, 0.2);
    // From 0 to 90 s in 30 pieces of 3 s: the first order, at 10 s, is in the fourth.
    let pieces = database.migrations_over_time().expect("pieces");
    assert_eq!(pieces.len(), 30);
    assert_eq!(
        pieces[3],
        MigrationPiece { from_s: 9.0, to_s: 12.0, ordered: 1, arrived: 1, under_way: 0, success_rate: Some(1.0) }
    );
    assert_eq!((pieces[4].ordered, pieces[4].success_rate), (0, None));
    assert_eq!((pieces[20].under_way, pieces[20].success_rate), (1, None));
}

/// A look at the fleet with a forecast for 60 s ahead, within 0.1 of it.
fn look(seconds: f64, load: f64, foreseen: f64) -> Fact {
    let bounds = (foreseen - 0.1, foreseen + 0.1);
    let forecast =
        LoadForecast { window_s: 60.0, load: foreseen, low: bounds.0, high: bounds.1, confidence: 0.8, imbalance: 0.0 };
    let (imbalance, high, low, workers) = (0.25, 0.85, 0.2, 2);
    at(seconds, What::LoadSampled { load, imbalance, high, low, workers, forecast: Some(forecast), accuracy: Some(0.75) })
}

#[test]
fn a_forecast_is_judged_by_the_look_at_the_time_it_was_for() {
    // Every 30 s; the clock of the third look is a moment early, which is not a look too soon.
    let looks = [look(0.0, 0.5, 0.6), look(30.0, 0.5, 0.2), look(59.9, 0.55, 0.5), look(90.0, 0.7, 0.5), look(300.0, 0.1, 0.5)];
    let (_folder, database) = snapshot(&looks);
    let rows = database.predictions(10).expect("forecasts");
    let seen: Vec<_> = rows.iter().map(|row| (row.due_s, row.load)).collect();
    // After 90 s nothing is known for longer than half a window; what came at 300 s is no answer to what was foreseen for 150 s.
    assert_eq!(seen, [(60.0, Some(0.55)), (90.0, Some(0.7)), (119.9, None), (150.0, None), (360.0, None)]);
    let figures = database.prediction_figures().expect("figures");
    // Errors 0.05, within the bounds, and 0.5, outside.
    assert_eq!((figures.due, figures.inside, figures.accuracy), (2, Some(0.5), Some(0.75)));
    near(figures.mean_error, 0.275);
    // As two rows: three neighbours and two.
    let few = database.looks(2).expect("looks");
    assert_eq!(few.len(), 2);
    near(Some(few[0].load), (0.5 + 0.5 + 0.55) / 3.0);
    near(Some(few[1].at_s), 195.0);
}

fn described(worker: &str, power: Option<Power>, label: Option<&str>) -> Fact {
    let device = Device { throttle_c: Some(80.0), ..Device::of_kind(HardwareKind::Cuda, ProbeLevel::Executed) };
    let labels = label.map(|label| (label.to_owned(), "yes".to_owned())).into_iter().collect();
    let inventory = Inventory { slots: 1, cores: 1, power, devices: vec![device], labels, ..Inventory::default() };
    at(0.0, What::WorkerDescribed { worker: worker.into(), inventory })
}

fn measured(seconds: f64, worker: &str, power_w: Option<f64>, temperature_c: Option<f64>) -> Fact {
    let load = Load { power_w, temperature_c, speed: Some(0.9), ..Load::default() };
    at(seconds, What::WorkerSampled { worker: worker.into(), load, busy_slots: 0, slots: 1 })
}

#[test]
fn energy_is_measured_or_declared_and_absent_where_nobody_knows() {
    let watts = Some(Power { idle_w: 50.0, busy_w: 200.0 });
    // Each of the four runs a task from 0 to 60 s of 120 s; the makespan is 120 s.
    let mut facts = Vec::new();
    for (task, worker) in (1..).zip(["meter", "declared", "silent", "model"]) {
        facts.push(joined(0.0, worker, 1)[0].clone());
        let label = (worker == "model").then_some("simulated");
        facts.push(described(worker, watts.filter(|_| worker != "silent"), label));
        facts.extend(ran(task, (0.0, 0.0, if task == 1 { 120.0 } else { 60.0 }), worker, ""));
    }
    // 100 W for 60 s, then 300 W for 60 s; the model's samples say the same and do not count.
    for worker in ["meter", "model"] {
        facts.extend([measured(0.0, worker, Some(100.0), Some(40.0)), measured(60.0, worker, Some(300.0), Some(85.5))]);
        facts.push(measured(120.0, worker, Some(300.0), None));
    }
    facts.sort_by_key(|fact| fact.at);
    let (_folder, database) = snapshot(&facts);
    let machines = database.machines(10).expect("machines");
    let told: Vec<_> = machines.iter().map(|row| (row.worker.as_str(), row.basis.as_deref(), row.is_simulated)).collect();
    assert_eq!(
        told,
        [
            ("declared", Some("declared"), false),
            ("meter", Some("measured"), false),
            ("model", Some("declared"), true),
            ("silent", None, false)
        ]
    );
    // 50 W for 120 s and 150 W more for 60 s; 100 W and 300 W for 60 s each.
    near(machines[0].joules, 50.0 * 120.0 + 150.0 * 60.0);
    near(machines[1].joules, 24_000.0);
    near(machines[2].joules, 15_000.0);
    assert_eq!(machines[3].joules, None);
    assert_eq!((machines[1].hottest_c, machines[1].throttle_c, machines[1].slowest), (Some(85.5), Some(80.0), Some(0.9)));
    assert_eq!((machines[1].hardware.as_str(), machines[3].hottest_c), ("cuda", None));
    // Of one worker nothing is known, so nothing is said of the whole.
    assert_eq!(database.kpis().expect("key figures").joules_per_passed_task, None);
    // 120 pieces of 1 s.
    let power = database.power_over_time(10).expect("watts");
    let of =
        |worker: &str, from_s: f64| power.iter().find(|row| row.worker == worker && row.from_s == from_s).map(|row| row.value);
    near(of("declared", 10.0), 200.0);
    near(of("declared", 100.0), 50.0);
    near(of("meter", 59.0), 100.0);
    near(of("meter", 60.0), 300.0);
    assert_eq!(of("silent", 10.0), None);
    let celsius = database.celsius_over_time(10).expect("temperatures");
    assert!(celsius.iter().all(|row| row.worker == "meter" || row.worker == "model"));
}

#[test]
fn energy_per_passed_task_is_told_where_every_worker_declares_what_it_draws() {
    let mut facts = vec![described("a", Some(Power { idle_w: 10.0, busy_w: 110.0 }), None)];
    facts.extend(ran(1, (0.0, 0.0, 10.0), "a", ""));
    facts.extend(ran(2, (0.0, 10.0, 20.0), "a", ""));
    let (_folder, database) = snapshot(&facts);
    // 110 W for 20 s, two tasks.
    near(database.kpis().expect("key figures").joules_per_passed_task, 1100.0);
}

#[test]
fn time_is_counted_by_the_utilization_it_was_spent_at() {
    let (_folder, database) = snapshot(&four_tasks());
    // a is full for its 30 s, b for 20 of its 30 s and idle for 10.
    let levels = database.utilization_levels().expect("levels");
    assert_eq!(levels.len(), 10);
    near(Some(levels[9]), 50.0 / 60.0);
    near(Some(levels[0]), 10.0 / 60.0);
    let spread = database.utilization_spread(10).expect("quantiles");
    assert_eq!((spread[1].worker.as_str(), spread[1].p5, spread[1].p50, spread[1].p95), ("b", 0.0, 1.0, 1.0));
}

#[test]
fn a_trend_is_the_slope_over_runs() {
    // Four runs, a day apart, of one task each that waits 1, 2, 3 and 4 s.
    let mut facts = Vec::from(joined(0.0, "a", 1));
    for run in 0..4 {
        let from = 86_400.0 * run as f64;
        facts.extend(ran(run + 1, (from, from + 1.0 + run as f64, from + 10.0), "a", ""));
    }
    let (_folder, database) = snapshot(&facts);
    let trends = database.trends().expect("trends");
    let wait = trends.iter().find(|row| row.figure == "mean wait").expect("a trend");
    assert_eq!((wait.runs, wait.unit.as_str()), (4, "s"));
    near(wait.slope_per_run, 1.0);
    near(wait.r2, 1.0);
    near(Some(wait.mean), 2.5);
}

#[test]
fn a_snapshot_of_some_days_has_the_tasks_submitted_since_and_every_worker() {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend([sampled(5.0, 0.5)]);
    facts.extend(ran(1, (0.0, 0.0, 10.0), "a", ""));
    facts.extend(ran(2, (200_000.0, 200_000.0, 200_005.0), "a", ""));
    facts.extend([sampled(200_001.0, 0.5)]);
    facts.sort_by_key(|fact| fact.at);
    let (_folder, mut database) = database(&facts);
    let whole = database.snapshot(None).expect("a snapshot");
    let last = database.snapshot(Some(1.0)).expect("a snapshot");
    let tasks = |database: &Database| database.summary().expect("a summary").tasks;
    assert_eq!((tasks(&whole), tasks(&last)), (2, 1));
    assert_eq!((whole.looks(9).expect("looks").len(), last.looks(9).expect("looks").len()), (2, 1));
    // The worker came before; it is there all the same, and was busy all the time.
    near(last.summary().expect("a summary").utilization, 1.0);
    // What comes later is not in a snapshot.
    database.append(facts.len() as u64 + 1, &[queued(200_010.0, 3, "k", "", 1)]).expect("appended");
    assert_eq!((tasks(&whole), tasks(&database.snapshot(None).expect("another"))), (2, 3));
}

#[test]
fn an_empty_database_has_no_figures_and_no_errors() {
    let (_folder, database) = snapshot(&[]);
    let kpis = database.kpis().expect("key figures");
    assert_eq!((kpis.throughput_per_s, kpis.load_balance_efficiency, kpis.task_migration_rate), (None, None, None));
    assert_eq!(database.migration_figures().expect("figures").ordered, 0);
    assert_eq!(database.prediction_figures().expect("figures").due, 0);
    assert!(database.machines(10).expect("machines").is_empty() && database.utilization_levels().expect("levels").is_empty());
    assert!(database.trends().expect("trends").is_empty() && database.migrations_over_time().expect("pieces").is_empty());
}
