//! What those who watch get: the page, the stream of frames, alerts and metrics.

use crate::daemon::{Daemon, LIMIT};
use crate::wire::{hear, join, say};
use serde_json::{Value, json};
use shared::api::LiveFrame;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A viewer of the stream, and what it knows.
struct Watching {
    response: reqwest::Response,
    unread: String,
}

impl Watching {
    async fn of(daemon: &Daemon) -> Self {
        let response = reqwest::get(format!("{}/api/live", daemon.url)).await.expect("it answers");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, unread: String::new() }
    }

    async fn next(&mut self) -> LiveFrame {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let frame = serde_json::from_str(event.strip_prefix("data: ").expect("an event")).expect("a frame");
                self.unread = rest.into();
                return frame;
            }
            let piece = tokio::time::timeout(LIMIT, self.response.chunk()).await.expect("in time").expect("it goes on");
            self.unread.push_str(std::str::from_utf8(&piece.expect("it goes on")).expect("frames here are ASCII"));
        }
    }
}

pub async fn submit(daemon: &Daemon, body: Value) {
    let request = reqwest::Client::new().post(format!("{}/api/tasks", daemon.url)).json(&body);
    assert_eq!(request.send().await.expect("it answers").status(), 202);
}

#[tokio::test]
async fn what_changes_adds_up_to_the_whole() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut watching = Watching::of(&daemon).await;
    let mut known = watching.next().await;
    assert!(known.is_whole && known.workers.is_empty());
    let mut worker = join(&daemon, "w", 1).await;
    submit(&daemon, json!([{"command": ["true"], "name": "first"}, {"command": ["true"], "name": "second"}])).await;
    let start = hear(&mut worker).await.expect("an order")["start"].clone();
    say(&mut worker, 4, json!({"started": {"attempt": start["attempt"]}})).await;
    let deadline = Instant::now() + LIMIT;
    while known.running.is_empty() {
        assert!(Instant::now() < deadline, "the running attempt is not shown: {known:?}");
        let next = watching.next().await;
        assert!(!next.is_whole, "a viewer that keeps up gets what changed");
        known.follow(next);
    }
    assert_eq!((known.running[0].worker.as_str(), known.running_total), ("w", 1));
    assert_eq!(known.status.bottlenecks[0].words, "1 task waits for a free slot: 1 worker has it, full");
    // Somebody who comes now sees the same.
    let mut other = Watching::of(&daemon).await;
    let whole = other.next().await;
    while known.number < whole.number {
        known.follow(watching.next().await);
    }
    assert_eq!(known, whole);
}

#[tokio::test]
async fn the_page_brings_all_it_names_and_lets_nothing_else_in() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let page = reqwest::get(&daemon.url).await.expect("it answers");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text().await.expect("text");
    assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick"), "nothing inline");
    let mut open: Vec<String> = named(&text, &["src=\"", "href=\""]).filter(|path| path.starts_with('/')).collect();
    let mut seen = Vec::new();
    while let Some(path) = open.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = reqwest::get(format!("{}{path}", daemon.url)).await.expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        let script = answer.text().await.expect("text");
        if path.ends_with(".js") && !path.contains("vendor") {
            open.extend(named(&script, &["from \"./"]).map(|name| format!("/web/{name}")));
        }
        seen.push(path);
    }
    assert!(seen.len() > 20, "{seen:?}");
}

/// What stands in quotation marks after one of these.
fn named<'a>(text: &'a str, before: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    let after = |start: &&'a str| text.split(*start).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
    before.iter().flat_map(after)
}

#[tokio::test]
async fn a_name_that_somebody_else_points_here_is_no_way_in() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let port = daemon.url.rsplit(':').next().expect("a port").to_owned();
    for (host, expected) in [("evil.example", 403), ("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200)] {
        let request = reqwest::Client::new().get(format!("{}/status", daemon.url)).header("host", format!("{host}:{port}"));
        assert_eq!(request.send().await.expect("it answers").status().as_u16(), expected, "{host}");
    }
    let origin = reqwest::Client::new().get(format!("{}/api/live", daemon.url)).header("origin", "http://evil.example");
    assert_eq!(origin.send().await.expect("it answers").status().as_u16(), 403);
}

