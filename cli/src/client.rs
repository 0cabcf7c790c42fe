//! The coordinator's HTTP API, from the caller's side.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::api::{Accepted, Durations, ErrorBody, FactPage, Status, TaskList, TaskRequest, TaskView, Why};
use shared::id::{Digest, TaskId};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long establishing a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a request may take that does not wait for anything.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// How long a stream may go on.
const STREAM_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Where the coordinator is expected when nothing is said.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Which coordinator to talk to.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Connection {
    /// The coordinator, such as http://farm:8080 [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "EVENKEEL_COORDINATOR", hide_env_values = true)]
    pub coordinator: Option<String>,
    /// The file holding the token; otherwise EVENKEEL_TOKEN, then ~/.config/evenkeel/token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl Connection {
    /// A client for that coordinator.
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::new(self.coordinator.as_deref().unwrap_or(DEFAULT_URL), self.token()?)
    }

    fn token(&self) -> Result<Option<String>, ClientError> {
        if let Some(path) = &self.token_file {
            return read_token(path).map(Some);
        }
        if let Some(token) = std::env::var("EVENKEEL_TOKEN").ok().filter(|token| !token.is_empty()) {
            return Ok(Some(token));
        }
        let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
        match folder.map(|folder| folder.join("evenkeel/token")).filter(|path| path.is_file()) {
            Some(path) => read_token(&path).map(Some),
            None => Ok(None),
        }
    }
}

fn read_token(path: &Path) -> Result<String, ClientError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ClientError::Token { path: path.into(), problem: source.to_string() })?;
    match text.trim() {
        "" => Err(ClientError::Token { path: path.into(), problem: "it is empty".into() }),
        token => Ok(token.to_owned()),
    }
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address makes no sense.
    #[error("the coordinator's address `{url}` cannot be used: {problem}; write it like http://farm:8080")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The token's file cannot be used.
    #[error("could not read the token from {path}: {problem}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// Nobody answers.
    #[error(
        "could not {doing}: no coordinator answers at {base} ({problem}); start one with `evenkeel coordinator`, or name another with --coordinator URL"
    )]
    Unreachable {
        /// What was being done.
        doing: String,
        /// Where.
        base: String,
        /// The system's words.
        problem: String,
    },
    /// The coordinator said no.
    #[error("could not {doing}: {message}{}", hint_after(hint))]
    Refused {
        /// What was being done.
        doing: String,
        /// The HTTP status.
        status: StatusCode,
        /// For programs.
        code: String,
        /// What was wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Someone answers who is no coordinator of ours.
    #[error(
        "could not {doing}: what {base} answered is not understood ({problem}); is it an Evenkeel coordinator of this version?"
    )]
    Foreign {
        /// What was being done.
        doing: String,
        /// Where.
        base: String,
        /// What was wrong.
        problem: String,
    },
}

fn hint_after(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; {hint}") }
}

impl ClientError {
    /// Whether the same request can succeed later: the coordinator is away or has too much to do.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            ClientError::Refused { status, .. } => matches!(status.as_u16(), 408 | 429 | 502 | 503 | 504),
            ClientError::Address { .. } | ClientError::Token { .. } | ClientError::Foreign { .. } => false,
        }
    }
}

