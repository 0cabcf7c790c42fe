//! What holds of tasks when daemons and runners die or are stopped.

use crate::fake::{
    Coordinator, PATIENCE, attempt, daemon, files_in, held, keeps, pid_of, recorded, runners, runs, shell, signal, start, until,
};
use nix::sys::signal::{Signal, kill};
use shared::outcome::{Ended, Failure};
use shared::protocol::{FromCoordinator, FromWorker, HeldState, ResultAnswer};
use tokio::time::timeout;

const WAITS: &str = "echo before; echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo after";

#[tokio::test]
async fn tasks_go_on_when_the_daemon_is_killed_and_the_next_one_takes_them_over() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, hello, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("echo kept")), start(2, shell(WAITS))]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
    let pid = pid_of(dir.path(), 2).await;
    let before = runners(dir.path());
    first.kill().await.expect("it runs");

    let mut second = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, again, inventory) = coordinator.accept().await;
    assert_eq!((again.worker, again.cluster.is_some()), (hello.worker, true));
    assert_ne!(again.boot, hello.boot);
    assert_eq!(held(&inventory), (vec![attempt(2)], vec![attempt(1)]));
    assert_eq!(inventory.attempts[0].state, HeldState::Running);
    assert!(runs(&pid), "it was not touched");
    assert_eq!((runners(dir.path()), before.len()), (before, 1), "nor was its runner");
    talk.say(vec![recorded(1)]).await;
    std::fs::write(dir.path().join("attempts/2-1-1/home/go"), "").expect("its home is there");
    let outcome = talk.result(attempt(2)).await;
    assert_eq!((outcome.ended, outcome.log_bytes), (Ended::Passed, 13));
    talk.say(vec![recorded(2)]).await;
    while keeps(dir.path()) || files_in(&dir.path().join("attempts")) > 0 {
        talk.hear().await;
    }
    signal(&second, Signal::SIGTERM);
    assert_eq!(talk.next().await, FromWorker::Leaving);
    let status = timeout(PATIENCE, second.wait()).await.expect("it leaves").expect("it was ours");
    assert!(status.success(), "{status}");
    assert_eq!((runners(dir.path()), files_in(&dir.path().join("runners"))), (Vec::new(), 0), "its runner leaves with it");
}

#[tokio::test]
async fn what_ends_while_no_daemon_is_there_is_told_by_the_next_one_until_it_is_recorded() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo said; exit 3"))]).await;
    pid_of(dir.path(), 1).await;
    first.kill().await.expect("it runs");
    std::fs::write(dir.path().join("attempts/1-1-1/home/go"), "").expect("its home is there");
    until("an end that is on the disk", || keeps(dir.path())).await;
    until("the end of a runner that nobody needs", || runners(dir.path()).is_empty()).await;
    for is_recorded in [false, true] {
        let mut next = daemon(&coordinator.address, dir.path(), &[]);
        let (mut talk, _, inventory) = coordinator.accept().await;
        assert_eq!(held(&inventory), (Vec::new(), vec![attempt(1)]));
        assert_eq!(inventory.results[0].outcome.exit_code, Some(3));
        if is_recorded {
            talk.say(vec![recorded(1)]).await;
            while keeps(dir.path()) || files_in(&dir.path().join("attempts")) > 0 {
                talk.hear().await;
            }
            assert_eq!(talk.output, b"said\n", "its output outlived both");
        }
        next.kill().await.expect("it runs");
    }
}

