//! Tasks, attempts, leases and fences, driven by events alone.

mod common;
mod devices;

use common::{Bench, failed, machine, passed, spec};
use coordinator_core::{Command, ConnectionId, Event, NewTask, Reply};
use shared::fact::{Admission, What};
use shared::id::{AttemptNumber, TaskId};
use shared::outcome::{Ended, Failure, Outcome, TestOutcome, TestResult};
use shared::protocol::{FromCoordinator, FromWorker, HeldResult, Refusal, ResultAnswer};
use shared::task::{Chunk, Framework, Priority, TaskSpec, TestCase, Timeouts, Work};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_task_goes_to_a_worker_and_gets_its_verdict() {
    let mut bench = Bench::new("longest_first");
    let id = bench.submit(vec![spec("a")])[0];
    assert!(bench.starts().is_empty(), "nobody is there to run it");
    bench.join("w", 1, machine(2), &[], vec![]);
    let (to, start) = bench.starts().remove(0);
    assert_eq!((to, start.attempt.task), (1, id));
    bench.say(1, FromWorker::Started { attempt: start.attempt });
    bench.say(1, FromWorker::Finished { attempt: start.attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    let ack = FromCoordinator::ResultAck { attempt: start.attempt, answer: ResultAnswer::Recorded };
    assert_eq!(bench.sent.last(), Some(&(ConnectionId(1), ack)));
}

#[test]
fn the_lease_is_a_fact_before_the_order_to_start_is_sent() {
    let mut bench = Bench::new("fifo");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![spec("a")])[0];
    let attempt = bench.starts()[0].1.attempt;
    let leased = bench.facts.iter().any(|fact| {
        matches!(&fact.what, What::AttemptLeased { task, attempt: number, .. } if *task == id && *number == attempt.number)
    });
    assert!(leased);
}

#[test]
fn urgent_tasks_go_first_then_long_ones() {
    for (policy, expected) in [("longest_first", ["urgent", "long", "short"]), ("fifo", ["urgent", "short", "long"])] {
        let mut bench = Bench::new(policy);
        let timed = |name: &str, seconds| TaskSpec { estimate_s: Some(seconds), ..spec(name) };
        let urgent = TaskSpec { priority: Priority::new(9).expect("valid"), ..timed("urgent", 1.0) };
        bench.submit(vec![timed("short", 1.0), timed("long", 60.0), urgent]);
        bench.join("w", 1, machine(3), &[], vec![]);
        let order: Vec<String> = bench.starts().into_iter().map(|(_, start)| start.spec.name.clone()).collect();
        assert_eq!(order, expected, "{policy}");
    }
}

#[test]
fn a_worker_gets_no_more_than_it_has_room_for() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(4), &[], vec![]);
    let requires = |text: &str| TaskSpec { requires: text.parse().expect("valid"), ..spec("a") };
    bench.submit(vec![requires("cores>=3"), requires("cores>=2"), requires("memory>=7GB")]);
    let started: Vec<String> = bench.starts().into_iter().map(|(_, start)| start.spec.requires.text().into()).collect();
    assert_eq!(started, ["cores>=3", "memory>=7GB"], "two cores are not left beside three");
}

#[test]
fn a_slot_is_what_a_plain_task_takes_however_many_a_core_has() {
    let mut bench = Bench::new("longest_first");
    let mut machine = machine(3);
    machine.cores = 2;
    bench.join("w", 1, machine, &[], vec![]);
    bench.submit(vec![spec("a"), spec("b"), spec("c"), spec("d")]);
    assert_eq!(bench.starts().len(), 3);
    let whole = TaskSpec { requires: "cores>=2".parse().expect("valid"), ..spec("whole") };
    let id = bench.submit(vec![whole])[0];
    let why = bench.coordinator.why(id).expect("known");
    assert!(!why.impossible && why.workers[0].unmet.as_ref().is_some_and(|unmet| unmet.needs == "3 slots"), "{why:?}");
}

