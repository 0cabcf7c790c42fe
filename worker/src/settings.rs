//! What the daemon was told, with the defaults filled in.

use crate::args::{Args, Encoding, Endpoint};
use crate::hardware::{self, Thoroughness};
use crate::telemetry;
use crate::token::{TOKEN_VARIABLE, Token};
use anyhow::Result;
use shared::hardware::Inventory;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables of the daemon's environment that every task gets.
const BASE_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "USER"];
/// Where programs are looked for when the daemon itself was not told.
const BASE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the daemon was told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The coordinator.
    pub endpoint: Endpoint,
    /// How messages are written.
    pub encoding: Encoding,
    /// What proves that it belongs.
    pub token: Option<Token>,
    /// What people call it.
    pub name: String,
    /// Where it keeps its things.
    pub work_dir: PathBuf,
    /// What it offers.
    pub machine: Inventory,
    /// What tasks find in their environment.
    pub env: BTreeMap<OsString, OsString>,
}

impl Settings {
    /// What follows from `args` on this machine.
    pub fn new(args: &Args) -> Result<Self> {
        let host = telemetry::host_name();
        let name = args.name.clone().unwrap_or_else(|| host.clone());
        let folder: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        Ok(Self {
            endpoint: args.coordinator.clone(),
            encoding: args.encoding,
            token: Token::find(args.token_file.as_deref())?,
            work_dir: args.work_dir.clone().unwrap_or_else(|| Path::new("evenkeel-worker").join(folder)),
            machine: machine(args, host)?,
            env: base_env(args.inherit_env, std::env::vars_os()),
            name,
        })
    }
}

/// What this machine offers, with a word in the log on what its owner declared and nobody found.
fn machine(args: &Args, host: String) -> Result<Inventory> {
    let kinds = hardware::detect(&args.hardware, Thoroughness::AtStart);
    for finding in &kinds {
        finding.answer.warnings.iter().for_each(|warning| tracing::warn!("{}: {warning}", finding.kind));
    }
    telemetry::inventory(args, host, &kinds)
}

fn base_env(inherit: bool, own: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<OsString, OsString> {
    let is_given = |name: &OsString| name != TOKEN_VARIABLE && (inherit || BASE_VARIABLES.iter().any(|base| name == base));
    let mut env: BTreeMap<OsString, OsString> = own.filter(|(name, _)| is_given(name)).collect();
    env.entry("PATH".into()).or_insert_with(|| BASE_PATH.into());
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_get_a_few_variables_or_all_but_the_token() {
        let own = || [("HOME", "/h"), ("SECRET", "s"), (TOKEN_VARIABLE, "t")].map(|(name, value)| (name.into(), value.into()));
        let names = |inherit| base_env(inherit, own().into_iter()).into_keys().collect::<Vec<_>>();
        assert_eq!(names(false), ["HOME", "PATH"]);
        assert_eq!(names(true), ["HOME", "PATH", "SECRET"]);
    }
}
