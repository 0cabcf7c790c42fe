//! Running tasks that are moved, set aside or begun a second time, driven by events alone.

mod common;

use common::{Bench, failed, machine, passed, spec};
use coordinator_core::fleet::WorkerIndex;
use coordinator_core::plan::{Move, Plan, Policy, View};
use coordinator_core::{Command, ConnectionId, Event, Reply};
use shared::fact::{Admission, StopReason, What};
use shared::hardware::HardwareKind;
use shared::id::{Attempt, Digest, TaskId};
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{CheckpointRef, FromCoordinator, FromWorker};
use shared::task::TaskSpec;
use shared::time::Time;
use std::time::Duration;

/// Gives every task to the first worker with room, and each task that runs a second attempt or a rest as it is told.
#[derive(Debug)]
enum Scripted {
    Hedges,
    Preempts,
}

impl Policy for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let mut moves = coordinator_core::policy::by_name("fifo").expect("it exists").plan(view).moves;
        let workers: Vec<WorkerIndex> = view.fleet().iter().map(|(at, _)| at).collect();
        for (task, entry) in view.ledger().iter().filter(|(_, task)| task.holder().is_some()) {
            let (why, hardware) = ("scripted".into(), HardwareKind::Cpu);
            match self {
                Scripted::Preempts if view.now() >= Time(10_000_000) && entry.attempts.len() == 1 => {
                    moves.push(Move::Preempt { task, why, decision: None });
                }
                Scripted::Hedges => {
                    let other = workers.iter().copied().find(|at| Some(*at) != entry.holder());
                    moves.extend(other.map(|to| Move::Hedge { task, to, hardware, why, decision: None }));
                }
                Scripted::Preempts => {}
            }
        }
        Plan { moves, again: None }
    }
}

fn saving(name: &str) -> TaskSpec {
    TaskSpec { checkpointable: true, state_bytes: 1_000_000, ..spec(name) }
}

fn checkpoint() -> CheckpointRef {
    CheckpointRef { manifest: Digest([7; 32]), bytes: 1_000_000 }
}

fn saved() -> Outcome {
    Outcome::bare(Ended::Saved)
}

/// One task runs on worker 1, worker 2 is free.
fn one_running(policy: &str) -> (Bench, TaskId, Attempt) {
    let mut bench = Bench::new(policy);
    bench.join("a", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![saving("long")])[0];
    let attempt = bench.starts()[0].1.attempt;
    bench.say(1, FromWorker::Started { attempt });
    bench.join("b", 2, machine(1), &[], vec![]);
    (bench, id, attempt)
}

fn stops(bench: &Bench, wanted: StopReason) -> usize {
    let is_wanted = |what: &What| matches!(what, What::AttemptStopped { reason, .. } if *reason == wanted);
    bench.facts.iter().filter(|fact| is_wanted(&fact.what)).count()
}

