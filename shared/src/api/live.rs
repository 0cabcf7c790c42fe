//! `GET /api/live`: everything at a glance, pushed as it changes.
//!
//! The first frame is whole. A later one holds of workers, running attempts, events and history only what is new since the
//! frame before it; one that follows a frame its reader did not get is whole again. [`LiveFrame::follow`] says how they add up.

use super::{Alert, Status, WorkerState};
use crate::fact::{Admission, BreakerState, Fact};
use crate::hardware::{HardwareKind, Load};
use crate::id::TaskId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Events that are kept, newest last.
pub const EVENTS_MAX: usize = 100;
/// Points of the history that are kept, newest last.
pub const HISTORY_MAX: usize = 600;
/// Running attempts that are shown, those that run longest.
pub const RUNNING_MAX: usize = 500;
/// Alerts that are shown, the worst first.
pub const ALERTS_MAX: usize = 100;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LiveFrame {
    /// Its number in this life of the coordinator, from 1.
    pub number: u64,
    /// Whether it replaces all that was known.
    pub is_whole: bool,
    /// What `GET /status` answers.
    pub status: Status,
    /// How things went lately.
    pub pulse: PulseView,
    /// What is in use of each kind of hardware.
    pub hardware: Vec<HardwareUse>,
    /// The worst alerts, at most [`ALERTS_MAX`].
    pub alerts: Vec<Alert>,
    /// How many there are.
    pub alerts_total: u64,
    /// The workers that are new or changed.
    pub workers: Vec<WorkerRow>,
    /// The attempts that began to run or changed, at most [`RUNNING_MAX`].
    pub running: Vec<RunningRow>,
    /// Those that run no longer, or are no longer shown.
    pub ended: Vec<AttemptName>,
    /// How many run in all.
    pub running_total: u64,
    /// What happened.
    pub events: Vec<LiveEvent>,
    /// How it went, one point a second.
    pub history: Vec<HistoryPoint>,
}

/// How things went in the last minute. What did not happen is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PulseView {
    /// Tasks that got a verdict, a second.
    pub tasks_per_s: f64,
    /// Share of them that passed.
    pub passed: Option<f64>,
    /// Mean seconds from submission to verdict.
    pub flow_s: Option<f64>,
    /// Mean seconds from submission to the first worker.
    pub wait_s: Option<f64>,
    /// Mean seconds from being given to a worker to running there.
    pub start_s: Option<f64>,
    /// Attempts that began.
    pub starts: u64,
}

/// What is in use of one kind of hardware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardwareUse {
    /// The kind.
    pub kind: HardwareKind,
    /// Workers that are there and have it.
    pub workers: u32,
    /// Their slots.
    pub slots: u64,
    /// Slots in use by tasks that run on this kind.
    pub busy_slots: u64,
}

/// A worker in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRow {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub state: WorkerState,
    /// Which work it receives.
    pub admission: Admission,
    /// Whether it is trusted with work.
    pub breaker: BreakerState,
    /// Whether others use it, so that it gets no new work.
    pub held_back: bool,
    /// Whether its owner says that it stands for a machine that does not exist (`--label simulated=true`).
    pub simulated: bool,
    /// Its slots.
    pub slots: u32,
    /// Those in use.
    pub busy_slots: u32,
    /// The kinds of its hardware.
    pub hardware: Vec<HardwareKind>,
    /// Those of them that somebody declared and nothing has found.
    pub declared: Vec<HardwareKind>,
    /// How busy it is, as it last said.
    pub load: Load,
    /// The temperature at which it slows down, in degrees Celsius.
    pub throttle_c: Option<f64>,
    /// Whole seconds since it was heard; absent while it is heard as often as it should.
    pub silent_s: Option<u64>,
}

/// An attempt by its task and its ordinal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptName {
    /// The task.
    pub task: TaskId,
    /// From 1.
    pub attempt: u32,
}

