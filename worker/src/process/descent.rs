//! Finding every process of an attempt: by its group, by its cookie, by descent from one that is known.

use std::collections::BTreeSet;

/// By what the processes of an attempt are known.
#[derive(Debug, Clone)]
pub struct Traces {
    /// Its process group, while that number cannot have become another's.
    pub group: Option<i32>,
    /// What each of its processes was given in its environment.
    pub cookie: String,
    /// Processes that were seen to belong, with the time each started, so that a reused number is not taken for them.
    pub known: BTreeSet<(i32, u64)>,
}

impl Traces {
    /// Runs `look` where it may take its time.
    pub(super) async fn on_thread<T: Send + 'static>(self, look: impl FnOnce(Traces) -> T + Send + 'static) -> T {
        match tokio::task::spawn_blocking(move || look(self)).await {
            Ok(found) => found,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{kill_all, no_orphans};

#[cfg(target_os = "linux")]
mod linux {
    use super::Traces;
    use crate::process::{COOKIE, reap};
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::{Pid, getpid};
    use std::collections::BTreeSet;
    use std::fs;
    use std::time::{Duration, Instant};

    struct Process {
        pid: i32,
        parent: i32,
        group: i32,
        session: i32,
        is_zombie: bool,
        started: u64,
    }

    impl Traces {
        /// These traces and every process that belongs to the attempt now.
        pub(in crate::process) fn found(mut self) -> Self {
            let table = table();
            let belonging = self.belonging(&table);
            self.known.extend(table.iter().filter(|process| belonging.contains(&process.pid)).map(|one| (one.pid, one.started)));
            self
        }

        fn belonging(&self, table: &[Process]) -> BTreeSet<i32> {
            let me = getpid().as_raw();
            let is_known = |one: &&Process| {
                Some(one.group) == self.group || self.known.contains(&(one.pid, one.started)) || has_cookie(one.pid, &self.cookie)
            };
            let mut belonging: BTreeSet<i32> =
                table.iter().filter(|one| one.pid != me).filter(is_known).map(|one| one.pid).collect();
            loop {
                let children: Vec<i32> = table
                    .iter()
                    .filter(|one| one.pid != me && belonging.contains(&one.parent) && !belonging.contains(&one.pid))
                    .map(|one| one.pid)
                    .collect();
                if children.is_empty() {
                    return belonging;
                }
                belonging.extend(children);
            }
        }
    }

    /// Kills every process of the attempt until none is left; false when some outlive `deadline`.
    pub(in crate::process) fn kill_all(mut traces: Traces, deadline: Instant) -> bool {
        let me = getpid();
        let mut wait = Duration::from_millis(1);
        loop {
            let table = table();
            let belonging = traces.belonging(&table);
            let session = session_of(&table, me.as_raw());
            let is_last = reap::leaders().iter().all(|leader| Some(*leader) == traces.group);
            let mut left = false;
            for process in &table {
                // An adopted process that shed its environment names no attempt; when none runs, it is a leftover.
                let is_stray = || {
                    is_last && process.parent == me.as_raw() && Some(process.session) != session && !has_any_cookie(process.pid)
                };
                let is_ours = belonging.contains(&process.pid) || is_stray();
                let pid = Pid::from_raw(process.pid);
                if process.is_zombie {
                    // What has ended lost its environment; that it was adopted shows in a session that is not ours.
                    let is_adopted = process.parent == me.as_raw() && (is_ours || Some(process.session) != session);
                    if is_adopted && !reap::leaders().contains(&process.pid) {
                        let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
                    }
                } else if is_ours {
                    traces.known.insert((process.pid, process.started));
                    let _ = kill(pid, Signal::SIGKILL);
                    left = true;
                }
            }
            if !left {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_millis(20));
        }
    }

    /// Whether this process has no child beside leaders: then nothing that outlived its parent is left anywhere, because
    /// it would have become our child.
    pub(in crate::process) fn no_orphans() -> bool {
        if !nix::sys::prctl::get_child_subreaper().unwrap_or(false) {
            return false;
        }
        // The lock is held while reading: a leader that was just started is always in the set. Children of other threads
        // are leaders: whom this process adopts becomes a child of its first thread.
        let leaders = reap::leaders();
        let children = fs::read_to_string(format!("/proc/self/task/{}/children", getpid()));
        children.is_ok_and(|text| text.split_whitespace().all(|pid| pid.parse().is_ok_and(|pid: i32| leaders.contains(&pid))))
    }

    fn session_of(table: &[Process], pid: i32) -> Option<i32> {
        table.iter().find(|process| process.pid == pid).map(|process| process.session)
    }

    fn table() -> Vec<Process> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
    }

    /// The fields of `/proc/PID/stat` after the name, which may hold anything and ends with the last `)`.
    fn parse(pid: i32, stat: &str) -> Option<Process> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        Some(Process {
            pid,
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            is_zombie: matches!(*fields.first()?, "Z" | "X"),
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn has_cookie(pid: i32, cookie: &str) -> bool {
        has_variable(pid, |variable| variable == format!("{COOKIE}={cookie}").as_bytes())
    }

    fn has_any_cookie(pid: i32) -> bool {
        has_variable(pid, |variable| variable.starts_with(format!("{COOKIE}=").as_bytes()))
    }

    fn has_variable(pid: i32, is_it: impl Fn(&[u8]) -> bool) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        environment.split(|byte| *byte == 0).any(is_it)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_may_hold_parentheses_and_blanks() {
            let stat = "7 (a) Z (b ) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1 1";
            let process = parse(7, stat).expect("a well-formed line");
            assert_eq!((process.parent, process.group, process.session, process.started), (3, 4, 5, 99));
            assert!(!process.is_zombie);
        }
    }
}

/// Elsewhere the process group is all that is known.
#[cfg(not(target_os = "linux"))]
impl Traces {
    pub(super) fn found(self) -> Self {
        self
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn no_orphans() -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill_all(traces: Traces, deadline: std::time::Instant) -> bool {
    use nix::sys::signal::{Signal, killpg};
    let Some(group) = traces.group.map(nix::unistd::Pid::from_raw) else { return true };
    while killpg(group, Signal::SIGKILL).is_ok() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    true
}
