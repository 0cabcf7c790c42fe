//! Whether this machine could save the state of any process from outside, with CRIU. Evenkeel does not do so yet; who looks
//! for machines that could finds the label `criu`, and the daemon's log says what keeps a machine from it.

use std::process::{Command, Stdio};

/// The label.
pub const LABEL: &str = "criu";

/// Asks `criu check`, which needs no more than a moment.
///
/// # Errors
/// Why not, in a sentence.
pub fn check() -> Result<(), String> {
    let asked = Command::new("criu").arg("check").stdin(Stdio::null()).output();
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("it is not installed".into()),
        Err(error) => return Err(format!("it cannot be started: {error}")),
    };
    if answer.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why").trim();
    Err(format!("`criu check` ended with {}: {first}", answer.status))
}
