//! Every answer that is not a yes: what was wrong, and what to do.

use crate::driver::Unanswered;
use axum::Json;
use axum::http::{StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use coordinator_core::Reply;
use shared::api::{ErrorBody, ErrorDetail};

/// An error of the API.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: ErrorDetail,
}

impl ApiError {
    /// Any error.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, detail: ErrorDetail { code: code.into(), message: message.into(), hint: hint.into() } }
    }

    /// The request cannot be understood.
    pub fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    /// The request is understood and asks for something that cannot be.
    pub fn unprocessable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message, hint)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, hint)
    }

    /// It cannot be done now; later it can.
    pub fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, hint)
    }

    /// A failure of ours.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            message.to_string(),
            "see the coordinator's log; if it stays, report it",
        )
    }

    /// What the core answers, where it is not that it is done.
    pub fn from_reply(reply: Reply) -> Self {
        match reply {
            Reply::Unknown(message) => Self::not_found(message, "list what there is with GET /api/tasks or GET /api/workers"),
            Reply::Conflict(message) => Self::new(StatusCode::CONFLICT, "conflict", message, "look at its state first"),
            Reply::Full(message) => Self::new(StatusCode::TOO_MANY_REQUESTS, "full", message, "wait until tasks have ended"),
            Reply::Accepted(_) | Reply::Done | Reply::Rebalanced(_) => Self::internal("an answer was taken for an error"),
        }
    }
}

impl From<Unanswered> for ApiError {
    fn from(unanswered: Unanswered) -> Self {
        let hint = match unanswered {
            Unanswered::Ending(_) => "try again when it is back; what was acknowledged is kept",
            Unanswered::LogStalled(_) => {
                "free space on the coordinator's disk; what was asked may still happen then: look first, or submit again with the same idempotency_key"
            }
        };
        Self::unavailable(unanswered.to_string(), hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.detail })).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}
