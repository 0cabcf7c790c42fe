//! The state an attempt has saved: the files in its checkpoint folder, by content, brought to the coordinator.

use crate::files::{Blobs, FilesError};
use sha2::{Digest as _, Sha256};
use shared::id::Digest;
use shared::protocol::CheckpointRef;
use shared::task::{FileEntry, Manifest};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is tried to bring a state to the coordinator; what has arrived is not sent again.
const TRIES: u32 = 4;
/// The wait after the first try; it doubles.
const WAIT: Duration = Duration::from_millis(500);
/// Files in a state.
const FILES_MAX: usize = 100_000;

/// Where each content can be read.
type Sources = BTreeMap<Digest, PathBuf>;

/// Brings the files below `folder` to the coordinator; the answer is what an attempt is restored from.
///
/// # Errors
/// A file cannot be read or kept by name and content, or the coordinator does not take it, however often it is tried.
pub async fn store(blobs: &Blobs, folder: &Path) -> Result<CheckpointRef, FilesError> {
    let root = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&root)).await;
    let (manifest, sources) = read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let whole = serde_json::to_vec(&manifest).expect("names and digests are always JSON");
    let name = Digest(Sha256::digest(&whole).into());
    let state = CheckpointRef { manifest: name, bytes: manifest.files.iter().map(|file| file.bytes).sum() };
    let mut wait = WAIT;
    for _ in 1..TRIES {
        match blobs.bring(&sources, name, &whole).await {
            Ok(()) => return Ok(state),
            Err(error) => tracing::warn!("{error}; trying again"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    blobs.bring(&sources, name, &whole).await.map(|()| state)
}

fn read(root: &Path) -> Result<(Manifest, Sources), FilesError> {
    let (mut manifest, mut sources) = (Manifest::default(), Sources::new());
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let disk = |source| FilesError::Disk { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A suite has none: its state is the list of its finished tests, which the coordinator has.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == root => break,
            Err(error) => return Err(disk(error)),
        };
        for entry in entries {
            let path = entry.map_err(disk)?.path();
            let unfit = |why: &str| FilesError::Unfit { path: path.clone(), why: why.into() };
            let about = fs::symlink_metadata(&path).map_err(disk)?;
            if about.is_dir() {
                folders.push(path);
                continue;
            }
            if !about.is_file() {
                return Err(unfit("it is neither a file nor a folder"));
            }
            if manifest.files.len() >= FILES_MAX {
                return Err(unfit(&format!("a state has at most {FILES_MAX} files")));
            }
            let name = path.strip_prefix(root).ok().and_then(Path::to_str).ok_or_else(|| unfit("its name is not UTF-8"))?;
            let (digest, bytes) = hash(&path).map_err(disk)?;
            let executable = about.permissions().mode() & 0o100 != 0;
            manifest.files.push(FileEntry { path: name.to_owned(), digest, bytes, executable });
            sources.insert(digest, path.clone());
        }
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((manifest, sources))
}

fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut chunk = vec![0; 64 << 10];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((Digest(hash.finalize().into()), bytes)),
            read => {
                hash.update(&chunk[..read]);
                bytes += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_its_files_by_name_and_content_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("deep")).expect("a writable folder");
        for (name, content) in [("b", "same"), ("deep/a", "same"), ("c", "other")] {
            fs::write(dir.path().join(name), content).expect("a writable folder");
        }
        let (manifest, sources) = read(dir.path()).expect("readable");
        let names: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!((names, sources.len()), (vec!["b", "c", "deep/a"], 2));
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).expect("a writable folder");
        assert!(read(dir.path()).expect_err("a link leads elsewhere").to_string().contains("link"));
        assert_eq!(read(&dir.path().join("gone")).expect("an empty state").0, Manifest::default());
    }
}
