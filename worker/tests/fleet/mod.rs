//! A whole suite run as a fleet would: listed, cut into chunks, and the chunks run side by side in this process.

use shared::outcome::{Ended, Outcome, TestOutcome, TestResult};
use shared::task::Chunk;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use suite::{Discovered, Options, TestSuite, chunk};
use tokio::sync::{mpsc, watch};
use worker::output::OutputSink;
use worker::suite::{Context, WarmPool, run};

/// What became of a suite.
#[derive(Debug, Default)]
pub struct Fleet {
    /// Every result, by test id.
    pub results: BTreeMap<String, Vec<TestResult>>,
    /// How each chunk ended.
    pub outcomes: Vec<Outcome>,
    /// What the chunks printed.
    pub output: String,
}

impl Fleet {
    /// How many tests ended in `outcome`.
    pub fn count(&self, outcome: TestOutcome) -> usize {
        self.results.values().flatten().filter(|result| result.outcome == outcome).count()
    }

    /// The one result of the test `id`.
    pub fn one(&self, id: &str) -> &TestResult {
        match self.results.get(id).map(Vec::as_slice) {
            Some([one]) => one,
            other => panic!("{id} has not one result but {other:?}; there are {:?}", self.results.keys()),
        }
    }
}

/// Lists the tests of `line` in `dir`.
pub fn list(line: &[&str], dir: &Path) -> TestSuite {
    let argv: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    match suite::discover(&argv, dir, &Options::default()) {
        Ok(Discovered::Tests(suite)) => suite,
        other => panic!("{argv:?} is no suite of tests: {other:?}"),
    }
}

/// Runs `suite` in `dir`, `slots` chunks at a time.
pub async fn run_suite(suite: &TestSuite, dir: &Path, slots: usize) -> Fleet {
    let chunks = chunk::plan(suite, &BTreeMap::new(), slots).into_iter().map(|planned| planned.chunk).collect();
    run_chunks(chunks, dir, slots).await
}

/// Runs `chunks` in `dir`, `slots` at a time.
pub async fn run_chunks(chunks: Vec<Chunk>, dir: &Path, slots: usize) -> Fleet {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let pool = Arc::new(WarmPool::new(scratch.path().join("warm"), slots));
    let queue = Arc::new(Mutex::new(VecDeque::from(chunks)));
    let mut workers = tokio::task::JoinSet::new();
    for slot in 0..slots {
        let (queue, pool, dir) = (Arc::clone(&queue), Arc::clone(&pool), dir.to_path_buf());
        let folder = scratch.path().join(format!("slot-{slot}"));
        workers.spawn(async move {
            let mut ran = Vec::new();
            let mut number = 0;
            loop {
                let chunk = queue.lock().expect("no test panics while it holds the queue").pop_front();
                let Some(chunk) = chunk else { return ran };
                number += 1;
                let (_keep, never) = watch::channel(None);
                let (outcome, results, output) =
                    run_chunk(&chunk, &dir, folder.join(number.to_string()), &pool, never, &[]).await;
                ran.push((chunk, outcome, results, output));
            }
        });
    }
    let mut fleet = Fleet::default();
    while let Some(ran) = workers.join_next().await {
        for (chunk, outcome, results, output) in ran.expect("a slot does not panic") {
            for result in results {
                let id = result.name.clone().or_else(|| chunk.test_id(result.index)).expect("each result has a name");
                fleet.results.entry(id).or_default().push(result);
            }
            fleet.outcomes.push(outcome);
            fleet.output.push_str(&output);
        }
    }
    pool.close().await;
    fleet
}

/// Runs one chunk; returns how it ended, its results and its output.
pub async fn run_chunk(
    chunk: &Chunk,
    dir: &Path,
    scratch: PathBuf,
    warm: &WarmPool,
    cancelled: watch::Receiver<Option<Duration>>,
    skip: &[u32],
) -> (Outcome, Vec<TestResult>, String) {
    std::fs::create_dir_all(&scratch).expect("a folder in a temporary folder");
    let output = OutputSink::new(scratch.join("out"));
    let (results, mut arriving) = mpsc::channel(16);
    let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let cookie = format!("test-{}-{}", std::process::id(), scratch.display());
    let (dir, skip, sink) = (dir.to_path_buf(), skip.to_vec(), output.clone());
    let (_keep, save) = watch::channel(false);
    let cx = Context { dir, scratch, env, output: sink, results, cancelled, save, skip, cookie, warm };
    let gather = async {
        let mut all = Vec::new();
        while let Some(result) = arriving.recv().await {
            all.push(result);
        }
        all
    };
    let (outcome, results) = tokio::join!(run(chunk, cx), gather);
    let (mut text, mut cursor) = (Vec::new(), 0);
    while let Some((offset, bytes)) = output.read_at(cursor, 1 << 20).expect("the output is readable") {
        cursor = offset + bytes.len() as u64;
        text.extend(bytes);
    }
    (outcome, results, String::from_utf8_lossy(&text).into_owned())
}

/// Writes `files` into `dir`.
pub fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("files are in folders")).expect("a folder in a temporary folder");
        std::fs::write(path, content).expect("a file in a temporary folder");
    }
}

/// Whether all chunks passed.
pub fn all_passed(fleet: &Fleet) -> bool {
    fleet.outcomes.iter().all(|outcome| outcome.ended == Ended::Passed)
}
