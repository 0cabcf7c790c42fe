//! The working files of a task: fetched by content, checked, kept for the next task, copied into the attempt's home.

use crate::token::Token;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sha2::{Digest as _, Sha256};
use shared::id::Digest;
use shared::outcome::Failure;
use shared::task::{FileEntry, Manifest};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The longest list of files.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Downloads at a time for one attempt.
const FETCHES_AT_A_TIME: usize = 4;
/// Digests asked about in one request.
const ASKED_AT_ONCE: usize = 10_000;
/// What the cache holds after a start of the daemon, at most.
pub const CACHE_BYTES_MAX: u64 = 10 << 30;

/// Why an attempt does not have its files.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The list names something outside of the attempt's folder.
    #[error(
        "the list of files names `{path}`, which is not a plain relative path; submit the task again with paths below its folder"
    )]
    Outside {
        /// What it names.
        path: String,
    },
    /// The coordinator did not give it.
    #[error("fetching blob {digest} from the coordinator: {why}")]
    Fetch {
        /// Which.
        digest: Digest,
        /// What happened.
        why: String,
    },
    /// What arrived, or what was kept, is something else.
    #[error("blob {digest} is not what its digest says ({why}); it is fetched anew by the next attempt")]
    Corrupt {
        /// Which.
        digest: Digest,
        /// How it shows.
        why: String,
    },
    /// The coordinator did not take it.
    #[error("bringing blob {digest} to the coordinator: {why}")]
    Bring {
        /// Which.
        digest: Digest,
        /// What happened.
        why: String,
    },
    /// Something in a saved state cannot be kept by content.
    #[error("{path} cannot be part of a saved state: {why}; keep it outside of EVENKEEL_CHECKPOINT_DIR", path = path.display())]
    Unfit {
        /// What.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The disk of this worker failed.
    #[error("keeping files in {path}: {source}", path = path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FilesError {
    /// Whose fault it is.
    pub fn failure(&self) -> Failure {
        match self {
            FilesError::Outside { .. } => Failure::Refused,
            FilesError::Fetch { .. }
            | FilesError::Corrupt { .. }
            | FilesError::Bring { .. }
            | FilesError::Unfit { .. }
            | FilesError::Disk { .. } => Failure::Infra,
        }
    }
}

/// Files by content: on this disk, else from the coordinator.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
    url: String,
    client: reqwest::Client,
    token: Option<Token>,
    unfinished: AtomicU64,
}

impl Blobs {
    /// Blobs kept in `folder`, fetched from the coordinator at `url`.
    pub fn new(folder: PathBuf, url: String, token: Option<Token>) -> Self {
        Self { folder, url, client: reqwest::Client::new(), token, unfinished: AtomicU64::new(0) }
    }

