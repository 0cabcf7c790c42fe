//! The whole at a glance.

use super::App;
use super::error::ApiError;
use axum::Json;
use axum::extract::State;
use coordinator_core::Coordinator;
use coordinator_core::view::Summary;
use shared::api::{Bottleneck, ConfigView, LoadBalancerStats, Status};
use shared::id::TaskId;
use shared::time::Time;

/// Tasks nobody can run that are named at a time.
const IMPOSSIBLE_MAX: usize = 100;
/// Kinds of waiting tasks that are told of at a time.
const BOTTLENECKS_MAX: usize = 12;

/// Counts by state, workers, and what is wrong.
#[utoipa::path(get, path = "/status", responses((status = 200, body = Status)))]
pub async fn status(State(app): State<App>) -> Result<Json<Status>, ApiError> {
    Ok(Json(compose(&app, app.core.read(Glance::of).await?)))
}

/// What the core knows of a status.
#[derive(Debug)]
pub struct Glance {
    /// Seconds since the run began.
    pub now_s: f64,
    summary: Summary,
    impossible: Vec<TaskId>,
    bottlenecks: Vec<Bottleneck>,
    policy: String,
    balancer: LoadBalancerStats,
}

impl Glance {
    /// What it knows at `now`.
    pub fn of(core: &Coordinator, now: Time) -> Self {
        Self {
            now_s: now.seconds(),
            summary: core.summary(),
            impossible: core.impossible(IMPOSSIBLE_MAX),
            bottlenecks: core.bottlenecks(now, BOTTLENECKS_MAX),
            policy: core.policy().to_owned(),
            balancer: core.load_balancer_stats(),
        }
    }
}

/// The whole status, with what the shell knows.
pub fn compose(app: &App, glance: Glance) -> Status {
    let Glance { now_s, summary, impossible, bottlenecks, policy, balancer } = glance;
    let (facts_recorded, database_problem) = app.recording.state();
    Status {
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
        bottlenecks,
        policy,
        balancer,
        facts: *app.durable.borrow(),
        facts_recorded,
        database_problem,
        log_problem: app.health.problem(),
    }
}

/// The status that was told last, while the core cannot tell another, with what the shell knows now.
pub fn stalled(app: &App, last: &Status) -> Status {
    let (facts_recorded, database_problem) = app.recording.state();
    let (now_s, log_problem) = (app.core.clock.now().seconds(), app.health.problem());
    Status { now_s, facts_recorded, database_problem, log_problem, ..last.clone() }
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
