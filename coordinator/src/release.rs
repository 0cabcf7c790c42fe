//! What the world sees of a step, in order, once its facts are on disk.

use coordinator_core::{ConnectionId, Reply};
use shared::protocol::FromCoordinator;
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for one worker's socket; past it the worker is too slow and its connection is closed.
pub const OUTBOX_MESSAGES_MAX: usize = 65_536;

/// One thing that may happen now.
pub enum Release {
    /// From now on there is this socket.
    Open(ConnectionId, mpsc::Sender<FromCoordinator>),
    /// Tell a worker.
    Send(ConnectionId, FromCoordinator),
    /// Close a socket, after what was sent before.
    Close(ConnectionId),
    /// Answer a caller.
    Reply(oneshot::Sender<Reply>, Reply),
    /// Hand out what was read from the core.
    Answer(Box<dyn FnOnce() + Send>),
}

impl Release {
    /// Whether it only says that this coordinator lives: no fact comes before it.
    pub fn is_sign_of_life(&self) -> bool {
        matches!(self, Release::Send(_, FromCoordinator::HeartbeatAck { .. }))
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Release::Open(connection, _) => write!(f, "Open({connection:?})"),
            Release::Send(connection, message) => write!(f, "Send({connection:?}, {message:?})"),
            Release::Close(connection) => write!(f, "Close({connection:?})"),
            Release::Reply(_, reply) => write!(f, "Reply({reply:?})"),
            Release::Answer(_) => f.write_str("Answer"),
        }
    }
}

/// The way to every open socket.
#[derive(Debug, Default)]
pub struct Releaser {
    outboxes: HashMap<ConnectionId, mpsc::Sender<FromCoordinator>>,
}

impl Releaser {
    /// Lets one thing happen. A socket whose outbox is full is closed: its worker comes back and is told again.
    pub fn release(&mut self, what: Release) {
        match what {
            Release::Open(connection, outbox) => {
                self.outboxes.insert(connection, outbox);
            }
            Release::Send(connection, message) => {
                let is_full = self.outboxes.get(&connection).is_some_and(|outbox| outbox.try_send(message).is_err());
                if is_full {
                    self.outboxes.remove(&connection);
                }
            }
            Release::Close(connection) => {
                self.outboxes.remove(&connection);
            }
            // A caller that went away needs no answer.
            Release::Reply(caller, reply) => drop(caller.send(reply)),
            Release::Answer(hand_out) => hand_out(),
        }
    }
}
