//! One pytest process with our plugin in it: orders go in through its input, results come out of a pipe, and what it
//! prints is passed on to the attempt it serves.

use super::super::report::Report;
use super::super::step::{Steps, Tail, ending, in_words};
use super::super::warm::{COOKIE_FILE, Key, WarmPool};
use crate::output::OutputSink;
use crate::process::{Exit, Group, Launch};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};
use shared::outcome::TestOutcome;
use shared::output::Window;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use suite::pytest::{PATH_BEFORE_VARIABLE, RESULTS_VARIABLE, with_plugin, write_plugin};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::ChildStdin;
use tokio::time::timeout;

/// How much of its output waits at most to be passed on.
const WINDOW: Window = Window { head_bytes: 0, tail_bytes: 8 << 20 };
const READ_BYTES: usize = 64 << 10;
/// How long the end of a session may take: fixtures of the whole session are torn down.
const CLOSE_MAX: Duration = Duration::from_secs(10);
/// How long the end of a chunk's output may be on its way.
const MARK_MAX: Duration = Duration::from_secs(2);
/// The longest line the plugin writes, with room: it limits the texts itself.
const LINE_BYTES_MAX: usize = 8 << 20;

/// What the plugin says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Result {
        position: usize,
        outcome: TestOutcome,
        seconds: f64,
        message: Option<String>,
    },
    Start {
        start: usize,
    },
    #[expect(dead_code, reason = "only its presence says something; the fields tell the variants apart")]
    Ready {
        ready: usize,
    },
    #[expect(dead_code, reason = "see above")]
    Done {
        done: bool,
    },
    #[expect(dead_code, reason = "see above")]
    Stale {
        stale: bool,
    },
}

/// Tests to run.
pub struct Order<'a> {
    /// Node ids, and which test of that id.
    pub tests: Vec<(&'a str, usize)>,
    /// Variables to set first.
    pub env: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct OrderLine<'a> {
    run: &'a [(&'a str, usize)],
    env: &'a BTreeMap<String, String>,
    mark: &'a str,
}

/// How an order ended.
pub enum Served {
    /// All of its tests have their result.
    Done,
    /// Nothing was run: the process is out of date.
    Stale,
    /// The attempt is to end, within this time.
    Cancelled(Duration),
    /// The attempt is to stop here, between two tests. The next one may have begun, and is begun anew elsewhere.
    Saved,
    /// The process is gone.
    Died {
        /// How it ended.
        exit: Exit,
        /// The test that was running, by its index in the chunk.
        running: Option<u32>,
        /// The end of its output.
        tail: String,
    },
}

/// Why there is no process.
pub enum StartFailure {
    /// The attempt is to end.
    Cancelled,
    /// The system refused.
    System(String),
    /// It ended by itself.
    Ended {
        /// How.
        exit: Exit,
        /// The end of its output.
        tail: String,
    },
}

/// A pytest process that has collected its tests.
#[derive(Debug)]
pub struct Warm {
    group: Group,
    orders: Option<ChildStdin>,
    results: Lines,
    spool: OutputSink,
    cursor: u64,
    /// Output that may be the beginning of the mark, or comes after it.
    held: Vec<u8>,
    /// What the plugin prints at the end of the present order; empty when there is none.
    mark: Vec<u8>,
    served: u64,
    folder: PathBuf,
}

/// The lines the plugin has written.
#[derive(Debug)]
struct Lines {
    pipe: pipe::Receiver,
    /// Held open so that the pipe never reads as ended: the end of the process is learned from the system.
    _writer: pipe::Sender,
    open: Vec<u8>,
}

