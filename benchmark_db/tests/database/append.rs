//! Appending: exact across restarts, derived rows, and the published tables and analyses.

use crate::common::*;
use benchmark_db::{AppendError, Database, Options};
use shared::config::BalancerConfig;
use shared::fact::{Fact, StopReason, What};
use shared::id::{ClusterId, Epoch};
use shared::outcome::{Failure, Verdict};

fn count(database: &Database, sql: &str) -> i64 {
    database.connection().query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// Two migrations: task 1 arrives at b, task 2 is cancelled on its way. The second look at the fleet falls between leaving
/// and arriving.
fn migrations() -> Vec<Fact> {
    let mut facts = vec![started_life(0.0, 1_700_000_000_000)];
    facts.extend(joined(0.0, "a", 2));
    facts.extend(joined(0.0, "b", 2));
    facts.extend([
        queued(1.0, 1, "train", "", 1),
        queued(1.0, 2, "train", "", 1),
        started(2.0, 1, 1, "a", 0.0),
        started(2.0, 2, 1, "a", 0.0),
        sampled(30.0, 0.5),
        moved(39.0, 1, 1, ("a", "b")),
        stopped(40.0, 1, 1, "a", StopReason::Migrated, 0.5),
        moved(40.0, 2, 1, ("a", "b")),
        stopped(41.0, 2, 1, "a", StopReason::Migrated, 0.5),
        sampled(60.0, 0.4),
        started(61.0, 1, 2, "b", 0.5),
        finished(62.0, 2, None, Verdict::Cancelled),
        stopped(80.0, 1, 2, "b", StopReason::Finished, 1.0),
        finished(80.0, 1, Some(2), Verdict::Passed),
        sampled(90.0, 0.0),
    ]);
    facts
}

fn samples(database: &Database) -> Vec<(i32, i32, i64)> {
    let sql = "SELECT migrations_initiated, migrations_successful, (metrics->'active_migrations')::BIGINT
        FROM load_balancer_metrics ORDER BY id";
    let mut statement = database.connection().prepare(sql).expect("a query of this schema");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn migrations_are_counted_where_they_happen_and_succeed_when_they_arrive() {
    let (_folder, database) = database(&migrations());
    assert_eq!(samples(&database), [(0, 0, 0), (2, 0, 2), (0, 1, 0)]);
}

#[test]
fn a_restart_between_any_two_facts_changes_nothing() {
    let facts = migrations();
    let (_folder, whole) = database(&facts);
    let requests = "SELECT count(*) FROM request_metrics WHERE execution_time = 19";
    assert_eq!(count(&whole, requests), 1);
    for cut in 1..facts.len() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("benchmark_db.duckdb");
        let mut first = Database::open(&path, Options::default()).expect("a new file");
        first.append(1, &facts[..cut]).expect("appended");
        drop(first);
        let mut second = Database::open(&path, Options::default()).expect("the same file");
        assert_eq!(second.last_seq(), cut as u64);
        // The log is read again from two facts earlier: those are known.
        let again = cut.saturating_sub(2);
        second.append(again as u64 + 1, &facts[again..]).expect("appended");
        assert_eq!(count(&second, "SELECT count(*) FROM facts"), facts.len() as i64, "cut at {cut}");
        assert_eq!(count(&second, "SELECT count(DISTINCT seq) FROM facts"), facts.len() as i64, "cut at {cut}");
        assert_eq!(samples(&second), samples(&whole), "cut at {cut}");
        assert_eq!(count(&second, requests), 1, "cut at {cut}");
        let wall = "SELECT epoch_ms(max(timestamp)) FROM load_balancer_metrics";
        assert_eq!(count(&second, wall), 1_700_000_090_000, "cut at {cut}");
    }
}

#[test]
fn appending_known_facts_does_nothing() {
    let facts = migrations();
    let (_folder, mut database) = database(&facts);
    database.append(1, &facts).expect("known");
    database.append(3, &facts[2..5]).expect("known");
    database.append(100, &[]).expect("nothing");
    assert_eq!(count(&database, "SELECT count(*) FROM facts"), facts.len() as i64);
    assert_eq!(database.last_seq(), facts.len() as u64);
}

#[test]
fn facts_of_another_cluster_are_refused_even_when_their_positions_are_known() {
    let (_folder, mut database) = database(&migrations());
    let other = What::CoordinatorStarted { cluster: ClusterId([9; 16]), epoch: Epoch(1), wall_ms: 1, version: "0".into() };
    let error = database.append(1, &[at(0.0, other)]).expect_err("another cluster");
    assert!(matches!(error, AppendError::OtherCluster { .. }), "{error}");
}

#[test]
fn a_request_row_is_filled_for_each_attempt_that_ran_to_its_end() {
    let mut facts = migrations();
    facts.extend([
        queued(100.0, 3, "infer", "", 1),
        started(101.0, 3, 1, "b", 0.0),
        stopped_with(103.5, 3, 1, "b", (StopReason::Finished, 1.0, Some(Failure::Test), None)),
        finished(103.5, 3, Some(1), Verdict::Failed),
    ]);
    let (_folder, database) = database(&facts);
    let sql =
        "SELECT node_id, function_name, execution_time, success, epoch_ms(timestamp) FROM request_metrics ORDER BY timestamp";
    let mut statement = database.connection().prepare(sql).expect("a query of this schema");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    let rows: Vec<(String, String, f64, bool, i64)> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    assert_eq!(
        rows,
        [
            ("b".into(), "train".into(), 19.0, true, 1_700_000_080_000),
            ("b".into(), "infer".into(), 2.5, false, 1_700_000_103_500),
        ]
    );
}

#[test]
fn the_metrics_tell_the_configuration_and_are_null_where_nothing_is_known() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { balancer: Some(BalancerConfig::default()), ..Options::default() };
    let mut database = Database::open(&folder.path().join("db"), options).expect("a new file");
    database.append(1, &[sampled(30.0, 0.68)]).expect("appended");
    let row = |sql: &str| database.connection().query_row(sql, [], |row| row.get::<_, Option<String>>(0)).expect("a row");
    let metrics: serde_json::Value =
        serde_json::from_str(&row("SELECT metrics FROM load_balancer_metrics").expect("metrics")).expect("JSON");
    assert_eq!(metrics["worker_count"], 2);
    assert_eq!(metrics["thresholds"], serde_json::json!({"high": 0.85, "low": 0.2, "initial_high": 0.85, "initial_low": 0.2}));
    assert_eq!(metrics["migrations"], serde_json::json!({"initiated": 0, "successful": 0, "success_rate": null}));
    assert_eq!(metrics["features"]["cost_benefit"], true);
    let prediction = serde_json::json!({"current_load": 0.68, "predicted_load": null, "confidence": null, "window_minutes": 3.0});
    assert_eq!(metrics["prediction"], prediction);
    // No coordinator told its wall clock, and no prediction was due.
    assert_eq!(row("SELECT timestamp::VARCHAR FROM load_balancer_metrics"), None);
    assert_eq!(row("SELECT prediction_accuracy::VARCHAR FROM load_balancer_metrics"), None);
}