/// A running attempt in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningRow {
    /// Which.
    #[serde(flatten)]
    pub of: AttemptName,
    /// The task's name.
    pub name: String,
    /// Where it runs.
    pub worker: String,
    /// On what.
    pub hardware: HardwareKind,
    /// Since when, in seconds since the run began.
    pub started_s: f64,
    /// Whether it was asked to stand still, to move or to make room.
    pub leaving: bool,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveEvent {
    /// Counts them in this life of the coordinator.
    pub number: u64,
    /// What it was.
    pub fact: Arc<Fact>,
}

/// How the fleet was at a moment. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// When, in seconds since the run began.
    pub t: f64,
    /// Share of slots in use; absent where there are none.
    pub load: Option<f64>,
    /// The thresholds in force.
    pub high: f64,
    /// The lower.
    pub low: f64,
    /// What was predicted for this moment; absent where nothing was.
    pub predicted: Option<f64>,
    /// Tasks that waited.
    pub queued: u64,
    /// Tasks that ran.
    pub running: u64,
    /// Verdicts a second over the last minute.
    pub tasks_per_s: f64,
    /// Share of slots in use by kind of hardware.
    pub hardware: BTreeMap<HardwareKind, f64>,
}

impl LiveFrame {
    /// What is known once `next` has come after this frame.
    pub fn follow(&mut self, mut next: LiveFrame) {
        if next.is_whole {
            *self = next;
            return;
        }
        let mut workers = std::mem::take(&mut self.workers);
        for row in std::mem::take(&mut next.workers) {
            match workers.iter_mut().find(|known| known.name == row.name) {
                Some(known) => *known = row,
                None => workers.push(row),
            }
        }
        let mut running = std::mem::take(&mut self.running);
        running.retain(|row| !next.ended.contains(&row.of) && !next.running.iter().any(|newer| newer.of == row.of));
        running.append(&mut next.running);
        running.sort_by(RunningRow::longest_first);
        let mut events = std::mem::take(&mut self.events);
        events.append(&mut next.events);
        events.drain(..events.len().saturating_sub(EVENTS_MAX));
        let mut history = std::mem::take(&mut self.history);
        history.append(&mut next.history);
        history.drain(..history.len().saturating_sub(HISTORY_MAX));
        *self = LiveFrame { is_whole: true, ended: Vec::new(), workers, running, events, history, ..next };
    }

    /// What this frame, a whole one, adds to the whole one before it.
    pub fn since(&self, before: &LiveFrame) -> LiveFrame {
        let known: BTreeMap<&str, &WorkerRow> = before.workers.iter().map(|row| (row.name.as_str(), row)).collect();
        let ran: BTreeMap<AttemptName, &RunningRow> = before.running.iter().map(|row| (row.of, row)).collect();
        let runs: BTreeSet<AttemptName> = self.running.iter().map(|row| row.of).collect();
        let newest_event = before.events.last().map_or(0, |event| event.number);
        let newest_point = before.history.last().map_or(f64::NEG_INFINITY, |point| point.t);
        LiveFrame {
            number: self.number,
            is_whole: false,
            status: self.status.clone(),
            pulse: self.pulse,
            hardware: self.hardware.clone(),
            alerts: self.alerts.clone(),
            alerts_total: self.alerts_total,
            workers: self.workers.iter().filter(|row| known.get(row.name.as_str()) != Some(row)).cloned().collect(),
            running: self.running.iter().filter(|row| ran.get(&row.of) != Some(row)).cloned().collect(),
            ended: ran.into_keys().filter(|name| !runs.contains(name)).collect(),
            running_total: self.running_total,
            events: self.events.iter().filter(|event| event.number > newest_event).cloned().collect(),
            history: self.history.iter().filter(|point| point.t > newest_point).cloned().collect(),
        }
    }
}

impl RunningRow {
    /// The order in which they are shown.
    pub fn longest_first(&self, other: &Self) -> std::cmp::Ordering {
        self.started_s.total_cmp(&other.started_s).then(self.of.cmp(&other.of))
    }
}
