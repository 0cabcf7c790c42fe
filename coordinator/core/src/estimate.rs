//! How long things take, learned from what was seen: tasks by kind, tests by name.

use shared::task::TaskSpec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Weight of the newest duration in the running mean of logarithms: a change is believed after a few runs.
const NEWEST: f64 = 0.3;
/// Durations of this many tests and kinds are kept; past it new ones are not learned.
const NAMES_MAX: usize = 2_000_000;

/// What was learned.
#[derive(Debug, Default)]
pub struct Estimates {
    kinds: BTreeMap<Arc<str>, f32>,
    tests: BTreeMap<Arc<str>, f32>,
}

impl Estimates {
    /// Milliseconds a task is expected to take: what its submitter said, or what its kind took before.
    pub fn of(&self, spec: &TaskSpec) -> Option<u64> {
        let known = spec.estimate_s.or_else(|| self.kinds.get(spec.kind.as_str()).map(|s| f64::from(*s)));
        // Rounded to two digits, so that tasks of one kind stay in one group of the queue while the estimate moves.
        known.filter(|s| s.is_finite() && *s >= 0.0).map(|s| two_digits((s * 1e3) as u64))
    }

    /// Recorded seconds of the tests whose name begins with `prefix`.
    pub fn tests(&self, prefix: &str) -> impl Iterator<Item = (&str, f64)> {
        let prefix = prefix.to_owned();
        let from: Arc<str> = prefix.as_str().into();
        let named = self.tests.range(from..).take_while(move |(name, _)| name.starts_with(&prefix));
        named.map(|(name, seconds)| (&**name, f64::from(*seconds)))
    }

    pub(crate) fn saw_task(&mut self, kind: &str, seconds: f64) {
        learn(&mut self.kinds, kind, seconds);
    }

    pub(crate) fn saw_test(&mut self, name: &Arc<str>, seconds: f64) {
        learn(&mut self.tests, name, seconds);
    }
}

fn learn(known: &mut BTreeMap<Arc<str>, f32>, name: &str, seconds: f64) {
    if !seconds.is_finite() || seconds < 0.0 {
        return;
    }
    let newest = seconds.max(1e-6);
    if let Some(mean) = known.get_mut(name) {
        let before = f64::from(*mean).max(1e-6);
        *mean = (before.ln() * (1.0 - NEWEST) + newest.ln() * NEWEST).exp() as f32;
    } else if known.len() < NAMES_MAX {
        known.insert(name.into(), newest as f32);
    }
}

fn two_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_that_changed_is_believed_after_a_few_runs() {
        let mut estimates = Estimates::default();
        let name: Arc<str> = "pytest::a".into();
        for seconds in [1.0, 1.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0] {
            estimates.saw_test(&name, seconds);
        }
        let (_, learned) = estimates.tests("pytest::").next().expect("one test");
        assert!((7.0..10.0).contains(&learned), "{learned}");
    }

    #[test]
    fn durations_are_found_by_prefix_and_nonsense_is_not_learned() {
        let mut estimates = Estimates::default();
        for name in ["a::1", "b::1", "b::2", "c::1"] {
            estimates.saw_test(&name.into(), 1.0);
        }
        estimates.saw_test(&"b::3".into(), f64::NAN);
        let found: Vec<&str> = estimates.tests("b::").map(|(name, _)| name).collect();
        assert_eq!(found, ["b::1", "b::2"]);
    }

    #[test]
    fn estimates_keep_two_digits() {
        assert_eq!([0, 7, 99, 123, 99_999].map(two_digits), [0, 7, 99, 120, 99_000]);
    }
}
