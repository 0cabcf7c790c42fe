//! The only clock of the daemon and its runners: time since the machine was started, so that they speak of the same
//! moments. It counts the time a machine is asleep, because a lease runs on while it sleeps.

use nix::time::{ClockId, clock_gettime};
use shared::time::Time;
use std::time::Duration;

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// The time now.
pub fn now() -> Time {
    Time::ZERO + clock_gettime(CLOCK).map(Duration::from).expect("every system we run on has this clock")
}

/// How long until `time`.
pub fn until(time: Time) -> Duration {
    time.since(now())
}
