//! Benches and ordeals of the real thing: the coordinator's and the workers' own programs, over real sockets, with the log on
//! disk; and chaos: the cores of both in virtual time, while everything goes wrong.

pub mod daemons;
pub mod disk_faults;
pub mod dispatch;
mod farm;
pub mod link_faults;
pub mod log_faults;
pub mod plan;
mod proxy;
pub mod restart;
pub mod storm;
pub mod twin;
