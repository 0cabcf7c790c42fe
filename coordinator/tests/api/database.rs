//! A metrics database that was destroyed: the coordinator starts, knows every task, and rebuilds it from the log.

use crate::daemon::{Daemon, LIMIT};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tasks the log knows.
const TASKS: u64 = 40;

async fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = reqwest::get(format!("{}{path}", daemon.url)).await.expect("it answers");
    serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
}

/// Waits until the database has every fact of the log.
async fn recorded(daemon: &Daemon, after: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let status = get(daemon, "/status").await;
        if status["facts_recorded"] == status["facts"] && status["database_problem"].is_null() {
            return;
        }
        assert!(Instant::now() < deadline, "after {after} it is not rebuilt: {}", status["database_problem"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("it is there");
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes)).expect("writable");
}

/// What is done to the file, and whether what is left of it lies beside its place afterwards.
fn destroy(how: &str, path: &Path) {
    let length = fs::metadata(path).expect("it is there").len();
    match how {
        "removal" => fs::remove_file(path).expect("removable"),
        "text" => fs::write(path, "these are my notes, not a database\n".repeat(100)).expect("writable"),
        "nothing in it" => fs::write(path, "").expect("writable"),
        "a folder" => fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("ours"),
        "half of it" => OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length / 2)).expect("writable"),
        "a short piece" => OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(5_000)).expect("writable"),
        "noise in its headers" => overwrite(path, 4_096, &[0xa5; 8_192]),
        "zeros in its blocks" => overwrite(path, 12_288, &vec![0; usize::try_from(length - 12_288).expect("small")]),
        "noise behind its mark" => overwrite(path, 12, &[0x5a; 4_000]),
        bits => {
            let seed: u64 = bits.trim_start_matches("bits ").parse().expect("a seed");
            let mut content = fs::read(path).expect("readable");
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % content.len();
                content[at] ^= 1 << (state >> 61);
            }
            fs::write(path, content).expect("writable");
        }
    }
}

#[tokio::test]
async fn whatever_is_done_to_the_database_the_coordinator_starts_and_rebuilds_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path: PathBuf = folder.path().join("benchmark_db.duckdb");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let task = r#"{"command": ["true"]}"#;
    let body = format!("[{}]", vec![task; TASKS as usize].join(","));
    let answer = reqwest::Client::new().post(format!("{}/api/tasks", daemon.url)).body(body).send().await.expect("it answers");
    assert_eq!(answer.status(), 202);
    recorded(&daemon, "the first").await;
    let wholes = [
        "removal",
        "text",
        "nothing in it",
        "a folder",
        "half of it",
        "a short piece",
        "noise in its headers",
        "zeros in its blocks",
    ];
    let bits: Vec<String> = (1..=6).map(|seed| format!("bits {seed}")).collect();
    let mut longest = Duration::ZERO;
    for how in wholes.into_iter().chain(["noise behind its mark"]).chain(bits.iter().map(String::as_str)) {
        daemon.stop();
        destroy(how, &path);
        let began = Instant::now();
        daemon = Daemon::start(folder.path(), &[]);
        longest = longest.max(began.elapsed());
        assert_eq!(get(&daemon, "/api/tasks").await["total"], TASKS, "{how}");
        recorded(&daemon, how).await;
        assert!(path.is_file(), "{how}");
    }
    // Nothing was deleted: text, folder and the rest lie beside it.
    let aside = |n: u32| folder.path().join(format!("benchmark_db.duckdb.damaged-{n}"));
    assert!(fs::read_to_string(aside(1)).expect("the text").starts_with("these are my notes"));
    assert!(aside(3).is_dir(), "the folder");
    println!("the longest start took {longest:?}");
}
