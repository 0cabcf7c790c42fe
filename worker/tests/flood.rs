//! How much memory a flood of output takes. It has a process of its own, so that no other test's memory is counted.

use std::fs;
use std::time::Duration;
use worker::output::OutputSink;
use worker::process::{Group, Launch};

/// The resident set of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has one");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1024
}

#[tokio::test]
async fn a_line_of_300_mb_takes_constant_memory() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sink = OutputSink::new(dir.path().join("out"));
    let before = resident();
    let script = "head -c 300000000 /dev/zero | tr '\\000' '\\377'";
    let env = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    let argv = ["sh", "-c", script].map(String::from).to_vec();
    let launch = Launch { argv, dir: dir.path().into(), env, stdin: false };
    let mut group = Group::launch(&launch, "flood", &sink).expect("sh is there");
    let exit = tokio::time::timeout(Duration::from_secs(120), group.wait()).await.expect("300 MB in two minutes");
    assert_eq!(exit.code, Some(0));
    assert_eq!((sink.total(), sink.failure()), (300_000_000, None));
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes of memory for 300 MB of output");
    assert!(fs::metadata(sink.path()).expect("the spool").len() <= (64 << 20) + 8);
    let (offset, bytes) = sink.read_at(200_000_000, 10).expect("readable").expect("the gap is skipped");
    assert!(offset > 200_000_000 && bytes == [0xff; 10]);
}
