//! What is pushed to those who watch, and the alerts.

use super::error::ApiError;
use super::{App, Stopped};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream;
use shared::api::{AlertList, ErrorBody};
use std::convert::Infallible;
use tokio::sync::watch;

/// Everything at a glance as server-sent events: a whole frame, then twice a second what changed since. Who is too slow gets
/// the newest whole frame instead of what was missed.
#[utoipa::path(get, path = "/api/live", responses(
    (status = 200, body = String, content_type = "text/event-stream"), (status = 503, body = ErrorBody)))]
pub async fn frames(
    State(app): State<App>,
    Extension(Stopped(stopped)): Extension<Stopped>,
) -> Result<impl IntoResponse, ApiError> {
    let full = || ApiError::unavailable("too many pages watch this coordinator already", "close one, or ask GET /status");
    let viewer = app.live.watch().ok_or_else(full)?;
    let events = stream::unfold((viewer, stopped), |(mut viewer, mut stopped)| async move {
        let event = tokio::select! {
            event = viewer.next() => event?,
            () = stops(&mut stopped) => return None,
        };
        Some((Ok::<Bytes, Infallible>(event), (viewer, stopped)))
    });
    Ok(([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], Body::from_stream(events)))
}

async fn stops(stopped: &mut watch::Receiver<bool>) {
    // What it answers holds a lock.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// What is not as it should be, the worst first; at most 100.
#[utoipa::path(get, path = "/api/alerts", responses((status = 200, body = AlertList)))]
pub async fn alerts(State(app): State<App>) -> Json<AlertList> {
    Json(AlertList { alerts: app.live.alerts() })
}
