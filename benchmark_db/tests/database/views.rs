//! Every figure against a case whose answer was worked out by hand; the arithmetic stands beside it.

use crate::common::*;
use benchmark_db::Database;
use shared::fact::{Fact, StopReason};
use shared::outcome::{Failure, TestOutcome, Verdict};

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("a figure");
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

fn number_of(database: &Database, sql: &str) -> Option<f64> {
    database.connection().query_row(sql, [], |row| row.get(0)).expect("a query of this schema")
}

/// Worker a has 2 slots, b has 1, both from 0. Ann's task 1 takes 1 slot, Bob's task 2 takes 2, Bob's task 3 takes 1 and
/// needs two attempts.
///
/// ```text
/// t      10   12        20   22     25 26    30   32
/// a (2)   .    1111111111111122222222222222222222222    task 1 from 12 to 22, task 2 (both slots) from 22 to 32
/// b (1)   .              3.1 3.1 3.1 .  3.2 3.2         task 3 from 20 to 25 (machine failed), again from 26 to 30
/// ```
fn small_run() -> Vec<Fact> {
    let mut facts = Vec::from(joined(0.0, "a", 2));
    facts.extend(joined(0.0, "b", 1));
    facts.extend([
        queued(10.0, 1, "k", "ann", 1),
        queued(10.0, 2, "k", "bob", 2),
        started(12.0, 1, 1, "a", 0.0),
        queued(20.0, 3, "other", "bob", 1),
        started(20.0, 3, 1, "b", 0.0),
        stopped(22.0, 1, 1, "a", StopReason::Finished, 1.0),
        finished(22.0, 1, Some(1), Verdict::Passed),
        started(22.0, 2, 1, "a", 0.0),
        stopped_with(25.0, 3, 1, "b", (StopReason::Failed, 0.0, Some(Failure::Infra), Some("no space left"))),
        requeued(25.0, 3, Failure::Infra),
        started(26.0, 3, 2, "b", 0.0),
        stopped(30.0, 3, 2, "b", StopReason::Finished, 1.0),
        finished(30.0, 3, Some(2), Verdict::Passed),
        stopped(32.0, 2, 1, "a", StopReason::Finished, 1.0),
        finished(32.0, 2, Some(1), Verdict::Passed),
    ]);
    facts
}

#[test]
fn the_summary_of_a_small_run_is_what_a_pencil_says() {
    let (_folder, database) = database(&small_run());
    let summary = database.summary().expect("a summary");
    assert_eq!((summary.tasks, summary.passed, summary.unfinished), (3, 3, 0));
    assert_eq!((summary.attempts, summary.retries, summary.migrations, summary.workers), (4, 1, 0, 2));
    // First submit 10, last verdict 32.
    near(summary.makespan_s, 22.0);
    // Waits 12-10, 22-10, 20-20.
    near(summary.mean_wait_s, (2.0 + 12.0 + 0.0) / 3.0);
    near(summary.p50_wait_s, 2.0);
    // Flows 22-10, 32-10, 30-20; the 95th of three lies 0.9 of the way from the second to the third.
    near(summary.mean_flow_s, (12.0 + 22.0 + 10.0) / 3.0);
    near(summary.p50_flow_s, 12.0);
    near(summary.p95_flow_s, 12.0 + 0.9 * 10.0);
    // Best service: kind k 10 s (both tasks), other 4 s (its second attempt). Slowdowns 12/10, 22/10, 10/4.
    near(summary.mean_slowdown, (1.2 + 2.2 + 2.5) / 3.0);
    // Busy a: 10 s x 1 + 10 s x 2 = 30; b: 5 + 4 = 9. Present: 22 s x 2 = 44 and 22 s x 1 = 22.
    near(summary.utilization, 39.0 / 66.0);
    near(summary.imbalance, 30.0 / 44.0 - 9.0 / 22.0);
    // The first attempt of task 3 did not count: 5 slot-seconds. What is not waste is goodput.
    assert_eq!(summary.waste_s, 5.0);
    near(summary.goodput, 34.0 / 66.0);
    // Two workers differ by twice their standard deviation: |1/2-0|/2 for 8 s, |1/2-1|/2 for 2 s, |1-0|/2 for 1 s and 2 s.
    near(summary.load_stddev, (0.25 * 8.0 + 0.25 * 2.0 + 0.5 * 1.0 + 0.5 * 2.0) / 22.0);
    // Ann x = 1/1.2, Bob x = 1/((2.2 + 2.5)/2): (0.833333 + 0.425532)^2 / (2 (0.694444 + 0.181077)).
    near(summary.fairness, 0.905_026_9);
}

