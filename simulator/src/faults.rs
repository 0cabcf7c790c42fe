//! The production coordinator and production workers in virtual time, while everything goes wrong: one seed is one run, byte
//! for byte.
//!
//! `farm.rs` is the loop. `center.rs` and `station.rs` are the machines: each holds the deciding half as production runs it, and
//! mirrors its shell in a few small files. `network.rs` carries frames, `trouble.rs` breaks things, `clients.rs` asks for work,
//! and `witness.rs` sees all and says what does not hold. `sights.rs` counts what was reached.

mod around;
mod center;
mod chance;
mod clients;
pub mod command;
mod dial;
pub mod directed;
mod farm;
mod network;
pub mod planted;
mod setting;
mod sights;
mod station;
pub mod sweep;
mod tasks;
mod trace;
mod trouble;
mod wild;
mod witness;

pub use farm::{Story, run};
pub use setting::Setting;
pub use sights::{Sight, Sights};
pub use trace::Trace;
pub use trouble::Trouble;
pub use witness::Violation;
