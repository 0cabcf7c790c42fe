//! What holds of tasks that save their state and go on from it.

use crate::fake::{Coordinator, attempt, daemon, order, pid_of, shell, spec, start, until};
use nix::sys::signal::Signal;
use shared::id::{Attempt, AttemptNumber, Epoch, TaskId};
use shared::outcome::{Ended, Failure};
use shared::protocol::{CheckpointRef, FromCoordinator, FromWorker, HeldState, Start};
use shared::task::{Chunk, Framework, Target, TaskSpec, TestCase, Work};
use std::collections::BTreeMap;
use std::path::Path;

/// Counts to the number in `to`, which the test writes, and goes on from where it was.
const COUNTS: &str = r#"
state=$EVENKEEL_CHECKPOINT_DIR/at
n=0
if [ "$EVENKEEL_ATTEMPT" -gt 1 ]; then n=$(cat "$state"); fi
trap 'echo $n > "$state"; exit 75' TERM
echo "begins at $n"
echo $$ > pid
while [ ! -e go ]; do n=$((n+1)); sleep 0.01; done
[ "$n" -gt 0 ] && echo "ends"
"#;

fn counting() -> TaskSpec {
    TaskSpec { checkpointable: true, ..shell(COUNTS) }
}

fn checkpoint(task: u64) -> FromCoordinator {
    FromCoordinator::Checkpoint { attempt: attempt(task), deadline_ms: 25_000 }
}

/// Waits until an attempt runs: its process does, and the daemon knows that it does. Answers what it wrote to `pid`.
async fn begun(talk: &mut crate::fake::Talk, work_dir: &Path, task: u64) -> String {
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(task) });
    pid_of(work_dir, task).await
}

async fn quiesced(talk: &mut crate::fake::Talk) -> CheckpointRef {
    match talk.next().await {
        FromWorker::Quiesced { checkpoint, .. } => checkpoint,
        other => panic!("it does not stand still: {other:?}"),
    }
}

/// The second attempt of a task, which goes on from `state`.
fn go_on(task: u64, spec: TaskSpec, state: CheckpointRef) -> Start {
    let attempt = Attempt { task: TaskId(task), number: AttemptNumber::new(Epoch(1), 2) };
    Start { restore: Some(state), ..order(attempt, spec) }
}

#[tokio::test]
async fn a_task_that_saved_its_state_goes_on_from_it_on_another_worker() {
    let (here, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _first = daemon(&coordinator.address, here.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, counting())]).await;
    begun(&mut talk, here.path(), 1).await;
    talk.say(vec![checkpoint(1)]).await;
    let state = quiesced(&mut talk).await;
    assert!(state.bytes > 1, "a number and a newline");
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 0 }]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Saved);

    let _second = daemon(&coordinator.address, there.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let order = go_on(1, counting(), state);
    let next = order.attempt;
    talk.say(vec![FromCoordinator::Start(order)]).await;
    let home = there.path().join("attempts/1-1-2/home");
    until("it runs", || home.join("pid").exists()).await;
    std::fs::write(home.join("go"), "").expect("its home is there");
    assert_eq!(talk.result(next).await.ended, Ended::Passed);
    let said = String::from_utf8_lossy(&talk.output).into_owned();
    assert!(said.starts_with("begins at ") && !said.starts_with("begins at 0\n") && said.ends_with("ends\n"), "{said}");
}

#[tokio::test]
async fn what_stands_still_goes_on_in_its_place_when_it_is_told_to() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, counting())]).await;
    let first = begun(&mut talk, dir.path(), 1).await;
    talk.say(vec![checkpoint(1)]).await;
    quiesced(&mut talk).await;
    talk.say(vec![FromCoordinator::Resume { attempt: attempt(1) }]).await;
    assert_eq!(talk.next().await, FromWorker::Resumed { attempt: attempt(1) });
    let home = dir.path().join("attempts/1-1-1/home");
    until("it runs again", || std::fs::read_to_string(home.join("pid")).is_ok_and(|pid| pid.ends_with('\n') && pid != first))
        .await;
    std::fs::write(home.join("go"), "").expect("its home is there");
    let outcome = talk.result(attempt(1)).await;
    assert_eq!(outcome.ended, Ended::Passed);
    let said = String::from_utf8_lossy(&talk.output).into_owned();
    assert_eq!((said.matches("begins at").count(), said.matches("begins at 0\n").count()), (2, 1), "{said}");
}

#[tokio::test]
async fn what_stands_still_does_so_in_the_next_life_of_the_daemon_too() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, counting())]).await;
    begun(&mut talk, dir.path(), 1).await;
    talk.say(vec![checkpoint(1)]).await;
    let state = quiesced(&mut talk).await;
    first.kill().await.expect("it runs");
    let _second = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, inventory) = coordinator.accept().await;
    assert!(matches!(inventory.attempts[0].state, HeldState::Running | HeldState::Quiesced));
    assert_eq!(quiesced(&mut talk).await, state, "the same state");
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 0 }]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Saved);
}