impl Warm {
    /// Starts pytest for chunks with `key` and waits until it has collected.
    pub async fn start(key: &Key, steps: &mut Steps, pool: &WarmPool) -> Result<Self, StartFailure> {
        let system = |error: io::Error| StartFailure::System(format!("could not prepare a pytest process: {error}"));
        let (folder, number) = pool.folder().map_err(system)?;
        let cookie = format!("warm-{number}-{}", steps.cookie);
        std::fs::write(folder.join(COOKIE_FILE), &cookie).map_err(system)?;
        write_plugin(&folder).map_err(|error| StartFailure::System(error.to_string()))?;
        let pipe = folder.join("results");
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|error| system(error.into()))?;
        let results = Lines::open(&pipe).map_err(system)?;
        let spool = OutputSink::with_window(folder.join("output"), WINDOW);
        let env = environment(key, &folder, steps).map_err(system)?;
        let launch = Launch { argv: with_plugin(&key.argv), dir: key.dir.clone(), env, stdin: true };
        let mut group = Group::launch(&launch, &cookie, &spool).map_err(|error| StartFailure::System(error.to_string()))?;
        let orders = group.stdin();
        let mut process =
            Self { group, orders, results, spool, cursor: 0, held: Vec::new(), mark: Vec::new(), served: 0, folder };
        let mut tail = Tail::default();
        loop {
            match process.next(steps, &mut tail).await {
                Heard::Said(Said::Ready { .. }) => return Ok(process),
                Heard::Said(_) => {}
                Heard::Cancelled(grace) => {
                    process.end(grace).await;
                    return Err(StartFailure::Cancelled);
                }
                Heard::Ended(exit) => {
                    process.remove_folder();
                    return Err(StartFailure::Ended { exit, tail: tail.text() });
                }
            }
        }
    }

    /// Runs the tests of `order`, which have the indices `indices` in the chunk, and tells their results.
    pub async fn serve(&mut self, order: &Order<'_>, indices: &[u32], steps: &mut Steps, report: &mut Report) -> Served {
        self.served += 1;
        let mark = format!("\u{1e}evenkeel chunk {} ends\u{1e}", self.served);
        self.mark = mark.clone().into_bytes();
        let line = OrderLine { run: &order.tests, env: order.env, mark: &mark };
        let mut line = serde_json::to_vec(&line).expect("names and texts are always JSON");
        line.push(b'\n');
        // The process may be gone; then its end is what is heard next.
        if let Some(orders) = &mut self.orders {
            tokio::select! {
                _ = async { orders.write_all(&line).await.and(orders.flush().await) } => {}
                grace = ending(&mut steps.cancelled) => return Served::Cancelled(grace),
            }
        }
        let (mut running, mut tail, mut ended) = (None, Tail::default(), 0);
        loop {
            match self.next(steps, &mut tail).await {
                Heard::Said(Said::Start { start }) => running = indices.get(start).copied(),
                Heard::Said(Said::Result { position, outcome, seconds, message }) => {
                    running = None;
                    if let Some(index) = indices.get(position) {
                        report.tell(*index, outcome, seconds, message.as_deref()).await;
                    }
                    ended += 1;
                    if ended < indices.len() && steps.boundary().is_err() {
                        self.pass_on(&steps.output, &mut tail);
                        return Served::Saved;
                    }
                }
                Heard::Said(Said::Done { .. }) => {
                    self.finish_output(&steps.output, &mut tail).await;
                    return Served::Done;
                }
                Heard::Said(Said::Stale { .. }) => return Served::Stale,
                Heard::Said(Said::Ready { .. }) => {}
                Heard::Cancelled(grace) => return Served::Cancelled(grace),
                Heard::Ended(exit) => return Served::Died { exit, running, tail: tail.text() },
            }
        }
    }

    /// The next thing that happens; output is passed on meanwhile.
    async fn next(&mut self, steps: &mut Steps, tail: &mut Tail) -> Heard {
        loop {
            if let Some(said) = self.results.take() {
                return Heard::Said(said);
            }
            tokio::select! {
                // A result that was written comes before the end of its writer.
                biased;
                grace = ending(&mut steps.cancelled) => return Heard::Cancelled(grace),
                read = self.results.read() => {
                    if let Err(error) = read {
                        tracing::warn!(%error, "reading the results of a pytest process");
                        self.group.end(Duration::ZERO).await;
                    }
                }
                () = self.spool.grown() => self.pass_on(&steps.output, tail),
                exit = self.group.wait() => {
                    self.pass_on(&steps.output, tail);
                    steps.output.write(&std::mem::take(&mut self.held));
                    self.results.drain();
                    if let Some(said) = self.results.take() {
                        return Heard::Said(said);
                    }
                    return Heard::Ended(exit);
                }
            }
        }
    }

    /// Passes on what was printed, up to the mark or what may become one.
    fn pass_on(&mut self, output: &OutputSink, tail: &mut Tail) {
        while let Ok(Some((offset, bytes))) = self.spool.read_at(self.cursor, READ_BYTES) {
            self.cursor = offset + bytes.len() as u64;
            tail.push(&bytes);
            self.held.extend_from_slice(&bytes);
            let passed = before_mark(&self.held, &self.mark);
            output.write(&self.held[..passed]);
            self.held.drain(..passed);
        }
    }

    /// Waits for the mark that ends the output of a chunk, and passes on all before it.
    async fn finish_output(&mut self, output: &OutputSink, tail: &mut Tail) {
        let found = timeout(MARK_MAX, async {
            self.pass_on(output, tail);
            while !self.held.starts_with(&self.mark) {
                self.spool.grown().await;
                self.pass_on(output, tail);
            }
        });
        let mark = if found.await.is_ok() { self.mark.len() } else { 0 };
        self.held.drain(..mark);
        self.mark.clear();
    }

    /// Lets the session end in the usual way; what is left after a while is killed.
    pub async fn close(mut self) {
        drop(self.orders.take());
        match timeout(CLOSE_MAX, self.group.wait()).await {
            // Tests that failed make pytest end with 1.
            Ok(Exit { code: Some(0 | 1), .. }) => {}
            Ok(exit) => tracing::warn!(
                "a pytest process ended with {} when it was no longer needed: a fixture of the session may be broken in its teardown",
                in_words(exit)
            ),
            Err(_) => {
                self.group.end(Duration::ZERO).await;
            }
        }
        self.remove_folder();
    }

    /// Ends the process now.
    pub async fn end(mut self, grace: Duration) {
        self.orders = None;
        self.group.end(grace).await;
        self.remove_folder();
    }

    /// Removes its files; for when it is gone.
    pub fn remove_folder(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How many bytes of `held` cannot belong to `mark`.
fn before_mark(held: &[u8], mark: &[u8]) -> usize {
    if mark.is_empty() {
        return held.len();
    }
    let whole = held.windows(mark.len()).position(|window| window == mark);
    let begun = || (1..mark.len()).rev().find(|bytes| held.ends_with(&mark[..*bytes])).unwrap_or(0);
    whole.unwrap_or_else(|| held.len() - begun())
}

enum Heard {
    Said(Said),
    Cancelled(Duration),
    Ended(Exit),
}

impl Lines {
    fn open(path: &std::path::Path) -> io::Result<Self> {
        let pipe = pipe::OpenOptions::new().open_receiver(path)?;
        let writer = pipe::OpenOptions::new().open_sender(path)?;
        Ok(Self { pipe, _writer: writer, open: Vec::new() })
    }

    /// Reads what is there, or waits for something.
    async fn read(&mut self) -> io::Result<()> {
        self.pipe.readable().await?;
        match self.pipe.try_read_buf(&mut self.open) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ if self.open.len() > LINE_BYTES_MAX => Err(io::Error::other("the plugin wrote a line of more than 8 MiB")),
            _ => Ok(()),
        }
    }

    fn drain(&mut self) {
        while matches!(self.pipe.try_read_buf(&mut self.open), Ok(bytes) if bytes > 0) {}
    }

    /// The next whole line that makes sense.
    fn take(&mut self) -> Option<Said> {
        while let Some(end) = self.open.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.open.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(said) => return Some(said),
                Err(error) => tracing::warn!(%error, "a pytest process said something that is not understood"),
            }
        }
        None
    }
}

