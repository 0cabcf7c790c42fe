//! The messages between a coordinator and its workers. They meet nowhere else.
//!
//! ```text
//! worker                         coordinator
//!   Hello              ──▶
//!                      ◀──       Challenge          (or Refused, then closed)
//!   Proof              ──▶
//!                      ◀──       Welcome
//!   Inventory          ──▶
//!                      ◀──       Reconcile
//!   Started, Tests, Finished, Log, Heartbeat … ⇄ … Start, Cancel, ResultAck, LogAck, HeartbeatAck
//! ```
//!
//! A frame is one [`Envelope`]. Envelopes of a session are numbered from 1 in each direction: a number seen before is
//! dropped, a gap closes the session, and the re-attach that follows mends what was lost. Only a message that names the
//! newest attempt of a task, from the session that holds it, changes anything; every other one is answered `Fenced`.

use crate::bytes::Bytes;
use crate::hardware::{HardwareKind, Inventory, Load};
use crate::id::{Attempt, AttemptNumber, BootNonce, ClusterId, Digest, Epoch, Session, WorkerId};
use crate::outcome::{Outcome, TestResult};
use crate::task::TaskSpec;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The oldest and the newest protocol this build speaks.
pub const PROTOCOL_MIN: u16 = 1;
/// See [`PROTOCOL_MIN`].
pub const PROTOCOL_MAX: u16 = 1;

/// WebSocket subprotocol for JSON text frames.
pub const SUBPROTOCOL_JSON: &str = "evenkeel.v1.json";
/// WebSocket subprotocol for MessagePack binary frames with named fields.
pub const SUBPROTOCOL_MSGPACK: &str = "evenkeel.v1.msgpack";

/// A frame before the worker has proven itself.
pub const HANDSHAKE_BYTES_MAX: usize = 4 << 10;
/// A frame of an open session.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// What senders aim at, so that a control message never waits behind more than this.
pub const FRAME_BYTES_AIM: usize = 64 << 10;
/// The raw output in one `Log` message.
pub const LOG_CHUNK_BYTES_MAX: usize = 32 << 10;
/// Output of one attempt sent and not yet acknowledged; past it the worker spools.
pub const LOG_UNACKED_BYTES_MAX: u64 = 256 << 10;
/// Results of tests in one `Tests` message.
pub const TESTS_PER_MESSAGE_MAX: usize = 64;
/// The text kept of why one test failed.
pub const TEST_MESSAGE_BYTES_MAX: usize = 8 << 10;
/// The serialised size of one task.
pub const SPEC_BYTES_MAX: usize = 256 << 10;

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// Its number in this direction of this session, from 1.
    pub seq: u64,
    /// The highest number seen in the other direction.
    pub ack: u64,
    /// What it carries, in order.
    pub messages: Vec<M>,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// The first word: who is there.
    Hello(Hello),
    /// The answer to the challenge.
    Proof {
        /// HMAC-SHA256, keyed with the SHA-256 of the token, over nonce, worker id and epoch; absent without a token.
        mac: Option<Digest>,
    },
    /// Everything the worker holds: after Welcome, and whenever the digests differ.
    Inventory(WorkerInventory),
    /// The process of an attempt is running.
    Started {
        /// Which.
        attempt: Attempt,
    },
    /// Tests of an attempt have ended; at most [`TESTS_PER_MESSAGE_MAX`].
    Tests {
        /// Which attempt.
        attempt: Attempt,
        /// Their results.
        results: Vec<TestResult>,
    },
    /// An attempt has ended; repeated until it is acknowledged.
    Finished {
        /// Which.
        attempt: Attempt,
        /// How.
        outcome: Outcome,
    },
    /// An attempt stands still with its state on the worker's disk, ready to be taken.
    Quiesced {
        /// Which.
        attempt: Attempt,
        /// Its state.
        checkpoint: CheckpointRef,
    },
    /// An attempt goes on where it stood still.
    Resumed {
        /// Which.
        attempt: Attempt,
    },
    /// Output of an attempt, in the bulk lane: sent when no control message waits.
    Log {
        /// Which attempt.
        attempt: Attempt,
        /// Where in the output; a jump is a gap that was dropped.
        offset: u64,
        /// At most [`LOG_CHUNK_BYTES_MAX`].
        bytes: Bytes,
    },
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// The daemon is being stopped and takes no new work.
    Leaving,
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest protocol it speaks.
    pub protocol_min: u16,
    /// The newest.
    pub protocol_max: u16,
    /// The cluster it belongs to, once it has joined one.
    pub cluster: Option<ClusterId>,
    /// Its identity.
    pub worker: WorkerId,
    /// What people call it; unique in a cluster.
    pub name: String,
    /// This life of the daemon.
    pub boot: BootNonce,
    /// The highest epoch it has obeyed.
    pub epoch_seen: Epoch,
    /// Its version, for people.
    #[serde(default)]
    pub version: String,
}

/// Everything a worker holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerInventory {
    /// What the machine has.
    pub machine: Inventory,
    /// The attempts it runs.
    pub attempts: Vec<HeldAttempt>,
    /// Results that were not acknowledged.
    pub results: Vec<HeldResult>,
}

/// An attempt a worker runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldAttempt {
    /// Which.
    pub attempt: Attempt,
    /// Where it is.
    pub state: HeldState,
    /// Bytes of output so far.
    pub log_bytes: u64,
}