/// A coordinator to talk to.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A piece of what a task wrote.
#[derive(Debug)]
pub struct LogPiece {
    /// Where the piece begins; later than asked for where output was dropped.
    pub offset: u64,
    /// Where to go on.
    pub next: u64,
    /// Whether nothing will follow.
    pub is_complete: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Client {
    /// A client for the coordinator at `url`.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let wrong = |problem: &str| ClientError::Address { url: url.into(), problem: problem.into() };
        if url.starts_with("https://") {
            return Err(wrong("this build speaks http only; put a tunnel or a TLS proxy on this side of the line"));
        }
        let parsed = reqwest::Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if parsed.scheme() != "http" || parsed.host_str().is_none() {
            return Err(wrong("it does not begin with http://"));
        }
        // A proxy is for the world outside; workers reach the coordinator without one, and so do we.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_MAX).build();
        let http = http.map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { http, base: url.trim_end_matches('/').to_owned(), token })
    }

    /// The address it talks to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it shows to be let in.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).timeout(REQUEST_MAX);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder, doing: &str) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(doing, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let refused = |code: String, message: String, hint: String| ClientError::Refused {
            doing: doing.into(),
            status,
            code,
            message,
            hint,
        };
        Err(match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => refused(body.error.code, body.error.message, body.error.hint),
            Err(_) => refused(String::new(), format!("{} answered {status}", self.base), String::new()),
        })
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder, doing: &str) -> Result<T, ClientError> {
        let bytes = self.send(request, doing).await?.bytes().await.map_err(|error| self.unreachable(doing, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.foreign(doing, &error))
    }

    /// The error for an answer that makes no sense.
    pub fn foreign(&self, doing: &str, error: &serde_json::Error) -> ClientError {
        ClientError::Foreign { doing: doing.into(), base: self.base.clone(), problem: error.to_string() }
    }

    /// The error for an answer that did not come.
    pub fn unreachable(&self, doing: &str, error: &reqwest::Error) -> ClientError {
        let mut deepest: &dyn std::error::Error = error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        let problem = if error.is_timeout() { "no answer in time".to_owned() } else { deepest.to_string() };
        ClientError::Unreachable { doing: doing.into(), base: self.base.clone(), problem }
    }

    /// What `path` answers.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, path), doing).await
    }

    /// Orders something that needs no more words than its path; what is answered does not matter.
    pub async fn order(&self, path: &str, doing: &str) -> Result<(), ClientError> {
        self.send(self.request(Method::POST, path), doing).await.map(|_| ())
    }

    async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B, doing: &str) -> Result<T, ClientError> {
        self.read(self.request(Method::POST, path).json(body), doing).await
    }

    /// Submits tasks. They are on disk when this returns.
    pub async fn submit(&self, tasks: &[TaskRequest]) -> Result<Accepted, ClientError> {
        self.post("/api/tasks", &tasks, "submit tasks").await
    }

    /// One task.
    pub async fn task(&self, id: TaskId) -> Result<TaskView, ClientError> {
        self.get(&format!("/api/tasks/{id}"), &format!("look at task {id}")).await
    }

    /// A page of tasks; of one state when `state` is given.
    pub async fn tasks(&self, state: Option<&str>, limit: u64, offset: u64) -> Result<TaskList, ClientError> {
        let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
        self.get(&format!("/api/tasks?limit={limit}&offset={offset}{state}"), "list the tasks").await
    }

    /// Asks for a task to stop.
    pub async fn cancel(&self, id: TaskId) -> Result<(), ClientError> {
        self.order(&format!("/api/tasks/{id}/cancel"), &format!("cancel task {id}")).await
    }

    /// Asks for a running task to go on at another worker.
    pub async fn migrate(&self, id: TaskId, to: &str) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/api/tasks/{id}/migrate"));
        let request = request.json(&serde_json::json!({ "worker": to }));
        self.send(request, &format!("migrate task {id}")).await.map(drop)
    }

    /// Why a task is where it is.
    pub async fn why(&self, id: TaskId) -> Result<Why, ClientError> {
        self.get(&format!("/api/tasks/{id}/why"), &format!("ask about task {id}")).await
    }

    /// How the coordinator is.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/status", "ask how the coordinator is").await
    }

    /// The stream of frames, which ends with the coordinator.
    pub async fn live(&self) -> Result<Response, ClientError> {
        self.send(self.request(Method::GET, "/api/live").timeout(STREAM_MAX), "watch the farm").await
    }

    /// The facts from `from` on about the tasks `first` to `last`; waits up to `wait_s` seconds when there are none.
    pub async fn facts(&self, from: u64, first: TaskId, last: TaskId, wait_s: u64) -> Result<FactPage, ClientError> {
        let path = format!("/api/facts?from={from}&first_task={first}&last_task={last}&wait_s={wait_s}&limit=5000");
        let request = self.request(Method::GET, &path).timeout(Duration::from_secs(wait_s) + Duration::from_secs(20));
        self.read(request, "follow the tasks").await
    }

    /// Seconds that tests took before, by test id beginning with `prefix`.
    pub async fn durations(&self, prefix: &str) -> Result<Durations, ClientError> {
        self.get(&format!("/api/durations?prefix={prefix}"), "ask how long the tests took before").await
    }

    /// What a task wrote from byte `from` on; waits up to `wait_s` seconds when there is nothing new.
    pub async fn log(&self, id: TaskId, attempt: Option<u32>, from: u64, wait_s: u64) -> Result<LogPiece, ClientError> {
        let attempt = attempt.map(|number| format!("&attempt={number}")).unwrap_or_default();
        let doing = format!("read the output of task {id}");
        let path = format!("/api/tasks/{id}/log?from={from}&wait_s={wait_s}{attempt}");
        let request = self.request(Method::GET, &path).timeout(Duration::from_secs(wait_s) + Duration::from_secs(20));
        let response = self.send(request, &doing).await?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (offset, next) = (header("x-evenkeel-offset"), header("x-evenkeel-next"));
        let is_complete = header("x-evenkeel-complete").as_deref() == Some("true");
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&doing, &error))?.to_vec();
        let offset = offset.and_then(|text| text.parse().ok()).unwrap_or(from);
        let next = next.and_then(|text| text.parse().ok()).unwrap_or(offset + bytes.len() as u64);
        Ok(LogPiece { offset, next, is_complete, bytes })
    }

    /// Which of these contents the coordinator does not have.
    pub async fn missing(&self, digests: &[Digest]) -> Result<Vec<Digest>, ClientError> {
        self.post("/api/blobs/missing", &digests, "ask which files are missing").await
    }

    /// Hands over a content.
    pub async fn put_blob(&self, digest: Digest, body: impl Into<reqwest::Body>) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/api/blobs/{digest}")).timeout(Duration::from_secs(3600)).body(body);
        self.send(request, "send a file").await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_work_is_refused_with_the_reason() {
        for (url, words) in
            [("https://farm:8080", "http only"), ("farm:8080", "http://"), ("", "http://"), ("http://", "empty host")]
        {
            let error = Client::new(url, None).expect_err(url).to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
        assert_eq!(Client::new("http://farm:8080/", None).expect("usable").base(), "http://farm:8080");
    }

    #[tokio::test]
    async fn a_coordinator_that_is_not_there_is_a_passing_trouble_that_says_what_to_do() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let error = Client::new(&format!("http://127.0.0.1:{port}"), None).expect("usable").status().await.expect_err("nobody");
        assert!(error.is_passing() && error.to_string().contains("evenkeel coordinator"), "{error}");
    }
}
