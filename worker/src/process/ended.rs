//! Learning that a child has ended, without being woken for every other one.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Ended;
#[cfg(target_os = "linux")]
pub use linux::Ended;

#[cfg(target_os = "linux")]
mod linux {
    use nix::unistd::Pid;
    use std::io;
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A handle on one child, readable once that has ended.
    #[derive(Debug)]
    pub struct Ended(AsyncFd<OwnedFd>);

    impl Ended {
        /// Watches a child that was not collected.
        ///
        /// # Errors
        /// The system is older than Linux 5.3, or gives no more handles.
        #[expect(unsafe_code, reason = "no safe wrapper of pidfd_open exists in our dependencies, nor of waiting for one")]
        pub fn of(pid: Pid) -> io::Result<Self> {
            // SAFETY: the call takes two numbers, and answers with a handle that is ours alone, or with an error.
            let handle = unsafe {
                let handle = libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0);
                if handle < 0 {
                    return Err(io::Error::last_os_error());
                }
                OwnedFd::from_raw_fd(handle as RawFd)
            };
            // SAFETY: what is registered owns its handle and always names the same one.
            let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
            Ok(Self(watched.map_err(|error| io::Error::other(error.to_string()))?))
        }

        /// Waits for its end; an error counts as one, and whoever asks looks after it then.
        pub async fn wait(&mut self) {
            let _ = self.0.readable().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use nix::unistd::Pid;
    use std::io;
    use std::time::Duration;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Wakes whenever any child has ended.
    #[derive(Debug)]
    pub struct Ended(Signal);

    impl Ended {
        /// Watches a child that was not collected.
        ///
        /// # Errors
        /// The system refused.
        pub fn of(_pid: Pid) -> io::Result<Self> {
            Ok(Self(signal(SignalKind::child())?))
        }

        /// Waits until some child has ended, or may have before the watch began.
        pub async fn wait(&mut self) {
            let _ = tokio::time::timeout(Duration::from_millis(100), self.0.recv()).await;
        }
    }
}
