//! What a task printed, from any byte on.

use super::error::ApiError;
use super::tasks::unknown;
use super::{App, Stopped};
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;
use serde::Deserialize;
use shared::id::{Attempt, TaskId};
use std::time::Duration;

/// Bytes in one answer.
const BYTES_MAX: u64 = 1 << 20;
/// How long a caller may wait for the next byte.
const WAIT_S_MAX: f64 = 60.0;
/// How often a task that prints nothing is looked at: it may have ended.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Deserialize)]
pub struct LogQuery {
    #[serde(default)]
    from: u64,
    attempt: Option<u32>,
    #[serde(default)]
    wait_s: f64,
}

/// Output from byte `from` on, as it is. The headers say where the body begins (`x-evenkeel-offset`; later than asked
/// where a part was dropped), where to go on (`x-evenkeel-next`), and whether that is the end (`x-evenkeel-complete`).
#[utoipa::path(get, path = "/api/tasks/{id}/log", params(("id" = u64, Path), ("from" = Option<u64>, Query),
    ("attempt" = Option<u32>, Query), ("wait_s" = Option<f64>, Query)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = shared::api::ErrorBody)))]
pub async fn read(
    State(app): State<App>,
    Extension(Stopped(stopped)): Extension<Stopped>,
    Path(id): Path<u64>,
    Query(query): Query<LogQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(query.wait_s.clamp(0.0, WAIT_S_MAX));
    let mut grown = app.output.grown();
    loop {
        grown.mark_unchanged();
        let view = app.core.read(move |core, _| core.task_view(TaskId(id))).await?.ok_or_else(|| unknown(id))?;
        let is_done = view.verdict.is_some();
        let attempt = match query.attempt {
            Some(number) => view.attempts.iter().find(|attempt| attempt.number == number),
            None => view.attempts.last(),
        };
        let (mut found, mut is_complete) =
            (crate::output::Read { offset: query.from, next: query.from, ..Default::default() }, is_done);
        if let Some(attempt) = attempt {
            let which = Attempt { task: TaskId(id), number: attempt.fence };
            let output = app.output.clone();
            let read = move || output.read(which, query.from, BYTES_MAX);
            found = tokio::task::spawn_blocking(read).await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
            // The last output may still be on its way when the result is known: it is complete when all of it is there.
            is_complete = attempt
                .log_bytes
                .is_some_and(|all| found.next >= all || attempt.reason != Some(shared::fact::StopReason::Finished));
        } else if let Some(number) = query.attempt {
            return Err(ApiError::not_found(
                format!("task {id} has no attempt {number}"),
                format!("it has {}", view.attempts.len()),
            ));
        }
        if !found.bytes.is_empty() || is_complete || tokio::time::Instant::now() >= deadline || *stopped.borrow() {
            return Ok((headers(&found, is_complete), found.bytes));
        }
        tokio::select! {
            _ = grown.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

fn headers(found: &crate::output::Read, is_complete: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert("x-evenkeel-offset", HeaderValue::from(found.offset));
    headers.insert("x-evenkeel-next", HeaderValue::from(found.next));
    headers.insert("x-evenkeel-complete", HeaderValue::from_static(if is_complete { "true" } else { "false" }));
    headers
}
