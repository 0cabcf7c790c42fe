//! Which waiting task comes first.

use super::known::Group;
use super::{Goal, Outlook};
use crate::plan::View;
use shared::task::Priority;
use std::cmp::Ordering;

/// A task that takes more than this share of the time that is left for all of the work has to begin now, and one that runs
/// goes on. Where durations are well known the line is drawn earlier: it is sure to be the right task.
const LONG_SHARE: f64 = 0.5;
const LONG_SHARE_KNOWN: f64 = 0.38;
/// Durations are well known where their logarithm deviates by less.
const KNOWN: f64 = 0.3;

/// Whether a task that needs `seconds` and whose duration is known to within `deviation` is one that the end waits for.
pub(super) fn is_long(seconds: f64, deviation: f64, outlook: Outlook<'_>) -> bool {
    seconds > if deviation < KNOWN { LONG_SHARE_KNOWN } else { LONG_SHARE } * outlook.left_s
}

/// An estimate is hardly one when the logarithm of what tasks took deviates by more than this.
const UNKNOWN: f64 = 1.75;

/// The place of a waiting task among others that could start; the greatest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Urgency {
    is_critical: bool,
    tier: u32,
    key: f64,
}

impl Urgency {
    pub(super) fn of(view: &View<'_>, group: &Group, outlook: Outlook<'_>) -> Self {
        let (is_critical, weight) = level(group.profile.priority.0);
        let least = group.least_s.max(1e-3);
        if is_long(least, group.deviation, outlook) {
            return Self { is_critical, tier: u32::MAX, key: least };
        }
        match outlook.goal {
            // Whatever may turn out to be very long is begun early: first those of which next to nothing is known, as they
            // came, then the longest.
            Goal::Makespan if group.deviation > UNKNOWN => {
                Self { is_critical, tier: 1, key: -group.submitted.seconds() - group.first.0 as f64 * 1e-9 }
            }
            Goal::Makespan => Self { is_critical, tier: 0, key: least * group.deviation.exp() },
            // The highest response ratio first (Brinch Hansen 1971), weighed by level and drawn toward the shortest first.
            Goal::Flow => {
                let waited = view.now().since(group.submitted).as_secs_f64();
                Self { is_critical, tier: 0, key: weight * (1.0 + waited / least) / least }
            }
        }
    }

    pub(super) fn before(&self, other: &Urgency) -> Ordering {
        other.is_critical.cmp(&self.is_critical).then(other.tier.cmp(&self.tier)).then(other.key.total_cmp(&self.key))
    }
}

/// How a task of this priority counts beside others, by the published weights of the four levels (F35): 9 and 10 go before
/// all others, then high, normal and low as 3 to 2 to 1.
fn level(priority: Priority) -> (bool, f64) {
    match priority.level() {
        9.. => (true, 4.0),
        7..=8 => (false, 3.0),
        4..=6 => (false, 2.0),
        _ => (false, 1.0),
    }
}

/// Whether tasks of this group go before all that are not like it.
pub(super) fn is_critical(group: &Group) -> bool {
    level(group.profile.priority.0).0
}

/// The groups, the most urgent first.
pub(super) fn by_urgency(view: &View<'_>, groups: &[Group], outlook: Outlook<'_>) -> Vec<usize> {
    let urgencies: Vec<Urgency> = groups.iter().map(|group| Urgency::of(view, group, outlook)).collect();
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|a, b| urgencies[*a].before(&urgencies[*b]).then(a.cmp(b)));
    order
}
