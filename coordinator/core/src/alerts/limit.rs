//! The limits of each alert: the table of docs/live-page.md.

use shared::api::{AlertKind, Severity};
use std::time::Duration;

/// When an alert is raised and when it is cleared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// A warning from here on.
    pub warning: f64,
    /// Critical from here on; absent where it never is.
    pub critical: Option<f64>,
    /// How far below a limit what it raised is over.
    pub slack: f64,
    /// How long a limit has to be exceeded.
    pub hold: Duration,
}

impl Limit {
    pub fn of(kind: AlertKind) -> Self {
        let (warning, critical, slack, hold_s) = match kind {
            // Counts of what must not be.
            AlertKind::LogUnwritable => (1.0, Some(1.0), 0.5, 0),
            AlertKind::DatabaseUnavailable => (1.0, None, 0.5, 5),
            AlertKind::WorkerDistrusted => (1.0, None, 0.5, 0),
            AlertKind::TasksImpossible => (1.0, None, 0.5, 10),
            // The share of the disk in use.
            AlertKind::DiskFull => (0.90, Some(0.97), 0.03, 0),
            // Seconds. A worker is given up at 41 s, with the default lease.
            AlertKind::WorkerSilent => (15.0, Some(41.0), 5.0, 0),
            // The share of its speed that is lost.
            AlertKind::WorkerThrottled => (0.3, None, 0.15, 10),
            // Standard deviation of the shares of slots in use.
            AlertKind::LoadDeviation => (0.3, Some(0.5), 0.05, 60),
            // Milliseconds, over the last minute.
            AlertKind::StartLatency => (1_000.0, None, 200.0, 0),
            // Seconds.
            AlertKind::QueueAge => (600.0, Some(3_600.0), 120.0, 0),
        };
        Self { warning, critical, slack, hold: Duration::from_secs(hold_s) }
    }

    /// How bad a value is that was not beyond a limit before.
    pub fn exceeded(self, value: f64) -> Option<Severity> {
        if self.critical.is_some_and(|limit| value >= limit) {
            return Some(Severity::Critical);
        }
        (value >= self.warning).then_some(Severity::Warning)
    }

    /// How bad a value still is where it was as bad as `before`; nothing when it is over.
    pub fn holds(self, value: f64, before: Severity) -> Option<Severity> {
        let eased = Self { critical: self.critical.map(|limit| limit - self.slack), warning: self.warning - self.slack, ..self };
        match before {
            Severity::Critical => eased.exceeded(value),
            Severity::Warning => self.exceeded(value).or_else(|| eased.exceeded(value).map(|_| Severity::Warning)),
        }
    }
}
