//! What happened in a run, in order: what the machines did, told by the machines, and what the coordinator decided, told by
//! its own facts.

use shared::fact::{Fact, What};
use shared::hardware::HardwareKind;
use shared::time::Time;
use std::sync::Arc;

/// All that happened.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Vec<Option<Entry>>,
}

/// Something that happened, and when.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What.
    pub what: Happened,
}

/// What happened. Tasks are rows of the scenario's table, machines its machines, both from 0.
#[derive(Debug, Clone)]
pub enum Happened {
    /// A machine came, or came back.
    MachineUp(usize),
    /// The process of a machine died.
    MachineCrashed(usize),
    /// A machine began to go.
    MachineLeaving(usize),
    /// A machine was gone.
    MachineGone(usize),
    /// An attempt began.
    Started {
        /// Which.
        of: AttemptOf,
        /// On which machine.
        machine: usize,
        /// On which kind of hardware.
        hardware: HardwareKind,
        /// Share of the work already done, 0 to 1.
        progress: f64,
    },
    /// An attempt stopped.
    Stopped {
        /// Which.
        of: AttemptOf,
        /// On which machine.
        machine: usize,
        /// Why.
        reason: Reason,
        /// Share of the work done, 0 to 1.
        progress: f64,
    },
    /// A machine became slower or faster.
    SpeedChanged {
        /// Which.
        machine: usize,
        /// On which kind of hardware.
        hardware: HardwareKind,
        /// Progress per second relative to a task's own column.
        speed: f64,
    },
    /// The coordinator recorded a fact.
    Decided(Arc<Fact>),
}

/// An attempt of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptOf {
    /// The row of the task.
    pub row: usize,
    /// Which attempt, from 1.
    pub ordinal: u32,
}

/// Why an attempt stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its work was done, and it was the first of its task.
    Finished,
    /// Its state was saved, and it was to go on elsewhere.
    Migrated,
    /// Its state was saved to make room.
    Preempted,
    /// Its machine's process died, or forgot it.
    Lost,
    /// Another attempt of its task was faster.
    Hedged,
    /// It was told to stop.
    Cancelled,
}

impl Reason {
    /// The name used in facts.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Finished => "finished",
            Reason::Migrated => "migrated",
            Reason::Preempted => "preempted",
            Reason::Lost => "lost",
            Reason::Hedged => "hedged",
            Reason::Cancelled => "cancelled",
        }
    }
}

/// Where something stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

impl Journal {
    /// Adds what happened now.
    pub fn add(&mut self, at: Time, what: Happened) -> Place {
        self.entries.push(Some(Entry { at, what }));
        Place(self.entries.len() - 1)
    }

    /// Takes back what turned out not to be so.
    pub fn withdraw(&mut self, place: Place) {
        self.entries[place.0] = None;
    }

    /// What happened, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().flatten()
    }
}

/// Whether a fact of the coordinator is worth keeping beside what the machines tell.
pub fn is_kept(what: &What) -> bool {
    !matches!(
        what,
        What::CoordinatorStarted { .. }
            | What::WorkerDescribed { .. }
            | What::WorkerReady { .. }
            | What::WorkerSuspected { .. }
            | What::WorkerHeldBack { .. }
            | What::BreakerMoved { .. }
            | What::WorkerSampled { .. }
            | What::BalancerConfigured { .. }
            | What::Planned { .. }
            | What::DurationsKnown { .. }
            | What::AttemptStarted { .. }
    )
}
