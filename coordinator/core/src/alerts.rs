//! What is not as it should be: raised at one limit, cleared at a lower one, so that nothing flickers (F175 to F178).
//!
//! Alerts are live state and not facts. They follow from the clock and from what is measured between facts (silence, a disk, a
//! log that cannot be written), so a replay could not reproduce them; the one about the log could not even be recorded; and
//! nothing that was decided follows from them. Whoever wants their history is told of each change by the webhook.

mod limit;
mod reading;

pub use reading::{Disk, Signs};

use limit::Limit;
use reading::Reading;
use shared::api::{Alert, AlertKind};
use shared::time::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What was judged so far.
#[derive(Debug, Default)]
pub struct Alerts {
    known: BTreeMap<(AlertKind, String), Standing>,
}

/// One alert on its way in or out.
#[derive(Debug)]
enum Standing {
    /// Beyond its limit since then, and not yet for long enough.
    Suspected(Time),
    /// Raised.
    Raised(Alert),
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is new, or as bad as it was not before.
    Raised(Alert),
    /// It is over.
    Cleared(Alert),
}

impl Alerts {
    /// Judges what is seen at `now`, and says what changed.
    pub fn judge(&mut self, now: Time, signs: &Signs<'_>) -> Vec<Change> {
        let is_raised =
            |kind: AlertKind, subject: &str| matches!(self.known.get(&(kind, subject.to_owned())), Some(Standing::Raised(_)));
        let readings = reading::read(signs, is_raised);
        let mut before = std::mem::take(&mut self.known);
        let mut changes = Vec::new();
        for reading in readings {
            let key = (reading.kind, reading.subject.clone());
            let (standing, change) = next(before.remove(&key), now, reading);
            changes.extend(change);
            self.known.extend(standing.map(|standing| (key, standing)));
        }
        // What can no longer be measured is over.
        changes.extend(before.into_values().filter_map(|standing| match standing {
            Standing::Raised(alert) => Some(Change::Cleared(alert)),
            Standing::Suspected(_) => None,
        }));
        changes
    }

    /// Those that are raised, the worst first, and of those the newest.
    pub fn raised(&self) -> Vec<Alert> {
        let raised = self.known.values().filter_map(|standing| match standing {
            Standing::Raised(alert) => Some(alert.clone()),
            Standing::Suspected(_) => None,
        });
        let mut raised: Vec<Alert> = raised.collect();
        raised.sort_by(|a, b| (Reverse(a.severity), -a.since_s).partial_cmp(&(Reverse(b.severity), -b.since_s)).expect("a time"));
        raised
    }
}

/// Where an alert stands after a reading, and what changed by it.
fn next(before: Option<Standing>, now: Time, reading: Reading) -> (Option<Standing>, Option<Change>) {
    let limit = Limit::of(reading.kind);
    match before {
        Some(Standing::Raised(alert)) => match limit.holds(reading.value, alert.severity) {
            None => (None, Some(Change::Cleared(alert))),
            Some(severity) => {
                let is_worse = severity > alert.severity;
                let alert = Alert { severity, value: reading.value, message: reading.message, ..alert };
                let change = is_worse.then(|| Change::Raised(alert.clone()));
                (Some(Standing::Raised(alert)), change)
            }
        },
        other => {
            let Some(severity) = limit.exceeded(reading.value) else { return (None, None) };
            let since = match other {
                Some(Standing::Suspected(since)) => since,
                Some(Standing::Raised(_)) | None => now,
            };
            if now.since(since) < limit.hold {
                return (Some(Standing::Suspected(since)), None);
            }
            let Reading { kind, subject, value, message } = reading;
            let alert = Alert { kind, subject, severity, since_s: now.seconds(), value, message };
            (Some(Standing::Raised(alert.clone())), Some(Change::Raised(alert)))
        }
    }
}

#[cfg(test)]
mod tests;