/// The process's environment: the plugin can be found, and temporary files outlive the attempt that came first.
fn environment(key: &Key, folder: &std::path::Path, steps: &Steps) -> io::Result<BTreeMap<OsString, OsString>> {
    let mut env = key.env.clone();
    let mut path = folder.as_os_str().to_owned();
    if let Some(before) = env.get(std::ffi::OsStr::new("PYTHONPATH")).cloned() {
        path.push(":");
        path.push(&before);
        env.insert(PATH_BEFORE_VARIABLE.into(), before);
    }
    env.insert("PYTHONPATH".into(), path);
    env.insert(RESULTS_VARIABLE.into(), folder.join("results").into());
    for name in ["TMPDIR", "TMP", "TEMP"].map(OsString::from) {
        if steps.env.contains_key(&name) && !env.contains_key(&name) {
            let temporary = folder.join("tmp");
            std::fs::create_dir_all(&temporary)?;
            env.insert(name, temporary.into());
        }
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_mark_is_held_back() {
        let mark = b"<end>";
        assert_eq!(before_mark(b"text", mark), 4);
        assert_eq!(before_mark(b"text<e", mark), 4);
        assert_eq!(before_mark(b"text<end>more", mark), 4);
        assert_eq!(before_mark(b"a<enb<", mark), 5);
        assert_eq!(before_mark(b"text<e", b""), 6);
    }
}
