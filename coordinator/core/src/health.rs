//! How far a worker is trusted with work (F122 to F125, F130): a breaker that opens when attempts fail on it in a row for reasons
//! that are not the work's, and the share of attempts that came to an end there.
//!
//! ```text
//! closed ── five failures in a row ──▶ open ── a minute ──▶ half open: one attempt ── it came to an end ──▶ closed
//!                                       ▲───────────────────── it failed too ─────────────┘
//! ```
//!
//! What fails everywhere is not a worker's fault: a breaker opens only while another worker does better.

use crate::fleet::{Fleet, Worker, WorkerIndex};
use shared::fact::{BreakerState, StopReason};
use shared::time::Time;

/// Failures in a row that open the breaker.
pub const FAILURES_MAX: u8 = 5;
/// A worker does better with at most so many failures in a row.
const SOUND_MAX: u8 = 1;
/// How much one attempt counts in the share of those that came to an end.
const WEIGHT: f64 = 0.1;

/// What is known of a worker's health, from facts alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Health {
    breaker: Breaker,
    /// Failures since an attempt last came to an end; those of one moment count once, because they have one cause.
    failures: u8,
    last_failure: Option<Time>,
    /// Share of attempts that came to an end, newer ones counting more, 0 to 1.
    reliability: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    Closed,
    Open { since: Time },
    HalfOpen { is_probing: bool },
}

impl Default for Health {
    fn default() -> Self {
        Self { breaker: Breaker::Closed, failures: 0, last_failure: None, reliability: 1.0 }
    }
}

impl Health {
    /// Where the breaker is.
    pub fn breaker(&self) -> BreakerState {
        match self.breaker {
            Breaker::Closed => BreakerState::Closed,
            Breaker::Open { .. } => BreakerState::Open,
            Breaker::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Share of attempts that came to an end there, newer ones counting more, 0 to 1; 1 before the first.
    pub fn reliability(&self) -> f64 {
        self.reliability
    }

    /// Whether it may be given an attempt: any while the breaker is closed, one at a time while it is half open.
    pub fn admits(&self) -> bool {
        matches!(self.breaker, Breaker::Closed | Breaker::HalfOpen { is_probing: false })
    }

    /// Since when the breaker is open.
    pub(crate) fn open_since(&self) -> Option<Time> {
        match self.breaker {
            Breaker::Open { since } => Some(since),
            Breaker::Closed | Breaker::HalfOpen { .. } => None,
        }
    }

    /// Takes in that an attempt was given to it.
    pub(crate) fn leased(&mut self) {
        if let Breaker::HalfOpen { is_probing } = &mut self.breaker {
            *is_probing = true;
        }
    }

    /// Takes in that an attempt there is over.
    pub(crate) fn stopped(&mut self, at: Time, reason: StopReason) {
        match reason {
            StopReason::Finished | StopReason::Migrated | StopReason::Preempted => {
                self.failures = 0;
                self.reliability += WEIGHT * (1.0 - self.reliability);
            }
            StopReason::Failed | StopReason::Lost if self.last_failure != Some(at) => {
                self.failures = self.failures.saturating_add(1);
                self.last_failure = Some(at);
                self.reliability -= WEIGHT * self.reliability;
            }
            StopReason::Failed | StopReason::Lost => {}
            StopReason::Cancelled | StopReason::Hedged | StopReason::Retracted => {
                // It says nothing of the worker: another attempt has to.
                if let Breaker::HalfOpen { is_probing } = &mut self.breaker {
                    *is_probing = false;
                }
            }
        }
    }

    /// Takes in that the breaker changed.
    pub(crate) fn change(&mut self, at: Time, to: BreakerState) {
        (self.breaker, self.failures) = match to {
            BreakerState::Closed => (Breaker::Closed, 0),
            BreakerState::Open => (Breaker::Open { since: at }, FAILURES_MAX),
            // Attempts that were given to it before it opened may have ended meanwhile; those from now on count.
            BreakerState::HalfOpen => (Breaker::HalfOpen { is_probing: false }, FAILURES_MAX),
        };
    }

    /// Where the breaker should be, a worker that does better being there or not; nothing where it is there.
    fn due(&self, is_other_sound: bool) -> Option<BreakerState> {
        match self.breaker {
            Breaker::Closed if self.failures >= FAILURES_MAX && is_other_sound => Some(BreakerState::Open),
            Breaker::HalfOpen { .. } if self.failures == 0 => Some(BreakerState::Closed),
            Breaker::HalfOpen { .. } if self.failures > FAILURES_MAX => Some(BreakerState::Open),
            Breaker::Closed | Breaker::Open { .. } | Breaker::HalfOpen { .. } => None,
        }
    }
}

impl Fleet {
    /// Whose breaker opens or closes now.
    pub(crate) fn whose_breaker_moves(&self) -> Vec<(WorkerIndex, BreakerState)> {
        let is_sound = |worker: &Worker| {
            worker.is_open() && worker.health.breaker() == BreakerState::Closed && worker.health.failures <= SOUND_MAX
        };
        let sound = self.iter().any(|(_, worker)| is_sound(worker));
        self.iter().filter_map(|(at, worker)| Some((at, worker.health.due(sound)?))).collect()
    }
}
