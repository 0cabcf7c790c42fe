//! What a plan promises, on synthetic suites.

use super::*;
use crate::discover::ListedTest;
use shared::task::Target;

/// A suite of `files` files or targets whose tests take the seconds that `duration` gives.
fn suite(framework: Framework, count: usize, duration: impl Fn(usize) -> f64) -> (TestSuite, BTreeMap<String, f64>) {
    let (skipped, whole, notes) = Default::default();
    let target = |at: usize| Target { name: format!("t{at}"), argv: vec![format!("./t{at}")], cwd: None, env: BTreeMap::new() };
    let with_targets = framework != Framework::Pytest;
    let targets = if with_targets { (0..5).map(target).collect() } else { Vec::new() };
    let case = |at: usize| TestCase {
        name: if with_targets { format!("test_{at}") } else { format!("test_{}.py::test_{at}", at * 13 / count) },
        target: with_targets.then_some((at % 5) as u32),
    };
    let tests = (0..count).map(|at| ListedTest::from(case(at))).collect();
    let suite = TestSuite { framework, argv: vec!["run".to_owned()], targets, tests, whole, skipped, notes };
    let recorded = suite.tests.iter().enumerate().map(|(at, test)| (suite.test_id(&test.case), duration(at))).collect();
    (suite, recorded)
}

/// Pseudo-random from 0 to 1, the same each time.
fn chance(at: usize) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
}

/// When the last of `slots` is done that each take the next chunk as soon as they are free.
fn makespan(chunks: &[Planned], slots: usize) -> f64 {
    let mut free = vec![0.0f64; slots];
    for chunk in chunks {
        free.sort_by(f64::total_cmp);
        free[0] += chunk.estimate_s;
    }
    free.into_iter().fold(0.0, f64::max)
}

type Duration = fn(usize) -> f64;

const SUITES: [(&str, Duration); 5] = [
    ("equal", |_| 0.5),
    ("uniform", |at| chance(at) * 2.0),
    ("exponential", |at| -chance(at).max(1e-9).ln()),
    ("heavy tail", |at| 0.05 * (1.0 - chance(at)).powf(-1.2).min(1000.0)),
    ("one giant", |at| if at == 77 { 300.0 } else { 0.2 }),
];

#[test]
fn pulled_one_after_another_the_chunks_end_together() {
    for framework in [Framework::Pytest, Framework::Libtest, Framework::Ctest, Framework::Gotest] {
        for (name, duration) in SUITES {
            for slots in [1, 2, 8, 32] {
                let (suite, recorded) = suite(framework, 3000, duration);
                let chunks = plan(&suite, &recorded, slots);
                let total: f64 = chunks.iter().map(|chunk| chunk.estimate_s).sum();
                let longest = recorded.values().copied().fold(0.0, f64::max);
                let bound = longest.max(total / slots as f64);
                let ratio = makespan(&chunks, slots) / bound;
                let most = 30 * slots + 40;
                assert!(ratio <= 1.05, "{framework:?} {name}, {slots} slots: {ratio:.3} times the bound");
                assert!(chunks.len() <= most, "{framework:?} {name}, {slots} slots: {} chunks", chunks.len());
            }
        }
    }
}

#[test]
fn every_test_is_in_exactly_one_chunk_and_knows_its_target() {
    for framework in [Framework::Pytest, Framework::Libtest, Framework::Ctest, Framework::Gotest] {
        let (suite, recorded) = suite(framework, 2111, chance);
        let chunks = plan(&suite, &recorded, 7);
        let mut seen: Vec<usize> = chunks.iter().flat_map(|planned| planned.tests.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..2111).collect::<Vec<_>>());
        for planned in &chunks {
            assert!(planned.tests.is_sorted());
            for (index, at) in planned.tests.iter().enumerate() {
                assert_eq!(planned.chunk.test_id(index as u32), Some(suite.test_id(&suite.tests[*at].case)));
            }
        }
        assert_eq!(chunks, plan(&suite, &recorded, 7), "the same input gives the same chunks");
    }
}

#[test]
fn the_tail_is_small_and_the_first_chunks_are_large() {
    let (suite, recorded) = suite(Framework::Libtest, 4000, |_| 0.1);
    let chunks = plan(&suite, &recorded, 8);
    let (first, last) = (chunks[0].estimate_s, chunks[chunks.len() - 2].estimate_s);
    assert!(first > 4.0 * last, "{first} and {last}");
    assert!(chunks.windows(2).all(|pair| pair[0].estimate_s >= pair[1].estimate_s));
}

#[test]
fn a_short_file_stays_whole_and_a_long_one_is_cut() {
    let (suite, recorded) = suite(Framework::Pytest, 1300, |at| if at * 13 / 1300 == 3 { 1.0 } else { 0.001 });
    let chunks = plan(&suite, &recorded, 4);
    let holding = |file: usize| {
        let prefix = format!("test_{file}.py::");
        chunks.iter().filter(|planned| planned.chunk.tests.iter().any(|test| test.name.starts_with(&prefix))).count()
    };
    assert!(holding(3) > 4, "{}", holding(3));
    assert!([0, 1, 2, 4, 5].iter().all(|file| holding(*file) == 1));
}

#[test]
fn no_chunk_is_too_large_to_be_sent() {
    let (mut suite, _) = suite(Framework::Pytest, 3000, |_| 0.0);
    for test in &mut suite.tests {
        test.case.name.push_str(&"\u{1}".repeat(200));
    }
    for planned in plan(&suite, &BTreeMap::new(), 1) {
        let bytes = serde_json::to_vec(&planned.chunk).expect("serialisable").len();
        assert!(bytes < SPEC_BYTES_MAX * 6 / 10, "{bytes}");
    }
}

#[test]
fn tests_that_belong_together_share_a_chunk() {
    let (mut suite, recorded) = suite(Framework::Ctest, 600, |_| 1.0);
    for at in (0..600).step_by(7) {
        suite.tests[at].together = Some(1);
    }
    let chunks = plan(&suite, &recorded, 4);
    assert_eq!(chunks.iter().filter(|planned| planned.tests.iter().any(|at| at % 7 == 0)).count(), 1);
}

#[test]
fn records_that_make_no_sense_are_not_believed() {
    let (suite, mut recorded) = suite(Framework::Libtest, 100, |_| 0.1);
    recorded.values_mut().take(10).for_each(|seconds| *seconds = f64::NAN);
    recorded.values_mut().skip(10).take(10).for_each(|seconds| *seconds = -5.0);
    assert!(plan(&suite, &recorded, 4).iter().all(|planned| planned.estimate_s.is_finite() && planned.estimate_s > 0.0));
}
