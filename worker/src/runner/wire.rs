//! What a daemon and its runner say to each other, over a Unix socket in the work directory.
//!
//! A frame is its length (four bytes, big endian) and a message in MessagePack. Each side's first word is [`Hello`]. A
//! daemon then says its [`Terms`], and the runner all it holds, ended by `HoldsNoMore`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::bytes::Bytes;
use shared::id::Attempt;
use shared::outcome::{Outcome, TestResult};
use shared::protocol::Start;
use shared::task::Timeouts;
use shared::time::Time;
use std::io;
use tokio::net::UnixStream;
use worker_core::Reason;

/// What both sides must speak alike.
pub const PROTOCOL: u16 = 1;
/// The longest message: the tests of a chunk with all they have to say.
const FRAME_BYTES_MAX: usize = 1 << 30;
/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`PROTOCOL`].
    pub protocol: u16,
    /// The build: a daemon gives new tasks only to a runner of its own.
    pub version: String,
}

impl Hello {
    /// What this build says.
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into() }
    }
}

/// What a daemon says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToRunner {
    /// Its first word.
    Hello(Hello),
    /// What every task finds in its environment, names and values, from now on.
    Terms {
        /// The variables.
        env: Vec<(Bytes, Bytes)>,
    },
    /// Attempts may run until then.
    Lease {
        /// Until when.
        until: Time,
    },
    /// Run this; its folder is ready.
    Run {
        /// What.
        start: Box<Start>,
        /// When the daemon was told to.
        ordered: Time,
    },
    /// Save and stop.
    Save {
        /// Which attempt.
        attempt: Attempt,
        /// Until when that is wanted.
        until: Time,
    },
    /// Start again from the state, or go on where it has not stopped.
    Resume {
        /// Which attempt.
        attempt: Attempt,
    },
    /// End it and all its processes.
    End {
        /// Which attempt.
        attempt: Attempt,
        /// How long it may take by itself, in milliseconds.
        grace_ms: u64,
        /// Why: kept with its end.
        reason: Reason,
    },
    /// Its end is known where it counts.
    Forget {
        /// Of which attempt.
        attempt: Attempt,
    },
    /// End everything, and then yourself.
    Leave,
}

/// What a runner says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromRunner {
    /// Its first word.
    Hello(Hello),
    /// An attempt it holds.
    Holds(Box<Kept>),
    /// That was all it holds.
    HoldsNoMore,
    /// A process runs.
    Started {
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Tests have ended.
    Tests {
        /// Of which attempt.
        attempt: Attempt,
        /// Their results.
        results: Vec<TestResult>,
    },
    /// There is more output.
    Grew {
        /// Of which attempt.
        attempt: Attempt,
        /// Bytes in all.
        total: u64,
    },
    /// It was told to save and has stopped.
    Stopped {
        /// Which attempt.
        attempt: Attempt,
        /// Whether it said that its state is saved.
        is_saved: bool,
    },
    /// It has ended, and that is on the disk.
    Ended(Box<Exit>),
}

/// An attempt as its runner knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub attempt: Attempt,
    /// How long it may take.
    pub limits: Timeouts,
    /// Whether it can save its state.
    pub can_save: bool,
    /// Since when it runs.
    pub since: Time,
    /// When it last printed something, or began.
    pub heard: Time,
    /// Until when the order to save holds.
    pub save_until: Option<Time>,
    /// Whether it has stopped because of that order, and then whether its state is saved.
    pub stopped: Option<bool>,
    /// Why it is being ended.
    pub ending: Option<Reason>,
    /// The results of its tests so far.
    pub tests: Vec<TestResult>,
    /// Bytes of output so far.
    pub log_bytes: u64,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// Which.
    pub attempt: Attempt,
    /// How, as its processes tell it.
    pub outcome: Outcome,
    /// The results of its tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestResult>,
    /// Bytes of output that can be read.
    pub log_bytes: u64,
    /// Whether all its processes are gone.
    pub is_clean: bool,
    /// Why it was ended, where it did not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Reason>,
}

/// Adds the frame of `message` to `bytes`.
pub fn put(message: &impl Serialize, bytes: &mut Vec<u8>) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    rmp_serde::encode::write_named(bytes, message).expect("our own messages can be written");
    let length = u32::try_from(bytes.len() - at - 4).expect("a message is shorter than 4 GiB");
    bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The frames that arrive on a socket.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Waits for bytes and adds every whole message to `messages`; false at the end of the stream. Nothing is lost when
    /// it is dropped half way.
    ///
    /// # Errors
    /// The socket failed, or what came is no message.
    pub async fn read<M: DeserializeOwned>(&mut self, stream: &UnixStream, messages: &mut Vec<M>) -> io::Result<bool> {
        loop {
            stream.readable().await?;
            self.bytes.reserve(READ_BYTES);
            match stream.try_read_buf(&mut self.bytes) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    self.take(messages)?;
                    if !messages.is_empty() {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take<M: DeserializeOwned>(&mut self, messages: &mut Vec<M>) -> io::Result<()> {
        let mut at = 0;
        while let Some(head) = self.bytes[at..].first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > FRAME_BYTES_MAX {
                return Err(io::Error::other(format!("a message of {length} bytes is announced")));
            }
            let Some(body) = self.bytes.get(at + 4..at + 4 + length) else { break };
            let message =
                rmp_serde::from_slice(body).map_err(|error| io::Error::other(format!("a message makes no sense: {error}")))?;
            messages.push(message);
            at += 4 + length;
        }
        self.bytes.drain(..at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{AttemptNumber, TaskId};

    #[tokio::test]
    async fn messages_arrive_whole_however_they_are_cut() {
        let attempt = Attempt { task: TaskId(1), number: AttemptNumber(7) };
        let mut bytes = Vec::new();
        put(&ToRunner::Forget { attempt }, &mut bytes);
        put(&ToRunner::Terms { env: vec![(Bytes(b"NAME".to_vec()), Bytes(vec![0xff]))] }, &mut bytes);
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        let (mut frames, mut heard) = (Frames::default(), Vec::<ToRunner>::new());
        for part in bytes.chunks(5) {
            assert_eq!(here.try_write(part).expect("room"), part.len());
            if heard.len() < 2 {
                // It waits for a whole message, which may not be there yet.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(20), frames.read(&there, &mut heard)).await;
            }
        }
        assert!(matches!(&heard[..], [ToRunner::Forget { .. }, ToRunner::Terms { env }] if env[0].1.0 == [0xff]));
        drop(here);
        assert!(!frames.read(&there, &mut heard).await.expect("an orderly end"));
    }

    #[tokio::test]
    async fn nonsense_is_an_error_and_no_memory_is_taken_for_it() {
        for nonsense in [&[0xff; 8][..], &[0, 0, 0, 1, 0xc1]] {
            let (here, there) = UnixStream::pair().expect("a pair of sockets");
            here.try_write(nonsense).expect("room");
            assert!(Frames::default().read(&there, &mut Vec::<ToRunner>::new()).await.is_err());
        }
    }
}