#[test]
fn a_task_moves_with_its_state_when_an_operator_says_so() {
    let (mut bench, id, attempt) = one_running("fifo");
    assert_eq!(bench.order(Command::Migrate(id, "b".into())), Reply::Done);
    assert!(
        matches!(bench.sent.last(), Some((ConnectionId(1), FromCoordinator::Checkpoint { attempt: asked, .. })) if *asked == attempt)
    );
    let other = bench.submit(vec![spec("other")])[0];
    assert!(bench.starts().is_empty(), "the room at the target is kept");
    bench.say(1, FromWorker::Quiesced { attempt, checkpoint: checkpoint() });
    bench.say(1, FromWorker::Finished { attempt, outcome: saved() });
    let starts = bench.starts();
    let moved = starts.iter().find(|(_, start)| start.attempt.task == id).expect("it goes on");
    assert_eq!((moved.0, moved.1.restore.clone()), (2, Some(checkpoint())));
    assert!(starts.iter().any(|(to, start)| *to == 1 && start.attempt.task == other), "its old place is free");
    assert_eq!(stops(&bench, StopReason::Migrated), 1);
    bench.say(2, FromWorker::Started { attempt: moved.1.attempt });
    bench.say(2, FromWorker::Finished { attempt: moved.1.attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn a_result_that_races_the_order_to_stand_still_counts() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    let next = bench.submit(vec![spec("x"), spec("y")]);
    assert_eq!(bench.starts().len(), next.len(), "both workers are free again");
}

#[test]
fn an_order_that_is_not_followed_is_withdrawn_and_the_task_goes_on() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    for _ in 0..30 {
        bench.wait(Duration::from_secs(4));
        for connection in [1, 2] {
            let heartbeat =
                shared::protocol::Heartbeat { number: 1, load: Default::default(), holds: holds(connection, attempt) };
            bench.say(connection, FromWorker::Heartbeat(heartbeat));
        }
    }
    assert!(bench.sent.contains(&(ConnectionId(1), FromCoordinator::Resume { attempt })));
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    bench.submit(vec![spec("x"), spec("y")]);
    assert_eq!(bench.starts().len(), 2);
}

fn holds(connection: u64, attempt: Attempt) -> u64 {
    shared::protocol::digest_of((connection == 1).then_some(attempt))
}

#[test]
fn a_worker_that_cannot_save_says_so_and_is_not_asked_again() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    bench.say(1, FromWorker::Resumed { attempt });
    assert!(matches!(bench.order(Command::Migrate(id, "b".into())), Reply::Conflict(_)));
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn a_target_that_is_gone_leaves_the_task_where_it_runs() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    bench.say(2, FromWorker::Leaving);
    bench.step(Event::Disconnected { connection: ConnectionId(2), why: "stopped".into() });
    assert!(bench.sent.contains(&(ConnectionId(1), FromCoordinator::Resume { attempt })));
    bench.say(1, FromWorker::Quiesced { attempt, checkpoint: checkpoint() });
    assert_eq!(bench.sent.iter().filter(|(_, sent)| matches!(sent, FromCoordinator::Resume { .. })).count(), 2);
    bench.say(1, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
}

#[test]
fn a_target_that_takes_no_more_work_makes_the_task_wait_with_its_state() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    bench.say(1, FromWorker::Quiesced { attempt, checkpoint: checkpoint() });
    bench.order(Command::Admit("b".into(), Admission::Cordoned));
    bench.say(1, FromWorker::Finished { attempt, outcome: saved() });
    let (to, start) = bench.starts().remove(0);
    assert_eq!((to, start.attempt.task, start.restore), (1, id, Some(checkpoint())));
}

#[test]
fn a_restarted_coordinator_forgets_the_order_and_the_task_goes_on() {
    let (mut bench, id, attempt) = one_running("fifo");
    bench.order(Command::Migrate(id, "b".into()));
    let facts = bench.facts.clone();
    let mut second = Bench::replayed("fifo", &facts, bench.now);
    second.join("a", 11, machine(1), &[attempt], vec![]);
    second.join("b", 12, machine(1), &[], vec![]);
    second.submit(vec![spec("x")]);
    assert_eq!(second.starts().len(), 1, "the room at the target is free again");
    second.say(11, FromWorker::Finished { attempt, outcome: passed() });
    assert_eq!(second.verdict(id), Some("passed"));
}

#[test]
fn a_preempted_task_waits_and_goes_on_from_its_state() {
    let mut bench = Bench::driven(Box::new(Scripted::Preempts), &[], Time::ZERO);
    bench.join("a", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![saving("long")])[0];
    let attempt = bench.starts()[0].1.attempt;
    bench.say(1, FromWorker::Started { attempt });
    bench.wait(Duration::from_secs(12));
    let urgent = bench.submit(vec![TaskSpec { priority: shared::task::Priority::new(9).expect("valid"), ..spec("urgent") }])[0];
    bench.say(1, FromWorker::Quiesced { attempt, checkpoint: checkpoint() });
    bench.say(1, FromWorker::Finished { attempt, outcome: saved() });
    let (_, start) = bench.starts().remove(0);
    assert_eq!(start.attempt.task, urgent);
    bench.say(1, FromWorker::Finished { attempt: start.attempt, outcome: passed() });
    let (_, again) = bench.starts().remove(0);
    assert_eq!((again.attempt.task, again.restore), (id, Some(checkpoint())));
    assert_eq!(stops(&bench, StopReason::Preempted), 1);
    assert!(bench.facts.iter().all(|fact| !matches!(&fact.what, What::TaskRequeued { why: Some(_), .. })), "nobody is to blame");
}

