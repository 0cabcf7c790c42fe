//! The whole at a glance: for people, for programs, for Prometheus.

use super::App;
use super::error::ApiError;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use shared::api::{ConfigView, Status};

/// Tasks nobody can run that are named at a time.
const IMPOSSIBLE_MAX: usize = 100;

/// Counts by state, workers, and what is wrong.
#[utoipa::path(get, path = "/status", responses((status = 200, body = Status)))]
pub async fn status(State(app): State<App>) -> Result<Json<Status>, ApiError> {
    Ok(Json(gather(&app).await?))
}

async fn gather(app: &App) -> Result<Status, ApiError> {
    let look = |core: &coordinator_core::Coordinator, now: shared::time::Time| {
        let policy = core.policy().to_owned();
        (core.summary(), core.impossible(IMPOSSIBLE_MAX), policy, core.load_balancer_stats(), now.seconds())
    };
    let (summary, impossible, policy, balancer, now_s) = app.core.read(look).await?;
    let (facts_recorded, database_problem) = app.recording.state();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        cluster: app.sessions.cluster.to_string(),
        epoch: app.sessions.epoch.0,
        now_s,
        tasks: summary.tasks,
        verdicts: summary.verdicts,
        workers: summary.workers,
        slots: summary.slots,
        busy_slots: summary.busy_slots,
        impossible,
        policy,
        balancer,
        facts: *app.durable.borrow(),
        facts_recorded,
        database_problem,
        log_problem: app.health.problem(),
    })
}

/// How the coordinator was started, with its defaults.
#[utoipa::path(get, path = "/api/config", responses((status = 200, body = ConfigView)))]
pub async fn config(State(app): State<App>) -> Result<Json<ConfigView>, ApiError> {
    let policy = app.core.read(|core, _| core.policy().to_owned()).await?;
    let settings = &app.settings;
    Ok(Json(ConfigView {
        listen: format!("{}:{}", settings.host, settings.port),
        db_path: settings.db_path.display().to_string(),
        policy,
        balancer: settings.balancer,
    }))
}

/// The figures of the status for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String)))]
pub async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let status = gather(&app).await?;
    let mut text = String::new();
    let mut family = |name: &str, help: &str, kind: &str, rows: Vec<(String, f64)>| {
        text.push_str(&format!("# HELP evenkeel_{name} {help}\n# TYPE evenkeel_{name} {kind}\n"));
        rows.into_iter().for_each(|(labels, value)| text.push_str(&format!("evenkeel_{name}{labels} {value}\n")));
    };
    let by = |label: &str, counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(name, count)| (format!("{{{label}=\"{name}\"}}"), *count as f64)).collect::<Vec<_>>()
    };
    let one = |value: u64| vec![(String::new(), value as f64)];
    family("tasks", "Tasks by state.", "gauge", by("state", &status.tasks));
    family("verdicts_total", "Verdicts given.", "counter", by("verdict", &status.verdicts));
    family("workers", "Workers by state.", "gauge", by("state", &status.workers));
    family("slots", "Slots of workers that are connected.", "gauge", one(status.slots));
    family("slots_busy", "Slots in use.", "gauge", one(status.busy_slots));
    family(
        "tasks_impossible",
        "Waiting tasks that no registered worker could run.",
        "gauge",
        one(status.impossible.len() as u64),
    );
    family("facts_total", "Facts on disk.", "counter", one(status.facts));
    family("log_commits_total", "Commits to the log since the coordinator started.", "counter", one(app.health.commits()));
    if let Some(recorded) = status.facts_recorded {
        family("facts_recorded_total", "Facts in the metrics database.", "counter", one(recorded));
    }
    family("log_writable", "Whether the log can be written.", "gauge", one(u64::from(status.log_problem.is_none())));
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
