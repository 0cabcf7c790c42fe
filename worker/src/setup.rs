//! Makes an attempt ready to run: its folder, its files, the state it goes on from.

use crate::files::Blobs;
use crate::workdir::WorkDir;
use shared::outcome::{Failure, Outcome};
use shared::protocol::Start;
use shared::task::Work;
use std::io;

/// Makes the folder of an attempt and fills it.
///
/// # Errors
/// The result of the attempt, which cannot begin.
pub async fn prepare(start: &Start, work: &WorkDir, blobs: &Blobs) -> Result<(), Outcome> {
    let (attempt, spec, layout) = (start.attempt, &start.spec, work.layout());
    make_folders(start, work).map_err(|error| {
        let folder = layout.attempt(attempt);
        Outcome::failed(Failure::Infra, format!("making the folder of the attempt in {}: {error}", folder.display()))
    })?;
    if let Some(manifest) = spec.files {
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

/// Makes what this attempt needs and no more: on a fast stream of short tasks folders are what costs.
fn make_folders(start: &Start, work: &WorkDir) -> io::Result<()> {
    let folder = work.prepare(start.attempt)?;
    if matches!(start.spec.work, Work::Tests(_)) {
        std::fs::create_dir(folder.join("scratch"))?;
    }
    if start.spec.checkpointable || start.restore.is_some() {
        std::fs::create_dir(folder.join("checkpoint"))?;
    }
    Ok(())
}
