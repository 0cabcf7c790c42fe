//! Test suites on the side of whoever submits them: listing the tests of a command, cutting them into chunks for the
//! workers, and reading and writing JUnit reports.
//!
//! Nothing here waits on a network or needs an async runtime; listing starts the framework's own program and reads what
//! it says. The worker shares the parts that both sides must agree on ([`pytest`], [`junit`], [`filter`]).

pub mod chunk;
mod discover;
mod error;
pub mod filter;
pub mod junit;
pub mod pytest;
mod suite_file;

pub use discover::{Discovered, ListedTest, Options, SkippedTest, TestSuite, discover};
pub use error::DiscoverError;
pub use suite_file::{parse_suite_file, read_suite_file};