#[test]
fn a_result_of_an_older_attempt_is_fenced_and_changes_nothing() {
    let mut bench = Bench::new("longest_first");
    let id = bench.submit(vec![spec("a")])[0];
    bench.join("w", 1, machine(1), &[], vec![]);
    let first = bench.starts().remove(0).1.attempt;
    bench.say(1, FromWorker::Started { attempt: first });
    bench.step(Event::Disconnected { connection: ConnectionId(1), why: "cut".into() });
    bench.join("x", 2, machine(1), &[], vec![]);
    bench.wait(Duration::from_secs(40));
    assert!(bench.starts().is_empty(), "the lease still runs");
    bench.say(2, FromWorker::Heartbeat(heartbeat(&bench, 2)));
    bench.wait(Duration::from_secs(2));
    let (to, second) = bench.starts().remove(0);
    assert_eq!(to, 2);
    bench.join("w", 3, machine(1), &[], vec![HeldResult { attempt: first, outcome: failed(Failure::Test) }]);
    let answer = ResultAnswer::Fenced { current: Some(second.attempt.number) };
    assert!(bench.sent.contains(&(ConnectionId(3), FromCoordinator::ResultAck { attempt: first, answer })));
    assert_eq!(bench.verdict(id), None);
    bench.say(2, FromWorker::Finished { attempt: second.attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    bench.say(2, FromWorker::Finished { attempt: second.attempt, outcome: failed(Failure::Test) });
    assert_eq!(bench.verdict(id), Some("passed"), "a verdict is final");
}

fn heartbeat(bench: &Bench, connection: u64) -> shared::protocol::Heartbeat {
    let fleet = &bench.coordinator.state().fleet;
    let worker = fleet.by_connection(ConnectionId(connection)).expect("connected");
    shared::protocol::Heartbeat { number: 1, load: Default::default(), holds: fleet.get(worker).digest() }
}

#[test]
fn a_worker_that_comes_back_keeps_what_it_runs() {
    let mut bench = Bench::new("longest_first");
    let id = bench.submit(vec![spec("a")])[0];
    bench.join("w", 1, machine(1), &[], vec![]);
    let attempt = bench.starts().remove(0).1.attempt;
    bench.say(1, FromWorker::Started { attempt });
    bench.step(Event::Disconnected { connection: ConnectionId(1), why: "cut".into() });
    bench.wait(Duration::from_secs(20));
    bench.join("w", 2, machine(1), &[attempt], vec![]);
    assert!(bench.starts().is_empty(), "it is not run again");
    bench.say(2, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn a_worker_that_comes_back_without_its_task_gives_it_up_at_once() {
    let mut bench = Bench::new("longest_first");
    bench.submit(vec![spec("a")]);
    bench.join("w", 1, machine(1), &[], vec![]);
    let first = bench.starts().remove(0).1.attempt;
    bench.say(1, FromWorker::Started { attempt: first });
    bench.join("w", 2, machine(1), &[], vec![]);
    let (to, start) = bench.starts().remove(0);
    assert_eq!(to, 2);
    assert!(start.attempt.number > first.number);
}

#[test]
fn a_restarted_coordinator_knows_all_it_knew_and_running_tasks_go_on() {
    let mut bench = Bench::new("longest_first");
    let ids = bench.submit(vec![spec("done"), spec("running"), spec("waiting")]);
    bench.join("w", 1, machine(2), &[], vec![]);
    let attempts: Vec<_> = bench.starts().into_iter().map(|(_, start)| start.attempt).collect();
    bench.say(1, FromWorker::Started { attempt: attempts[0] });
    bench.say(1, FromWorker::Finished { attempt: attempts[0], outcome: passed() });
    let third = bench.starts().remove(0).1.attempt;
    bench.say(1, FromWorker::Started { attempt: attempts[1] });
    let hash = bench.coordinator.state().hash();

    let mut after = Bench::replayed("longest_first", &bench.facts, bench.now + Duration::from_secs(5));
    let again = Bench::replayed("longest_first", &bench.facts, bench.now).coordinator.state().hash();
    assert_eq!(hash, again, "replaying the facts gives the same state");
    assert_eq!(after.verdict(ids[0]), Some("passed"));
    assert!(after.starts().is_empty(), "what runs is not given to anyone else");
    after.join("w", 7, machine(2), &[attempts[1], third], vec![]);
    assert!(after.starts().is_empty());
    for attempt in [attempts[1], third] {
        after.say(7, FromWorker::Finished { attempt, outcome: passed() });
    }
    assert_eq!(ids.iter().map(|id| after.verdict(*id)).collect::<Vec<_>>(), [Some("passed"); 3]);
    assert_eq!(after.coordinator.task_view(ids[1]).expect("known").attempts.len(), 1);
}

#[test]
fn a_failure_of_the_machine_is_retried_elsewhere_and_does_not_colour_the_verdict() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(4), &[], vec![]);
    let id = bench.submit(vec![spec("a")])[0];
    let first = bench.starts().remove(0).1.attempt;
    bench.join("x", 2, machine(1), &[], vec![]);
    bench.say(1, FromWorker::Finished { attempt: first, outcome: failed(Failure::Infra) });
    let (to, second) = bench.starts().remove(0);
    assert_eq!(to, 2, "the other worker has fewer free slots and is chosen all the same");
    bench.say(2, FromWorker::Finished { attempt: second.attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn machines_that_keep_failing_end_in_an_error_not_in_a_failure() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![spec("a")])[0];
    for _ in 0..3 {
        let attempt = bench.starts().remove(0).1.attempt;
        bench.say(1, FromWorker::Finished { attempt, outcome: failed(Failure::Infra) });
    }
    assert_eq!(bench.verdict(id), Some("error"));
}

#[test]
fn a_failing_task_is_tried_as_often_as_asked() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![TaskSpec { retries: 2, ..spec("a") }])[0];
    for left in [2, 1, 0] {
        let attempt = bench.starts().remove(0).1.attempt;
        assert_eq!(bench.verdict(id), None, "{left} tries are left");
        bench.say(1, FromWorker::Finished { attempt, outcome: failed(Failure::Test) });
    }
    assert_eq!(bench.verdict(id), Some("failed"));
    assert!(bench.starts().is_empty());
}

fn chunk(tests: &[&str]) -> Work {
    let tests = tests.iter().map(|name| TestCase { name: (*name).into(), target: None }).collect();
    Work::Tests(Chunk { framework: Framework::Pytest, argv: vec!["pytest".into()], targets: vec![], tests, junit: None })
}

fn result(index: u32, outcome: TestOutcome) -> TestResult {
    TestResult { index, name: None, outcome, seconds: 0.5, message: None }
}

#[test]
fn only_the_tests_of_a_chunk_that_have_no_good_result_run_again() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![TaskSpec { work: chunk(&["a", "b", "c"]), retries: 1, ..spec("chunk") }])[0];
    let first = bench.starts().remove(0).1;
    bench.say(1, FromWorker::Started { attempt: first.attempt });
    let results = vec![result(0, TestOutcome::Passed), result(1, TestOutcome::Failed)];
    bench.say(1, FromWorker::Tests { attempt: first.attempt, results: results.clone() });
    bench.say(1, FromWorker::Tests { attempt: first.attempt, results });
    let told = bench.facts.iter().filter(|fact| matches!(fact.what, What::TestFinished { .. })).count();
    assert_eq!(told, 2, "a result that is told again counts once");
    bench.join("w", 2, machine(1), &[], vec![]);
    let second = bench.starts().remove(0).1;
    assert_eq!(second.skip, [0], "the daemon was killed: what it had told is kept");
    bench.say(
        2,
        FromWorker::Tests {
            attempt: second.attempt,
            results: vec![result(1, TestOutcome::Passed), result(2, TestOutcome::Failed)],
        },
    );
    bench.say(2, FromWorker::Finished { attempt: second.attempt, outcome: failed(Failure::Test) });
    let third = bench.starts().remove(0).1;
    assert_eq!(third.skip, [0, 1]);
    bench.say(2, FromWorker::Tests { attempt: third.attempt, results: vec![result(2, TestOutcome::Passed)] });
    bench.say(2, FromWorker::Finished { attempt: third.attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    let learned = bench.coordinator.state().estimates.tests("pytest::").count();
    assert_eq!(learned, 3);
}

#[test]
fn a_chunk_cannot_pass_with_a_test_that_was_never_reported() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![TaskSpec { work: chunk(&["a", "b"]), ..spec("chunk") }])[0];
    for _ in 0..3 {
        let attempt = bench.starts().remove(0).1.attempt;
        bench.say(1, FromWorker::Tests { attempt, results: vec![result(0, TestOutcome::Passed)] });
        bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    }
    assert_eq!(bench.verdict(id), Some("error"));
}

