//! One snapshot as plain text, for scripts and for those who read rather than look.

use super::super::status::figures;
use crate::screen::{duration, table};
use shared::api::{LiveFrame, RunningRow, WorkerRow, WorkerState};
use shared::fact::{Admission, BreakerState};

/// Workers and attempts that are listed.
const ROWS_MAX: usize = 50;

/// The whole snapshot.
pub fn snapshot(frame: &LiveFrame) -> String {
    let mut parts = vec![summary(frame).join("\n")];
    if !frame.alerts.is_empty() {
        let lines = frame.alerts.iter().map(|alert| format!("{}: {}", severity(alert), alert.message));
        parts.push(format!("alerts\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    if !frame.status.bottlenecks.is_empty() {
        let lines = frame.status.bottlenecks.iter().map(|found| found.words.clone());
        parts.push(format!("waiting\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    let workers: Vec<&WorkerRow> = frame.workers.iter().filter(|row| row.state != WorkerState::Gone).collect();
    let rows: Vec<_> = workers.iter().take(ROWS_MAX).map(|row| worker_cells(row)).collect();
    parts.push(table(&WORKER_HEADS, &rows));
    parts.extend(more(workers.len(), "workers"));
    let rows: Vec<_> = frame.running.iter().take(ROWS_MAX).map(|row| running_cells(row, frame.status.now_s)).collect();
    if !rows.is_empty() {
        parts.push(table(&RUNNING_HEADS, &rows));
        parts.extend(more(usize::try_from(frame.running_total).unwrap_or(usize::MAX), "running attempts"));
    }
    parts.join("\n\n")
}

fn more(all: usize, what: &str) -> Option<String> {
    (all > ROWS_MAX).then(|| format!("and {} more {what}", all - ROWS_MAX))
}

/// The figures of the head, a line each.
pub fn summary(frame: &LiveFrame) -> Vec<String> {
    let (status, pulse) = (&frame.status, &frame.pulse);
    let balancer = &status.balancer;
    let forecast = balancer.forecast.map_or_else(String::new, |forecast| {
        format!(", {} predicted in {}", percent(Some(forecast.load)), duration(forecast.window_s))
    });
    let seconds = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), duration);
    vec![
        format!("tasks    {}; {:.1} verdicts/s, {} passed", figures(&status.tasks), pulse.tasks_per_s, percent(pulse.passed)),
        format!("times    {} wait, {} start, {} response", seconds(pulse.wait_s), seconds(pulse.start_s), seconds(pulse.flow_s)),
        format!("workers  {}; {} of {} slots in use", figures(&status.workers), status.busy_slots, status.slots),
        format!(
            "balance  {}: load {}, thresholds {} and {}{forecast}; {} moves",
            status.policy,
            percent(balancer.load),
            percent(Some(balancer.threshold_high)),
            percent(Some(balancer.threshold_low)),
            balancer.migrations_initiated
        ),
    ]
}

/// What stands above the cells of a worker.
pub const WORKER_HEADS: [&str; 8] = ["worker", "state", "slots", "cpu", "memory", "temp", "power", "hardware"];
/// What stands above the cells of a running attempt.
pub const RUNNING_HEADS: [&str; 5] = ["running", "for", "worker", "hardware", "name"];

/// A worker in cells; what it does not tell is `-`.
pub fn worker_cells(row: &WorkerRow) -> Vec<String> {
    let told = |value: Option<f64>, unit: &str| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} {unit}"));
    let kind = |kind: &shared::hardware::HardwareKind| {
        if row.declared.contains(kind) { format!("{kind} (declared)") } else { kind.to_string() }
    };
    vec![
        if row.simulated { format!("{} (simulated)", row.name) } else { row.name.clone() },
        standing(row).to_owned(),
        format!("{}/{}", row.busy_slots, row.slots),
        percent(row.load.cpu),
        percent(row.load.memory),
        told(row.load.temperature_c, "°C"),
        told(row.load.power_w, "W"),
        row.hardware.iter().map(kind).collect::<Vec<_>>().join(", "),
    ]
}

/// A running attempt in cells.
pub fn running_cells(row: &RunningRow, now_s: f64) -> Vec<String> {
    vec![
        row.of.task.to_string(),
        duration((now_s - row.started_s).max(0.0)),
        row.worker.clone(),
        row.hardware.to_string(),
        row.name.clone(),
    ]
}

/// A worker's state and which work it receives.
pub fn standing(row: &WorkerRow) -> &'static str {
    match (row.state, row.admission) {
        (WorkerState::Suspect, _) => "not heard",
        (WorkerState::Disconnected, _) => "disconnected",
        (WorkerState::Gone, _) => "gone",
        (WorkerState::Ready, Admission::Cordoned) => "cordoned",
        (WorkerState::Ready, Admission::Draining) => "draining",
        (WorkerState::Ready, Admission::Open) if row.breaker != BreakerState::Closed => "not trusted",
        (WorkerState::Ready, Admission::Open) if row.held_back => "used by others",
        (WorkerState::Ready, Admission::Open) => "ready",
    }
}

/// How bad an alert is, as a word.
pub fn severity(alert: &shared::api::Alert) -> &'static str {
    match alert.severity {
        shared::api::Severity::Warning => "warning",
        shared::api::Severity::Critical => "CRITICAL",
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0))
}
