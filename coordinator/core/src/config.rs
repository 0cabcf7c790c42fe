//! The terms and limits of a coordinator.

use shared::config::BalancerConfig;
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a worker may be silent before what it holds is given to others (section 4.5 of the protocol).
    pub lease: Duration,
    /// How much longer than that the coordinator waits: the worker's processes are gone before others begin.
    pub lease_margin: Duration,
    /// How long a worker may be silent before it gets no new work.
    pub suspect: Duration,
    /// How often workers send heartbeats.
    pub heartbeat: Duration,
    /// How long a cancelled task may take to end by itself.
    pub cancel_grace: Duration,
    /// Tasks that may be open at a time.
    pub open_tasks_max: u64,
    /// Workers that may be present at a time.
    pub workers_max: usize,
    /// Failures of machines a task may meet before it gets the verdict `error`.
    pub infra_failures_max: u8,
    /// Workers that may be lost while they run a task before it is quarantined.
    pub losses_max: u8,
    /// How long a worker gets no work after attempts failed on it in a row.
    pub breaker_open: Duration,
    /// The published table.
    pub balancer: BalancerConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            lease_margin: Duration::from_secs(11),
            suspect: Duration::from_secs(15),
            heartbeat: Duration::from_secs(5),
            cancel_grace: Duration::from_secs(5),
            open_tasks_max: 2_000_000,
            workers_max: 12_000,
            infra_failures_max: 3,
            losses_max: 8,
            breaker_open: Duration::from_secs(60),
            balancer: BalancerConfig::default(),
        }
    }
}
