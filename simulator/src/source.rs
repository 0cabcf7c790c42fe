//! Where a scenario comes from: a file, or one of the built-in ones.

use crate::builtin::{self, Builtin, PREFIX};
use crate::{Scenario, SimError};
use std::path::Path;

/// See the module.
#[derive(Debug)]
pub enum Source {
    /// A scenario that was read from files. A seed changes the jitter of the network, no more.
    File(Box<Scenario>),
    /// A built-in one. A seed is an instance.
    Builtin(&'static Builtin),
}

impl Source {
    /// What is meant by `text`: the path of a TOML file, or `builtin:NAME`.
    ///
    /// # Errors
    /// The file is no scenario, or there is no built-in one of the name.
    pub fn find(text: &str) -> Result<Self, SimError> {
        match text.strip_prefix(PREFIX) {
            Some(name) => builtin::by_name(name).map(Source::Builtin),
            None => Scenario::load(Path::new(text)).map(|scenario| Source::File(Box::new(scenario))),
        }
    }

    /// All that is meant by `texts`; `builtin:all` is every built-in scenario.
    ///
    /// # Errors
    /// As for [`Source::find`].
    pub fn find_all(texts: &[String]) -> Result<Vec<Self>, SimError> {
        let mut found = Vec::new();
        for text in texts {
            match text.strip_prefix(PREFIX) {
                Some("all") => found.extend(builtin::ALL.iter().map(Source::Builtin)),
                _ => found.push(Source::find(text)?),
            }
        }
        Ok(found)
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Source::File(scenario) => &scenario.name,
            Source::Builtin(builtin) => builtin.name,
        }
    }

    /// The seed that is used where none is given.
    pub fn seed(&self) -> u64 {
        match self {
            Source::File(scenario) => scenario.seed,
            Source::Builtin(_) => builtin::SEED,
        }
    }
}