    /// Puts the files listed by `manifest` into `home`.
    pub async fn materialise(&self, manifest: Digest, home: &Path) -> Result<(), FilesError> {
        let kept = self.fetch(manifest, MANIFEST_BYTES_MAX).await?;
        let bytes = self.read(manifest, &kept)?;
        let list: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| FilesError::Corrupt { digest: manifest, why: format!("not a list of files: {error}") })?;
        for entry in &list.files {
            let is_plain = Path::new(&entry.path).components().all(|part| matches!(part, Component::Normal(_)));
            if entry.path.is_empty() || entry.path.contains('\0') || !is_plain {
                return Err(FilesError::Outside { path: entry.path.clone() });
            }
        }
        let mut copies = FuturesUnordered::new();
        for entry in &list.files {
            copies.push(self.place(entry, home));
            if copies.len() >= FETCHES_AT_A_TIME {
                copies.next().await.transpose()?;
            }
        }
        while let Some(copied) = copies.next().await {
            copied?;
        }
        Ok(())
    }

    async fn place(&self, entry: &FileEntry, home: &Path) -> Result<(), FilesError> {
        let kept = self.fetch(entry.digest, entry.bytes).await?;
        let (entry, to) = (entry.clone(), home.join(&entry.path));
        let copied = tokio::task::spawn_blocking(move || copy(&entry, &kept, &to)).await;
        copied.map_err(|error| FilesError::Fetch { digest: Digest([0; 32]), why: error.to_string() })?
    }

    fn read(&self, digest: Digest, kept: &Path) -> Result<Vec<u8>, FilesError> {
        let bytes = fs::read(kept).map_err(|source| FilesError::Disk { path: kept.into(), source })?;
        if Sha256::digest(&bytes).as_slice() != digest.0 {
            let _ = fs::remove_file(kept);
            return Err(FilesError::Corrupt { digest, why: "the kept copy has another digest".into() });
        }
        Ok(bytes)
    }

    /// Where the blob lies on this disk; it is fetched first when it does not.
    async fn fetch(&self, digest: Digest, bytes_max: u64) -> Result<PathBuf, FilesError> {
        let kept = self.folder.join(digest.to_string());
        if kept.exists() {
            // A touched file is the last to leave the cache.
            let _ = File::options().append(true).open(&kept).and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(kept);
        }
        let unfinished = self.folder.join(format!("{digest}.{}.tmp", self.unfinished.fetch_add(1, Ordering::Relaxed)));
        let fetched = self.download(digest, bytes_max, &unfinished).await;
        let renamed = fetched
            .and_then(|()| fs::rename(&unfinished, &kept).map_err(|source| FilesError::Disk { path: kept.clone(), source }));
        if renamed.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        renamed.map(|()| kept)
    }

    /// Brings to the coordinator what it lacks of `sources`, and then the list `whole` under its name: what is named by a
    /// list that is there, is there.
    pub async fn bring(&self, sources: &BTreeMap<Digest, PathBuf>, name: Digest, whole: &[u8]) -> Result<(), FilesError> {
        let failed = |why: reqwest::Error| FilesError::Bring { digest: name, why: why.to_string() };
        let digests: Vec<Digest> = sources.keys().copied().collect();
        let mut missing: Vec<Digest> = Vec::new();
        for asked in digests.chunks(ASKED_AT_ONCE) {
            let request = self.authorised(self.client.post(format!("{}/api/blobs/missing", self.url))).json(&asked);
            let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
            missing.extend(answer.json::<Vec<Digest>>().await.map_err(failed)?);
        }
        for digest in missing {
            let Some(path) = sources.get(&digest) else { continue };
            let disk = |source| FilesError::Disk { path: path.clone(), source };
            self.upload(digest, tokio::fs::File::open(path).await.map_err(disk)?).await?;
        }
        self.upload(name, whole.to_vec()).await
    }

    async fn upload(&self, digest: Digest, content: impl Into<reqwest::Body>) -> Result<(), FilesError> {
        let failed = |why: String| FilesError::Bring { digest, why };
        let request = self.authorised(self.client.put(format!("{}/api/blobs/{digest}", self.url))).body(content);
        let answer = request.send().await.map_err(|error| failed(error.to_string()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        Err(failed(format!("it answered {status}: {}", answer.text().await.unwrap_or_default())))
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.header("authorization", token.bearer()),
            None => request,
        }
    }

    async fn download(&self, digest: Digest, bytes_max: u64, to: &Path) -> Result<(), FilesError> {
        let failed = |why: String| FilesError::Fetch { digest, why };
        let disk = |source| FilesError::Disk { path: to.into(), source };
        let request = self.authorised(self.client.get(format!("{}/api/blobs/{digest}", self.url)));
        let mut response = request.send().await.map_err(|error| failed(error.to_string()))?;
        if !response.status().is_success() {
            return Err(failed(format!("it answered {}", response.status())));
        }
        let (mut file, mut hash, mut bytes) = (File::create(to).map_err(disk)?, Sha256::new(), 0u64);
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error.to_string()))? {
            bytes += chunk.len() as u64;
            if bytes > bytes_max {
                return Err(FilesError::Corrupt { digest, why: format!("it is longer than {bytes_max} bytes") });
            }
            hash.update(&chunk);
            file.write_all(&chunk).map_err(disk)?;
        }
        if hash.finalize().as_slice() != digest.0 {
            return Err(FilesError::Corrupt { digest, why: format!("{bytes} bytes with another digest arrived") });
        }
        Ok(())
    }
}

/// Copies a kept blob; what a task does to its copy is no one else's concern.
fn copy(entry: &FileEntry, kept: &Path, to: &Path) -> Result<(), FilesError> {
    let disk = |source| FilesError::Disk { path: to.into(), source };
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(disk)?;
    }
    let mut from = File::open(kept).map_err(|source| FilesError::Disk { path: kept.into(), source })?;
    let mut file = File::create(to).map_err(disk)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        let bytes = from.read(&mut chunk).map_err(disk)?;
        if bytes == 0 {
            break;
        }
        hash.update(&chunk[..bytes]);
        file.write_all(&chunk[..bytes]).map_err(disk)?;
    }
    if hash.finalize().as_slice() != entry.digest.0 {
        let _ = fs::remove_file(kept);
        return Err(FilesError::Corrupt { digest: entry.digest, why: "the kept copy has another digest".into() });
    }
    if entry.executable {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o755)).map_err(disk)?;
    }
    Ok(())
}

/// Removes unfinished downloads and, of the rest, those used longest ago until at most `bytes_max` are kept.
pub fn prune(folder: &Path, bytes_max: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        if entry.path().extension().is_some() {
            fs::remove_file(entry.path())?;
        } else {
            kept.push((data.modified()?, data.len(), entry.path()));
        }
    }
    kept.sort();
    let mut bytes: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, length, path) in kept {
        if bytes <= bytes_max {
            break;
        }
        fs::remove_file(path)?;
        bytes -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_leaves_first() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (age_s, name) in [(30, "old"), (20, "middle"), (10, "new"), (5, "half.0.tmp")] {
            fs::write(dir.path().join(name), [0; 100]).expect("a writable folder");
            let file = File::options().append(true).open(dir.path().join(name)).expect("it was just written");
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s)).expect("our own file");
        }
        prune(dir.path(), 200).expect("removable");
        let mut left: Vec<_> = fs::read_dir(dir.path()).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["middle", "new"]);
    }
}
