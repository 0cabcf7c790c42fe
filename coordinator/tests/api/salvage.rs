//! A damaged log: refused with the place, left as it is, and salvaged when a person says so.

use crate::daemon::{Daemon, command, refused};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a coordinator that has accepted this many tasks, one after the other, and has ended.
async fn with_tasks(tasks: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start(folder.path(), &[]);
    for _ in 0..tasks {
        let task = reqwest::Client::new().post(format!("{}/api/tasks", daemon.url)).body(r#"{"command": ["true"]}"#);
        assert_eq!(task.send().await.expect("it answers").status(), 202);
    }
    daemon.stop();
    folder
}

fn log(folder: &Path) -> PathBuf {
    folder.join("benchmark_db.data/log.sqlite")
}

/// Changes the log by SQL; SQLite finds nothing wrong with it.
fn change(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(log(folder)).expect("a log");
    assert!(connection.execute(sql, []).expect("SQL") > 0, "{sql} changes nothing");
}

fn salvage(folder: &Path) -> Value {
    let output = command(folder).args(["salvage", "--data-dir", "benchmark_db.data", "--json"]).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON alone")
}

async fn tasks(daemon: &Daemon) -> u64 {
    let answer = reqwest::get(format!("{}/api/tasks", daemon.url)).await.expect("it answers");
    let list: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    list["total"].as_u64().expect("a number")
}

fn seq_of_task(folder: &Path, task: u32) -> u64 {
    let connection = rusqlite::Connection::open(log(folder)).expect("a log");
    let sql = format!("SELECT min(seq) FROM fact WHERE task = {task}");
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("the task is in the log") as u64
}

#[tokio::test]
async fn what_lies_before_the_damage_is_kept_and_the_damaged_log_is_moved_aside() {
    let folder = with_tasks(9).await;
    let seq = seq_of_task(folder.path(), 6);
    change(folder.path(), &format!("UPDATE fact SET payload = replace(payload, 'true', 'fals') WHERE seq = {seq}"));
    let said = refused(folder.path(), &["--port", "0"]);
    assert!(said.contains(&format!("damaged at record {seq}")) && said.contains("coordinator salvage"), "{said}");
    let salvaged = salvage(folder.path());
    assert_eq!(salvaged["kept"], seq - 1);
    assert!(salvaged["lost_at_least"].as_u64() >= Some(4), "{salvaged}");
    assert!(folder.path().join("benchmark_db.data/damaged-1/log.sqlite").exists());
    let daemon = Daemon::start(folder.path(), &[]);
    assert_eq!(tasks(&daemon).await, 5);
}

#[tokio::test]
async fn records_that_are_missing_at_the_end_are_missed() {
    let folder = with_tasks(5).await;
    let seq = seq_of_task(folder.path(), 4);
    change(folder.path(), &format!("DELETE FROM fact WHERE seq >= {seq}"));
    let said = refused(folder.path(), &["--port", "0"]);
    assert!(said.contains(&format!("damaged at record {seq}")), "{said}");
    assert_eq!(salvage(folder.path())["kept"], seq - 1);
    assert_eq!(tasks(&Daemon::start(folder.path(), &[])).await, 3);
}

#[tokio::test]
async fn a_log_that_is_gone_is_not_begun_anew_in_silence() {
    let folder = with_tasks(1).await;
    fs::remove_file(log(folder.path())).expect("removable");
    let said = refused(folder.path(), &["--port", "0"]);
    assert!(said.contains("damaged at record 1") && said.contains("backup"), "{said}");
    assert!(!log(folder.path()).exists(), "nothing was put in its place");
}

#[tokio::test]
async fn workers_that_obeyed_a_life_that_is_lost_obey_the_next_one() {
    let folder = with_tasks(1).await;
    let epoch = |status: Value| status["epoch"].as_u64().expect("a number");
    let second = Daemon::start(folder.path(), &[]);
    let before = reqwest::get(format!("{}/status", second.url)).await.expect("it answers").json().await.expect("JSON");
    second.stop();
    change(folder.path(), "UPDATE fact SET crc = 0 WHERE payload LIKE '%coordinator_started%' AND seq > 1");
    salvage(folder.path());
    let third = Daemon::start(folder.path(), &[]);
    let after = reqwest::get(format!("{}/status", third.url)).await.expect("it answers").json().await.expect("JSON");
    assert!(epoch(after) > epoch(before), "the epoch never falls");
}

#[tokio::test]
async fn a_sound_log_is_not_salvaged_and_neither_is_one_in_use() {
    let folder = with_tasks(1).await;
    let ask = || {
        let output = command(folder.path()).args(["salvage", "--data-dir", "benchmark_db.data"]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(ask().contains("nothing to salvage"));
    let _daemon = Daemon::start(folder.path(), &[]);
    assert!(ask().contains("another coordinator"));
    let nowhere = command(folder.path()).args(["salvage", "--data-dir", "nowhere"]).output().expect("it starts");
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--data-dir"));
}
