//! What a collector of traces is sent.

use crate::daemon::Daemon;
use crate::live::{accept, submit};
use crate::wire::{hear, join, say};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_task_that_ended_is_a_trace_whose_parts_add_up_to_it() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", receiver.local_addr().expect("bound"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start(folder.path(), &["--otlp", &address]);
    let mut worker = join(&daemon, "w", 1).await;
    submit(&daemon, json!({"command": ["true"], "name": "build"})).await;
    let start = hear(&mut worker).await.expect("an order")["start"].clone();
    say(&mut worker, 4, json!({"started": {"attempt": start["attempt"]}})).await;
    let outcome = json!({"ended": "passed", "exit_code": 0, "run_s": 0.001});
    say(&mut worker, 5, json!({"finished": {"attempt": start["attempt"], "outcome": outcome}})).await;
    let (mut socket, body) = accept(&receiver).await;
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.expect("it listens");
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
    let ns = |span: &Value, end: &str| -> u128 { span[end].as_str().expect("a time").parse().expect("a number") };
    let length = |span: &Value| ns(span, "endTimeUnixNano") - ns(span, "startTimeUnixNano");
    let (root, parts) = spans.split_first().expect("a root");
    assert_eq!((root["name"].as_str(), root["traceId"].as_str().map(str::len)), (Some("build"), Some(32)));
    assert!(
        !parts.is_empty()
            && parts.iter().all(|part| part["parentSpanId"] == root["spanId"] && part["traceId"] == root["traceId"]),
        "{body}"
    );
    assert_eq!(parts.iter().map(length).sum::<u128>(), length(root), "{body}");
}
