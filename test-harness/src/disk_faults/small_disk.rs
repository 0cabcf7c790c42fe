//! A disk of some megabytes in memory, which only root can mount.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk; gone when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of this many megabytes.
    pub fn mount(megabytes: u32) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "evenkeel-test"]).arg(folder.path());
        let mounted = command.output().context("starting `mount`")?;
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).trim().to_owned();
            bail!("a small disk cannot be mounted ({why}): run this as root, where mounting is allowed");
        }
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut filler = File::create(self.filler()).context("making the file that fills the disk")?;
        // Large pieces first; small ones find what is left between them.
        for bytes in [64 << 10, 512] {
            let piece = vec![1; bytes];
            loop {
                match filler.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("filling the disk"),
                }
            }
        }
        Ok(())
    }

    /// Frees what was filled.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).context("freeing the disk")
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still uses it is ending; then it is gone too.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}
