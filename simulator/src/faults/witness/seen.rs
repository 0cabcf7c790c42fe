//! What facts show was reached.

use crate::faults::sights::Sight;
use shared::fact::{StandstillEnd, StopReason, What};
use shared::outcome::{Failure, Verdict};

/// What was reached, where a fact shows it.
pub fn sight_of(what: &What) -> Option<Sight> {
    Some(match what {
        What::Fenced { said, .. } => match said.as_str() {
            "finished" => Sight::FencedFinished,
            "tests" => Sight::FencedTests,
            // A worker speaks of a start, and of standing still, only in the session it was told in.
            _ => return None,
        },
        What::WorkerSuspected { why, .. } if why.starts_with("it was not heard") => Sight::Suspected,
        What::WorkerLeft { why, .. } if why.contains("lease ended") => Sight::LeaseEndsAtCoordinator,
        What::WorkerLeft { why, .. } if why == "it was stopped" => Sight::WorkerLeft,
        What::AttemptStopped { message: Some(message), .. } if message.contains("came back without it") => Sight::LostOnReturn,
        What::AttemptStopped { reason: StopReason::Hedged, .. } => Sight::HedgeWon,
        What::AttemptStopped { failure: Some(Failure::TimeoutRun), .. } => Sight::TimedOutRun,
        What::AttemptStopped { failure: Some(Failure::TimeoutSilence), .. } => Sight::TimedOutSilence,
        What::AttemptStopped { failure: Some(Failure::TimeoutSetup), .. } => Sight::TimedOutSetup,
        What::AttemptStopped { failure: Some(Failure::Refused), .. } => Sight::RefusedStart,
        What::AttemptStopped { reason: StopReason::Migrated, .. } => Sight::Migrated,
        What::AttemptStopped { reason: StopReason::Preempted, .. } => Sight::Preempted,
        What::CancelRequested { .. } => Sight::CancelRunning,
        What::Migration { .. } => Sight::MigrationOrdered,
        What::Preemption { .. } => Sight::PreemptionOrdered,
        What::StandstillEnded { end: StandstillEnd::Unable, .. } => Sight::StandstillUnable,
        What::StandstillEnded { why, .. } if why.contains("not saved in time") => Sight::StandstillExpired,
        What::StandstillEnded { why, .. } if why.contains("move to is gone") => Sight::StandstillTargetGone,
        What::StandstillEnded { why, .. } if why.contains("ended by itself") => Sight::StandstillRaced,
        What::TaskRequeued { why: Some(why), .. } if why.is_of_the_task() => Sight::RetryOwn,
        What::TaskRequeued { why: Some(Failure::Infra | Failure::TimeoutSetup | Failure::Refused), .. } => Sight::RetryMachine,
        What::TaskFinished { verdict, attempt, .. } => match verdict {
            Verdict::Passed => Sight::VerdictPassed,
            Verdict::Failed => Sight::VerdictFailed,
            Verdict::Error => Sight::VerdictError,
            Verdict::Cancelled if attempt.is_none() => Sight::CancelQueued,
            Verdict::Cancelled => Sight::VerdictCancelled,
            Verdict::Expired => Sight::VerdictExpired,
            Verdict::Quarantined => Sight::VerdictQuarantined,
        },
        _ => return None,
    })
}
