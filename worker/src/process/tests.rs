//! What holds of processes, with real ones.

use super::*;
use std::fs;

fn launch(argv: &[&str], dir: &Path) -> Launch {
    let env = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    Launch { argv: argv.iter().map(|word| (*word).to_owned()).collect(), dir: dir.into(), env, stdin: false }
}

fn cookie(name: &str) -> String {
    format!("test-{}-{name}", std::process::id())
}

/// Every live process whose environment holds the cookie.
fn alive(cookie: &str) -> Vec<i32> {
    let traces = Traces { group: None, cookie: cookie.into(), known: BTreeSet::new() };
    traces.found().known.into_iter().map(|(pid, _)| pid).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn text(sink: &OutputSink) -> String {
    let read = sink.read_at(0, 1 << 20).expect("the spool is readable");
    String::from_utf8(read.map(|(_, bytes)| bytes).unwrap_or_default()).expect("the test prints text")
}

#[tokio::test]
async fn both_streams_arrive_in_order_with_status_and_usage() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let script = "pwd; echo to-err >&2; echo $EVENKEEL_COOKIE; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7";
    let cookie = cookie("order");
    let mut group = Group::launch(&launch(&["sh", "-c", script], dir.path()), &cookie, &sink).expect("sh is there");
    let exit = group.wait().await;
    let folder = dir.path().canonicalize().expect("it exists");
    assert_eq!(text(&sink), format!("{}\nto-err\n{cookie}\n", folder.display()));
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    assert!(exit.usage.user_s.is_some_and(|s| s > 0.0) && exit.usage.memory_peak_bytes.is_some_and(|peak| peak > 100_000));
    assert_eq!(group.wait().await, exit, "asking again changes nothing");
}

#[tokio::test]
async fn what_left_the_group_is_killed_when_the_attempt_is_ended() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let cookie = cookie("escape");
    // One leaves by setsid, one by a double fork, and one also sheds its environment.
    let script = "setsid sh -c 'trap \"\" TERM; touch one; while :; do sleep 0.05; done' & \
                  (setsid sh -c 'touch two; while :; do sleep 0.05; done' &) ; \
                  setsid env -i /bin/sh -c 'touch three; while :; do /bin/sleep 0.05; done' & \
                  wait";
    let mut group = Group::launch(&launch(&["sh", "-c", script], dir.path()), &cookie, &sink).expect("sh is there");
    until("three escapees", || ["one", "two", "three"].iter().all(|name| dir.path().join(name).exists())).await;
    let before = group.traces.clone().found().known;
    assert!(before.len() >= 4, "the leader and three that left: {before:?}");
    assert!(group.end(Duration::from_millis(200)).await, "nothing is left");
    assert_eq!(alive(&cookie), Vec::<i32>::new());
    for (pid, started) in before {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(!stat.contains(&format!(" {started} ")), "{pid} is still there: {stat}");
    }
}

#[tokio::test]
async fn what_outlives_its_leader_is_killed_and_collected() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let cookie = cookie("orphan");
    let script = "setsid sh -c 'while :; do sleep 0.05; done' & sleep 30 & exit 0";
    let mut group = Group::launch(&launch(&["sh", "-c", script], dir.path()), &cookie, &sink).expect("sh is there");
    let begun = Instant::now();
    assert_eq!(group.wait().await.code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "an orphan that holds the pipe does not hold up the end");
    assert_eq!(alive(&cookie), Vec::<i32>::new());
    assert!(group.end(Duration::ZERO).await);
}

#[tokio::test]
async fn a_process_that_minds_sigterm_ends_by_itself() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let script = "trap 'echo saved; exit 75' TERM; echo ready; while :; do sleep 0.02; done";
    let mut group = Group::launch(&launch(&["sh", "-c", script], dir.path()), &cookie("term"), &sink).expect("sh is there");
    until("the trap", || sink.total() > 0).await;
    assert!(group.end(Duration::from_secs(10)).await);
    assert_eq!(group.wait().await.code, Some(75));
    let all = text(&sink);
    assert!(all.starts_with("ready\n") && all.ends_with("saved\n"), "{all}");
}

#[tokio::test]
async fn a_dropped_group_takes_its_processes_with_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let cookie = cookie("drop");
    let group = Group::launch(&launch(&["sh", "-c", "setsid sleep 60 & sleep 60"], dir.path()), &cookie, &sink).expect("sh");
    until("a child", || alive(&cookie).len() >= 2).await;
    drop(group);
    until("the end of all", || alive(&cookie).is_empty()).await;
}

#[tokio::test]
async fn input_arrives_and_its_end_is_seen() {
    use tokio::io::AsyncWriteExt;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let mut group =
        Group::launch(&Launch { stdin: true, ..launch(&["cat"], dir.path()) }, &cookie("stdin"), &sink).expect("cat is there");
    let mut stdin = group.stdin().expect("it was asked for");
    stdin.write_all(b"hello").await.expect("cat reads");
    drop(stdin);
    assert_eq!(group.wait().await.code, Some(0));
    assert_eq!(text(&sink), "hello");
}

#[tokio::test]
async fn what_cannot_be_started_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    fs::write(dir.path().join("data"), "no program").expect("a writable folder");
    let failure = |argv: &[&str], folder: &Path| match Group::launch(&launch(argv, folder), "none", &sink) {
        Ok(_) => panic!("{argv:?} was started"),
        Err(error) => error,
    };
    assert!(matches!(failure(&["no-such-program-here"], dir.path()), LaunchError::NotFound { path, .. } if path.contains('/')));
    assert!(matches!(failure(&["./data"], dir.path()), LaunchError::NotExecutable { .. }));
    assert!(matches!(failure(&["true"], &dir.path().join("gone")), LaunchError::NoFolder { .. }));
    assert!(matches!(failure(&[], dir.path()), LaunchError::Empty));
    assert!(matches!(failure(&["sh", "\0"], dir.path()), LaunchError::System { .. }));
}
