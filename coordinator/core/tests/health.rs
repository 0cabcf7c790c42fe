//! Workers that fail what they are given, and tasks that take workers down.

mod common;

use common::{Bench, failed, machine, passed, spec};
use coordinator_core::{Command, ConnectionId, Event};
use shared::api::{WhyCode, WorkerState};
use shared::fact::{Admission, BreakerState};
use shared::hardware::Load;
use shared::id::{Attempt, Digest};
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{CheckpointRef, FromWorker, Heartbeat, digest_of};
use shared::task::TaskSpec;
use std::time::Duration;

fn breaker(bench: &Bench, name: &str) -> BreakerState {
    let views = bench.coordinator.worker_views(bench.now);
    views.iter().find(|view| view.name == name).expect("it joined").breaker
}

/// Ends every attempt that was started: on connection 2 with this failure, elsewhere well. Says how many 2 was given.
fn answer(bench: &mut Bench, failure: Failure) -> usize {
    let starts = bench.starts();
    for (to, start) in &starts {
        bench.now = bench.now + Duration::from_millis(100);
        let outcome = if *to == 2 { failed(failure) } else { passed() };
        bench.say(*to, FromWorker::Started { attempt: start.attempt });
        bench.say(*to, FromWorker::Finished { attempt: start.attempt, outcome });
    }
    starts.iter().filter(|(to, _)| *to == 2).count()
}

fn fill(bench: &mut Bench, rounds: usize, failure: Failure) -> usize {
    let mut given = 0;
    for _ in 0..rounds {
        bench.submit(vec![spec("a"), spec("b")]);
        while bench.coordinator.summary().busy_slots > 0 {
            given += answer(bench, failure);
        }
    }
    given
}

#[test]
fn a_coordinator_that_stood_still_past_the_end_of_a_lease_gives_its_worker_a_heartbeat_to_be_heard() {
    let mut bench = Bench::new("fifo");
    bench.join("w", 1, machine(1), &[], vec![]);
    let state = |bench: &Bench| bench.coordinator.worker_views(bench.now)[0].state;
    // Between two looks of the balancer the end of the lease, after 41 s, is all that is due.
    bench.wait(Duration::from_secs(35));
    bench.now = bench.now + Duration::from_secs(15);
    bench.step(Event::Woke);
    assert_ne!(state(&bench), WorkerState::Gone);
    bench.wait(Duration::from_secs(6));
    assert_eq!(state(&bench), WorkerState::Gone, "nobody was heard");
}

/// Lets time pass while the workers behind these connections are heard.
fn live(bench: &mut Bench, seconds: u64, heard: &[u64]) {
    for _ in 0..seconds.div_ceil(5) {
        for connection in heard {
            let load = Load::default();
            bench.say(*connection, FromWorker::Heartbeat(Heartbeat { number: 1, load: load.into(), holds: digest_of([]) }));
        }
        bench.wait(Duration::from_secs(5));
    }
}

fn pair(policy_name: &str) -> Bench {
    let mut bench = Bench::new(policy_name);
    bench.join("good", 1, machine(1), &[], vec![]);
    bench.join("bad", 2, machine(1), &[], vec![]);
    bench
}

#[test]
fn a_worker_that_fails_everything_gets_nothing_for_a_minute_and_then_one_attempt() {
    let mut bench = pair("fifo");
    let given = fill(&mut bench, 20, Failure::Infra);
    assert_eq!((given, breaker(&bench, "bad")), (5, BreakerState::Open));
    live(&mut bench, 61, &[1, 2]);
    assert_eq!(breaker(&bench, "bad"), BreakerState::HalfOpen);
    assert_eq!(fill(&mut bench, 10, Failure::Infra), 1, "one attempt to see, and it failed too");
    assert_eq!(breaker(&bench, "bad"), BreakerState::Open);
    live(&mut bench, 61, &[1, 2]);
    bench.submit(vec![spec("a"), spec("b")]);
    for (to, start) in bench.starts() {
        bench.say(to, FromWorker::Finished { attempt: start.attempt, outcome: passed() });
    }
    bench.wait(Duration::from_secs(1));
    assert_eq!(breaker(&bench, "bad"), BreakerState::Closed, "the attempt came to an end");
    assert!(bench.coordinator.state().ledger.iter().all(|(_, task)| !task.is_open()), "no task was lost");
}

#[test]
fn a_failing_test_says_nothing_of_its_worker() {
    let mut bench = pair("fifo");
    assert_eq!(fill(&mut bench, 20, Failure::Test), 20);
    assert_eq!(breaker(&bench, "bad"), BreakerState::Closed);
}

#[test]
fn what_fails_everywhere_is_not_a_workers_fault() {
    let mut bench = pair("fifo");
    bench.submit((0..20).map(|_| spec("misspelled")).collect());
    loop {
        let starts = bench.starts();
        if starts.is_empty() {
            break;
        }
        for (to, start) in starts {
            bench.now = bench.now + Duration::from_millis(100);
            bench.say(to, FromWorker::Finished { attempt: start.attempt, outcome: failed(Failure::Infra) });
        }
    }
    assert_eq!((breaker(&bench, "good"), breaker(&bench, "bad")), (BreakerState::Closed, BreakerState::Closed));
    assert_eq!(bench.coordinator.summary().verdicts.get("error"), Some(&20));
}

