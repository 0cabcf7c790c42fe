//! The figures of the status for Prometheus, as OpenMetrics text.

use super::App;
use super::error::ApiError;
use super::status::{self, Glance};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use coordinator_core::pulse::{BOUNDS_S, Distribution, Totals};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use shared::api::{AlertKind, HardwareUse, Status};
use std::collections::BTreeMap;
use std::fmt;

/// What Prometheus is told that this is.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything there is to tell, as it was at one moment.
#[derive(Debug)]
struct Figures {
    status: Status,
    totals: Totals,
    hardware: Vec<HardwareUse>,
    alerts: BTreeMap<AlertKind, u64>,
    commits: u64,
}

/// The figures of the status for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String)))]
pub async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let look = |core: &coordinator_core::Coordinator, now| {
        (Glance::of(core, now), core.pulse().totals().clone(), core.at_work(0).hardware)
    };
    let (glance, totals, hardware) = app.core.read(look).await?;
    let mut alerts = BTreeMap::new();
    app.live.alerts().iter().for_each(|alert| *alerts.entry(alert.kind).or_default() += 1);
    let status = status::compose(&app, glance);
    let mut registry = Registry::with_prefix("evenkeel");
    registry.register_collector(Box::new(Figures { status, totals, hardware, alerts, commits: app.health.commits() }));
    let mut body = String::new();
    text::encode(&mut body, &registry).map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], body))
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut out = Families(encoder);
        let Self { status, totals, hardware, alerts, commits } = self;
        let named = |counts: &BTreeMap<String, u64>| counts.iter().map(|(name, count)| (name.clone(), *count as f64)).collect();
        out.gauges("tasks", "Tasks by state.", "state", named(&status.tasks))?;
        out.counters("verdicts", "Verdicts given.", "verdict", named(&status.verdicts))?;
        out.gauges("workers", "Workers by state.", "state", named(&status.workers))?;
        out.gauge("slots", "Slots of workers that are connected.", status.slots as f64)?;
        out.gauge("slots_busy", "Slots in use.", status.busy_slots as f64)?;
        let by_kind =
            |figure: fn(&HardwareUse) -> f64| hardware.iter().map(|used| (used.kind.name().into(), figure(used))).collect();
        out.gauges(
            "hardware_slots",
            "Slots of connected workers by the hardware they have.",
            "hardware",
            by_kind(|used| used.slots as f64),
        )?;
        out.gauges(
            "hardware_slots_busy",
            "Slots in use by the hardware their tasks run on.",
            "hardware",
            by_kind(|used| used.busy_slots as f64),
        )?;
        let impossible = status.impossible.len() as f64;
        out.gauge("tasks_impossible", "Waiting tasks that no registered worker could run; counted up to 100.", impossible)?;
        let stopped = totals.stopped.iter().map(|(reason, count)| ((*reason).to_owned(), *count as f64)).collect();
        out.counters("attempts", "Attempts that are over, by why, since the coordinator started.", "reason", stopped)?;
        out.seconds("task_wait", "From submission to the first lease.", &totals.wait)?;
        out.seconds("attempt_start", "From lease to the start of the process.", &totals.start)?;
        out.seconds("attempt_run", "From the start of the process to its end.", &totals.run)?;
        out.seconds("task_flow", "From submission to verdict.", &totals.flow)?;
        let balancer = &status.balancer;
        out.gauge("threshold_high_ratio", "The upper load threshold in force.", balancer.threshold_high)?;
        out.gauge("threshold_low_ratio", "The lower load threshold in force.", balancer.threshold_low)?;
        if let Some(load) = balancer.load {
            out.gauge("load_ratio", "Mean share of slots in use at the balancer's last look.", load)?;
        }
        if let Some(forecast) = balancer.forecast {
            out.gauge("load_predicted_ratio", "The load that is predicted.", forecast.load)?;
        }
        out.counter("migrations_initiated", "Moves of running tasks that were ordered.", balancer.migrations_initiated as f64)?;
        out.counter("migrations_successful", "Those that went on at their target.", balancer.migrations_successful as f64)?;
        let alerts = alerts.iter().map(|(kind, count)| (kind.name().to_owned(), *count as f64)).collect();
        out.gauges("alerts", "Alerts that are raised, by kind.", "kind", alerts)?;
        out.counter("facts", "Facts on disk.", status.facts as f64)?;
        out.counter("log_commits", "Commits to the log since the coordinator started.", *commits as f64)?;
        if let Some(recorded) = status.facts_recorded {
            out.counter("facts_recorded", "Facts in the metrics database.", recorded as f64)?;
        }
        out.gauge("log_writable", "Whether the log can be written.", f64::from(u8::from(status.log_problem.is_none())))
    }
}

/// Families of metrics, one after another.
struct Families<'a>(DescriptorEncoder<'a>);

type Rows = Vec<(String, f64)>;

impl Families<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, rows: Rows) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        rows.iter().try_for_each(|(row, value)| family.encode_family(&[(label, row.as_str())])?.encode_gauge(value))
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter::<NoLabelSet, f64, f64>(&value, None)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, rows: Rows) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        rows.iter().try_for_each(|(row, value)| {
            family.encode_family(&[(label, row.as_str())])?.encode_counter::<NoLabelSet, f64, f64>(value, None)
        })
    }

    /// A histogram whose name ends in `_seconds`.
    fn seconds(&mut self, name: &str, help: &str, lengths: &Distribution) -> fmt::Result {
        let bounds = BOUNDS_S.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(lengths.buckets).collect();
        let mut family = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(lengths.sum_s, lengths.count, &buckets, None)
    }
}