#[test]
fn a_waiting_task_is_cancelled_at_once_and_a_running_one_when_its_processes_are_gone() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let ids = bench.submit(vec![spec("runs"), spec("waits")]);
    let attempt = bench.starts().remove(0).1.attempt;
    assert_eq!(bench.order(Command::Cancel(ids[1])), Reply::Done);
    assert_eq!(bench.verdict(ids[1]), Some("cancelled"));
    assert_eq!(bench.order(Command::Cancel(ids[0])), Reply::Done);
    assert_eq!(bench.verdict(ids[0]), None);
    assert!(bench.sent.iter().any(|(_, message)| matches!(message, FromCoordinator::Cancel { attempt: a, .. } if *a == attempt)));
    bench.say(1, FromWorker::Finished { attempt, outcome: Outcome::bare(Ended::Cancelled) });
    assert_eq!(bench.verdict(ids[0]), Some("cancelled"));
    assert!(bench.starts().is_empty());
    assert!(matches!(bench.order(Command::Cancel(ids[0])), Reply::Conflict(_)));
    assert!(matches!(bench.order(Command::Cancel(TaskId(99))), Reply::Unknown(_)));
}

#[test]
fn a_cancellation_never_undoes_a_success() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![spec("a")])[0];
    let attempt = bench.starts().remove(0).1.attempt;
    bench.order(Command::Cancel(id));
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn the_same_key_stands_for_the_same_task() {
    let mut bench = Bench::new("longest_first");
    let new = |name: &str| NewTask { spec: Arc::new(spec(name)), key: Some("once".into()) };
    for name in ["a", "b"] {
        bench.step(Event::Submitted { client: coordinator_core::ClientId(1), tasks: vec![new(name)] });
    }
    assert_eq!(bench.replies, [Reply::Accepted(vec![TaskId(1)]), Reply::Accepted(vec![TaskId(1)])]);
    assert_eq!(bench.coordinator.state().ledger.len(), 1);
}

