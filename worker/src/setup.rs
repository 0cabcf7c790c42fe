//! Makes an attempt ready to run: its folder, its files, the state it goes on from.

use crate::files::Blobs;
use crate::workdir::{Layout, WorkDir};
use shared::outcome::{Failure, Outcome};
use shared::protocol::Start;
use shared::task::Work;

/// Makes what this attempt needs and no more: on a fast stream of short tasks folders are what costs.
///
/// # Errors
/// The result of the attempt, which cannot begin.
#[expect(clippy::result_large_err, reason = "it is made once for an attempt that cannot begin, and handed on as it is")]
pub fn make_folders(start: &Start, work: &WorkDir) -> Result<(), Outcome> {
    let make = || {
        let folder = work.prepare(start.attempt)?;
        if matches!(start.spec.work, Work::Tests(_)) {
            std::fs::create_dir(folder.join("scratch"))?;
        }
        if start.spec.checkpointable || start.restore.is_some() {
            std::fs::create_dir(folder.join("checkpoint"))?;
        }
        Ok(())
    };
    make().map_err(|error: std::io::Error| {
        let folder = work.layout().attempt(start.attempt);
        Outcome::failed(Failure::Infra, format!("making the folder of the attempt in {}: {error}", folder.display()))
    })
}

/// Whether there is anything to [`fetch`].
pub fn fetches(start: &Start) -> bool {
    start.spec.files.is_some() || start.restore.is_some()
}

/// Fills the folders with what comes from the coordinator.
///
/// # Errors
/// The result of the attempt, which cannot begin.
pub async fn fetch(start: &Start, layout: &Layout, blobs: &Blobs) -> Result<(), Outcome> {
    let attempt = start.attempt;
    if let Some(manifest) = start.spec.files {
        let placed = blobs.materialise(manifest, &layout.attempt(attempt).join("home")).await;
        placed.map_err(|error| Outcome::failed(error.failure(), error.to_string()))?;
    }
    if let Some(state) = &start.restore {
        let placed = blobs.materialise(state.manifest, &layout.checkpoint(attempt)).await;
        // Whatever is wrong with a state, the task is not to blame.
        placed.map_err(|error| Outcome::failed(Failure::Infra, format!("restoring the state of an earlier attempt: {error}")))?;
    }
    Ok(())
}