#[tokio::test]
async fn what_ends_by_sigterm_without_saving_begins_again_and_what_exits_otherwise_has_its_result() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let script = "echo $EVENKEEL_ATTEMPT; [ -e pid ] && exit 0; echo $$ > pid; exec sleep 600";
    talk.say(vec![start(1, TaskSpec { checkpointable: true, ..shell(script) })]).await;
    begun(&mut talk, dir.path(), 1).await;
    talk.say(vec![checkpoint(1)]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
    assert_eq!(talk.output, b"1\n2\n");
    talk.output.clear();
    let script = "trap 'exit 4' TERM; echo $$ > pid; while :; do sleep 0.02; done";
    talk.say(vec![start(2, TaskSpec { checkpointable: true, ..shell(script) })]).await;
    begun(&mut talk, dir.path(), 2).await;
    talk.say(vec![checkpoint(2)]).await;
    assert_eq!(talk.result(attempt(2)).await.exit_code, Some(4));
}

#[tokio::test]
async fn a_state_that_is_not_what_it_was_is_refused_and_the_task_is_not_to_blame() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, counting())]).await;
    begun(&mut talk, dir.path(), 1).await;
    talk.say(vec![checkpoint(1)]).await;
    let state = quiesced(&mut talk).await;
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 0 }]).await;
    talk.result(attempt(1)).await;
    for bytes in coordinator.blobs.lock().expect("no test panics with it").values_mut() {
        bytes[0] ^= 1;
    }
    let order = go_on(1, counting(), state);
    let next = order.attempt;
    talk.say(vec![FromCoordinator::Start(order)]).await;
    let outcome = talk.result(next).await;
    assert_eq!(outcome.ended, Ended::Failed(Failure::Infra));
    let message = outcome.message.expect("it says why");
    assert!(message.contains("restoring the state") && message.contains("digest"), "{message}");
}

#[tokio::test]
async fn what_cannot_save_its_state_says_so_and_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, spec(Work::Command(vec!["sleep".into(), "600".into()])))]).await;
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
    talk.say(vec![checkpoint(1)]).await;
    assert_eq!(talk.next().await, FromWorker::Resumed { attempt: attempt(1) });
    crate::fake::signal(&daemon, Signal::SIGTERM);
    assert_eq!(talk.result(attempt(1)).await.message.as_deref(), Some("worker shut down"));
}

/// A suite of which each test leaves a file of its name and then waits for `go`.
fn suite() -> TaskSpec {
    let argv = ["sh", "-c", "touch $2; while [ ! -e go ]; do sleep 0.02; done", "a test"].map(String::from).to_vec();
    let target = Target { name: "t".into(), argv, cwd: None, env: BTreeMap::new() };
    let tests = ["one", "two", "three"].map(|name| TestCase { name: name.into(), target: Some(0) }).to_vec();
    let chunk = Chunk { framework: Framework::Libtest, argv: Vec::new(), targets: vec![target], tests, junit: None };
    spec(Work::Tests(chunk))
}

#[tokio::test]
async fn a_suite_stops_between_two_tests_and_the_next_attempt_runs_the_others() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, suite())]).await;
    let home = dir.path().join("attempts/1-1-1/home");
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
    until("its first test", || home.join("one").exists()).await;
    // Orders keep their order: when the second task has run, the first has its order.
    talk.say(vec![checkpoint(1), start(2, shell("true"))]).await;
    talk.result(attempt(2)).await;
    std::fs::write(home.join("go"), "").expect("its home is there");
    let mut told = Vec::new();
    let state = loop {
        match talk.next().await {
            FromWorker::Tests { results, .. } => told.extend(results.into_iter().map(|result| result.index)),
            FromWorker::Quiesced { checkpoint, .. } => break checkpoint,
            other => panic!("it does not stand still: {other:?}"),
        }
    };
    assert_eq!((told.as_slice(), home.join("two").exists()), (&[0][..], false));
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 0 }]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Saved);
    let order = Start { skip: told, ..go_on(1, suite(), state) };
    let next = order.attempt;
    talk.say(vec![FromCoordinator::Start(order)]).await;
    let home = dir.path().join("attempts/1-1-2/home");
    until("its second test", || home.join("two").exists()).await;
    std::fs::write(home.join("go"), "").expect("its home is there");
    assert_eq!(talk.result(next).await.ended, Ended::Passed);
    assert!(!home.join("one").exists() && home.join("three").exists());
}
