//! `evenkeel logs`: what a task wrote, byte for byte, while it writes.

use super::task_id;
use crate::client::Connection;
use crate::screen::{bytes, say};
use shared::id::TaskId;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How long one request waits for more.
const WAIT_S: u64 = 20;

/// The options of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evenkeel logs 17\n  evenkeel logs -f 17 | less -R")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The task's number
    #[arg(value_parser = task_id, value_name = "ID")]
    task: TaskId,
    /// Go on until the attempt is over
    #[arg(short, long)]
    follow: bool,
    /// Which attempt, from 1 [default: the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
}

/// Copies the output to standard output. Where some was dropped, a line on standard error says so.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let attempt = match args.attempt {
        Some(number) => Some(number),
        // One attempt is shown, also when another one begins meanwhile.
        None => client.task(args.task).await?.attempts.last().map(|attempt| attempt.number),
    };
    let (mut from, mut pause) = (0, Duration::from_millis(200));
    loop {
        let wait_s = if args.follow { WAIT_S } else { 0 };
        let piece = match client.log(args.task, attempt, from, wait_s).await {
            Ok(piece) => piece,
            Err(error) if args.follow && error.is_passing() => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        pause = Duration::from_millis(200);
        if piece.offset > from {
            say(&format!("[{} of output were dropped here]", bytes(piece.offset - from)));
        }
        let mut out = io::stdout().lock();
        out.write_all(&piece.bytes)?;
        out.flush()?;
        drop(out);
        let is_over = piece.is_complete || (!args.follow && piece.next <= from);
        from = piece.next.max(from);
        if is_over {
            return Ok(ExitCode::SUCCESS);
        }
        if piece.bytes.is_empty() {
            // A coordinator that answers at once with nothing is not asked a thousand times a second.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