#[tokio::test]
async fn off_loopback_the_page_is_open_and_what_it_shows_is_not() {
    let folder = folder();
    std::fs::write(folder.path().join("token"), "ek_0123456789abcdef\n").expect("writable");
    let daemon = Daemon::start(folder.path(), &["--host", "0.0.0.0", "--token-file", "token"]);
    let url = daemon.url.replace("0.0.0.0", "127.0.0.1");
    for (path, expected) in [("/", 200), ("/web/main.js", 200), ("/api/live", 401), ("/api/alerts", 401), ("/metrics", 401)] {
        let answer = reqwest::get(format!("{url}{path}")).await.expect("it answers");
        assert_eq!(answer.status().as_u16(), expected, "{path}");
    }
}

#[tokio::test]
async fn the_metrics_are_read_by_a_parser_of_their_format() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut worker = join(&daemon, "w", 1).await;
    submit(&daemon, json!({"command": ["true"]})).await;
    let start = hear(&mut worker).await.expect("an order")["start"].clone();
    say(&mut worker, 4, json!({"started": {"attempt": start["attempt"]}})).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        let text = reqwest::get(format!("{}/metrics", daemon.url)).await.expect("it answers").text().await.expect("text");
        assert!(text.ends_with("# EOF\n"), "{text}");
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = prometheus_parse::Scrape::parse(lines).expect("the format");
        let value = |name: &str, label: Option<(&str, &str)>| {
            let is_it = |sample: &&prometheus_parse::Sample| {
                sample.metric == name && label.is_none_or(|(key, value)| sample.labels.get(key) == Some(value))
            };
            scrape.samples.iter().find(is_it).map(|sample| sample.value.clone())
        };
        let is_running = matches!(value("evenkeel_tasks", Some(("state", "running"))), Some(prometheus_parse::Value::Gauge(1.0)));
        if is_running {
            let started = value("evenkeel_attempt_start_seconds", None);
            assert!(matches!(started, Some(prometheus_parse::Value::Histogram(_))), "{started:?}");
            assert!(value("evenkeel_log_commits_total", None).is_some());
            return;
        }
        assert!(Instant::now() < deadline, "the task does not run: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_alert_is_shown_and_posted_again_until_it_is_taken() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/alerts", receiver.local_addr().expect("bound"));
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &["--alert-webhook", &address]);
    let _worker = join(&daemon, "w", 1).await;
    submit(&daemon, json!({"command": ["true"], "requirements": "cores>=64"})).await;
    let mut notes = Vec::new();
    while notes.len() < 2 {
        let (mut socket, note) = accept(&receiver).await;
        // What else is wrong with this machine, such as a full disk, is not what is looked for.
        let is_it = note["raised"].as_array().is_some_and(|all| all.iter().any(|alert| alert["kind"] == "tasks_impossible"));
        let answer = if is_it && notes.is_empty() { "503 Service Unavailable" } else { "200 OK" };
        notes.extend(is_it.then_some(note));
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.expect("it listens");
    }
    assert_eq!(notes[0], notes[1], "the same note again");
    let shown: Value = reqwest::get(format!("{}/api/alerts", daemon.url)).await.expect("it answers").json().await.expect("JSON");
    assert!(shown["alerts"].as_array().is_some_and(|all| all.contains(&notes[0]["raised"][0])), "{shown}");
}

/// A note that is posted, and the socket to answer on.
pub async fn accept(receiver: &TcpListener) -> (TcpStream, Value) {
    let (mut socket, _) = tokio::time::timeout(LIMIT, receiver.accept()).await.expect("a note in time").expect("a socket");
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let bytes = tokio::time::timeout(LIMIT, socket.read(&mut piece)).await.expect("in time").expect("open");
        read.extend_from_slice(&piece[..bytes]);
        let text = String::from_utf8_lossy(&read);
        if let Some(note) = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()) {
            return (socket, note);
        }
        assert!(bytes > 0, "the note ends early: {text}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_an_alert_although_the_core_stands_still() {
    let folder = folder();
    let daemon = Daemon::start_limited(folder.path(), 4_096);
    let large = json!({"command": ["true"], "env": {"LARGE": "x".repeat(200_000)}});
    let deadline = Instant::now() + LIMIT;
    loop {
        let submit = reqwest::Client::new().post(format!("{}/api/tasks", daemon.url)).json(&large);
        // One that cannot be written waits, or is refused.
        let accepted = submit.timeout(Duration::from_secs(2)).send().await.is_ok_and(|answer| answer.status() == 202);
        if !accepted {
            break;
        }
        assert!(Instant::now() < deadline, "everything can be written");
    }
    loop {
        let shown: Value =
            reqwest::get(format!("{}/api/alerts", daemon.url)).await.expect("it answers").json().await.expect("JSON");
        if shown["alerts"][0]["kind"] == "log_unwritable" {
            return;
        }
        assert!(Instant::now() < deadline, "no alert: {shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