#[tokio::test]
async fn a_runner_that_is_killed_takes_its_tasks_with_it_and_the_daemon_starts_another() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let escapes = "setsid env -i sh -c 'echo $$ > escaped; sleep 600' & ";
    talk.say(vec![start(1, shell(&format!("{escapes}{WAITS}")))]).await;
    let pid = pid_of(dir.path(), 1).await;
    let escaped = dir.path().join("attempts/1-1-1/home/escaped");
    until("one that left", || std::fs::read_to_string(&escaped).is_ok_and(|text| text.ends_with('\n'))).await;
    let escaped = std::fs::read_to_string(&escaped).expect("it was just there");
    let [runner] = runners(dir.path())[..] else { panic!("there is one runner") };
    kill(runner, Signal::SIGKILL).expect("it is ours");
    let outcome = talk.result(attempt(1)).await;
    assert_eq!(outcome.ended, Ended::Failed(Failure::Infra));
    assert!(outcome.message.is_some_and(|message| message.contains("runner")));
    assert!(!runs(&pid) && !runs(&escaped), "its processes are gone when it is told");
    talk.say(vec![recorded(1), start(2, shell("exit 0"))]).await;
    assert_eq!(talk.result(attempt(2)).await.ended, Ended::Passed);
    assert_eq!(files_in(&dir.path().join("runners")), 1, "nothing is left of the dead one");
}

#[tokio::test]
async fn when_both_are_killed_the_next_daemon_ends_what_is_left_and_tells_what_had_ended() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("echo kept")), start(2, shell(WAITS))]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
    let pid = pid_of(dir.path(), 2).await;
    first.kill().await.expect("it runs");
    let [runner] = runners(dir.path())[..] else { panic!("there is one runner") };
    kill(runner, Signal::SIGKILL).expect("it is ours");
    until("its end", || runners(dir.path()).is_empty()).await;
    assert!(runs(&pid), "nobody is left to end it");
    let _second = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, inventory) = coordinator.accept().await;
    assert_eq!(held(&inventory), (Vec::new(), vec![attempt(1)]));
    assert!(!runs(&pid), "it is gone before the inventory");
    talk.say(vec![recorded(1)]).await;
    while files_in(&dir.path().join("attempts")) > 0 || files_in(&dir.path().join("runners")) > 1 {
        talk.hear().await;
    }
    assert_eq!(talk.output, b"kept\n");
}

#[tokio::test]
async fn a_lease_that_ends_takes_its_tasks_with_it_although_the_daemon_is_dead_or_stopped() {
    for how in [Signal::SIGKILL, Signal::SIGSTOP] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut coordinator = Coordinator::start(Vec::new()).await;
        coordinator.lease_ms = 1500;
        let first = daemon(&coordinator.address, dir.path(), &[]);
        let (mut talk, _, _) = coordinator.accept().await;
        talk.say(vec![start(1, shell("echo said")), start(2, shell("echo $$ > pid; exec sleep 600"))]).await;
        assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
        let pid = pid_of(dir.path(), 2).await;
        signal(&first, how);
        until("the end of the task", || !runs(&pid)).await;
        drop(talk);
        let again;
        match how {
            Signal::SIGSTOP => signal(&first, Signal::SIGCONT),
            _ => {
                again = daemon(&coordinator.address, dir.path(), &[]);
                assert!(again.id().is_some());
            }
        }
        let (mut talk, _, inventory) = coordinator.accept().await;
        assert!(inventory.attempts.iter().all(|held| held.state == HeldState::Ending), "{:?}", inventory.attempts);
        assert_eq!(held(&inventory).1, [attempt(1)], "what had ended before is told");
        // Others have it by now: what it is told is that nobody wants the result, and it does not say it again.
        talk.say(vec![FromCoordinator::ResultAck { attempt: attempt(1), answer: ResultAnswer::Fenced { current: None } }]).await;
        while keeps(dir.path()) || files_in(&dir.path().join("attempts")) > 0 {
            talk.hear().await;
        }
    }
}

#[tokio::test]
async fn what_the_daemon_had_ordered_before_it_was_killed_is_known_to_the_next_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let minds =
        "trap 'touch told; while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; echo $$ > pid; while :; do sleep 0.02; done";
    talk.say(vec![start(1, shell(minds))]).await;
    pid_of(dir.path(), 1).await;
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 25_000 }]).await;
    let home = dir.path().join("attempts/1-1-1/home");
    until("its SIGTERM", || home.join("told").exists()).await;
    first.kill().await.expect("it runs");
    let _second = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, inventory) = coordinator.accept().await;
    assert_eq!(inventory.attempts[0].state, HeldState::Ending);
    std::fs::write(home.join("go"), "").expect("its home is there");
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Cancelled);
}