#[test]
fn two_workers_cannot_have_one_name() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    let mut hello = match &bench.facts.iter().find(|fact| matches!(fact.what, What::WorkerJoined { .. })).expect("joined").what {
        What::WorkerJoined { worker, .. } => shared::protocol::Hello {
            protocol_min: 1,
            protocol_max: 1,
            cluster: None,
            worker: shared::id::WorkerId([9; 16]),
            name: worker.to_string(),
            boot: shared::id::BootNonce([0; 8]),
            epoch_seen: shared::id::Epoch(0),
            version: String::new(),
        },
        other => panic!("{other:?}"),
    };
    bench.step(Event::Joined { connection: ConnectionId(2), hello: hello.clone() });
    let refused = bench.sent.iter().any(|(to, message)| {
        to.0 == 2
            && matches!(message, FromCoordinator::Refused { code: Refusal::NameTaken, message } if message.contains("--name"))
    });
    assert!(refused && bench.closed.contains(&ConnectionId(2)));
    hello.name = "another".into();
    bench.step(Event::Joined { connection: ConnectionId(3), hello });
    assert!(!bench.closed.contains(&ConnectionId(3)));
}

#[test]
fn a_task_nobody_can_run_is_flagged_and_one_that_only_waits_is_not() {
    let mut bench = Bench::new("longest_first");
    let requires = |text: &str| TaskSpec { requires: text.parse().expect("valid"), ..spec("a") };
    let ids = bench.submit(vec![requires("cuda"), requires("cores>=2"), spec("busy")]);
    assert!(bench.coordinator.impossible(10).is_empty(), "no worker has joined: nothing is known");
    bench.join("w", 1, machine(2), &[], vec![]);
    bench.order(Command::Admit("w".into(), Admission::Cordoned));
    assert_eq!(bench.coordinator.impossible(10), [ids[0]]);
    let why = bench.coordinator.why(ids[0]).expect("known");
    assert!(why.impossible && why.summary.contains("cuda"), "{}", why.summary);
    let why = bench.coordinator.why(ids[2]).expect("known");
    assert!(!why.impossible);
    assert!(why.queue_position.is_some() && why.summary.contains("in front of it"), "{why:?}");
}

