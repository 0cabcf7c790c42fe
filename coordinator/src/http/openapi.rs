//! The document of the API.

use super::{blobs, facts, live, logs, metrics, report, status, tasks, workers};
use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Evenkeel coordinator",
        description = "Runs tasks across workers. Errors are {\"error\": {\"code\", \"message\", \"hint\"}}."
    ),
    paths(
        tasks::submit,
        tasks::list,
        tasks::one,
        tasks::cancel,
        tasks::migrate,
        tasks::why,
        logs::read,
        workers::list,
        workers::drain,
        workers::cordon,
        workers::uncordon,
        workers::measured,
        workers::use_policy,
        workers::statistics,
        workers::rebalance,
        facts::page,
        facts::durations,
        status::status,
        status::config,
        metrics::metrics,
        live::frames,
        live::alerts,
        report::report,
        blobs::missing,
        blobs::store,
        blobs::fetch
    )
)]
struct Document;

/// The document, as OpenAPI 3.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}
