//! Facts in, one result for every test out.

use super::*;
use crate::run::results::Case;
use shared::hardware::HardwareKind;
use shared::id::Epoch;
use shared::outcome::Usage;
use shared::time::Time;

const TASK: TaskId = TaskId(7);

fn fact(what: What) -> Fact {
    Fact { at: Time::ZERO, what }
}

fn number(ordinal: u32) -> AttemptNumber {
    AttemptNumber::new(Epoch(1), ordinal)
}

fn started(attempt: u32) -> Fact {
    let (attempt, worker) = (number(attempt), "w1".into());
    fact(What::AttemptStarted { task: TASK, attempt, worker, hardware: HardwareKind::Cpu, progress: 0.0 })
}

fn tested(attempt: u32, index: u32, test: &str, outcome: TestOutcome) -> Fact {
    let (attempt, test, message) = (number(attempt), test.into(), (!outcome.is_green()).then(|| "assertion".to_owned()));
    fact(What::TestFinished { task: TASK, attempt, index, test, outcome, seconds: 0.5, message })
}

fn stopped(attempt: u32, reason: StopReason, failure: Option<Failure>) -> Fact {
    fact(What::AttemptStopped {
        task: TASK,
        attempt: number(attempt),
        worker: "w1".into(),
        reason,
        progress: 1.0,
        failure,
        exit_code: failure.map(|_| 3),
        signal: None,
        message: None,
        setup_s: 0.0,
        run_s: 1.5,
        usage: Usage::default(),
        log_bytes: 0,
    })
}

fn finished(verdict: Verdict, failure: Option<Failure>) -> Fact {
    fact(What::TaskFinished { task: TASK, attempt: None, verdict, failure })
}

fn named(name: &str) -> TestName {
    TestName::alone(name)
}

fn after(content: Content, facts: &[Fact]) -> (Tally, Results) {
    let mut tally = Tally::default();
    tally.add(TASK, "chunk", content);
    for fact in facts {
        tally.apply(fact);
    }
    let results = tally.results();
    (tally, results)
}

fn two() -> Content {
    Content::Tests { names: vec![named("a"), named("b")], places: vec![1, 0], target: String::new() }
}

#[test]
fn a_test_that_failed_and_passed_later_is_flaky_and_counts_once() {
    let (tally, results) = after(
        two(),
        &[
            started(1),
            tested(1, 0, "pytest::a", TestOutcome::Failed),
            tested(1, 1, "pytest::b", TestOutcome::Passed),
            stopped(1, StopReason::Finished, Some(Failure::Test)),
            started(2),
            tested(2, 0, "pytest::a", TestOutcome::Passed),
            stopped(2, StopReason::Finished, None),
            finished(Verdict::Passed, None),
        ],
    );
    assert!(tally.is_done() && results.troubles.is_empty());
    let shown: Vec<_> =
        results.cases.iter().map(|case| (case.name.full(), case.outcome, case.is_flaky(), case.tries.len())).collect();
    // In the order of the suite, which is not that of the chunk.
    assert_eq!(shown, [("b".to_owned(), TestOutcome::Passed, false, 1), ("a".to_owned(), TestOutcome::Passed, true, 2)]);
}

#[test]
fn results_before_a_lost_worker_are_kept_and_the_rest_comes_from_the_next_attempt() {
    let (_, results) = after(
        two(),
        &[
            started(1),
            tested(1, 0, "pytest::a", TestOutcome::Passed),
            stopped(1, StopReason::Lost, Some(Failure::Lost)),
            started(2),
            tested(2, 1, "pytest::b", TestOutcome::Passed),
            stopped(2, StopReason::Finished, None),
            finished(Verdict::Passed, None),
        ],
    );
    assert_eq!(results.cases.len(), 2);
    assert!(results.cases.iter().all(|case| case.outcome == TestOutcome::Passed && !case.is_flaky() && case.tries.len() == 1));
}

