//! The words every part of Evenkeel shares: ids, time, tasks, hardware, wire messages and facts.
//!
//! Nothing here waits, reads a clock or touches a disk.

pub mod api;
pub mod bytes;
pub mod config;
pub mod decision;
pub mod fact;
pub mod hardware;
pub mod id;
pub mod outcome;
pub mod output;
pub mod planted;
pub mod protocol;
pub mod requirement;
pub mod task;
pub mod time;
