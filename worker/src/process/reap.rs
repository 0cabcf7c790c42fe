//! Collecting ended children: which of them are leaders of attempts, and what they used.

use super::Exit;
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use shared::outcome::Usage;
use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// Leaders that were started and not yet collected. Only their own group may collect them.
static LEADERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Makes this process the parent of every descendant whose own parent has ended.
pub fn become_reaper() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_os = "linux")]
        if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
            tracing::warn!(%error, "cannot adopt orphaned processes: those that leave their group are found by their cookie only");
        }
    });
}

/// Starts a leader; no one can take it for an orphan in between.
pub(crate) fn spawn_leader(command: &mut Command) -> io::Result<Child> {
    let mut leaders = leaders();
    let child = command.spawn()?;
    leaders.insert(child.id().cast_signed());
    Ok(child)
}

/// The leaders that run now.
pub(crate) fn leaders() -> MutexGuard<'static, BTreeSet<i32>> {
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the child `pid` has ended; it is not collected.
pub(crate) fn has_ended(pid: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(pid), flags), Ok(WaitStatus::StillAlive) | Err(Errno::EINTR))
}

/// Collects the ended leader `pid`.
#[expect(unsafe_code, reason = "wait4 alone tells what one child used, and no safe wrapper of it exists in our dependencies")]
pub(crate) fn collect(pid: Pid, run_s: f64) -> Exit {
    let mut status: libc::c_int = 0;
    let mut used = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live, writable values of the right types, and an all-zero rusage is a valid one.
    let (collected, used) = unsafe { (libc::wait4(pid.as_raw(), &mut status, 0, used.as_mut_ptr()), used.assume_init()) };
    leaders().remove(&pid.as_raw());
    if collected != pid.as_raw() {
        return Exit { code: None, signal: None, usage: Usage::default(), run_s };
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Exit {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        usage: Usage {
            user_s: Some(seconds(used.ru_utime)),
            system_s: Some(seconds(used.ru_stime)),
            memory_peak_bytes: u64::try_from(used.ru_maxrss).ok().map(|peak| peak * unit),
            ..Usage::default()
        },
        run_s,
    }
}
