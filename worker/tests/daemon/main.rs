//! The daemon as a process, against a coordinator that does what the test says.

mod checkpoint;
mod fake;
mod nvml;
mod runner;

use fake::{Coordinator, PATIENCE, attempt, daemon, files_in, keeps, recorded, runs, shell, spec, start, until};
use sha2::{Digest as _, Sha256};
use shared::id::{Digest, Epoch};
use shared::outcome::{Ended, Failure};
use shared::protocol::{FromCoordinator, FromWorker, HeldState, Refusal};
use shared::task::{FileEntry, Manifest, TaskSpec, Timeouts, Work};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

#[tokio::test]
async fn a_command_runs_and_its_output_and_result_arrive_in_either_encoding() {
    for encoding in ["json", "msgpack"] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut coordinator = Coordinator::start(Vec::new()).await;
        let _daemon = daemon(&coordinator.address, dir.path(), &["--encoding", encoding, "--label", "rack=a3"]);
        let (mut talk, hello, inventory) = coordinator.accept().await;
        assert_eq!((hello.name.as_str(), inventory.machine.slots), ("tested", 2));
        assert_eq!(inventory.machine.labels.get("rack").map(String::as_str), Some("a3"));
        let script = "echo $EVENKEEL_TASK.$EVENKEEL_ATTEMPT $GREETING; printf '\\377'; echo err >&2; exit 3";
        let env = [("GREETING".to_owned(), "hi".to_owned())].into();
        talk.say(vec![start(1, TaskSpec { env, ..shell(script) })]).await;
        assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
        let outcome = talk.result(attempt(1)).await;
        assert_eq!((outcome.ended, outcome.exit_code), (Ended::Failed(Failure::Test), Some(3)));
        assert_eq!(talk.output, b"1.1 hi\n\xfferr\n", "all output is there when the result is");
        assert_eq!(outcome.log_bytes, talk.output.len() as u64);
        talk.say(vec![recorded(1), start(2, spec(Work::Noop))]).await;
        assert_eq!(talk.result(attempt(2)).await.ended, Ended::Passed);
        until("an empty work directory", || !keeps(dir.path()) && files_in(&dir.path().join("attempts")) == 0).await;
    }
}

#[tokio::test]
async fn a_cancelled_task_leaves_nothing_behind_not_even_what_left_its_session() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ > escaped; while :; do echo tick >> ticks; sleep 0.05; done' & wait";
    talk.say(vec![start(1, shell(script))]).await;
    let home = dir.path().join("attempts/1-1-1/home");
    until("a process that left", || std::fs::read_to_string(home.join("escaped")).is_ok_and(|text| text.ends_with('\n'))).await;
    let pid = std::fs::read_to_string(home.join("escaped")).expect("it was just there");
    talk.say(vec![FromCoordinator::Cancel { attempt: attempt(1), grace_ms: 100 }]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Cancelled);
    assert!(!runs(&pid), "the process is gone when the result is told");
}

#[tokio::test]
async fn a_task_runs_on_while_the_connection_is_gone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("echo before; while [ ! -e go ]; do sleep 0.02; done; echo after"))]).await;
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
    drop(talk);
    let (mut talk, _, inventory) = coordinator.accept().await;
    assert_eq!(inventory.attempts.iter().map(|held| held.state).collect::<Vec<_>>(), [HeldState::Running]);
    std::fs::write(dir.path().join("attempts/1-1-1/home/go"), "").expect("its home is there");
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
    assert_eq!(String::from_utf8_lossy(&talk.output), "before\nafter\n", "output is told from where it was acknowledged");
}

#[tokio::test]
async fn a_later_life_of_the_coordinator_is_obeyed_only_when_the_disk_knows_of_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("while [ ! -e go ]; do sleep 0.02; done"))]).await;
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
    // What is written to a file of this name cannot be written while it is a folder, as on a full disk.
    let in_the_way = dir.path().join("identity.tmp");
    std::fs::create_dir(&in_the_way).expect("its home is there");
    coordinator.epoch = Epoch(2);
    drop(talk);
    for _ in 0..2 {
        let (mut talk, _) = coordinator.welcome().await;
        assert!(talk.is_left_without_a_word().await);
    }
    std::fs::remove_dir(&in_the_way).expect("it is empty");
    let (mut talk, _, _) = coordinator.accept().await;
    let kept = std::fs::read_to_string(dir.path().join("identity.json")).expect("it is there");
    assert!(kept.contains("\"epoch_seen\": 2"), "{kept}");
    std::fs::write(dir.path().join("attempts/1-1-1/home/go"), "").expect("its home is there");
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Passed);
}

