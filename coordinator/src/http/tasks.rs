//! Tasks: submit, look at, explain, cancel, move.

use super::App;
use super::error::ApiError;
use super::translate;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use coordinator_core::{Command, Reply};
use serde::Deserialize;
use shared::api::{Accepted, BATCH_TASKS_MAX, ErrorBody, TaskList, TaskPhase, TaskRequest, TaskView, Why};
use shared::id::TaskId;

/// Tasks in one page.
const PAGE_MAX: usize = 1_000;

/// Accepts one task or a list of them, all or none. The answer is given when they are on disk.
#[utoipa::path(post, path = "/api/tasks", request_body = serde_json::Value, responses(
    (status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn submit(State(app): State<App>, body: Bytes) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    if let Some(problem) = app.health.problem() {
        return Err(ApiError::unavailable(problem, "nothing was accepted; submit again when the disk is well"));
    }
    let requests = read(&body)?;
    if requests.len() > BATCH_TASKS_MAX {
        let message = format!("{} tasks in one request; {BATCH_TASKS_MAX} are allowed", requests.len());
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many", message, "send them in several requests"));
    }
    let mut tasks: Vec<coordinator_core::NewTask> = Vec::with_capacity(requests.len());
    for (at, request) in requests.into_iter().enumerate() {
        let hint = "see /openapi.json and the documentation of requirements";
        let mut task = translate::task(request).map_err(|what| ApiError::unprocessable(format!("task {at}: {what}"), hint))?;
        // Tasks that are alike share one specification from here on.
        if let Some(alike) = tasks.last().filter(|last| last.spec == task.spec) {
            task.spec = alike.spec.clone();
        }
        tasks.push(task);
    }
    match app.core.submit(tasks).await? {
        Reply::Accepted(task_ids) => Ok((StatusCode::ACCEPTED, Json(Accepted { task_ids }))),
        other => Err(ApiError::from_reply(other)),
    }
}

/// Reads a list or a single task; the error says which field of which task is wrong.
fn read(body: &[u8]) -> Result<Vec<TaskRequest>, ApiError> {
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let read = if is_list { serde_json::from_slice(body) } else { serde_json::from_slice(body).map(|one| vec![one]) };
    let submission: Result<Vec<TaskRequest>, serde_json::Error> = read;
    submission.map_err(|error| {
        let hint = r#"send {"command": ["sh", "-c", "…"]}, or a list of such objects"#;
        ApiError::bad_request(format!("the request is not a task or a list of tasks: {error}"), hint)
    })
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    state: Option<TaskPhase>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// A page of tasks, in the order of submission.
#[utoipa::path(get, path = "/api/tasks", params(("state" = Option<String>, Query), ("limit" = Option<usize>, Query),
    ("offset" = Option<usize>, Query)), responses((status = 200, body = TaskList)))]
pub async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Json<TaskList>, ApiError> {
    let limit = query.limit.unwrap_or(100).min(PAGE_MAX);
    let offset = query.offset.unwrap_or(0);
    Ok(Json(app.core.read(move |core, _| core.task_list(query.state, limit, offset)).await?))
}

/// One task.
#[utoipa::path(get, path = "/api/tasks/{id}", params(("id" = u64, Path)), responses(
    (status = 200, body = TaskView), (status = 404, body = ErrorBody)))]
pub async fn one(State(app): State<App>, Path(id): Path<u64>) -> Result<Json<TaskView>, ApiError> {
    app.core.read(move |core, _| core.task_view(TaskId(id))).await?.map(Json).ok_or_else(|| unknown(id))
}

/// Why a task is where it is.
#[utoipa::path(get, path = "/api/tasks/{id}/why", params(("id" = u64, Path)), responses(
    (status = 200, body = Why), (status = 404, body = ErrorBody)))]
pub async fn why(State(app): State<App>, Path(id): Path<u64>) -> Result<Json<Why>, ApiError> {
    app.core.read(move |core, _| core.why(TaskId(id))).await?.map(Json).ok_or_else(|| unknown(id))
}

/// Stops a task: at once where it waits, when its processes are gone where it runs.
#[utoipa::path(post, path = "/api/tasks/{id}/cancel", params(("id" = u64, Path)), responses(
    (status = 202, description = "it is being stopped"), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn cancel(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, ApiError> {
    match app.core.operate(Command::Cancel(TaskId(id))).await? {
        Reply::Done => Ok(StatusCode::ACCEPTED),
        other => Err(ApiError::from_reply(other)),
    }
}

/// Where a task shall go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    worker: String,
}

/// Moves a running task, with the state it saves, to another worker.
#[utoipa::path(post, path = "/api/tasks/{id}/migrate", params(("id" = u64, Path)), request_body = serde_json::Value, responses(
    (status = 202, description = "it is asked to save its state"), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn migrate(State(app): State<App>, Path(id): Path<u64>, body: Bytes) -> Result<StatusCode, ApiError> {
    let Destination { worker } = serde_json::from_slice(&body).map_err(|error| {
        ApiError::bad_request(format!("the request does not name a worker: {error}"), r#"send {"worker": "NAME"}"#)
    })?;
    match app.core.operate(Command::Migrate(TaskId(id), worker)).await? {
        Reply::Done => Ok(StatusCode::ACCEPTED),
        other => Err(ApiError::from_reply(other)),
    }
}

/// The error for a task that does not exist.
pub fn unknown(id: u64) -> ApiError {
    ApiError::not_found(format!("there is no task {id}"), "list what there is with GET /api/tasks")
}
