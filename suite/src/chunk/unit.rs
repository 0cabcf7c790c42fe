//! What is kept in one chunk where that makes sense: the tests of a file, of a package, of a group.

use crate::discover::TestSuite;
use shared::task::Framework;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Some tests of a suite, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Indices into the suite's list; never empty.
    pub tests: Vec<usize>,
    /// What they take together.
    pub seconds: f64,
    /// Whether a chunk may hold a part of them.
    pub divisible: bool,
}

impl Unit {
    fn new(tests: Vec<usize>, seconds: &[f64], divisible: bool) -> Self {
        Self { seconds: tests.iter().map(|at| seconds[*at]).sum(), divisible: divisible && tests.len() > 1, tests }
    }

    /// The first `count` tests, and the rest.
    pub fn split(mut self, count: usize, seconds: &[f64]) -> (Unit, Option<Unit>) {
        let rest = self.tests.split_off(count);
        let front = Unit::new(self.tests, seconds, true);
        (front, (!rest.is_empty()).then(|| Unit::new(rest, seconds, true)))
    }
}

impl Eq for Unit {}

/// Longest first; of equals, the first in the suite.
impl Ord for Unit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.total_cmp(&other.seconds).then_with(|| other.tests.cmp(&self.tests))
    }
}

impl PartialOrd for Unit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The units of `suite`, whose tests take `seconds` each.
pub fn units(suite: &TestSuite, seconds: &[f64]) -> Vec<Unit> {
    let mut members: BTreeMap<Key<'_>, (Vec<usize>, bool)> = BTreeMap::new();
    for (at, test) in suite.tests.iter().enumerate() {
        let key = match (suite.framework, test.together) {
            // Fixtures of a module are set up once for all of its tests that run in a row.
            (Framework::Pytest, _) => Key::File(test.case.name.split("::").next().unwrap_or_default()),
            // Each run of a package links its test binary.
            (Framework::Gotest, _) => Key::Target(test.case.target),
            (_, Some(group)) => Key::Group(group),
            (_, None) => Key::Test(at),
        };
        let (tests, grouped) = members.entry(key).or_default();
        tests.push(at);
        *grouped |= test.together.is_some();
    }
    members.into_values().map(|(tests, grouped)| Unit::new(tests, seconds, !grouped)).collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    File(&'a str),
    Target(Option<u32>),
    Group(u32),
    Test(usize),
}
