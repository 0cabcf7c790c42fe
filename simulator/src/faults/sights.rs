//! What must be seen at least once over enough seeds: a path that no fault ever reaches is a path that was not tested.

use std::collections::BTreeMap;

macro_rules! sights {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Something that was seen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sight { $($(#[$doc])* $name,)* }

        impl Sight {
            /// All of them.
            pub const ALL: &'static [Sight] = &[$(Sight::$name),*];

            /// In words.
            pub fn text(self) -> &'static str {
                match self { $(Sight::$name => $text,)* }
            }
        }
    };
}

sights! {
    /// A result of an attempt that is not the worker's is fenced.
    FencedFinished = "a result of an attempt that is not the worker's is fenced",
    /// Tests of an attempt that is not the worker's are fenced.
    FencedTests = "tests of an attempt that is not the worker's are fenced",
    /// Output of an attempt that is not the worker's is fenced.
    FencedOutput = "output of an attempt that is not the worker's is fenced",
    /// A result is answered: recorded.
    AckRecorded = "a result is answered: recorded",
    /// A result is answered: duplicate.
    AckDuplicate = "a result is answered: duplicate",
    /// A result is answered: fenced.
    AckFenced = "a result is answered: fenced",
    /// A worker is told to end an attempt that is not its own.
    ReconcileKill = "a worker is told to end an attempt that is not its own",
    /// A worker comes back and keeps what it runs.
    ReconcileKeep = "a worker comes back and keeps what it runs",
    /// A worker comes back without an attempt.
    LostOnReturn = "a worker comes back without an attempt",
    /// A task takes its worker down.
    TookDown = "a task takes its worker down",
    /// Digests differ and the inventory is asked for.
    DigestDiffers = "digests differ and the inventory is asked for",
    /// A worker is suspected.
    Suspected = "a worker is suspected",
    /// A suspected worker is heard again.
    SuspectReturns = "a suspected worker is heard again",
    /// A lease ends at the coordinator.
    LeaseEndsAtCoordinator = "a lease ends at the coordinator",
    /// A lease ends at a worker, which ends its attempts.
    LeaseEndsAtWorker = "a lease ends at a worker, which ends its attempts",
    /// A coordinator that stood still forgives.
    Amnesty = "a coordinator that stood still forgives",
    /// A coordinator begins another life from its log.
    Replayed = "a coordinator begins another life from its log",
    /// A crash loses facts that were not on disk.
    TailLost = "a crash loses facts that were not on disk",
    /// A crash comes after the commit and before anyone hears of it.
    CommitSurvived = "a crash comes after the commit and before anyone hears of it",
    /// A commit fails and is tried again.
    CommitFailed = "a commit fails and is tried again",
    /// The driver waits for the disk.
    DriverBlocked = "the driver waits for the disk",
    /// A session ends because a frame from the worker was lost.
    GapAtCoordinator = "a session ends because a frame from the worker was lost",
    /// A session ends because a frame from the coordinator was lost.
    GapAtWorker = "a session ends because a frame from the coordinator was lost",
    /// A frame that comes twice is ignored.
    DoubleIgnored = "a frame that comes twice is ignored",
    /// A session ends because the worker was silent.
    SilenceAtCoordinator = "a session ends because the worker was silent",
    /// A session ends because the coordinator was silent.
    SilenceAtWorker = "a session ends because the coordinator was silent",
    /// A handshake takes too long.
    HandshakeTimeout = "a handshake takes too long",
    /// A worker is refused: its name is taken.
    RefusedNameTaken = "a worker is refused: its name is taken",
    /// A coordinator from an old backup refuses a worker.
    RefusedEpochByCoordinator = "a coordinator from an old backup refuses a worker",
    /// A worker is refused: its handshake makes no sense.
    RefusedMalformed = "a worker is refused: its handshake makes no sense",
    /// A worker opens a session while its older one is open.
    NewerSession = "a worker opens a session while its older one is open",
    /// A message of an older session is ignored.
    StaleMessage = "a message of an older session is ignored",
    /// A worker leaves in good order.
    WorkerLeft = "a worker leaves in good order",
    /// A worker comes back with a new identity.
    WorkerForgot = "a worker comes back with a new identity",
    /// A machine loses its power before its disk kept how an attempt ended.
    EndLost = "a machine loses its power before its disk kept how an attempt ended",
    /// A daemon begins a life and takes over what runs.
    TakesOver = "a daemon begins a life and takes over what runs",
    /// A lease ends at a runner, whatever its daemon does.
    LeaseEndsAtRunner = "a lease ends at a runner, whatever its daemon does",
    /// An attempt goes on from a state that another saved.
    GoesOnFromState = "an attempt goes on from a state that another saved",
    /// An attempt that stood still goes on where it was.
    StandsAndGoesOn = "an attempt that stood still goes on where it was",
    /// A state cannot be fetched.
    RestoreFails = "a state cannot be fetched",
    /// A state cannot be sent.
    UploadFails = "a state cannot be sent",
    /// An attempt that was told to save ends without its state.
    NotSaved = "an attempt that was told to save ends without its state",
    /// A task moves with its state.
    Migrated = "a task moves with its state",
    /// A task is set aside with its state.
    Preempted = "a task is set aside with its state",
    /// A daemon begins a life with results that were not acknowledged.
    ResultKept = "a daemon begins a life with results that were not acknowledged",
    /// A submission is repeated and stands for the same tasks.
    SubmitRepeated = "a submission is repeated and stands for the same tasks",
    /// A submission is refused: too much is open.
    SubmitFull = "a submission is refused: too much is open",
    /// A waiting task is cancelled.
    CancelQueued = "a waiting task is cancelled",
    /// A running task is cancelled.
    CancelRunning = "a running task is cancelled",
    /// A cancellation comes after the verdict.
    CancelTooLate = "a cancellation comes after the verdict",
    /// A result that raced its cancellation counts.
    CancelledPassed = "a result that raced its cancellation counts",
    /// Of two attempts the first to end counts.
    HedgeWon = "of two attempts the first to end counts",
    /// A migration is ordered.
    MigrationOrdered = "a migration is ordered",
    /// A preemption is ordered.
    PreemptionOrdered = "a preemption is ordered",
    /// An attempt says that it cannot save its state.
    StandstillUnable = "an attempt says that it cannot save its state",
    /// An attempt does not stand still in time.
    StandstillExpired = "an attempt does not stand still in time",
    /// The worker a task was to move to is gone.
    StandstillTargetGone = "the worker a task was to move to is gone",
    /// A task that was to move ends by itself.
    StandstillRaced = "a task that was to move ends by itself",
    /// Verdict: passed.
    VerdictPassed = "verdict: passed",
    /// Verdict: failed.
    VerdictFailed = "verdict: failed",
    /// Verdict: error.
    VerdictError = "verdict: error",
    /// Verdict: cancelled.
    VerdictCancelled = "verdict: cancelled",
    /// Verdict: expired.
    VerdictExpired = "verdict: expired",
    /// Verdict: quarantined.
    VerdictQuarantined = "verdict: quarantined",
    /// A task is tried again after a failure of its own.
    RetryOwn = "a task is tried again after a failure of its own",
    /// A task is tried again after a failure of a machine.
    RetryMachine = "a task is tried again after a failure of a machine",
    /// An attempt runs for too long.
    TimedOutRun = "an attempt runs for too long",
    /// An attempt is silent for too long.
    TimedOutSilence = "an attempt is silent for too long",
    /// An attempt takes too long to set up.
    TimedOutSetup = "an attempt takes too long to set up",
    /// An attempt waits for an older one of its task to be gone.
    WaitsForSibling = "an attempt waits for an older one of its task to be gone",
    /// A worker declines an attempt.
    RefusedStart = "a worker declines an attempt",
    /// A worker is cordoned while it holds attempts.
    Cordoned = "a worker is cordoned while it holds attempts",
    /// A worker is drained while it holds attempts.
    Drained = "a worker is drained while it holds attempts",
}

/// How often each was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sights(BTreeMap<Sight, u64>);

impl Sights {
    /// It was seen.
    pub fn see(&mut self, sight: Sight) {
        *self.0.entry(sight).or_default() += 1;
    }

    /// How often it was seen.
    pub fn times(&self, sight: Sight) -> u64 {
        self.0.get(&sight).copied().unwrap_or(0)
    }

    /// Adds what was seen elsewhere.
    pub fn add(&mut self, other: &Sights) {
        for (sight, times) in &other.0 {
            *self.0.entry(*sight).or_default() += times;
        }
    }

    /// What was never seen.
    pub fn missing(&self) -> Vec<Sight> {
        Sight::ALL.iter().copied().filter(|sight| self.times(*sight) == 0).collect()
    }
}
