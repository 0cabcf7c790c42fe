//! The only clock of the daemon. It counts the time a machine is asleep, because a lease runs on while it sleeps.

use shared::time::Time;
use std::time::Duration;

/// Time since it was made.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    #[cfg(target_os = "linux")]
    began: Duration,
    #[cfg(not(target_os = "linux"))]
    began: std::time::Instant,
}

impl Clock {
    /// A clock that stands at zero now.
    pub fn start() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            began: since_boot(),
            #[cfg(not(target_os = "linux"))]
            began: std::time::Instant::now(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        #[cfg(target_os = "linux")]
        let elapsed = since_boot().saturating_sub(self.began);
        #[cfg(not(target_os = "linux"))]
        let elapsed = self.began.elapsed();
        Time::ZERO + elapsed
    }

    /// How long until `time`.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).expect("Linux has had this clock since 2.6.39")
}
