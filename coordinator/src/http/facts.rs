//! The log to read along, and what was learned from it.

use super::error::ApiError;
use super::{App, Stopped};
use crate::log::sqlite::{LogReader, Page};
use axum::Json;
use axum::extract::{Extension, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;
use shared::api::Durations;
use shared::id::TaskId;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Facts in one page.
const PAGE_MAX: usize = 5_000;
/// How long a caller may wait for the next fact.
const WAIT_S_MAX: f64 = 60.0;

#[derive(Debug, Deserialize)]
pub struct FactsQuery {
    #[serde(default)]
    from: u64,
    first_task: Option<u64>,
    last_task: Option<u64>,
    #[serde(default)]
    wait_s: f64,
    limit: Option<usize>,
}

/// Facts after number `from`, oldest first; of the tasks from `first_task` to `last_task` only, where those are given.
/// Waits for up to `wait_s` seconds while there is none. The answer's `next` is where to go on, after a restart too.
#[utoipa::path(get, path = "/api/facts", params(("from" = Option<u64>, Query), ("first_task" = Option<u64>, Query),
    ("last_task" = Option<u64>, Query), ("wait_s" = Option<f64>, Query), ("limit" = Option<usize>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub async fn page(
    State(app): State<App>,
    Extension(Stopped(mut stopped)): Extension<Stopped>,
    Query(query): Query<FactsQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let tasks = (query.first_task.is_some() || query.last_task.is_some())
        .then(|| TaskId(query.first_task.unwrap_or(0))..=TaskId(query.last_task.unwrap_or(u64::MAX)));
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let wait = Duration::from_secs_f64(query.wait_s.clamp(0.0, WAIT_S_MAX));
    let deadline = tokio::time::Instant::now() + wait;
    let mut durable = app.durable.clone();
    let mut from = query.from;
    loop {
        durable.mark_unchanged();
        let found = read(&app, from, tasks.clone(), limit).await?;
        from = found.last.max(from);
        let has_more = *durable.borrow() > from;
        if !found.payloads.is_empty() || (tokio::time::Instant::now() >= deadline && !has_more) || *stopped.borrow() {
            let body = format!(r#"{{"next":{from},"facts":[{}]}}"#, found.payloads.join(","));
            return Ok(([(CONTENT_TYPE, "application/json")], body));
        }
        if has_more {
            continue;
        }
        tokio::select! {
            _ = durable.changed() => {}
            _ = stopped.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

async fn read(app: &App, from: u64, tasks: Option<RangeInclusive<TaskId>>, limit: usize) -> Result<Page, ApiError> {
    let path = app.log_path.clone();
    let read = move || LogReader::open(&path)?.page(from, tasks, limit);
    tokio::task::spawn_blocking(read).await.map_err(ApiError::internal)?.map_err(ApiError::internal)
}

#[derive(Debug, Deserialize)]
pub struct DurationsQuery {
    #[serde(default)]
    prefix: String,
}

/// Recorded seconds of tests whose id begins with `prefix`.
#[utoipa::path(get, path = "/api/durations", params(("prefix" = Option<String>, Query)), responses((status = 200, body = Durations)))]
pub async fn durations(State(app): State<App>, Query(query): Query<DurationsQuery>) -> Result<Json<Durations>, ApiError> {
    let look = move |core: &coordinator_core::Coordinator, _| {
        core.state().estimates.tests(&query.prefix).map(|(name, seconds)| (name.to_owned(), seconds)).collect()
    };
    Ok(Json(Durations { seconds: app.core.read(look).await? }))
}