#[tokio::test]
async fn timeouts_name_the_limit_and_a_missing_place_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let within = |timeouts| TaskSpec { timeouts, ..shell("echo once; sleep 600") };
    talk.say(vec![start(1, within(Timeouts { run_s: Some(0.3), ..Timeouts::default() }))]).await;
    assert_eq!(talk.result(attempt(1)).await.ended, Ended::Failed(Failure::TimeoutRun));
    talk.say(vec![start(2, within(Timeouts { silence_s: Some(0.3), ..Timeouts::default() }))]).await;
    assert_eq!(talk.result(attempt(2)).await.ended, Ended::Failed(Failure::TimeoutSilence));
    talk.say(vec![start(3, TaskSpec { cwd: Some("/no/such/folder".into()), ..shell("true") })]).await;
    let refused = talk.result(attempt(3)).await;
    assert_eq!(refused.ended, Ended::Failed(Failure::Refused));
    assert!(refused.message.is_some_and(|message| message.contains("--sync")));
    talk.say(vec![start(4, spec(Work::Command(vec!["no-such-program".into()])))]).await;
    let missing = talk.result(attempt(4)).await;
    assert_eq!(missing.ended, Ended::Failed(Failure::Infra));
    assert!(missing.message.is_some_and(|message| message.contains("no-such-program") && message.contains("PATH")));
}

#[tokio::test]
async fn files_are_fetched_by_content_and_a_list_that_leaves_the_folder_is_refused() {
    let blob = |bytes: &[u8]| (Digest(Sha256::digest(bytes).into()), bytes.to_vec());
    let entry = |path: &str, blob: &(Digest, Vec<u8>), executable| FileEntry {
        path: path.into(),
        digest: blob.0,
        bytes: blob.1.len() as u64,
        executable,
    };
    let script = blob(b"#!/bin/sh\ncat data/text\n");
    let text = blob(b"from the coordinator");
    let missing = blob(b"never sent");
    let list = |files| blob(&serde_json::to_vec(&Manifest { files }).expect("serialisable"));
    let good = list(vec![entry("run", &script, true), entry("data/text", &text, false)]);
    let bad = list(vec![entry("../outside", &text, false)]);
    let gone = list(vec![entry("gone", &missing, false)]);
    let (lists, dir) = ([good.0, bad.0, gone.0], tempfile::tempdir().expect("a temporary folder"));
    let mut coordinator = Coordinator::start(vec![script, text, good, bad, gone]).await;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    let with = |files| TaskSpec { files: Some(files), ..spec(Work::Command(vec!["./run".into()])) };
    talk.say((1..).zip(lists).map(|(task, list)| start(task, with(list))).collect()).await;
    let mut ended = Vec::new();
    while ended.len() < 3 {
        if let FromWorker::Finished { attempt, outcome } = talk.next().await {
            ended.push((attempt.task.0, outcome.ended));
        }
    }
    ended.sort_by_key(|(task, _)| *task);
    assert_eq!(ended, [(1, Ended::Passed), (2, Ended::Failed(Failure::Refused)), (3, Ended::Failed(Failure::Infra))]);
    assert_eq!(talk.output, b"from the coordinator");
}

#[tokio::test]
async fn a_lease_that_ends_takes_its_attempts_with_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    coordinator.lease_ms = 1500;
    let _daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _, _) = coordinator.accept().await;
    talk.say(vec![start(1, shell("echo $$ > pid; exec sleep 600"))]).await;
    let pid_file = dir.path().join("attempts/1-1-1/home/pid");
    until("a running task", || std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'))).await;
    let pid = std::fs::read_to_string(&pid_file).expect("it was just there");
    // Nothing is acknowledged from here on, and no new session is opened.
    until("the end of the task", || !runs(&pid)).await;
    drop(talk);
    // Sessions that were tried meanwhile stand before the one that holds.
    let (_, _, inventory) = coordinator.accept().await;
    // Its process is gone; the daemon may still be about to notice, and then says that it is ending it.
    assert!(inventory.attempts.iter().all(|held| held.state == HeldState::Ending), "{:?}", inventory.attempts);
    assert!(inventory.results.is_empty(), "its result is nobody's");
}

#[tokio::test]
async fn a_refusal_that_cannot_pass_ends_the_daemon_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut daemon = daemon(&coordinator.address, dir.path(), &[]);
    let (mut talk, _) = coordinator.greet().await;
    talk.say(vec![FromCoordinator::Refused { code: Refusal::Token, message: "the token is missing".into() }]).await;
    let status = timeout(PATIENCE, daemon.wait()).await.expect("it ends").expect("it was ours");
    let mut said = String::new();
    daemon.stderr.take().expect("a pipe").read_to_string(&mut said).await.expect("text");
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("EVENKEEL_TOKEN"), "{said}");
}

#[tokio::test]
async fn a_daemon_without_its_parent_leaves_and_a_second_one_is_told_of_the_first() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let mut first = daemon(&coordinator.address, dir.path(), &["--exit-with-parent"]);
    let (mut talk, _, _) = coordinator.accept().await;
    let mut second = daemon(&coordinator.address, dir.path(), &[]);
    let status = timeout(PATIENCE, second.wait()).await.expect("it ends").expect("it was ours");
    assert_eq!(status.code(), Some(2));
    talk.say(vec![start(1, shell("sleep 600"))]).await;
    assert_eq!(talk.next().await, FromWorker::Started { attempt: attempt(1) });
    drop(first.stdin.take());
    assert_eq!(talk.next().await, FromWorker::Leaving);
    let outcome = talk.result(attempt(1)).await;
    assert_eq!((outcome.ended, outcome.message.as_deref()), (Ended::Failed(Failure::Infra), Some("worker shut down")));
    talk.say(vec![recorded(1)]).await;
    let status = timeout(PATIENCE, first.wait()).await.expect("it leaves").expect("it was ours");
    assert!(status.success(), "{status}");
}
