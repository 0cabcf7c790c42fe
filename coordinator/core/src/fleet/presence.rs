//! Whether a worker is there.

use crate::ConnectionId;

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Connected, and has not yet told what it holds: it gets no work.
    Joining(ConnectionId),
    /// Connected.
    Ready(ConnectionId),
    /// Connected, but not heard for a while: it gets no new work.
    Suspect(ConnectionId),
    /// Connected, and being stopped: it gets no new work.
    Leaving(ConnectionId),
    /// Not connected; what it holds is still its own until the lease ends.
    Disconnected,
    /// It left, or its lease ended.
    Gone,
}

impl Presence {
    /// Its connection, while it has one.
    pub fn connection(self) -> Option<ConnectionId> {
        match self {
            Presence::Joining(connection)
            | Presence::Ready(connection)
            | Presence::Suspect(connection)
            | Presence::Leaving(connection) => Some(connection),
            Presence::Disconnected | Presence::Gone => None,
        }
    }
}
