//! Starts that must fail, each with a message that says what and what to do, and starts that must not.

use crate::daemon::{Daemon, refused};
use serde_json::Value;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn an_unknown_flag_is_refused() {
    assert_says(&refused(folder().path(), &["--fly"]), &["--fly"]);
}

#[test]
fn a_broken_configuration_is_refused_with_its_line() {
    let folder = folder();
    std::fs::write(folder.path().join("c.toml"), "port = 0\nhost = = 1\n").expect("writable");
    assert_says(&refused(folder.path(), &["--config", "c.toml"]), &["c.toml", "line 2"]);
    std::fs::write(folder.path().join("c.toml"), "chek_interval = 3\n").expect("writable");
    assert_says(&refused(folder.path(), &["--config", "c.toml"]), &["chek_interval"]);
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let (a, b) = (folder(), folder());
    let daemon = Daemon::start(a.path(), &[]);
    let port = daemon.url.rsplit(':').next().expect("an address has a port").to_owned();
    assert_says(&refused(b.path(), &["--port", &port]), &[&port, "in use", "--port"]);
}

#[test]
fn a_data_folder_in_use_is_named_with_a_way_out() {
    let folder = folder();
    let _daemon = Daemon::start(folder.path(), &[]);
    assert_says(&refused(folder.path(), &["--port", "0"]), &["another coordinator", "--data-dir"]);
}

#[test]
fn a_database_in_use_by_another_process_is_named_with_a_way_out() {
    let folder = folder();
    let _daemon = Daemon::start(folder.path(), &[]);
    let said = refused(folder.path(), &["--port", "0", "--data-dir", "other"]);
    assert_says(&said, &["benchmark_db.duckdb", "in use by"]);
}

#[test]
fn a_database_that_is_text_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("benchmark_db.duckdb");
    std::fs::write(&path, "these are my notes, not a database\n".repeat(100)).expect("writable");
    assert_says(&refused(folder.path(), &["--port", "0"]), &["benchmark_db.duckdb", "not a DuckDB database"]);
    assert!(std::fs::read_to_string(&path).expect("still there").starts_with("these are my notes"));
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").expect("writable");
    assert_says(&refused(folder.path(), &["--port", "0", "--data-dir", "file/data"]), &["file/data", "--data-dir"]);
}

#[test]
fn a_changed_log_is_refused_with_its_place() {
    let folder = folder();
    Daemon::start(folder.path(), &[]).stop();
    let log = folder.path().join("benchmark_db.data/log.sqlite");
    let connection = rusqlite::Connection::open(&log).expect("a log");
    connection.execute("UPDATE fact SET payload = replace(payload, '0.1.0', '0.1.1') WHERE seq = 1", []).expect("a fact");
    drop(connection);
    assert_says(&refused(folder.path(), &["--port", "0"]), &["log.sqlite", "damaged at record 1", "backup"]);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill_with_or_without_the_database() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let body = r#"{"command": ["true"], "idempotency_key": "once"}"#;
    for _ in 0..2 {
        let answer =
            reqwest::Client::new().post(format!("{}/api/tasks", daemon.url)).body(body).send().await.expect("it answers");
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.text().await.expect("text"), r#"{"task_ids":[1]}"#, "the same key is the same task");
    }
    daemon.kill();
    for suffix in ["", ".wal"] {
        let path = folder.path().join(format!("benchmark_db.duckdb{suffix}"));
        if path.exists() {
            std::fs::remove_file(path).expect("removable");
        }
    }
    let daemon = Daemon::start(folder.path(), &[]);
    let task: Value = get(&daemon, "/api/tasks/1").await;
    assert_eq!(task["state"], "queued");
    let status = get(&daemon, "/status").await;
    assert_eq!((status["epoch"].as_u64(), status["database_problem"].is_null()), (Some(2), true));
    let deadline = std::time::Instant::now() + crate::daemon::LIMIT;
    while get(&daemon, "/status").await["facts_recorded"] != status["facts"] {
        assert!(std::time::Instant::now() < deadline, "the database is not rebuilt");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = reqwest::get(format!("{}{path}", daemon.url)).await.expect("it answers");
    serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
}

#[tokio::test]
async fn every_switch_of_the_table_is_taken_and_shown() {
    let folder = folder();
    let switches = [
        "task-migration",
        "dynamic-thresholds",
        "predictive-balancing",
        "cost-benefit-analysis",
        "hardware-specific-strategies",
        "resource-efficiency",
    ];
    let flags: Vec<String> = switches.iter().map(|switch| format!("--disable-{switch}")).collect();
    let mut arguments: Vec<&str> = flags.iter().map(String::as_str).collect();
    arguments.extend(["--check-interval", "10s", "--max-simultaneous-migrations", "5"]);
    let daemon = Daemon::start(folder.path(), &arguments);
    let config = get(&daemon, "/api/config").await;
    for switch in switches {
        assert_eq!(config[format!("enable_{}", switch.replace('-', "_"))], false, "{switch}");
    }
    assert_eq!((config["check_interval"].as_f64(), config["max_simultaneous_migrations"].as_u64()), (Some(10.0), Some(5)));
}

#[tokio::test]
async fn off_loopback_every_call_but_health_needs_the_token() {
    let folder = folder();
    std::fs::write(folder.path().join("token"), "ek_0123456789abcdef\n").expect("writable");
    let daemon = Daemon::start(folder.path(), &["--host", "0.0.0.0", "--token-file", "token"]);
    let url = daemon.url.replace("0.0.0.0", "127.0.0.1");
    let ask = |path: &str, token: Option<&str>| {
        let request = reqwest::Client::new().get(format!("{url}{path}"));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        async move { request.send().await.expect("it answers").status().as_u16() }
    };
    assert_eq!(ask("/healthz", None).await, 200);
    for path in ["/status", "/api/tasks", "/api/workers", "/metrics", "/openapi.json", "/api/facts"] {
        assert_eq!(ask(path, None).await, 401, "{path}");
        assert_eq!(ask(path, Some("ek_wrong")).await, 401, "{path}");
        assert_eq!(ask(path, Some("ek_0123456789abcdef")).await, 200, "{path}");
    }
}
