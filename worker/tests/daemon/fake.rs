//! A coordinator for tests: it shakes hands, says what it is told to say, and hands over what it hears.

use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use shared::hardware::HardwareKind;
use shared::id::{Attempt, AttemptNumber, BootNonce, ClusterId, Digest, Epoch, Session, TaskId};
use shared::outcome::Outcome;
use shared::protocol::{
    Envelope, FromCoordinator, FromWorker, HeldAttempt, HeldResult, Hello, ResultAnswer, SUBPROTOCOL_JSON, Start, Welcome,
    WorkerInventory,
};
use shared::task::{TaskSpec, Work};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// Longer than anything here takes, so that a failure is told rather than waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Contents by the name of their digest.
pub type Blobs = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub struct Coordinator {
    pub address: String,
    sockets: mpsc::Receiver<TcpStream>,
    pub blobs: Blobs,
    pub epoch: Epoch,
    pub lease_ms: u64,
}

/// One session with a worker.
pub struct Talk {
    stream: WebSocketStream<TcpStream>,
    is_json: bool,
    sent: u64,
    heard: u64,
    waiting: VecDeque<FromWorker>,
    pub output: Vec<u8>,
}

impl Coordinator {
    /// Listens on a free port and serves `blobs` over HTTP.
    pub async fn start(blobs: Vec<(Digest, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (found, sockets) = mpsc::channel(16);
        let blobs: Blobs = Arc::new(Mutex::new(blobs.into_iter().map(|(digest, bytes)| (digest.to_string(), bytes)).collect()));
        let kept = blobs.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (found, blobs) = (found.clone(), blobs.clone());
                tokio::spawn(async move {
                    let mut head = [0; 15];
                    while socket.peek(&mut head).await.is_ok_and(|bytes| bytes < head.len()) {
                        tokio::task::yield_now().await;
                    }
                    if head == *b"GET /api/worker" {
                        let _ = found.send(socket).await;
                    } else {
                        serve(socket, &blobs).await;
                    }
                });
            }
        });
        Self { address, sockets, blobs: kept, epoch: Epoch(1), lease_ms: 30_000 }
    }

    /// Accepts a worker up to its proof.
    #[expect(clippy::result_large_err, reason = "the type of the callback is tungstenite's")]
    pub async fn greet(&mut self) -> (Talk, Hello) {
        let socket = timeout(PATIENCE, self.sockets.recv()).await.expect("a worker connects").expect("the listener lives");
        let mut subprotocol = None;
        let answer = |request: &Request, mut response: Response| {
            subprotocol = request.headers().get("sec-websocket-protocol").cloned();
            if let Some(subprotocol) = &subprotocol {
                response.headers_mut().insert("sec-websocket-protocol", subprotocol.clone());
            }
            Ok(response)
        };
        let stream = tokio_tungstenite::accept_hdr_async(socket, answer).await.expect("a WebSocket");
        let is_json = subprotocol.is_some_and(|subprotocol| subprotocol == SUBPROTOCOL_JSON);
        let mut talk = Talk { stream, is_json, sent: 0, heard: 0, waiting: VecDeque::new(), output: Vec::new() };
        match talk.next().await {
            FromWorker::Hello(hello) => (talk, hello),
            other => panic!("the first word is {other:?}"),
        }
    }

    /// Accepts a worker up to its welcome.
    pub async fn welcome(&mut self) -> (Talk, Hello) {
        let (mut talk, hello) = self.greet().await;
        let (nonce, cluster) = (BootNonce([5; 8]), ClusterId([6; 16]));
        talk.say(vec![FromCoordinator::Challenge { nonce, epoch: self.epoch, cluster, protocol: 1 }]).await;
        let proof = talk.next().await;
        assert!(matches!(proof, FromWorker::Proof { .. }), "{proof:?}");
        let Self { lease_ms, .. } = *self;
        let welcome = Welcome { session: Session(1), lease_ms, heartbeat_ms: 100, spread_ms: 50, features: Vec::new() };
        talk.say(vec![FromCoordinator::Welcome(welcome)]).await;
        (talk, hello)
    }

    /// Accepts a worker and answers with everything it says it holds.
    pub async fn accept(&mut self) -> (Talk, Hello, WorkerInventory) {
        let (mut talk, hello) = self.welcome().await;
        loop {
            if let FromWorker::Inventory(inventory) = talk.next().await {
                // All that is there goes on; only then does a worker tell output.
                let keep = held(&inventory).0;
                talk.say(vec![FromCoordinator::Reconcile { keep, kill: Vec::new() }]).await;
                return (talk, hello, inventory);
            }
        }
    }
}

