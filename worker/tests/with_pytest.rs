//! Suites of pytest. They need `pytest` on the path: `cargo test -p worker --test with_pytest -- --ignored`.

mod fleet;

use fleet::{Fleet, list, run_chunk, run_chunks, run_suite, write};
use shared::outcome::{Ended, Failure, TestOutcome};
use shared::task::{Chunk, Framework, TestCase};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};
use suite::junit::{CaseAttempt, CaseReport, Counts};
use suite::{DiscoverError, Options, TestSuite};
use tokio::sync::watch;
use worker::suite::WarmPool;

const EVERY_OUTCOME: &str = r#"
import os, pytest
@pytest.fixture
def broken(): raise RuntimeError("no database")
@pytest.fixture
def breaks_after():
    yield
    raise RuntimeError("left something behind")
def test_passes(): print("hello from a test")
def test_fails(): assert 1 == 2, "not the same"
def test_breaks(broken): pass
def test_breaks_after(breaks_after): pass
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
@pytest.mark.xfail(reason="bug 12")
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.xfail(strict=True)
def test_xpasses_strictly(): pass
@pytest.mark.parametrize("word", ["a\nb", "ü", "c::d", "[", "x y", ""])
def test_odd(word): pass
def test_sees_nothing_of_us():
    assert not [name for name in os.environ if name.startswith("EVENKEEL_PYTEST")]
    assert os.read(0, 1) == b""
"#;

fn counts(fleet: &Fleet) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for result in fleet.results.values().flatten() {
        *counts.entry(result.outcome.name()).or_default() += 1;
    }
    counts
}

/// The tests of `suite` in `range`, as one chunk.
fn chunk_of(suite: &TestSuite, range: Range<usize>) -> Chunk {
    let tests = suite.tests[range].iter().map(|test| test.case.clone()).collect();
    Chunk { framework: suite.framework, argv: suite.argv.clone(), targets: suite.targets.clone(), tests, junit: None }
}

fn discover_error(line: &[&str], dir: &Path) -> DiscoverError {
    let argv: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    suite::discover(&argv, dir, &Options::default()).expect_err("it cannot be listed")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn every_outcome_is_told_as_pytest_tells_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(
        dir.path(),
        &[
            ("test_a.py", EVERY_OUTCOME),
            ("test_b.py", "import pytest\npytest.importorskip('no_such_module_anywhere')\ndef test_never(): pass\n"),
        ],
    );
    let suite = list(&["pytest", "-p", "no:cacheprovider"], dir.path());
    assert_eq!((suite.tests.len(), suite.skipped.len()), (15, 1));
    let fleet = run_suite(&suite, dir.path(), 1).await;
    let expected = [("error", 2), ("failed", 2), ("passed", 8), ("skipped", 1), ("xfailed", 1), ("xpassed", 1)];
    assert_eq!(counts(&fleet), BTreeMap::from(expected), "{}", fleet.output);
    let message = |name: &str| fleet.one(&format!("test_a.py::{name}")).message.clone().unwrap_or_default();
    assert!(message("test_fails").contains("not the same"));
    assert!(message("test_breaks").contains("no database"));
    assert!(message("test_breaks_after").contains("left something behind"));
    assert_eq!(message("test_skipped"), "not today");
    assert!(message("test_xfails").contains("bug 12"));
    assert_eq!(fleet.outcomes[0].ended, Ended::Failed(Failure::Test));
    assert!(fleet.output.contains("test_a.py"), "{}", fleet.output);
    assert!(!fleet.output.contains("evenkeel chunk"), "{}", fleet.output);
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("readable").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == "test_a.py" || name == "test_b.py" || name == "__pycache__"), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn a_process_that_dies_costs_one_test() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut text = "import os, signal, pytest\n".to_owned();
    for at in 0..20 {
        let body = match at {
            4 => "os.kill(os.getpid(), signal.SIGSEGV)",
            9 => "os._exit(3)",
            15 => "pytest.exit('enough')",
            _ => "pass",
        };
        text.push_str(&format!("def test_{at}(): {body}\n"));
    }
    write(dir.path(), &[("test_a.py", &text)]);
    let suite = list(&["pytest"], dir.path());
    let fleet = run_suite(&suite, dir.path(), 1).await;
    assert_eq!((fleet.count(TestOutcome::Passed), fleet.count(TestOutcome::Error)), (17, 3));
    let message = |at| fleet.one(&format!("test_a.py::test_{at}")).message.clone().unwrap_or_default();
    assert!(message(4).starts_with("the process died (signal 11, SIGSEGV) while it ran"), "{}", message(4));
    assert!(message(9).contains("exit status 3"), "{}", message(9));
    assert!(message(15).contains("enough"), "{}", message(15));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn a_small_chunk_in_a_warm_process_costs_milliseconds() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = "import os, pytest\n@pytest.mark.parametrize('at', range(200))\ndef test(at): print(f'pid={os.getpid()} ')\n";
    write(dir.path(), &[("test_a.py", text)]);
    let suite = list(&["pytest", "-s"], dir.path());
    let chunks = (0..100).map(|at| chunk_of(&suite, 2 * at..2 * at + 2)).collect();
    let began = Instant::now();
    let fleet = run_chunks(chunks, dir.path(), 1).await;
    let elapsed = began.elapsed();
    assert_eq!(fleet.count(TestOutcome::Passed), 200);
    let pids: BTreeSet<&str> = fleet.output.split("pid=").skip(1).filter_map(|rest| rest.split(' ').next()).collect();
    assert_eq!(pids.len(), 1, "{}", fleet.output);
    eprintln!("100 chunks of 2 tests: {elapsed:?}");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn session_fixtures_live_through_chunks_and_module_fixtures_end_with_them() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = r#"
