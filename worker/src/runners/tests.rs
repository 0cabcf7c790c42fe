//! What holds of runners of other builds, which the test plays itself.

use super::*;
use crate::runner::SOCKET;
use crate::runner::wire::{Frames, PROTOCOL, put};
use shared::hardware::HardwareKind;
use shared::id::{AttemptNumber, TaskId};
use shared::task::{TaskSpec, Timeouts, Work};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

const ATTEMPT: Attempt = Attempt { task: TaskId(1), number: AttemptNumber(1) };

fn kept() -> Kept {
    Kept {
        attempt: ATTEMPT,
        limits: Timeouts::default(),
        can_save: false,
        since: Time::ZERO,
        heard: Time::ZERO,
        save_until: None,
        stopped: None,
        ending: None,
        tests: Vec::new(),
        log_bytes: 0,
        exit: None,
    }
}

/// A runner of another build that holds one attempt; answers with its connection once a daemon has asked.
async fn stranger(listener: UnixListener, protocol: u16) -> UnixStream {
    let (socket, _) = listener.accept().await.expect("a daemon comes");
    let mut bytes = Vec::new();
    put(&FromRunner::Hello(Hello { protocol, version: "0.0.1".into() }), &mut bytes);
    put(&FromRunner::Holds(Box::new(kept())), &mut bytes);
    put(&FromRunner::HoldsNoMore, &mut bytes);
    assert_eq!(socket.try_write(&bytes).expect("room"), bytes.len());
    socket
}

#[tokio::test]
async fn a_runner_of_another_build_keeps_its_tasks_gets_no_new_ones_and_goes_with_the_last() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let work = Arc::new(WorkDir::open(dir.path()).expect("a writable folder"));
    let listener = UnixListener::bind(work.make_runner().expect("writable").join(SOCKET)).expect("a short path");
    let playing = tokio::spawn(stranger(listener, PROTOCOL));
    let (said, _hears) = mpsc::channel(9);
    let (mut runners, held, left) = Runners::find(work, &BTreeMap::new(), 1, said).await.expect("it is found");
    assert_eq!((held, left), (vec![kept()], Vec::new()));
    let socket = playing.await.expect("it was asked");
    let other = Attempt { task: TaskId(2), ..ATTEMPT };
    let spec = Arc::new(TaskSpec::new("new", Work::Noop));
    let start = Start { attempt: other, spec, hardware: HardwareKind::Cpu, device: None, skip: Vec::new(), restore: None };
    runners.run(start, Time::ZERO);
    runners.end(ATTEMPT, Duration::ZERO, Reason::Cancelled);
    runners.forget(ATTEMPT).await;
    runners.flush();
    let (mut frames, mut heard) = (Frames::default(), Vec::<ToRunner>::new());
    while !matches!(heard.last(), Some(ToRunner::Leave)) {
        let read = timeout(Duration::from_secs(20), frames.read(&socket, &mut heard)).await;
        assert!(read.expect("it is told to leave").expect("sound frames"), "{heard:?}");
    }
    assert!(!heard.iter().any(|said| matches!(said, ToRunner::Run { .. })), "{heard:?}");
    assert!(heard.iter().any(|said| matches!(said, ToRunner::End { attempt: ATTEMPT, .. })), "{heard:?}");
}