impl Talk {
    pub async fn say(&mut self, messages: Vec<FromCoordinator>) {
        self.sent += 1;
        let frame = self.encode(&Envelope { seq: self.sent, ack: self.heard, messages });
        self.stream.send(frame).await.expect("the worker reads");
    }

    fn encode<T: Serialize>(&self, value: &T) -> Message {
        if self.is_json {
            Message::text(serde_json::to_string(value).expect("serialisable"))
        } else {
            Message::binary(rmp_serde::to_vec_named(value).expect("serialisable"))
        }
    }

    /// The next message but for heartbeats and output, see [`Talk::hear`].
    pub async fn next(&mut self) -> FromWorker {
        loop {
            if let Some(message) = self.hear().await {
                return message;
            }
        }
    }

    /// Hears one message and keeps it to itself when it is a heartbeat, which it acknowledges, or output, which it stores
    /// and acknowledges.
    pub async fn hear(&mut self) -> Option<FromWorker> {
        match self.any().await {
            FromWorker::Heartbeat(heartbeat) => {
                self.say(vec![FromCoordinator::HeartbeatAck { number: heartbeat.number }]).await;
                None
            }
            FromWorker::Log { attempt, offset, bytes } => {
                self.output.resize(offset as usize, b'.');
                self.output.extend(bytes.0);
                let offset = self.output.len() as u64;
                self.say(vec![FromCoordinator::LogAck { attempt, offset }]).await;
                None
            }
            other => Some(other),
        }
    }

    /// The next message of any kind.
    pub async fn any(&mut self) -> FromWorker {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return message;
            }
            let frame = timeout(PATIENCE, self.stream.next()).await.expect("the worker says something");
            let envelope: Envelope<FromWorker> = match frame.expect("the worker stays").expect("a sound frame") {
                Message::Text(text) if self.is_json => serde_json::from_str(&text).expect("an envelope"),
                Message::Binary(bytes) if !self.is_json => rmp_serde::from_slice(&bytes).expect("an envelope"),
                Message::Ping(_) | Message::Pong(_) => continue,
                other => panic!("not a frame of this session: {other:?}"),
            };
            assert_eq!(envelope.seq, self.heard + 1, "frames are numbered");
            self.heard = envelope.seq;
            self.waiting.extend(envelope.messages);
        }
    }

    /// Waits until the worker leaves this session; says whether it said anything before that.
    pub async fn is_left_without_a_word(&mut self) -> bool {
        !matches!(
            timeout(PATIENCE, self.stream.next()).await.expect("the worker leaves"),
            Some(Ok(Message::Text(_) | Message::Binary(_)))
        )
    }

    /// The result of `attempt`, once it is told.
    pub async fn result(&mut self, attempt: Attempt) -> Outcome {
        loop {
            match self.next().await {
                FromWorker::Finished { attempt: which, outcome } if which == attempt => return outcome,
                _ => {}
            }
        }
    }
}

async fn serve(mut socket: TcpStream, blobs: &Blobs) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8_lossy(&request).to_lowercase();
    let content = content(&mut socket, &text).await;
    let name = text.split_whitespace().nth(1).and_then(|path| path.strip_prefix("/api/blobs/")).unwrap_or_default();
    let (status, body) = {
        let mut blobs = blobs.lock().expect("no test panics with it");
        if text.starts_with("put") {
            blobs.insert(name.to_owned(), content);
            ("201 Created", Vec::new())
        } else if name == "missing" {
            let asked: Vec<String> = serde_json::from_slice(&content).expect("a list of digests");
            let missing: Vec<String> = asked.into_iter().filter(|digest| !blobs.contains_key(digest)).collect();
            ("200 OK", serde_json::to_vec(&missing).expect("serialisable"))
        } else {
            blobs.get(name).map_or(("404 Not Found", Vec::new()), |bytes| ("200 OK", bytes.clone()))
        }
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(&body).await;
}

