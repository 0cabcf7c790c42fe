//! What callers and workers may send wrongly: each is answered, none hurts anyone else.

use crate::daemon::{Daemon, LIMIT};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use shared::protocol::SUBPROTOCOL_JSON;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(daemon: &Daemon) -> Socket {
    let mut request = daemon.worker_url().into_client_request().expect("an address");
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL_JSON.parse().expect("a header"));
    tokio_tungstenite::connect_async(request).await.expect("it accepts sockets").0
}

pub async fn say(socket: &mut Socket, seq: u64, message: Value) {
    let frame = json!({"seq": seq, "ack": 0, "messages": [message]}).to_string();
    socket.send(Message::text(frame)).await.expect("the socket is open");
}

/// The next message, or nothing when the socket was closed.
pub async fn hear(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(LIMIT, socket.next()).await.expect("an answer in time") {
            Some(Ok(Message::Text(text))) => {
                let envelope: Value = serde_json::from_str(&text).expect("JSON");
                return Some(envelope["messages"][0].clone());
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_) | Err(_)) | None => return None,
        }
    }
}

fn hello(name: &str, id: u8) -> Value {
    json!({"hello": {"protocol_min": 1, "protocol_max": 1, "cluster": null, "worker": format!("{id:02x}").repeat(16),
        "name": name, "boot": "00".repeat(8), "epoch_seen": 0}})
}

/// A worker that has joined and told that it has one slot.
pub async fn join(daemon: &Daemon, name: &str, id: u8) -> Socket {
    let mut socket = connect(daemon).await;
    say(&mut socket, 1, hello(name, id)).await;
    assert!(hear(&mut socket).await.expect("a challenge")["challenge"]["nonce"].is_string());
    say(&mut socket, 2, json!({"proof": {"mac": null}})).await;
    assert!(hear(&mut socket).await.expect("a welcome")["welcome"]["session"].is_u64());
    let machine = json!({"slots": 1, "cores": 1, "memory_bytes": 1_000_000_000});
    say(&mut socket, 3, json!({"inventory": {"machine": machine, "attempts": [], "results": []}})).await;
    assert!(hear(&mut socket).await.expect("an answer to the inventory")["reconcile"].is_object());
    socket
}

async fn refusal(daemon: &Daemon, first: Value) -> Value {
    let mut socket = connect(daemon).await;
    say(&mut socket, 1, first).await;
    let answer = hear(&mut socket).await.expect("a reason");
    assert!(hear(&mut socket).await.is_none(), "the socket is closed after the reason");
    answer["refused"].clone()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test]
async fn a_worker_with_a_wrong_protocol_version_is_told_which_are_spoken() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut wrong = hello("w", 1);
    wrong["hello"]["protocol_min"] = json!(90);
    wrong["hello"]["protocol_max"] = json!(91);
    let refused = refusal(&daemon, wrong).await;
    assert_eq!(refused["code"], "protocol");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("install the same version")), "{refused}");
}

#[tokio::test]
async fn two_workers_with_one_name_are_told_apart() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let _first = join(&daemon, "w", 1).await;
    let mut second = connect(&daemon).await;
    say(&mut second, 1, hello("w", 2)).await;
    hear(&mut second).await.expect("a challenge");
    say(&mut second, 2, json!({"proof": {"mac": null}})).await;
    let answer = hear(&mut second).await.expect("a reason");
    assert_eq!(answer["refused"]["code"], "name_taken");
    assert!(answer["refused"]["message"].as_str().is_some_and(|text| text.contains("--name")));
}