#[test]
fn why_says_that_a_worker_is_not_trusted_and_opening_it_by_hand_trusts_it_again() {
    let mut bench = pair("fifo");
    fill(&mut bench, 20, Failure::Infra);
    let waiting = bench.submit(vec![spec("a"), spec("b")])[1];
    let why = bench.coordinator.why(waiting).expect("known");
    assert!(why.workers.iter().any(|worker| worker.worker == "bad" && worker.code == WhyCode::Distrusted), "{why:?}");
    bench.order(Command::Admit("bad".into(), Admission::Open));
    assert_eq!(breaker(&bench, "bad"), BreakerState::Closed);
    assert!(bench.starts().iter().any(|(to, start)| *to == 2 && start.attempt.task == waiting));
}

#[test]
fn a_restarted_coordinator_still_does_not_trust_it_and_tries_it_when_its_time_has_come() {
    let mut bench = pair("fifo");
    fill(&mut bench, 20, Failure::Infra);
    let mut second = Bench::replayed("fifo", &bench.facts, bench.now + Duration::from_secs(5));
    second.join("good", 1, machine(1), &[], vec![]);
    second.join("bad", 2, machine(1), &[], vec![]);
    assert_eq!(fill(&mut second, 3, Failure::Infra), 0);
    live(&mut second, 60, &[1, 2]);
    assert_eq!(breaker(&second, "bad"), BreakerState::HalfOpen);
}

#[test]
fn attempts_lost_at_one_moment_count_once() {
    let mut bench = Bench::new("fifo");
    bench.join("w", 2, machine(8), &[], vec![]);
    bench.join("other", 1, machine(1), &[], vec![]);
    bench.submit((0..9).map(|_| spec("a")).collect());
    bench.starts();
    bench.step(Event::Disconnected { connection: ConnectionId(2), why: "gone".into() });
    bench.wait(Duration::from_secs(60));
    bench.join("w", 3, machine(8), &[], vec![]);
    assert_eq!(breaker(&bench, "w"), BreakerState::Closed);
    let views = bench.coordinator.worker_views(bench.now);
    assert!(views.iter().any(|view| view.name == "w" && view.reliability < 1.0), "its record tells of it");
}

#[test]
fn a_task_that_takes_workers_down_is_quarantined_and_its_neighbours_are_not() {
    let mut bench = Bench::new("fifo");
    let tasks = bench.submit(vec![spec("poison"), spec("neighbour")]);
    let mut fallen = 0;
    for connection in 1..=5 {
        bench.join(&format!("{connection}w"), connection, machine(1), &[], vec![]);
        for (to, start) in bench.starts() {
            bench.say(to, FromWorker::Started { attempt: start.attempt });
            if start.attempt.task == tasks[0] {
                bench.step(Event::Disconnected { connection: ConnectionId(to), why: "it fell".into() });
                bench.wait(Duration::from_secs(60));
                fallen += 1;
            } else {
                bench.say(to, FromWorker::Finished { attempt: start.attempt, outcome: passed() });
            }
        }
    }
    let verdicts: Vec<Option<&str>> = tasks.iter().map(|task| bench.verdict(*task)).collect();
    assert_eq!((verdicts, fallen), (vec![Some("quarantined"), Some("passed")], 3));
}

#[test]
fn two_tasks_that_may_take_workers_down_are_kept_apart() {
    let mut bench = Bench::new("fifo");
    let tasks = bench.submit(vec![spec("poison"), spec("neighbour")]);
    for connection in 1..=3 {
        bench.join(&format!("{connection}w"), connection, machine(2), &[], vec![]);
        let starts = bench.starts();
        let expected = if connection < 3 { 2 } else { 1 };
        assert_eq!(starts.len(), expected, "on worker {connection}");
        for (to, start) in &starts {
            bench.say(*to, FromWorker::Started { attempt: start.attempt });
        }
        bench.step(Event::Disconnected { connection: ConnectionId(connection), why: "it fell".into() });
        bench.wait(Duration::from_secs(60));
    }
    let verdicts: Vec<Option<&str>> = tasks.iter().map(|task| bench.verdict(*task)).collect();
    assert_eq!(verdicts, [Some("quarantined"), None], "only the one that ran alone is");
}

#[test]
fn a_state_that_cannot_be_restored_twice_is_given_up_and_the_task_begins_again() {
    let mut bench = Bench::new("fifo");
    bench.join("w", 1, machine(1), &[], vec![]);
    bench.join("v", 2, machine(1), &[], vec![]);
    let id = bench.submit(vec![TaskSpec { checkpointable: true, ..spec("a") }])[0];
    let (from, start) = bench.starts().remove(0);
    bench.say(from, FromWorker::Started { attempt: start.attempt });
    let to = if from == 1 { "v" } else { "w" };
    bench.order(Command::Migrate(id, to.into()));
    assert_eq!(bench.coordinator.task_view(id).expect("known").state, shared::api::TaskPhase::Migrating);
    assert_eq!(bench.coordinator.summary().tasks["migrating"], 1);
    let checkpoint = CheckpointRef { manifest: Digest([7; 32]), bytes: 10 };
    bench.say(from, FromWorker::Quiesced { attempt: start.attempt, checkpoint: checkpoint.clone() });
    bench.say(from, FromWorker::Finished { attempt: start.attempt, outcome: Outcome::bare(Ended::Saved) });
    let mut restores = Vec::new();
    for _ in 0..3 {
        let (to, start) = bench.starts().remove(0);
        restores.push(start.restore.clone());
        let attempt: Attempt = start.attempt;
        let outcome = if start.restore.is_some() { failed(Failure::Infra) } else { passed() };
        bench.say(to, FromWorker::Finished { attempt, outcome });
    }
    assert_eq!(restores, [Some(checkpoint.clone()), Some(checkpoint), None]);
    assert_eq!(bench.verdict(id), Some("passed"));
}