#[test]
fn the_rows_of_a_small_run_are_what_a_pencil_says() {
    let (_folder, database) = database(&small_run());
    let workers = database.workers(10).expect("workers");
    assert_eq!(workers.iter().map(|w| w.worker.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    near(workers[0].utilization, 30.0 / 44.0);
    near(workers[1].utilization, 9.0 / 22.0);
    assert_eq!((workers[1].waste_slot_s, workers[1].attempts, workers[1].passed, workers[1].failed), (5.0, 2, 1, 1));
    let attempts = database.attempts(10).expect("attempts");
    let seen: Vec<_> = attempts.iter().map(|a| (a.task, a.ordinal, a.started_s, a.stopped_s, a.reason.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (1, 1, 12.0, Some(22.0), Some("finished")),
            (3, 1, 20.0, Some(25.0), Some("failed")),
            (2, 1, 22.0, Some(32.0), Some("finished")),
            (3, 2, 26.0, Some(30.0), Some("finished")),
        ]
    );
    let owners = database.owners(10).expect("owners");
    assert_eq!(owners.iter().map(|o| (o.owner.as_str(), o.tasks)).collect::<Vec<_>>(), [("ann", 1), ("bob", 2)]);
    near(owners[1].mean_slowdown, 2.35);
    let times = database.task_times().expect("distributions");
    assert_eq!((times.wait_s.first(), times.wait_s.last()), (Some(&0.0), Some(&12.0)));
    assert_eq!(times.flow_s.len(), benchmark_db::QUANTILES + 1);
}

#[test]
fn a_moved_attempt_counts_by_the_progress_that_was_carried_over() {
    // Attempt 1 does 0 to 0.8 in 8 s on a; attempt 2 goes on from 0.6, so 6 of the 8 s counted and 2 are waste. It needs 4 s.
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend(joined(0.0, "b", 1));
    facts.extend([
        queued(0.0, 1, "k", "", 1),
        started(0.0, 1, 1, "a", 0.0),
        stopped(8.0, 1, 1, "a", StopReason::Migrated, 0.8),
        started(9.0, 1, 2, "b", 0.6),
        stopped(13.0, 1, 2, "b", StopReason::Finished, 1.0),
        finished(13.0, 1, Some(2), Verdict::Passed),
    ]);
    let (_folder, database) = database(&facts);
    let summary = database.summary().expect("a summary");
    assert!((summary.waste_s - 2.0).abs() < 1e-9, "{}", summary.waste_s);
    assert_eq!(summary.migrations, 1);
    // Service time 6 + 4 = 10 s, flow 13 s.
    near(number_of(&database, "SELECT service_s FROM slowdowns"), 10.0);
    near(summary.mean_slowdown, 1.3);
    // Of 26 slot-seconds 12 were busy and 10 counted.
    near(summary.utilization, 12.0 / 26.0);
    near(summary.goodput, 10.0 / 26.0);
}

#[test]
fn a_worker_counts_only_while_it_is_present() {
    // a: 2 slots from 0 to 4, gone until 8, back with 4 slots until the end at 10: 2 x 4 + 4 x 2 = 16 slot-seconds.
    let mut facts = vec![queued(0.0, 1, "k", "", 1)];
    facts.extend(joined(0.0, "a", 2));
    facts.push(started(1.0, 1, 1, "a", 0.0));
    facts.push(stopped_with(4.0, 1, 1, "a", (StopReason::Lost, 0.0, Some(Failure::Lost), None)));
    facts.push(left(4.0, "a"));
    facts.extend(joined(8.0, "a", 4));
    facts.push(started(8.0, 1, 2, "a", 0.0));
    facts.push(stopped(10.0, 1, 2, "a", StopReason::Finished, 1.0));
    facts.push(finished(10.0, 1, Some(2), Verdict::Passed));
    let (_folder, database) = database(&facts);
    let worker = &database.workers(10).expect("workers")[0];
    assert_eq!(worker.present_slot_s, Some(16.0));
    assert_eq!((worker.busy_slot_s, worker.waste_slot_s, worker.lost, worker.slots), (5.0, 3.0, 1, Some(4.0)));
    near(worker.utilization, 5.0 / 16.0);
}

#[test]
fn a_cancelled_task_has_a_wait_but_no_flow_and_its_attempt_is_waste() {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend([
        queued(0.0, 1, "k", "", 1),
        started(1.0, 1, 1, "a", 0.0),
        stopped(4.0, 1, 1, "a", StopReason::Cancelled, 0.0),
        finished(4.0, 1, Some(1), Verdict::Cancelled),
    ]);
    let (_folder, database) = database(&facts);
    let summary = database.summary().expect("a summary");
    assert_eq!((summary.cancelled, summary.mean_flow_s, summary.mean_slowdown, summary.fairness), (1, None, None, None));
    near(summary.mean_wait_s, 1.0);
    assert_eq!(summary.waste_s, 3.0);
    assert_eq!(database.failures(10).expect("failures"), []);
}

#[test]
fn utilization_over_time_and_throughput_are_what_a_pencil_says() {
    // 120 s in 120 pieces of 1 s. a (2 slots) runs one slot from 0.5 to 2, b (1 slot) joins at 60.
    let mut facts = Vec::from(joined(0.0, "a", 2));
    facts.extend([
        queued(0.0, 1, "k", "", 1),
        queued(0.0, 2, "k", "", 1),
        started(0.5, 1, 1, "a", 0.0),
        stopped(2.0, 1, 1, "a", StopReason::Finished, 1.0),
        finished(2.0, 1, Some(1), Verdict::Passed),
    ]);
    facts.extend(joined(60.0, "b", 1));
    facts.extend([
        started(119.0, 2, 1, "b", 0.0),
        stopped(120.0, 2, 1, "b", StopReason::Finished, 1.0),
        finished(120.0, 2, Some(1), Verdict::Passed),
    ]);
    let (_folder, database) = database(&facts);
    let shares = database.utilization_over_time(10).expect("shares");
    let share = |worker: Option<&str>, from_s: f64| {
        shares.iter().find(|s| s.worker.as_deref() == worker && s.from_s == from_s).and_then(|s| s.utilization)
    };
    near(share(Some("a"), 0.0), 0.5 / 2.0);
    near(share(Some("a"), 1.0), 1.0 / 2.0);
    near(share(Some("a"), 2.0), 0.0);
    near(share(Some("b"), 119.0), 1.0);
    near(share(None, 119.0), 1.0 / 3.0);
    assert_eq!(share(Some("b"), 30.0), None);
    // Verdicts at 2 s (minute 0) and at 120 s (minute 2).
    assert_eq!(database.throughput_per_minute(10).expect("throughput"), [1, 0, 1]);
}

#[test]
fn runs_are_the_stretches_in_which_work_was_outstanding() {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    for (task, from) in [(1, 0.0), (2, 100.0)] {
        facts.extend([
            queued(from, task, "k", "", 1),
            started(from + 1.0, task, 1, "a", 0.0),
            stopped(from + 5.0, task, 1, "a", StopReason::Finished, 1.0),
            finished(from + 5.0, task, Some(1), if task == 1 { Verdict::Passed } else { Verdict::Failed }),
        ]);
    }
    let (_folder, database) = database(&facts);
    let runs = database.runs(10).expect("runs");
    assert_eq!(
        runs.iter().map(|r| (r.run, r.from_s, r.passed, r.not_passed)).collect::<Vec<_>>(),
        [(2, 100.0, 0, 1), (1, 0.0, 1, 0)]
    );
    // 4 of 5 seconds busy in each.
    near(runs[0].makespan_s, 5.0);
    near(runs[0].utilization, 0.8);
}

#[test]
fn the_newest_attempt_decides_a_test_and_a_change_of_mind_is_flaky() {
    use TestOutcome::{Failed, Passed, Skipped};
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend([
        queued_chunk(0.0, 1),
        started(0.0, 1, 1, "a", 0.0),
        test(1.0, (1, 1, 0), "quick", Passed, 1.0),
        test(3.0, (1, 1, 1), "wavering", Failed, 2.0),
        test(3.0, (1, 1, 2), "left out", Skipped, 0.0),
        test(8.0, (1, 1, 3), "broken", Failed, 5.0),
        stopped_with(8.0, 1, 1, "a", (StopReason::Finished, 1.0, Some(Failure::Test), None)),
        requeued(8.0, 1, Failure::Test),
        started(9.0, 1, 2, "a", 0.0),
        test(13.0, (1, 2, 1), "wavering", Passed, 4.0),
        test(16.0, (1, 2, 3), "broken", Failed, 3.0),
        stopped_with(16.0, 1, 2, "a", (StopReason::Finished, 1.0, Some(Failure::Test), None)),
        finished(16.0, 1, Some(2), Verdict::Failed),
    ]);
    let (_folder, database) = database(&facts);
    let slow: Vec<_> = database.slowest_tests(10).expect("slowest").into_iter().map(|s| (s.name, s.mean_s)).collect();
    assert_eq!(slow, [("wavering".into(), 4.0), ("broken".into(), 3.0), ("quick".into(), 1.0)]);
    let flaky = database.flaky_tests(10).expect("flaky");
    assert_eq!(flaky.len(), 1);
    assert_eq!((flaky[0].name.as_str(), flaky[0].red, flaky[0].green), ("wavering", 1, 1));
    assert_eq!(flaky[0].message.as_deref(), Some("wavering broke in attempt 1"));
    let failures = database.failures(10).expect("failures");
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].name.as_str(), failures[0].message.as_deref(), failures[0].worker.as_deref()),
        ("broken", Some("broken broke in attempt 2"), Some("a"))
    );
    assert_eq!(number_of(&database, "SELECT count(*) FROM tests WHERE outcome = 'skipped'"), Some(1.0));
}