import pytest
def note(text):
    with open("log.txt", "a") as log: log.write(text + "\n")
@pytest.fixture(scope="session")
def whole():
    note("session up"); yield; note("session down")
@pytest.fixture(scope="module")
def module(whole):
    note("module up"); yield; note("module down")
def test_1(module): pass
def test_2(module): pass
def test_3(module): pass
"#;
    write(dir.path(), &[("test_a.py", text)]);
    let suite = list(&["pytest"], dir.path());
    let fleet = run_chunks(vec![chunk_of(&suite, 0..2), chunk_of(&suite, 2..3)], dir.path(), 1).await;
    assert!(fleet::all_passed(&fleet), "{}", fleet.output);
    let log = std::fs::read_to_string(dir.path().join("log.txt")).expect("the fixtures wrote it");
    assert_eq!(log, "session up\nmodule up\nmodule down\nmodule up\nmodule down\nsession down\n");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn an_edited_suite_is_not_run_by_the_process_that_loaded_the_old_one() {
    let (dir, scratch) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let pool = WarmPool::new(scratch.path().join("warm"), 1);
    let chunk = Chunk {
        framework: Framework::Pytest,
        argv: vec!["pytest".to_owned()],
        targets: Vec::new(),
        tests: vec![TestCase { name: "test_a.py::test".to_owned(), target: None }],
        junit: None,
    };
    let mut outcomes = Vec::new();
    for (number, text) in ["def test(): pass\n", "def test():\n    assert False\n"].iter().enumerate() {
        write(dir.path(), &[("test_a.py", text)]);
        let (_keep, never) = watch::channel(None);
        let (_, results, _) = run_chunk(&chunk, dir.path(), scratch.path().join(number.to_string()), &pool, never, &[]).await;
        outcomes.push(results[0].outcome);
        assert_eq!(pool.waiting(), 1);
    }
    assert_eq!(outcomes, [TestOutcome::Passed, TestOutcome::Failed]);
    pool.close().await;
    assert_eq!(std::fs::read_dir(scratch.path().join("warm")).expect("the pool's folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn a_cancelled_chunk_ends_at_once_and_keeps_what_it_has_told() {
    let (dir, scratch) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(dir.path(), &[("test_a.py", "import time\ndef test_1(): pass\ndef test_2(): time.sleep(600)\ndef test_3(): pass\n")]);
    let suite = list(&["pytest"], dir.path());
    let chunk = chunk_of(&suite, 0..suite.tests.len());
    let pool = WarmPool::new(scratch.path().join("warm"), 1);
    let (cancel, cancelled) = watch::channel(None);
    let out = scratch.path().join("a/out");
    let canceller = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        // The first dot: the second test is about to sleep.
        while !std::fs::read_to_string(&out).is_ok_and(|text| text.contains("test_a.py .")) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.send(Some(Duration::from_millis(200))).expect("the chunk listens");
    };
    let began = Instant::now();
    let ((outcome, results, _), ()) =
        tokio::join!(run_chunk(&chunk, dir.path(), scratch.path().join("a"), &pool, cancelled, &[]), canceller);
    assert_eq!(outcome.ended, Ended::Cancelled);
    assert_eq!(results.iter().map(|result| result.index).collect::<Vec<_>>(), [0]);
    assert!(began.elapsed() < Duration::from_secs(30) && pool.waiting() == 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn tests_with_a_result_are_not_run_again() {
    let (dir, scratch) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(dir.path(), &[("test_a.py", "def test_1(): assert 0\ndef test_2(): pass\n")]);
    let suite = list(&["pytest"], dir.path());
    let chunk = chunk_of(&suite, 0..suite.tests.len());
    let pool = WarmPool::new(scratch.path().join("warm"), 1);
    let (_keep, never) = watch::channel(None);
    let (outcome, results, _) = run_chunk(&chunk, dir.path(), scratch.path().join("a"), &pool, never, &[0]).await;
    assert_eq!((outcome.ended, results.len(), results[0].index), (Ended::Passed, 1, 1));
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn what_cannot_be_listed_says_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("broken/test_a.py", "def test(:\n"), ("empty/a.py", ""), ("good/test_b.py", "def test_x(): pass\n")]);
    let error = discover_error(&["pytest", "broken"], dir.path());
    assert!(matches!(&error, DiscoverError::Listing { .. }) && error.to_string().contains("SyntaxError"), "{error}");
    assert!(matches!(discover_error(&["pytest", "empty"], dir.path()), DiscoverError::NoTests { .. }));
    let error = discover_error(&["pytest", "no/such/folder"], dir.path());
    assert!(error.to_string().contains("no/such/folder"), "{error}");
    let error = discover_error(&["pytest", "good", "-n", "4"], dir.path());
    assert!(matches!(&error, DiscoverError::Option { .. }), "{error}");
    assert!(matches!(discover_error(&["no-such-python", "-m", "pytest"], dir.path()), DiscoverError::Unrecognised { .. }));
    assert!(matches!(discover_error(&["/no/such/pytest"], dir.path()), DiscoverError::Missing { .. }));
    assert_eq!(list(&["pytest", "-k", "x", "good"], dir.path()).tests.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest: cargo test -p worker --test with_pytest -- --ignored"]
async fn a_suite_that_cannot_be_collected_on_the_worker_is_the_machines_failure() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("test_a.py", "import no_such_module_anywhere\n")]);
    let test = TestCase { name: "test_a.py::test".to_owned(), target: None };
    let (framework, argv) = (Framework::Pytest, vec!["pytest".to_owned()]);
    let chunk = Chunk { framework, argv, targets: Vec::new(), tests: vec![test], junit: None };
    let fleet = run_chunks(vec![chunk], dir.path(), 1).await;
    assert_eq!(fleet.outcomes[0].ended, Ended::Failed(Failure::Infra));
    assert!(fleet.outcomes[0].message.as_deref().is_some_and(|text| text.contains("no_such_module_anywhere")));
    assert!(fleet.results.is_empty());
}