#[test]
fn a_fact_that_comes_twice_changes_nothing() {
    let mut tally = Tally::default();
    tally.add(TASK, "chunk", two());
    assert_eq!(tally.apply(&started(1)), [Notice::Began]);
    assert_eq!(tally.apply(&started(1)), []);
    assert_eq!(tally.apply(&tested(1, 0, "pytest::a", TestOutcome::Passed)).len(), 1);
    assert_eq!(tally.apply(&tested(1, 0, "pytest::a", TestOutcome::Passed)), []);
    tally.apply(&finished(Verdict::Cancelled, None));
    assert_eq!(tally.apply(&finished(Verdict::Cancelled, None)), []);
    assert!(tally.is_done());
}

#[test]
fn tests_without_a_result_are_errors_with_the_reason() {
    let (_, results) = after(
        two(),
        &[
            started(1),
            tested(1, 0, "pytest::a", TestOutcome::Passed),
            stopped(1, StopReason::Finished, Some(Failure::TimeoutRun)),
            finished(Verdict::Failed, Some(Failure::TimeoutRun)),
        ],
    );
    let error = results.cases.iter().find(|case| case.name.name == "b").expect("each test is there");
    assert_eq!(error.outcome, TestOutcome::Error);
    assert!(error.message().is_some_and(|text| text.contains("longer than it may")), "{error:?}");
    assert!(results.troubles.is_empty(), "the work is to blame");
}

#[test]
fn what_the_farm_is_to_blame_for_is_trouble() {
    for verdict in [Verdict::Error, Verdict::Quarantined, Verdict::Expired, Verdict::Cancelled] {
        let (_, results) = after(two(), &[finished(verdict, None)]);
        assert_eq!((results.troubles.len(), results.cases.len()), (1, 2), "{verdict}");
    }
}

#[test]
fn a_chunk_that_fails_beside_its_tests_is_not_green() {
    let (_, results) = after(
        Content::Tests { names: vec![named("a")], places: vec![0], target: String::new() },
        &[
            started(1),
            tested(1, 0, "pytest::a", TestOutcome::Passed),
            stopped(1, StopReason::Finished, Some(Failure::Test)),
            finished(Verdict::Failed, Some(Failure::Test)),
        ],
    );
    let red: Vec<&Case> = results.cases.iter().filter(|case| !case.outcome.is_green()).collect();
    assert_eq!((results.cases.len(), red.len(), red[0].name.name.as_str()), (2, 1, "chunk"));
}

#[test]
fn a_command_is_one_test_and_its_retries_are_results() {
    let (_, results) = after(
        Content::Command,
        &[
            started(1),
            stopped(1, StopReason::Finished, Some(Failure::Test)),
            started(2),
            stopped(2, StopReason::Lost, Some(Failure::Lost)),
            started(3),
            stopped(3, StopReason::Finished, None),
            finished(Verdict::Passed, None),
        ],
    );
    assert_eq!(results.cases.len(), 1);
    assert!(results.cases[0].is_flaky() && results.cases[0].tries.len() == 2, "{results:?}");
    assert_eq!(results.cases[0].tries[0].message.as_deref(), Some("exit status 3"));
}

#[test]
fn tests_that_only_running_tells_are_merged_by_name_and_order() {
    let (_, results) = after(
        Content::Tests { names: Vec::new(), places: Vec::new(), target: "bin".to_owned() },
        &[
            started(1),
            tested(1, 0, "junit::bin::x", TestOutcome::Passed),
            tested(1, 1, "junit::bin::x", TestOutcome::Failed),
            stopped(1, StopReason::Finished, Some(Failure::Test)),
            started(2),
            tested(2, 0, "junit::bin::x", TestOutcome::Passed),
            tested(2, 1, "junit::bin::x", TestOutcome::Passed),
            stopped(2, StopReason::Finished, None),
            finished(Verdict::Passed, None),
        ],
    );
    let flaky: Vec<bool> = results.cases.iter().map(Case::is_flaky).collect();
    assert_eq!(flaky, [false, true]);
    assert!(results.cases.iter().all(|case| case.name == TestName { target: "bin".to_owned(), name: "x".to_owned() }));
}