#[test]
fn a_chunk_that_died_outside_its_tests_is_a_failure_of_its_own() {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    facts.extend([
        queued_chunk(0.0, 1),
        started(0.0, 1, 1, "a", 0.0),
        test(1.0, (1, 1, 0), "quick", TestOutcome::Passed, 1.0),
        stopped_with(2.0, 1, 1, "a", (StopReason::Finished, 0.5, Some(Failure::Oom), Some("killed for its memory"))),
        finished(2.0, 1, Some(1), Verdict::Failed),
    ]);
    let (_folder, database) = database(&facts);
    let failures = database.failures(10).expect("failures");
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].name.as_str(), failures[0].message.as_deref()), ("chunk-task", Some("killed for its memory")));
}

#[test]
fn a_retried_command_that_passed_is_flaky_only_when_the_work_had_failed() {
    let mut facts = Vec::from(joined(0.0, "a", 1));
    for (task, failure) in [(1, Failure::Test), (2, Failure::Infra)] {
        facts.extend([
            queued(0.0, task, if task == 1 { "unsure" } else { "unlucky" }, "", 1),
            started(0.0, task, 1, "a", 0.0),
            stopped_with(1.0, task, 1, "a", (StopReason::Finished, 1.0, Some(failure), Some("no"))),
            requeued(1.0, task, failure),
            started(1.0, task, 2, "a", 0.0),
            stopped(2.0, task, 2, "a", StopReason::Finished, 1.0),
            finished(2.0, task, Some(2), Verdict::Passed),
        ]);
    }
    let (_folder, database) = database(&facts);
    let flaky: Vec<_> = database.flaky_tests(10).expect("flaky").into_iter().map(|f| (f.name, f.red, f.green)).collect();
    assert_eq!(flaky, [("unsure-task".into(), 1, 1)]);
}

#[test]
fn an_empty_database_has_figures_that_are_absent_not_zero() {
    let (_folder, database) = database(&[]);
    let summary = database.summary().expect("a summary");
    assert_eq!((summary.tasks, summary.workers), (0, 0));
    let figures = [summary.makespan_s, summary.utilization, summary.mean_wait_s, summary.load_stddev, summary.fairness];
    assert_eq!(figures, [None; 5]);
    assert_eq!(database.runs(10).expect("runs"), []);
    assert_eq!(database.utilization_over_time(10).expect("shares"), []);
    assert!(database.throughput_per_minute(10).expect("throughput").is_empty());
    assert_eq!(database.task_times().expect("distributions"), Default::default());
    assert_eq!(database.looks(10).expect("looks"), []);
}