#[test]
fn a_task_that_waited_for_too_long_expires() {
    let mut bench = Bench::new("longest_first");
    let timeouts = Timeouts { queue_s: Some(10.0), ..Timeouts::default() };
    let id = bench.submit(vec![TaskSpec { timeouts, ..spec("a") }])[0];
    bench.wait(Duration::from_secs(9));
    assert_eq!(bench.verdict(id), None);
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.verdict(id), Some("expired"));
}

#[test]
fn a_coordinator_that_stood_still_does_not_blame_its_workers() {
    let mut bench = Bench::new("longest_first");
    bench.join("w", 1, machine(1), &[], vec![]);
    bench.submit(vec![spec("a")]);
    bench.starts();
    bench.now = bench.now + Duration::from_secs(300);
    bench.step(Event::Woke);
    let views = bench.coordinator.worker_views(bench.now);
    assert_ne!(views[0].state, shared::api::WorkerState::Gone);
    assert_eq!(views[0].tasks.len(), 1);
}

#[test]
fn a_poison_task_is_kept_from_the_rest_of_the_fleet() {
    let mut bench = Bench::new("longest_first");
    let id = bench.submit(vec![spec("poison")])[0];
    for (connection, name) in [(1, "a"), (2, "b"), (3, "c")] {
        bench.join(name, connection, machine(1), &[], vec![]);
        let attempt = bench.starts().remove(0).1.attempt;
        bench.say(connection, FromWorker::Started { attempt });
        bench.step(Event::Disconnected { connection: ConnectionId(connection), why: "died".into() });
        bench.wait(Duration::from_secs(42));
    }
    assert_eq!(bench.verdict(id), Some("quarantined"));
    bench.join("d", 4, machine(1), &[], vec![]);
    assert!(bench.starts().is_empty());
    let numbers = &bench.coordinator.state().ledger.get(id).expect("known").attempts;
    assert!(numbers.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(numbers.last().map(|attempt| attempt.number.ordinal()), Some(3));
    assert!(AttemptNumber(0) < numbers[0].number);
}

#[test]
fn while_leases_are_held_back_nothing_begins_and_what_runs_ends() {
    let mut bench = Bench::new("fifo");
    bench.join("w", 1, machine(2), &[], vec![]);
    let ran = bench.submit(vec![spec("a")])[0];
    let attempt = bench.starts()[0].1.attempt;
    bench.coordinator.hold_leases(true);
    bench.submit(vec![spec("b")]);
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!((bench.verdict(ran), bench.starts().len()), (Some("passed"), 0));
    bench.coordinator.hold_leases(false);
    bench.wait(Duration::from_millis(20));
    assert_eq!(bench.starts().len(), 1);
}