#[tokio::test]
async fn nonsense_ends_its_own_session_and_no_other() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut honest = join(&daemon, "honest", 1).await;
    let frames = [
        ("malformed", Message::text("{\"seq\": 4, ")),
        ("unknown", Message::text(r#"{"seq":4,"ack":0,"messages":[{"fly":{}}]}"#)),
        ("not text", Message::binary(vec![0xc1; 32])),
        ("out of order", Message::text(r#"{"seq":9,"ack":0,"messages":["leaving"]}"#)),
        ("oversized", Message::text(format!(r#"{{"seq":4,"ack":0,"messages":[],"pad":"{}"}}"#, "x".repeat(2 << 20)))),
    ];
    for (at, (what, frame)) in frames.into_iter().enumerate() {
        let mut rude = join(&daemon, &format!("rude-{at}"), at as u8 + 2).await;
        // An oversized frame may be refused while it is still being sent.
        drop(rude.send(frame).await);
        assert!(hear(&mut rude).await.is_none(), "{what}: the session goes on");
    }
    say(&mut honest, 4, json!({"heartbeat": {"number": 1, "load": {}, "holds": shared::protocol::digest_of([])}})).await;
    assert_eq!(hear(&mut honest).await.expect("an answer")["heartbeat_ack"]["number"], 1);
}

#[tokio::test]
async fn a_first_frame_that_is_long_or_strange_is_refused() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    assert_eq!(refusal(&daemon, json!("leaving")).await["code"], "malformed");
    assert_eq!(refusal(&daemon, json!({"hello": {"pad": "x".repeat(5000)}})).await["code"], "malformed");
    let mut name = hello("w", 1);
    name["hello"]["name"] = json!("a/../b");
    assert_eq!(refusal(&daemon, name).await["code"], "malformed");
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_on_loopback_either() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut request = daemon.worker_url().into_client_request().expect("an address");
    request.headers_mut().insert("origin", "http://evil.example".parse().expect("a header"));
    assert!(tokio_tungstenite::connect_async(request).await.is_err());
    let answer =
        reqwest::Client::new().get(format!("{}/status", daemon.url)).header("origin", "http://evil.example").send().await;
    assert_eq!(answer.expect("it answers").status(), 403);
}

#[tokio::test]
async fn requests_that_cannot_be_are_answered_with_what_and_what_to_do() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let client = reqwest::Client::new();
    let many = format!("[{}]", vec![r#"{"type":"noop"}"#; 10_001].join(","));
    for (body, status, part) in [
        ("", 400, "not a task"),
        (r#"{"command": "#, 400, "not a task"),
        (r#"{"comand": ["true"]}"#, 400, "comand"),
        (r#"{"command": ["true"], "priority": 11}"#, 400, "priority 11"),
        (r#"{"command": ["true"], "requirements": "memory>=16XB"}"#, 422, "no known unit"),
        (r#"{"command": ["true"], "requirements": "warp"}"#, 422, "nothing is known as `warp`"),
        (r#"[{"command": ["true"]}, {"command": []}]"#, 422, "task 1"),
        (many.as_str(), 413, "10000"),
    ] {
        let answer = client.post(format!("{}/api/tasks", daemon.url)).body(body.to_owned()).send().await.expect("it answers");
        assert_eq!(answer.status().as_u16(), status, "{body:.60}");
        let error: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains(part), "{body:.60}: {message}");
        assert!(error["error"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    }
    for (body, status, part) in [("", 400, "does not name a worker"), (r#"{"worker": "w"}"#, 404, "no task 7")] {
        let answer = client.post(format!("{}/api/tasks/7/migrate", daemon.url)).body(body).send().await.expect("it answers");
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let text = answer.text().await.expect("text");
        assert!(text.contains(part), "{body}: {text}");
    }
    for path in ["/api/tasks/7", "/api/tasks/7/why", "/api/tasks/7/log", "/nothing"] {
        assert_eq!(client.get(format!("{}{path}", daemon.url)).send().await.expect("it answers").status(), 404, "{path}");
    }
    let listed = client.get(format!("{}/api/tasks", daemon.url)).send().await.expect("it answers").text().await.expect("text");
    assert!(listed.contains(r#""total":0"#), "nothing of what was refused is there: {listed}");
}

#[tokio::test]
async fn a_task_nobody_can_run_is_flagged_within_five_seconds() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let _worker = join(&daemon, "w", 1).await;
    let client = reqwest::Client::new();
    let body = r#"[{"command": ["true"], "requirements": "cuda"}, {"command": ["true"]}, {"command": ["true"]}]"#;
    client.post(format!("{}/api/tasks", daemon.url)).body(body).send().await.expect("it answers");
    let flagged = async {
        loop {
            let status =
                client.get(format!("{}/status", daemon.url)).send().await.expect("it answers").text().await.expect("text");
            let status: Value = serde_json::from_str(&status).expect("JSON");
            if status["impossible"] == json!([1]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), flagged).await.expect("it is flagged in time, and the tasks that wait are not");
    let why = client.get(format!("{}/api/tasks/1/why", daemon.url)).send().await.expect("it answers").text().await.expect("text");
    assert!(why.contains(r#""impossible":true"#) && why.contains(r#""needs":"cuda""#), "{why}");
}

#[tokio::test]
async fn output_that_is_not_text_is_kept_as_it_is() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut worker = join(&daemon, "w", 1).await;
    let client = reqwest::Client::new();
    client.post(format!("{}/api/tasks", daemon.url)).body(r#"{"command": ["true"]}"#).send().await.expect("it answers");
    let attempt = hear(&mut worker).await.expect("an order")["start"]["attempt"].clone();
    say(&mut worker, 4, json!({"log": {"attempt": attempt, "offset": 0, "bytes": "/wD+"}})).await;
    assert_eq!(hear(&mut worker).await.expect("credit")["log_ack"]["offset"], 3);
    let outcome = json!({"ended": "passed", "exit_code": 0, "log_bytes": 3});
    say(&mut worker, 5, json!({"finished": {"attempt": attempt, "outcome": outcome}})).await;
    assert_eq!(hear(&mut worker).await.expect("an answer")["result_ack"]["answer"], "recorded");
    let log = client.get(format!("{}/api/tasks/1/log", daemon.url)).send().await.expect("it answers");
    assert_eq!(log.headers()["x-evenkeel-complete"], "true");
    assert_eq!(log.bytes().await.expect("bytes").as_ref(), [0xff, 0, 0xfe]);
}
