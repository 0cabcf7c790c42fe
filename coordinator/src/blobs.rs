//! Files shipped by content: each is kept once, under its SHA-256.

use sha2::{Digest as _, Sha256};
use shared::id::Digest;
use std::io;
use std::path::{Path, PathBuf};

/// The largest blob that is taken, in bytes.
pub const BLOB_BYTES_MAX: usize = 1 << 30;

/// The store.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
}

/// A blob that was not stored.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// What came is not what was announced.
    #[error("the content has the digest {found}, not {announced}: it was changed while it was read, send it again")]
    Mismatch {
        /// What was announced.
        announced: Digest,
        /// What came.
        found: Digest,
    },
    /// The disk.
    #[error("storing blob {digest}: {source}")]
    Disk {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
}

impl Blobs {
    /// The store below `folder`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where a blob lies, whether or not it is there.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// Whether a blob is there.
    pub fn has(&self, digest: Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Stores a blob. It appears whole or not at all.
    ///
    /// # Errors
    /// It is not what was announced, or the disk is full or broken.
    pub fn store(&self, digest: Digest, content: &[u8]) -> Result<(), BlobError> {
        let found = Digest(Sha256::digest(content).into());
        if found != digest {
            return Err(BlobError::Mismatch { announced: digest, found });
        }
        let path = self.path(digest);
        let partial = path.with_extension(format!("partial-{}", Digest(crate::auth::random())));
        let write = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&partial, content)?;
            std::fs::File::open(&partial)?.sync_all()?;
            std::fs::rename(&partial, &path)
        };
        write().map_err(|source| {
            // What is left of it is no use; that it cannot be removed either is told by the next attempt.
            drop(std::fs::remove_file(&partial));
            BlobError::Disk { digest, source }
        })
    }
}
