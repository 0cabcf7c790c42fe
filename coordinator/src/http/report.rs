//! Reports on what was recorded: a page, one figure, or the rows behind it.

use super::App;
use super::error::ApiError;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use reports::{Format, Metric, Question, QuestionError, ReportError, parse_days};
use serde::Deserialize;
use shared::api::ErrorBody;

#[derive(Debug, Deserialize)]
pub struct ReportQuery {
    metric: Option<String>,
    format: Option<String>,
    days: Option<String>,
    #[serde(default)]
    interactive: bool,
}

/// What was recorded: as a page of everything, or of one `metric` (`threshold_adaptation`, …) as `format` html, svg, png, csv,
/// json or text; with `days`, of the tasks submitted in the last so many days only.
#[utoipa::path(get, path = "/api/report", params(("metric" = Option<String>, Query), ("format" = Option<String>, Query),
    ("days" = Option<f64>, Query), ("interactive" = Option<bool>, Query)),
    responses((status = 200, body = String, content_type = "text/html"), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn report(State(app): State<App>, Query(query): Query<ReportQuery>) -> Result<impl IntoResponse, ApiError> {
    let question = query.question().map_err(|error| wrong(&error))?;
    let draw = move || {
        let database = app.reports.lock().map_err(|_| ApiError::internal("an earlier report panicked"))?;
        let database = database.as_ref().ok_or_else(|| {
            let hint = "look at GET /status for the metrics database's problem";
            ApiError::unavailable("the metrics database is not open at the moment", hint)
        })?;
        reports::answer(database, &question).map_err(refused)
    };
    let bytes = tokio::task::spawn_blocking(draw).await.map_err(ApiError::internal)??;
    Ok(([(CONTENT_TYPE, question.format.media_type())], bytes))
}

impl ReportQuery {
    fn question(&self) -> Result<Question, QuestionError> {
        let metric = self.metric.as_deref().map(str::parse::<Metric>).transpose()?;
        let format = self.format.as_deref().map(str::parse::<Format>).transpose()?.unwrap_or_default();
        let days = self.days.as_deref().map(parse_days).transpose()?;
        Ok(Question { metric, format, days, interactive: self.interactive })
    }
}

fn refused(error: ReportError) -> ApiError {
    match error {
        ReportError::Question(error) => wrong(&error),
        ReportError::Nothing { metric, .. } => ApiError::not_found(
            format!("there is nothing to draw of {metric}: {}", metric.needs()),
            "ask again later, or for another metric",
        ),
        ReportError::Query(error) => {
            ApiError::unavailable(error.to_string(), "look at GET /status for the metrics database's problem")
        }
        error @ (ReportError::Draw { .. } | ReportError::Io { .. }) => ApiError::internal(error),
    }
}

fn wrong(error: &QuestionError) -> ApiError {
    ApiError::bad_request(error.to_string(), "see /openapi.json for what a report can be asked")
}
