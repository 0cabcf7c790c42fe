//! Placement strategies, one a file.

mod fifo;
mod longest_first;

use crate::plan::Policy;
pub use fifo::Fifo;
pub use longest_first::LongestFirst;

/// The names of all policies, the default first.
pub const NAMES: [&str; 2] = ["longest_first", "fifo"];

/// The policy of this name.
pub fn by_name(name: &str) -> Option<Box<dyn Policy>> {
    match name {
        "longest_first" => Some(Box::new(LongestFirst)),
        "fifo" => Some(Box::new(Fifo)),
        _ => None,
    }
}