/// A task runs on a and, as a hedge, on b.
fn hedged() -> (Bench, TaskId, Attempt, Attempt) {
    let mut bench = Bench::driven(Box::new(Scripted::Hedges), &[], Time::ZERO);
    bench.join("a", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![spec("long")])[0];
    let first = bench.starts()[0].1.attempt;
    bench.say(1, FromWorker::Started { attempt: first });
    bench.join("b", 2, machine(1), &[], vec![]);
    let (to, second) = bench.starts().remove(0);
    assert_eq!((to, second.attempt.task), (2, id));
    bench.say(2, FromWorker::Started { attempt: second.attempt });
    (bench, id, first, second.attempt)
}

#[test]
fn of_two_attempts_the_first_to_end_counts_and_the_other_is_stopped() {
    let (mut bench, id, first, second) = hedged();
    bench.say(2, FromWorker::Finished { attempt: second, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    assert!(
        bench
            .sent
            .iter()
            .any(|(to, sent)| *to == ConnectionId(1)
                && matches!(sent, FromCoordinator::Cancel { attempt, .. } if *attempt == first))
    );
    bench.say(1, FromWorker::Finished { attempt: first, outcome: Outcome::bare(Ended::Cancelled) });
    assert_eq!((bench.verdict(id), stops(&bench, StopReason::Hedged)), (Some("passed"), 1));
    bench.submit(vec![spec("x")]);
    assert!(!bench.starts().is_empty(), "both workers are free again");
}

#[test]
fn a_task_that_is_being_cancelled_does_not_begin_a_second_time() {
    let mut bench = Bench::driven(Box::new(Scripted::Hedges), &[], Time::ZERO);
    bench.join("a", 1, machine(1), &[], vec![]);
    let id = bench.submit(vec![spec("long")])[0];
    let first = bench.starts()[0].1.attempt;
    bench.say(1, FromWorker::Started { attempt: first });
    bench.order(Command::Cancel(id));
    bench.join("b", 2, machine(1), &[], vec![]);
    assert!(bench.starts().is_empty());
}

#[test]
fn a_result_of_the_slower_attempt_that_was_on_its_way_changes_nothing() {
    let (mut bench, id, first, second) = hedged();
    bench.say(1, FromWorker::Finished { attempt: first, outcome: passed() });
    bench.say(2, FromWorker::Finished { attempt: second, outcome: failed(Failure::Test) });
    assert_eq!(bench.verdict(id), Some("passed"));
    let verdicts = bench.facts.iter().filter(|fact| matches!(fact.what, What::TaskFinished { .. })).count();
    assert_eq!(verdicts, 1);
}

#[test]
fn when_one_attempt_is_lost_the_other_goes_on() {
    let (mut bench, id, _, second) = hedged();
    bench.say(1, FromWorker::Leaving);
    bench.step(Event::Disconnected { connection: ConnectionId(1), why: "gone".into() });
    bench.wait(Duration::from_secs(1));
    bench.say(2, FromWorker::Finished { attempt: second, outcome: passed() });
    assert_eq!(bench.verdict(id), Some("passed"));
    let facts = bench.facts.clone();
    let replayed = Bench::replayed("fifo", &facts, bench.now);
    assert_eq!(replayed.coordinator.state().ledger.get(id).map(|task| task.is_open()), Some(false));
}

#[test]
fn the_slower_of_two_attempts_whose_worker_is_lost_is_lost_and_not_stopped() {
    let (mut bench, id, _, second) = hedged();
    bench.say(2, FromWorker::Finished { attempt: second, outcome: passed() });
    bench.step(Event::Disconnected { connection: ConnectionId(1), why: "gone".into() });
    bench.wait(Duration::from_secs(60));
    assert_eq!((bench.verdict(id), stops(&bench, StopReason::Hedged), stops(&bench, StopReason::Lost)), (Some("passed"), 0, 1));
}

#[test]
fn a_cancelled_task_that_runs_twice_ends_once() {
    let (mut bench, id, first, second) = hedged();
    bench.order(Command::Cancel(id));
    bench.say(2, FromWorker::Finished { attempt: second, outcome: Outcome::bare(Ended::Cancelled) });
    bench.say(1, FromWorker::Finished { attempt: first, outcome: Outcome::bare(Ended::Cancelled) });
    assert_eq!(bench.verdict(id), Some("cancelled"));
}
