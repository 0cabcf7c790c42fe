//! Space on the log's disk that is kept for what already runs: a file of zeros that is given up when the disk is full, and
//! taken back when there is space again.

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The space that is kept, in bytes; of a small disk a quarter.
const RESERVE_BYTES: u64 = 8 << 20;
/// So much more must be free before a reserve that was given up is taken back, in bytes; of a small disk an eighth.
const MARGIN_BYTES: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    is_held: bool,
}

impl Reserve {
    /// The reserve in this folder, not yet taken; what a killed coordinator held is held.
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("reserve");
        Self { is_held: path.exists(), path }
    }

    /// Takes the space, where there is more than that.
    ///
    /// # Errors
    /// There is not enough, or the disk refuses.
    pub fn take(&mut self) -> io::Result<()> {
        let disk = statvfs(self.path.parent().unwrap_or(Path::new(".")))?;
        let unit = disk.fragment_size() as u64;
        let (all, free) = (disk.blocks() as u64 * unit, disk.blocks_available() as u64 * unit);
        let bytes = RESERVE_BYTES.min(all / 4);
        let held = std::fs::metadata(&self.path).map_or(0, |held| held.len());
        if bytes.saturating_sub(held) + MARGIN_BYTES.min(all / 8) > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = File::options().create(true).truncate(false).write(true).open(&self.path)?;
        if let Err(error) = posix_fallocate(&file, 0, bytes as i64) {
            self.give();
            return Err(error.into());
        }
        self.is_held = true;
        Ok(())
    }

    /// Gives the space up; false when it was not held.
    pub fn give(&mut self) -> bool {
        // A file that is gone already takes no space.
        drop(std::fs::remove_file(&self.path));
        std::mem::take(&mut self.is_held)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_space_and_gives_it_back_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut reserve = Reserve::new(dir.path());
        assert!(!reserve.give(), "nothing was taken");
        reserve.take().expect("there is space for the tests");
        let held = std::fs::metadata(dir.path().join("reserve")).expect("it is there");
        assert!(std::os::unix::fs::MetadataExt::blocks(&held) * 512 >= held.len(), "its blocks are its own");
        assert!(reserve.give() && !reserve.give());
        assert!(!dir.path().join("reserve").exists());
    }
}