/// The body of a request, sent at once or in chunks.
async fn content(socket: &mut TcpStream, head: &str) -> Vec<u8> {
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = header("content-length:").and_then(|length| length.parse().ok());
    if header("transfer-encoding:").is_none() {
        let mut content = vec![0; length.unwrap_or(0)];
        socket.read_exact(&mut content).await.expect("as much as was announced");
        return content;
    }
    let mut content = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(socket.read_u8().await.expect("a chunk"));
        }
        let length = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).expect("a length in hex");
        let mut chunk = vec![0; length + 2];
        socket.read_exact(&mut chunk).await.expect("as much as was announced");
        content.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return content;
        }
    }
}

/// A worker daemon; it is killed when this is dropped.
pub fn daemon(coordinator: &str, work_dir: &Path, more: &[&str]) -> Child {
    daemon_with(coordinator, work_dir, more, &[])
}

/// The same, with more in its environment.
pub fn daemon_with(coordinator: &str, work_dir: &Path, more: &[&str], env: &[(&str, &OsStr)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["--coordinator", &format!("ws://{coordinator}"), "--name", "tested", "--slots", "2", "--work-dir"])
        .arg(work_dir)
        .args(more)
        .env_remove("EVENKEEL_TOKEN")
        .env("HOME", work_dir)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program was built for this test")
}

pub fn attempt(task: u64) -> Attempt {
    Attempt { task: TaskId(task), number: AttemptNumber::new(Epoch(1), 1) }
}

pub fn spec(work: Work) -> TaskSpec {
    TaskSpec::new("a task", work)
}

pub fn shell(script: &str) -> TaskSpec {
    spec(Work::Command(["sh", "-c", script].map(String::from).to_vec()))
}

pub fn start(task: u64, spec: TaskSpec) -> FromCoordinator {
    FromCoordinator::Start(order(attempt(task), spec))
}

/// The order to run `spec` as `attempt`.
pub fn order(attempt: Attempt, spec: TaskSpec) -> Start {
    Start { attempt, spec: Arc::new(spec), hardware: HardwareKind::Cpu, device: None, skip: Vec::new(), restore: None }
}

/// What an inventory says of attempts and results, for comparing.
pub fn held(inventory: &WorkerInventory) -> (Vec<Attempt>, Vec<Attempt>) {
    let attempts = inventory.attempts.iter().map(|HeldAttempt { attempt, .. }| *attempt);
    let results = inventory.results.iter().map(|HeldResult { attempt, .. }| *attempt);
    (attempts.collect(), results.collect())
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub fn signal(daemon: &Child, signal: Signal) {
    let pid = daemon.id().expect("it runs").cast_signed();
    kill(Pid::from_raw(pid), signal).expect("it is ours");
}

/// The runners of the daemon on `work_dir` that live.
pub fn runners(work_dir: &Path) -> Vec<Pid> {
    let folder = work_dir.canonicalize().expect("it is there").join("runners");
    let is_one = |pid: &i32| {
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.contains(&format!("--runner\0{}", folder.display()))
    };
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(is_one).map(Pid::from_raw).collect()
}

/// The process id that a task has written to `pid` in its home, once it is there.
pub async fn pid_of(work_dir: &Path, task: u64) -> String {
    let file = work_dir.join(format!("attempts/{task}-1-1/home/pid"));
    until("a running task", || std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))).await;
    std::fs::read_to_string(&file).expect("it was just there")
}

pub fn recorded(task: u64) -> FromCoordinator {
    FromCoordinator::ResultAck { attempt: attempt(task), answer: ResultAnswer::Recorded }
}

/// Whether a process runs: one that has ended and that nobody has collected does not.
pub fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Whether a runner keeps how an attempt ended: the last line of a journal does not forget one.
pub fn keeps(work_dir: &Path) -> bool {
    let folders = std::fs::read_dir(work_dir.join("runners")).into_iter().flatten().flatten();
    let journals = folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("exits")).ok());
    journals.into_iter().any(|text| text.lines().last().is_some_and(|line| line.starts_with("{\"keep\":")))
}

pub fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}
