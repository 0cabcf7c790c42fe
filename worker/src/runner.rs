//! The runner: a small process of its own that holds the tasks of a worker, so that they outlive the daemon.
//!
//! ```text
//! daemon (worker.rs, sockets, HTTP)  ⇄  wire.rs  ⇄  serve.rs ─┬─ attempt.rs: one for each attempt, with its processes
//!                                                             └─ journal.rs: how attempts ended, durable before it is told
//! ```
//!
//! It knows no coordinator. It is told what to run, until when, and what to forget; a daemon that comes later is told all
//! it holds. Its folder is `runners/ID` in the work directory: `socket`, `exits` (the journal), `log`, `warm/`.

mod attempt;
pub mod journal;
mod outcome;
mod serve;
pub mod wire;

use anyhow::{Context, Result};
use std::path::Path;

/// Where a runner listens, in its folder.
pub const SOCKET: &str = "socket";
/// Where it keeps how attempts ended.
pub const EXITS: &str = "exits";
/// Where test processes wait for the next chunk.
pub const WARM: &str = "warm";

/// Is the runner whose folder is `dir`, until it holds nothing and nobody needs it. Its standard input is the daemon that
/// started it. `slots` is how many test processes it keeps waiting.
///
/// # Errors
/// The folder is not usable.
pub fn run(dir: &Path, slots: usize) -> Result<()> {
    // Nothing that is meant for the daemon's session or group reaches it from here on.
    let _ = nix::unistd::setsid();
    // One thread: what it does is start and wait, and each thread more would make looking after children dearer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runner")?;
    let ended = runtime.block_on(serve::serve(dir, slots));
    runtime.shutdown_background();
    ended
}
