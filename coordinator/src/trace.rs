//! Traces for OpenTelemetry, made from facts: one for each task that gets its verdict in this life of the coordinator, posted
//! as OTLP over HTTP in JSON. The log is read beside its writer, so that no task waits for a collector.

mod spans;

use crate::log::sqlite::LogReader;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::fact::{Fact, What};
use shared::id::ClusterId;
use shared::outcome::Verdict;
use shared::time::Time;
use spans::{OpenTasks, Span, Trace};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// Facts that are read at a time.
const PAGE: usize = 2_000;
/// How long facts gather before they are read.
const GATHER: Duration = Duration::from_millis(500);
/// How long the collector may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How often a post is tried before its traces are dropped.
const TRIES_MAX: u32 = 4;

/// Where traces come from and where they go.
#[derive(Debug)]
pub struct Tracing {
    /// The log.
    pub log_path: PathBuf,
    /// The newest fact on disk.
    pub durable: watch::Receiver<u64>,
    /// The cluster, which traces are named after.
    pub cluster: ClusterId,
    /// The collector, such as `http://127.0.0.1:4318`.
    pub collector: Url,
}

/// What was read of the log so far.
struct Reading {
    open: OpenTasks,
    seq: u64,
    /// The wall clock at the beginning of the run, in nanoseconds since 1970, as the newest life tells.
    zero_ns: u128,
}

impl Tracing {
    /// Posts traces until the log ends. Tasks with a verdict before fact number `from` were another life's.
    pub async fn run(mut self, from: u64) {
        let client = match Client::builder().timeout(ANSWER).build() {
            Ok(client) => client,
            Err(error) => return tracing::error!("traces cannot be posted: {error}"),
        };
        let mut reading = Reading { open: OpenTasks::default(), seq: 0, zero_ns: 0 };
        loop {
            let log_path = self.log_path.clone();
            let read = tokio::task::spawn_blocking(move || reading.next(&log_path, from));
            let (traces, is_all) = match read.await {
                Ok(Ok((next, traces, is_all))) => {
                    reading = next;
                    (traces, is_all)
                }
                Ok(Err(problem)) => return tracing::error!("no more traces are posted: {problem}"),
                Err(panic) => return tracing::error!("no more traces are posted: {panic}"),
            };
            if !traces.is_empty() {
                self.post(&client, reading.zero_ns, &traces).await;
            }
            if is_all {
                if self.durable.changed().await.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    async fn post(&self, client: &Client, zero_ns: u128, traces: &[Trace]) {
        let spans: Vec<Value> = traces.iter().flat_map(|trace| told(self.cluster, zero_ns, trace)).collect();
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", "evenkeel"), text("evenkeel.cluster", &self.cluster.to_string())]},
            "scopeSpans": [{"scope": {"name": "evenkeel", "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
        }]});
        let mut problem = String::new();
        for tries in 0..TRIES_MAX {
            tokio::time::sleep(Duration::from_secs(u64::from(tries))).await;
            match client.post(self.collector.clone()).json(&body).send().await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => problem = format!("it answers {}", answer.status()),
                Err(error) => problem = error.to_string(),
            }
        }
        tracing::warn!("the collector {} did not take {} traces, which are dropped: {problem}", self.collector, traces.len());
    }
}

/// Where a collector takes traces: the standard's path below an address that has none of its own.
///
/// # Errors
/// It is no address that can be posted to.
pub fn parse_collector(text: &str) -> Result<Url, String> {
    let mut url = crate::webhook::parse_url(text)?;
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Ok(url)
}

impl Reading {
    /// Reads on: the traces that came to their end, and whether there is no more for now.
    fn next(mut self, log_path: &std::path::Path, from: u64) -> Result<(Self, Vec<Trace>, bool), String> {
        let page = LogReader::open(log_path).and_then(|log| log.page(self.seq, None, PAGE)).map_err(|error| error.to_string())?;
        let mut traces = Vec::new();
        for payload in &page.payloads {
            self.seq += 1;
            let fact: Fact = serde_json::from_str(payload).map_err(|error| format!("a fact cannot be understood: {error}"))?;
            if let What::CoordinatorStarted { wall_ms, .. } = &fact.what {
                self.zero_ns = (u128::from(*wall_ms) * 1_000_000).saturating_sub(u128::from(fact.at.0) * 1_000);
            }
            let ended = self.open.take_in(&fact);
            traces.extend(ended.filter(|_| self.seq > from));
        }
        Ok((self, traces, page.payloads.is_empty()))
    }
}

/// The spans of a trace in the words of OTLP.
fn told(cluster: ClusterId, zero_ns: u128, trace: &Trace) -> Vec<Value> {
    let seed = format!("{cluster} {}", trace.task);
    let trace_id = hex(&seed, 16);
    let root = hex(&format!("{seed} root"), 8);
    let ns = |at: Time| (zero_ns + u128::from(at.0) * 1_000).to_string();
    let is_good = trace.verdict == Verdict::Passed;
    let mut all = vec![json!({
        "traceId": trace_id, "spanId": root, "name": trace.name, "kind": 1,
        "startTimeUnixNano": ns(trace.from), "endTimeUnixNano": ns(trace.to),
        "attributes": [text("evenkeel.task", &trace.task.to_string()), text("evenkeel.verdict", trace.verdict.name())],
        "status": {"code": if is_good { 1 } else { 2 }, "message": if is_good { "" } else { trace.verdict.name() }},
    })];
    all.extend(trace.spans.iter().enumerate().map(|(at, span)| {
        let Span { name, from, to, worker, attempt } = span;
        let worker = worker.as_ref().map(|worker| text("evenkeel.worker", worker));
        let attempt = attempt.map(|attempt| text("evenkeel.attempt", &attempt.to_string()));
        json!({
            "traceId": trace_id, "spanId": hex(&format!("{seed} {at}"), 8), "parentSpanId": root, "name": name, "kind": 1,
            "startTimeUnixNano": ns(*from), "endTimeUnixNano": ns(*to),
            "attributes": worker.into_iter().chain(attempt).collect::<Vec<_>>(),
        })
    }));
    all
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// The first `bytes` bytes of a digest: the same task has the same trace, however often it is posted.
fn hex(seed: &str, bytes: usize) -> String {
    Sha256::digest(seed.as_bytes()).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