/// `EVENKEEL_TEST_SUITE` names the folder of any suite; its counts are compared with those of pytest run directly.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pytest and EVENKEEL_TEST_SUITE, the folder of a suite"]
async fn the_counts_of_a_real_suite_are_those_of_pytest() {
    let dir = std::env::var("EVENKEEL_TEST_SUITE").expect("EVENKEEL_TEST_SUITE names the folder of a suite");
    let arguments = std::env::var("EVENKEEL_TEST_ARGUMENTS").unwrap_or_default();
    let line: Vec<&str> = ["pytest", "-p", "no:cacheprovider"].into_iter().chain(arguments.split_whitespace()).collect();
    let report = tempfile::NamedTempFile::new().expect("a temporary file");
    let began = Instant::now();
    let junit = format!("--junitxml={}", report.path().display());
    let status =
        std::process::Command::new(line[0]).args(&line[1..]).arg(junit).arg("-q").current_dir(&dir).output().expect("it starts");
    let directly_s = began.elapsed().as_secs_f64();
    let direct = suite::junit::read(&std::fs::read(report.path()).expect("pytest wrote it")).expect("well formed");
    let suite = list(&line, Path::new(&dir));
    let began = Instant::now();
    let fleet = run_suite(&suite, Path::new(&dir), 2).await;
    let here_s = began.elapsed().as_secs_f64();
    let mut reports: Vec<CaseReport> = fleet
        .results
        .iter()
        .flat_map(|(id, results)| {
            results.iter().map(move |result| CaseReport::named(Framework::Pytest, None, id, vec![CaseAttempt::from(result)]))
        })
        .collect();
    reports.extend(suite.skipped.iter().map(|skipped| {
        CaseReport::named(Framework::Pytest, None, &skipped.case.name, vec![CaseAttempt::new(TestOutcome::Skipped, 0.0)])
    }));
    let chunks = fleet.outcomes.len();
    eprintln!(
        "{} tests; pytest {directly_s:.1} s, two slots {here_s:.1} s in {chunks} chunks; {:?}",
        reports.len(),
        counts(&fleet)
    );
    eprintln!("{}", String::from_utf8_lossy(&status.stdout).lines().last().unwrap_or_default());
    assert_eq!(Counts::of(&reports), Counts::of(&direct));
    let names = |cases: &[CaseReport]| {
        let mut names: Vec<String> = cases
            .iter()
            .filter(|case| case.outcome() != TestOutcome::Skipped)
            .map(|case| format!("{}::{}", case.classname, case.name))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&reports), names(&direct));
}