/// Where an attempt is within its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Its files are being fetched.
    SettingUp,
    /// Its process runs.
    Running,
    /// It stands still, its state saved.
    Quiesced,
    /// Its processes are being ended.
    Ending,
}

/// A result that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldResult {
    /// Of which attempt.
    pub attempt: Attempt,
    /// The result.
    pub outcome: Outcome,
}

/// A saved state, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// The manifest of its files.
    pub manifest: Digest,
    /// Their length together, in bytes.
    pub bytes: u64,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Counts the heartbeats of a session; the acknowledgement names it, and the worker's lease runs from when it was sent.
    pub number: u64,
    /// How busy the machine is.
    pub load: Box<Load>,
    /// [`digest_of`] what the worker holds; a difference brings about an exchange of inventories.
    pub holds: u64,
}

/// What a coordinator says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromCoordinator {
    /// Prove who you are.
    Challenge {
        /// Random, for one use.
        nonce: BootNonce,
        /// This life of the coordinator.
        epoch: Epoch,
        /// Its cluster.
        cluster: ClusterId,
        /// The protocol the session will speak.
        protocol: u16,
    },
    /// No, and why; the socket is closed after it.
    Refused {
        /// For programs.
        code: Refusal,
        /// For people: what, and what to do.
        message: String,
    },
    /// The session is open.
    Welcome(Welcome),
    /// What to do with each thing the worker said it holds.
    Reconcile {
        /// Attempts to go on with.
        keep: Vec<Attempt>,
        /// Attempts to end: they are no longer theirs.
        kill: Vec<Attempt>,
    },
    /// Run this.
    Start(Start),
    /// End this attempt and everything it started.
    Cancel {
        /// Which.
        attempt: Attempt,
        /// How long it may take to end by itself, in milliseconds.
        grace_ms: u64,
    },
    /// Save the state of this attempt and stand still.
    Checkpoint {
        /// Which.
        attempt: Attempt,
        /// After this long without an order it goes on by itself, in milliseconds.
        deadline_ms: u64,
    },
    /// Go on after a checkpoint.
    Resume {
        /// Which.
        attempt: Attempt,
    },
    /// A result is on disk, or no longer wanted: forget it.
    ResultAck {
        /// Of which attempt.
        attempt: Attempt,
        /// What became of it.
        answer: ResultAnswer,
    },
    /// Output up to here is stored: the credit for more.
    LogAck {
        /// Of which attempt.
        attempt: Attempt,
        /// The first byte not yet stored.
        offset: u64,
    },
    /// The lease runs from when that heartbeat was sent.
    HeartbeatAck {
        /// The heartbeat's number.
        number: u64,
    },
    /// What you hold is not what I believe: tell me all of it.
    SendInventory,
    /// You spoke about an attempt that is not yours: end it.
    Fenced {
        /// The attempt you named.
        attempt: Attempt,
        /// The newest attempt of that task; absent where the task is unknown.
        current: Option<AttemptNumber>,
    },
}

/// Why a worker was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No protocol both speak.
    Protocol,
    /// It belongs to another cluster.
    Cluster,
    /// It has obeyed a later epoch: this coordinator is an old one.
    Epoch,
    /// The token is missing or wrong.
    Token,
    /// Another worker has that name.
    NameTaken,
    /// No more workers are admitted.
    Full,
    /// What it sent was not understood.
    Malformed,
}

impl Refusal {
    /// Whether trying again later can help.
    pub fn is_passing(self) -> bool {
        match self {
            Refusal::Full | Refusal::Malformed | Refusal::NameTaken => true,
            Refusal::Protocol | Refusal::Cluster | Refusal::Epoch | Refusal::Token => false,
        }
    }
}

/// The terms of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session.
    pub session: Session,
    /// How long the worker may go on without an acknowledged heartbeat, in milliseconds.
    pub lease_ms: u64,
    /// How often it sends heartbeats, in milliseconds.
    pub heartbeat_ms: u64,
    /// Within how long the workers of this cluster spread their first attempt to reconnect, in milliseconds.
    pub spread_ms: u64,
    /// What this coordinator can do beyond the protocol's version.
    #[serde(default)]
    pub features: Vec<String>,
}

/// Run this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The attempt.
    pub attempt: Attempt,
    /// The work.
    pub spec: Arc<TaskSpec>,
    /// The kind of hardware it runs on.
    #[serde(default)]
    pub hardware: HardwareKind,
    /// The device it runs on, by its place in the worker's inventory; absent on the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u32>,
    /// Tests of the chunk that already have their result, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<u32>,
    /// The state to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<CheckpointRef>,
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultAnswer {
    /// It is the result.
    Recorded,
    /// It was known already.
    Duplicate,
    /// A newer attempt exists: this one counts for nothing.
    Fenced {
        /// The newest attempt of that task; absent where the task is unknown.
        current: Option<AttemptNumber>,
    },
}

/// A number both sides compute over the attempts a worker holds; equal when they agree (FNV-1a, order does not matter
/// because each side sorts).
pub fn digest_of(attempts: impl IntoIterator<Item = Attempt>) -> u64 {
    let mut sorted: Vec<Attempt> = attempts.into_iter().collect();
    sorted.sort_unstable();
    let bytes = sorted.iter().flat_map(|attempt| [attempt.task.0, attempt.number.0]).flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests;
