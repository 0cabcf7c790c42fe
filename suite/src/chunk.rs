//! Cuts a suite into chunks: large ones first, small ones at the end, so that workers which pull them one after another
//! finish at about the same time.
//!
//! Sizes follow guided self-scheduling (Polychronopoulos and Kuck, 1987): each chunk takes a fixed share of what is left,
//! and no chunk is so small that starting it costs more than running it.

mod cutter;
#[cfg(test)]
mod tests;
mod unit;

use crate::discover::TestSuite;
use cutter::{Cutter, Sizes};
use shared::protocol::SPEC_BYTES_MAX;
use shared::task::{Chunk, Framework, TestCase};
use std::collections::BTreeMap;
use unit::units;

/// Bytes of a chunk's serialised form that are aimed at: the rest of a task has to fit beside it.
const BYTES_AIM: usize = SPEC_BYTES_MAX / 2;
/// Most tests of a chunk where one pattern selects them: frameworks limit its length, and matching is slow.
const PATTERN_TESTS_MAX: usize = 200;
/// Most tests of a chunk.
const TESTS_MAX: usize = 5_000;
/// The share of the ideal makespan that the smallest chunks may take.
const TAIL_SHARE: f64 = 0.02;

/// A chunk to submit.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The chunk, with only those targets its tests need.
    pub chunk: Chunk,
    /// Seconds its tests are expected to take one after another.
    pub estimate_s: f64,
    /// Where each of its tests stands in the suite's list; empty for a target that is run as a whole.
    pub tests: Vec<usize>,
}

/// What running costs beside the tests themselves, in seconds.
struct Costs {
    /// For each chunk: its journey, the framework's start.
    chunk_s: f64,
    /// For each test.
    test_s: f64,
    /// What a test takes when nothing at all is known.
    guess_s: f64,
}

fn costs(framework: Framework) -> Costs {
    match framework {
        // The process is warm after the first chunk.
        Framework::Pytest => Costs { chunk_s: 0.01, test_s: 0.0005, guess_s: 0.02 },
        // One process a test.
        Framework::Libtest => Costs { chunk_s: 0.01, test_s: 0.004, guess_s: 0.05 },
        Framework::Ctest => Costs { chunk_s: 0.05, test_s: 0.005, guess_s: 0.2 },
        // The test binary is linked anew for each chunk.
        Framework::Gotest => Costs { chunk_s: 0.5, test_s: 0.0005, guess_s: 0.05 },
        Framework::Junit => Costs { chunk_s: 0.05, test_s: 0.0, guess_s: 1.0 },
    }
}

/// Cuts `suite` for a fleet that runs `slots` chunks at a time. `recorded` holds the seconds that tests took before, by
/// test id (see [`Chunk::test_id`]); a test without a record is expected to take the median of the others.
///
/// The chunks come largest first, which is the order to start them in; the same input gives the same chunks.
pub fn plan(suite: &TestSuite, recorded: &BTreeMap<String, f64>, slots: usize) -> Vec<Planned> {
    let slots = slots.max(1) as f64;
    let costs = costs(suite.framework);
    let record = |case: &TestCase| recorded.get(&suite.test_id(case)).copied().filter(|s| s.is_finite() && *s >= 0.0);
    let known: Vec<Option<f64>> = suite.tests.iter().map(|test| record(&test.case)).collect();
    let default_s = median(&known).unwrap_or(costs.guess_s);
    let seconds: Vec<f64> = known.iter().map(|known| known.unwrap_or(default_s) + costs.test_s).collect();
    let total: f64 = seconds.iter().sum();
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    let unknown = known.iter().filter(|known| known.is_none()).count();
    let ideal_s = (total / slots).max(longest);
    let sizes = Sizes {
        // Where most durations are guesses, smaller chunks leave more to be evened out while the suite runs.
        shares: slots * if unknown * 2 > known.len() { 4.0 } else { 2.0 },
        floor_s: (10.0 * costs.chunk_s).min(TAIL_SHARE * ideal_s).max(costs.chunk_s),
        tests_max: match suite.framework {
            Framework::Ctest | Framework::Gotest => PATTERN_TESTS_MAX,
            Framework::Pytest | Framework::Libtest | Framework::Junit => TESTS_MAX,
        },
        bytes_max: BYTES_AIM,
    };
    let mut chunks = Cutter::new(suite, &seconds, sizes).cut(units(suite, &seconds));
    chunks.extend(suite.whole.iter().map(|target| whole(suite, *target, recorded, default_s)));
    // The sort keeps the order of equals: the same input gives the same chunks.
    chunks.sort_by(|a, b| b.estimate_s.total_cmp(&a.estimate_s));
    chunks
}

/// The chunk that runs one target as a whole.
fn whole(suite: &TestSuite, target: u32, recorded: &BTreeMap<String, f64>, default_s: f64) -> Planned {
    let target = suite.targets[target as usize].clone();
    let prefix = format!("{}::", target.name);
    let of_target = recorded.range(prefix.clone()..).take_while(|(id, _)| id.starts_with(&prefix));
    let known: f64 = of_target.map(|(_, seconds)| seconds).filter(|s| s.is_finite() && **s >= 0.0).sum();
    let chunk =
        Chunk { framework: suite.framework, argv: suite.argv.clone(), targets: vec![target], tests: Vec::new(), junit: None };
    Planned { chunk, estimate_s: if known > 0.0 { known } else { 10.0 * default_s }, tests: Vec::new() }
}

fn median(known: &[Option<f64>]) -> Option<f64> {
    let mut sorted: Vec<f64> = known.iter().copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