#[test]
fn the_three_published_analyses_run_unchanged() {
    let (_folder, database) = database(&migrations());
    let connection = database.connection();
    let thresholds = "SELECT timestamp, threshold_high, threshold_low, system_load FROM load_balancer_metrics ORDER BY timestamp DESC LIMIT 20";
    let newest: (f32, f32, f32) = connection
        .query_row(thresholds, [], |row| Ok((row.get(1)?, row.get(2)?, row.get(3)?)))
        .expect("the newest of the recent thresholds");
    assert_eq!(newest, (0.85, 0.2, 0.0));
    let success = "SELECT date_trunc('day', timestamp) AS day,
            SUM(migrations_successful)*1.0/NULLIF(SUM(migrations_initiated),0) AS success_rate
        FROM load_balancer_metrics GROUP BY day ORDER BY day";
    let (day, rate): (String, f64) = connection
        .query_row(&format!("SELECT day::VARCHAR, success_rate FROM ({success})"), [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("one day");
    // 1,700,000,000 s after 1970 is on the 14th of November 2023. Of two migrations one arrived.
    assert_eq!((day.get(..10), rate), (Some("2023-11-14"), 0.5));
    let accuracy = "SELECT timestamp, prediction_accuracy FROM load_balancer_metrics WHERE prediction_accuracy IS NOT NULL ORDER BY timestamp";
    let mut statement = connection.prepare(accuracy).expect("the published query");
    assert_eq!(statement.query_map([], |row| row.get::<_, f32>(1)).expect("rows").count(), 0);
}

#[test]
fn a_reader_sees_what_the_writer_appends() {
    let facts = migrations();
    let (_folder, mut database) = database(&facts[..4]);
    let reader = database.reader().expect("a second connection");
    database.append(5, &facts[4..]).expect("appended");
    assert_eq!(reader.summary().expect("a summary").tasks, 2);
}

#[test]
fn the_beginning_is_told_by_the_wall_clock_of_the_coordinator() {
    let (_folder, with_clock) = database(&migrations());
    // 1,700,000,000 s after 1970 is 22:13:20; the first task came a second later.
    assert_eq!(with_clock.began().expect("a query").as_deref(), Some("2023-11-14 22:13:21 UTC"));
    let (_folder, without) = database(&[queued(0.0, 1, "k", "", 1)]);
    assert_eq!(without.began().expect("a query"), None);
}
