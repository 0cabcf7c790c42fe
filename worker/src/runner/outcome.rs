//! What the end of a process says of its attempt.

use super::attempt::Around;
use crate::process::{Exit, LaunchError};
use shared::outcome::{Ended, Failure, Outcome};
use std::sync::atomic::Ordering;

/// Whose fault it is that a process was not started.
pub fn failure_of(error: &LaunchError) -> Failure {
    match error {
        // Another worker may have the program.
        LaunchError::NotFound { .. } | LaunchError::NotExecutable { .. } | LaunchError::System { .. } => Failure::Infra,
        LaunchError::NoFolder { .. } | LaunchError::Empty => Failure::Refused,
    }
}

/// How an attempt ended whose only process ended so.
pub fn outcome_of(exit: Exit, kernel_killed: impl FnOnce() -> bool) -> Outcome {
    // A shell reports the SIGKILL of its child as 137.
    let was_killed = exit.signal == Some(libc::SIGKILL) || exit.code == Some(128 + libc::SIGKILL);
    let (ended, message) = match (exit.code, exit.signal) {
        (Some(0), _) => (Ended::Passed, None),
        _ if was_killed && kernel_killed() => (
            Ended::Failed(Failure::Oom),
            Some("the system killed it for the memory it used; ask for more with `memory>=…`".into()),
        ),
        (Some(_), _) => (Ended::Failed(Failure::Test), None),
        (None, Some(signal)) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or_else(|_| signal.to_string(), |name| name.to_string());
            (Ended::Failed(Failure::Test), Some(format!("it was ended by signal {name}")))
        }
        (None, None) => (Ended::Failed(Failure::Infra), Some("its exit status was lost: something else collected it".into())),
    };
    let bare = Outcome::bare(ended);
    Outcome { exit_code: exit.code, signal: exit.signal, message, run_s: exit.run_s, usage: exit.usage, ..bare }
}

impl Around {
    /// Whether the kernel has killed a process for memory since this was last asked. Reading its counters is dear, so it is
    /// asked only about a process that was killed.
    pub fn kernel_killed(&self) -> bool {
        let kills = kernel_kills();
        self.kernel_kills.swap(kills, Ordering::Relaxed) < kills
    }
}

/// Processes that the kernel has killed for memory since it started; none where it does not tell.
pub fn kernel_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod claims {
    use super::*;
    use shared::outcome::Usage;

    #[test]
    fn only_a_kill_that_the_kernel_owns_up_to_is_for_memory() {
        let exit = |code, signal| Exit { code, signal, usage: Usage::default(), run_s: 1.0 };
        let ended = |exit, kernel| outcome_of(exit, || kernel).ended;
        assert_eq!(ended(exit(None, Some(9)), true), Ended::Failed(Failure::Oom));
        assert_eq!(ended(exit(Some(137), None), true), Ended::Failed(Failure::Oom));
        assert_eq!(ended(exit(None, Some(9)), false), Ended::Failed(Failure::Test));
        assert_eq!(ended(exit(Some(1), None), true), Ended::Failed(Failure::Test));
        assert_eq!(ended(exit(Some(0), None), true), Ended::Passed);
    }
}
