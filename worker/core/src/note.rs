//! What is worth telling the person who reads the daemon's log. A core has no log: its shell writes these down.

use crate::Reason;
use shared::id::{Attempt, ClusterId, Epoch, Session};
use shared::protocol::Refusal;
use std::fmt;

/// Something that happened, past tense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A session was opened.
    Opened {
        /// Which.
        session: Session,
    },
    /// The coordinator said no, for now.
    Refused {
        /// Why, for programs.
        code: Refusal,
        /// Why, for people.
        message: String,
    },
    /// A coordinator was given up on, and why.
    GaveUp {
        /// In a sentence.
        why: String,
    },
    /// The lease ended without an acknowledged heartbeat: its attempts are being ended and their results are not kept.
    LeaseEnded {
        /// How many.
        attempts: usize,
    },
    /// An attempt is being ended because it took too long.
    TimedOut {
        /// Which.
        attempt: Attempt,
        /// Which limit, and how long that is.
        reason: Reason,
    },
    /// The state of an attempt could not be brought to the coordinator: the attempt goes on here.
    NotStored {
        /// Which.
        attempt: Attempt,
        /// Why.
        why: String,
    },
    /// An attempt was told to save its state and was ended by that: it begins again.
    NotSaved {
        /// Which.
        attempt: Attempt,
    },
    /// An attempt is being ended because it is no longer ours.
    Disowned {
        /// Which.
        attempt: Attempt,
    },
    /// A message that makes no sense now was ignored.
    Ignored {
        /// Which, and why.
        what: String,
    },
}

/// Why the daemon has to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was told to, and nothing is left to do.
    Left,
    /// The coordinator will never admit it as it is.
    Refused {
        /// Why, for programs.
        code: Refusal,
        /// Why, for people.
        message: String,
    },
    /// The coordinator at that address is not of our cluster.
    OtherCluster {
        /// Ours.
        ours: ClusterId,
        /// Its.
        theirs: ClusterId,
    },
    /// We have obeyed a later life of that coordinator: this is an old one.
    OldEpoch {
        /// The latest we have obeyed.
        seen: Epoch,
        /// Its.
        theirs: Epoch,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Opened { session } => write!(f, "session {} is open", session.0),
            Note::Refused { message, .. } => write!(f, "refused for now: {message}"),
            Note::GaveUp { why } => write!(f, "closed the connection: {why}"),
            Note::LeaseEnded { attempts } => write!(
                f,
                "the lease ended without a word from the coordinator: {attempts} attempts are ended, because it gives them to others"
            ),
            Note::TimedOut { attempt, reason: Reason::TimedOut { failure, limit } } => {
                write!(f, "attempt {attempt} is ended: {failure} after {} s", limit.as_secs_f64())
            }
            Note::TimedOut { attempt, reason } => write!(f, "attempt {attempt} is ended: {reason:?}"),
            Note::NotStored { attempt, why } => write!(f, "attempt {attempt} goes on here, its state could not be sent: {why}"),
            Note::NotSaved { attempt } => write!(
                f,
                "attempt {attempt} begins again: it ended when it was told to save its state; does it mind SIGTERM and exit 75?"
            ),
            Note::Disowned { attempt } => write!(f, "attempt {attempt} is ended: it is no longer ours"),
            Note::Ignored { what } => write!(f, "ignored {what}"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Left => f.write_str("told to stop"),
            Stop::Refused { code, message } => {
                write!(f, "the coordinator refuses this worker: {message}")?;
                f.write_str(match code {
                    Refusal::Token => "; set EVENKEEL_TOKEN or pass --token-file with the coordinator's token",
                    Refusal::Protocol => "; install the same version of evenkeel on both sides",
                    Refusal::Cluster => "; choose another --work-dir for this cluster",
                    Refusal::Epoch => "; an old copy of the coordinator's data is being served: start it on its newest data",
                    Refusal::NameTaken | Refusal::Full | Refusal::Malformed => "",
                })
            }
            Stop::OtherCluster { ours, theirs } => write!(
                f,
                "the coordinator is of cluster {theirs}, but this work directory belongs to cluster {ours}; choose another --work-dir"
            ),
            Stop::OldEpoch { seen, theirs } => write!(
                f,
                "the coordinator is in epoch {}, but this worker has obeyed epoch {}: an old copy of its data is being served; \
                 start it on its newest data, or choose another --work-dir",
                theirs.0, seen.0
            ),
        }
    }
}
