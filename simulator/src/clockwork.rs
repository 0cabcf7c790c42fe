//! What is going to happen, in order: by time, and at one time in the order in which it was set.

use coordinator_core::{Command, ConnectionId};
use shared::id::Attempt;
use shared::protocol::{FromCoordinator, FromWorker, Hello};
use shared::time::Time;
use std::collections::BTreeMap;
use std::ops::Range;

/// Something that happens.
#[derive(Debug)]
pub enum Happening {
    /// These tasks are submitted; positions in the order of submission.
    Submit(Range<usize>),
    /// An operator gives an order.
    Order(Command),
    /// A machine's greeting reaches the coordinator.
    Joined(ConnectionId, Hello),
    /// A machine's message reaches the coordinator.
    Heard(ConnectionId, FromWorker),
    /// The coordinator notices that a socket is gone.
    Lost(ConnectionId, &'static str),
    /// A message reaches a machine.
    Told(ConnectionId, FromCoordinator),
    /// A machine notices that the coordinator closed its socket.
    Closed(ConnectionId),
    /// Something is due on a machine, by its index.
    Alarm(usize, Alarm),
}

/// Something that is due on a machine. What has a version does nothing when a newer one was set meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// It comes, or comes back.
    Join,
    /// It begins to go.
    Leave,
    /// It goes, if nothing reached it meanwhile.
    Depart,
    /// Its process dies.
    Crash,
    /// A slow phase begins or ends.
    Slow,
    /// Its temperature reaches the point at which it slows down or recovers.
    Heat(u64),
    /// A heartbeat is due on this socket.
    Heartbeat(ConnectionId),
    /// The state of an attempt has come and it can begin.
    Begin(Attempt),
    /// The work of an attempt is done.
    Done(Attempt, u64),
    /// An attempt that stands still has waited long enough for an order.
    GoOn(Attempt, u64),
}

/// The happenings to come.
#[derive(Debug)]
pub struct Clockwork<H> {
    due: BTreeMap<(Time, u64), H>,
    set: u64,
}

impl<H> Default for Clockwork<H> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), set: 0 }
    }
}

impl<H> Clockwork<H> {
    /// Lets `what` happen at `at`.
    pub fn set(&mut self, at: Time, what: H) {
        self.set += 1;
        self.due.insert((at, self.set), what);
    }

    /// Takes back what is not wanted.
    pub fn retain(&mut self, is_wanted: impl Fn(&H) -> bool) {
        self.due.retain(|_, what| is_wanted(what));
    }

    /// The time of the next happening.
    pub fn next(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next happening that is not after `now`.
    pub fn pop(&mut self, now: Time) -> Option<H> {
        self.next().filter(|at| *at <= now)?;
        self.due.pop_first().map(|(_, what)| what)
    }
}
