//! The HTTP API: callers' words to events, the core's answers to theirs.

mod blobs;
mod error;
mod facts;
mod live;
mod logs;
mod metrics;
mod openapi;
mod report;
pub mod status;
mod tasks;
mod translate;
mod workers;

use crate::auth::Access;
use crate::blobs::{BLOB_BYTES_MAX, Blobs};
use crate::config::Settings;
use crate::driver::Core;
use crate::live::Live;
use crate::log::LogHealth;
use crate::output::OutputStore;
use crate::recorder::{Recording, Reports};
use crate::session::Sessions;
use crate::web;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State, WebSocketUpgrade};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use error::ApiError;
use shared::api::BODY_BYTES_MAX;
use shared::protocol::{FRAME_BYTES_MAX, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What every request may need.
#[derive(Clone, Debug)]
pub struct App {
    /// The way to the core.
    pub core: Core,
    /// The workers' sockets.
    pub sessions: Sessions,
    /// What tasks print.
    pub output: OutputStore,
    /// Shipped files.
    pub blobs: Blobs,
    /// Who may come in.
    pub access: Access,
    /// What those who watch see.
    pub live: Live,
    /// Whether the log can be written.
    pub health: LogHealth,
    /// How far the metrics database is.
    pub recording: Recording,
    /// The newest fact on disk.
    pub durable: watch::Receiver<u64>,
    /// Where the log is.
    pub log_path: PathBuf,
    /// The metrics database, for reports.
    pub reports: Reports,
    /// How it was started.
    pub settings: Arc<Settings>,
}

/// All routes. Those that wait for something end early when `stopped` turns true.
pub fn router(app: App, stopped: watch::Receiver<bool>) -> Router {
    let guarded = Router::new()
        .route("/api/tasks", post(tasks::submit).get(tasks::list))
        .route("/api/tasks/{id}", get(tasks::one))
        .route("/api/tasks/{id}/cancel", post(tasks::cancel))
        .route("/api/tasks/{id}/migrate", post(tasks::migrate))
        .route("/api/tasks/{id}/why", get(tasks::why))
        .route("/api/tasks/{id}/log", get(logs::read))
        .route("/api/workers", get(workers::list))
        .route("/api/workers/{name}/drain", post(workers::drain))
        .route("/api/workers/{name}/cordon", post(workers::cordon))
        .route("/api/workers/{name}/uncordon", post(workers::uncordon))
        .route("/api/workers/{name}/metrics", post(workers::measured))
        .route("/api/loadbalancer/strategy", post(workers::use_policy))
        .route("/api/loadbalancer/statistics", get(workers::statistics))
        .route("/api/loadbalancer/rebalance", post(workers::rebalance))
        .route("/api/facts", get(facts::page))
        .route("/api/durations", get(facts::durations))
        .route("/api/config", get(status::config))
        .route("/api/report", get(report::report))
        .route("/api/blobs/missing", post(blobs::missing))
        .route("/status", get(status::status))
        .route("/metrics", get(metrics::metrics))
        .route("/api/live", get(live::frames))
        .route("/api/alerts", get(live::alerts))
        .route("/openapi.json", get(openapi::document))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route("/api/blobs/{digest}", put(blobs::store).get(blobs::fetch).layer(DefaultBodyLimit::max(BLOB_BYTES_MAX)))
        .layer(from_fn_with_state(app.clone(), admit))
        // A worker proves that it has the token within its handshake, where the token does not travel.
        .route("/api/worker", get(worker_socket))
        .route("/healthz", get(|| async { "ok" }))
        // The page itself holds nothing of the farm; it asks for the token where one is needed.
        .merge(web::routes());
    guarded
        .fallback(|| async { ApiError::not_found("there is nothing at this address", "see /openapi.json for what there is") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take that method",
                "see /openapi.json",
            )
        })
        .layer(axum::Extension(Stopped(stopped)))
        .with_state(app)
}

/// Turns true when the coordinator is asked to stop.
#[derive(Clone, Debug)]
pub struct Stopped(pub watch::Receiver<bool>);

async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(app.access, Access::Open) && !is_called_by_its_own_name(request.headers()) {
        return ApiError::new(
            StatusCode::FORBIDDEN,
            "strange_host",
            "without a token this coordinator answers only where it is called by the name of its own machine",
            "call it http://127.0.0.1:PORT or http://localhost:PORT",
        )
        .into_response();
    }
    if is_cross_site(request.headers()) {
        return ApiError::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "a page of another site may not use this coordinator",
            "call it from its own page or from a program",
        )
        .into_response();
    }
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !app.access.admits(bearer) {
        let what = if bearer.is_some() { "the token is wrong" } else { "a token is required" };
        let hint =
            "send `Authorization: Bearer TOKEN`: evenkeel takes it from --token-file, EVENKEEL_TOKEN or ~/.config/evenkeel/token";
        return ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", what, hint).into_response();
    }
    next.run(request).await
}

/// Whether a browser sends this for a page of another site: it then names that site, and programs name none.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).map(|host| format!("http://{host}"));
    origin.to_str().ok() != own.as_deref()
}

/// Whether the caller names this machine: a name that somebody else's name server points here is how a page of theirs would
/// get past the check of its origin. Programs that name no host are not browsers.
fn is_called_by_its_own_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    name == "localhost" || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

/// Workers are programs: an upgrade that names an origin comes from a page, and is refused on loopback too.
async fn worker_socket(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if headers.contains_key(ORIGIN) {
        return ApiError::new(StatusCode::FORBIDDEN, "cross_site", "a page may not speak for a worker", "start a worker daemon")
            .into_response();
    }
    upgrade
        .protocols([SUBPROTOCOL_MSGPACK, SUBPROTOCOL_JSON])
        .read_buffer_size(16 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(4 << 20)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| app.sessions.serve(socket))
}
