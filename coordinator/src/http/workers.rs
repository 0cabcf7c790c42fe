//! Workers, and how work is given to them.

use super::App;
use super::error::ApiError;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coordinator_core::{Command, Reply};
use serde::Deserialize;
use shared::api::{ErrorBody, LoadBalancerStats, Rebalanced, WorkerView};
use shared::fact::Admission;
use shared::hardware::Load;

/// All workers, those that are gone last.
#[utoipa::path(get, path = "/api/workers", responses((status = 200, body = [WorkerView])))]
pub async fn list(State(app): State<App>) -> Result<Json<Vec<WorkerView>>, ApiError> {
    Ok(Json(app.core.read(|core, now| core.worker_views(now)).await?))
}

/// Gives a worker no new work; what runs there ends there.
#[utoipa::path(post, path = "/api/workers/{name}/drain", params(("name" = String, Path)), responses(
    (status = 202, description = "done"), (status = 404, body = ErrorBody)))]
pub async fn drain(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    order(&app, Command::Admit(name, Admission::Draining)).await
}

/// Gives a worker no new work.
#[utoipa::path(post, path = "/api/workers/{name}/cordon", params(("name" = String, Path)), responses(
    (status = 202, description = "done"), (status = 404, body = ErrorBody)))]
pub async fn cordon(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    order(&app, Command::Admit(name, Admission::Cordoned)).await
}

/// Gives a worker work again.
#[utoipa::path(post, path = "/api/workers/{name}/uncordon", params(("name" = String, Path)), responses(
    (status = 202, description = "done"), (status = 404, body = ErrorBody)))]
pub async fn uncordon(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    order(&app, Command::Admit(name, Admission::Open)).await
}

/// Takes in how busy a worker is from a source other than its daemon.
#[utoipa::path(post, path = "/api/workers/{name}/metrics", params(("name" = String, Path)), request_body = Load, responses(
    (status = 202, description = "done"), (status = 404, body = ErrorBody)))]
pub async fn measured(State(app): State<App>, Path(name): Path<String>, Json(load): Json<Load>) -> Result<StatusCode, ApiError> {
    order(&app, Command::Measured(name, Box::new(load))).await
}

#[derive(Debug, Deserialize)]
pub struct Strategy {
    strategy: String,
}

/// Chooses workers by another policy from now on.
#[utoipa::path(post, path = "/api/loadbalancer/strategy", request_body = serde_json::Value, responses(
    (status = 202, description = "done"), (status = 404, body = ErrorBody)))]
pub async fn use_policy(State(app): State<App>, Json(chosen): Json<Strategy>) -> Result<StatusCode, ApiError> {
    order(&app, Command::UsePolicy(chosen.strategy)).await
}

/// What the balancer sees, expects and did.
#[utoipa::path(get, path = "/api/loadbalancer/statistics", responses((status = 200, body = LoadBalancerStats)))]
pub async fn statistics(State(app): State<App>) -> Result<Json<LoadBalancerStats>, ApiError> {
    Ok(Json(app.core.read(|core, _| core.load_balancer_stats()).await?))
}

/// Spreads work anew, now and not at the next look; says how many running tasks move because of it.
#[utoipa::path(post, path = "/api/loadbalancer/rebalance", responses((status = 200, body = Rebalanced)))]
pub async fn rebalance(State(app): State<App>) -> Result<Json<Rebalanced>, ApiError> {
    match app.core.operate(Command::Rebalance).await? {
        Reply::Rebalanced(migrated) => Ok(Json(Rebalanced { migrated })),
        other => Err(ApiError::from_reply(other)),
    }
}

async fn order(app: &App, command: Command) -> Result<StatusCode, ApiError> {
    match app.core.operate(command).await? {
        Reply::Done => Ok(StatusCode::ACCEPTED),
        other => Err(ApiError::from_reply(other)),
    }
}
