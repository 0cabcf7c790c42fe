//! The work directory: who this worker is, the folders of attempts, and those of its runners.
//!
//! ```text
//! lock            held while a daemon lives
//! identity.json   made once; cluster and epoch are pinned in it
//! runners/ID/     a runner: socket, exits, log, warm/; with an attempt's name, ID is the cookie of its processes
//! attempts/A/     home/, scratch/, checkpoint/, out
//! spare/          clean folders of ended attempts, for the next ones
//! blobs/          files of tasks by content
//! ```

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use shared::id::{Attempt, AttemptNumber, ClusterId, Epoch, TaskId, WorkerId};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where things lie in a work directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// A work directory that this process alone uses.
#[derive(Debug)]
pub struct WorkDir {
    layout: Layout,
    spare: Mutex<Spare>,
    /// Held for as long as this value lives.
    _lock: File,
}

/// Folders that can be used again: file systems are slow at making and removing them.
#[derive(Debug, Default)]
struct Spare {
    folders: Vec<PathBuf>,
    next: u64,
}

/// Clean folders that are kept for the next attempts.
const SPARE_MAX: usize = 256;

/// What is kept of who this worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Made once, at random.
    pub worker: WorkerId,
    /// The cluster it has joined.
    #[serde(default)]
    pub cluster: Option<ClusterId>,
    /// The highest epoch it has obeyed.
    #[serde(default)]
    pub epoch_seen: Epoch,
}

/// The name of an attempt in files: its numbers say all, so that no two attempts share one.
pub fn file_name(attempt: Attempt) -> String {
    format!("{}-{}-{}", attempt.task, attempt.number.0 >> 32, attempt.number.ordinal())
}

/// By what the processes of an attempt are known that the runner `life` holds.
pub fn cookie(life: &str, attempt: Attempt) -> String {
    format!("{life}-{}", file_name(attempt))
}

fn attempt_of(name: &str) -> Option<Attempt> {
    let mut parts = name.split('-').map(|part| part.parse::<u64>().ok());
    let (task, epoch, ordinal) = (parts.next()??, parts.next()??, parts.next()??);
    let number = AttemptNumber::new(Epoch(u32::try_from(epoch).ok()?), u32::try_from(ordinal).ok()?);
    parts.next().is_none().then_some(Attempt { task: TaskId(task), number })
}

impl Layout {
    /// The work directory of the runner whose folder is `dir`.
    pub fn around(dir: &Path) -> Option<Self> {
        Some(Self { root: dir.parent()?.parent()?.to_owned() })
    }

    /// The folder of an attempt.
    pub fn attempt(&self, attempt: Attempt) -> PathBuf {
        self.root.join("attempts").join(file_name(attempt))
    }

    /// Where the output of an attempt is kept.
    pub fn output(&self, attempt: Attempt) -> PathBuf {
        self.attempt(attempt).join("out")
    }

    /// Where the state of an attempt is saved, and found again.
    pub fn checkpoint(&self, attempt: Attempt) -> PathBuf {
        self.attempt(attempt).join("checkpoint")
    }

    /// Where files are kept by content.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl WorkDir {
    /// Opens `root`, makes it where it is not there, and takes its lock.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["attempts", "spare", "blobs", "runners"] {
            let path = root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(if folder == "runners" { 0o700 } else { 0o777 })
                .create(&path)
                .with_context(|| format!("making the folder {}; choose another --work-dir", path.display()))?;
        }
        // Programs that tasks start have other working folders.
        let root = root.canonicalize().with_context(|| format!("finding the full path of {}", root.display()))?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("opening {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another worker is using {}; give this one its own --work-dir or --name", root.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
        }
        Ok(Self { layout: Layout { root }, spare: Mutex::default(), _lock: lock })
    }

    /// Where things lie in it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Who this worker is; decided here when it is its first start.
    pub fn identity(&self) -> Result<Identity> {
        let path = self.layout.root.join("identity.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("reading {}; remove the work directory to begin anew", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut id = [0; 16];
                getrandom::fill(&mut id).context("drawing this worker's identity")?;
                let identity = Identity { worker: WorkerId(id), cluster: None, epoch_seen: Epoch(0) };
                self.pin(&identity)?;
                Ok(identity)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Makes `identity` durable.
    pub fn pin(&self, identity: &Identity) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(identity).context("writing down this worker's identity")?;
        replace(&self.layout.root.join("identity.json"), &bytes).context("keeping this worker's identity")
    }

    /// Makes the folder of an attempt, with an empty `home` in it.
    pub fn prepare(&self, attempt: Attempt) -> io::Result<PathBuf> {
        let folder = self.layout.attempt(attempt);
        let spare = lock(&self.spare).folders.pop();
        match spare {
            Some(spare) => fs::rename(spare, &folder)?,
            None => fs::create_dir_all(folder.join("home"))?,
        }
        Ok(folder)
    }

    /// Removes the folder of an attempt, or keeps it for another where nothing is left in it; that there is none is fine.
    pub fn discard(&self, attempt: Attempt) -> io::Result<()> {
        let folder = self.layout.attempt(attempt);
        none_is_fine(fs::remove_file(folder.join("out")))?;
        let is_empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        let is_clean = is_empty(&folder.join("home")) && !folder.join("scratch").exists() && !folder.join("checkpoint").exists();
        let mut spare = lock(&self.spare);
        if !is_clean || spare.folders.len() >= SPARE_MAX {
            drop(spare);
            return none_is_fine(fs::remove_dir_all(folder));
        }
        spare.next += 1;
        let kept = self.layout.root.join("spare").join(spare.next.to_string());
        fs::rename(folder, &kept)?;
        spare.folders.push(kept);
        Ok(())
    }

    /// The folders of all runners there were and are.
    pub fn runners(&self) -> Result<Vec<PathBuf>> {
        Ok(self.entries("runners")?.into_iter().map(|entry| entry.path()).collect())
    }

    /// Makes the folder of a new runner.
    pub fn make_runner(&self) -> Result<PathBuf> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).context("drawing the name of a runner")?;
        let folder = self.layout.root.join("runners").join(shared::id::BootNonce(id).to_string());
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.with_context(|| format!("making the folder {}", folder.display()))?;
        Ok(folder)
    }

    /// By what processes are known that the runner in `folder` may have left: of any attempt, or waiting for one.
    pub fn cookies(&self, folder: &Path) -> Result<Vec<String>> {
        let life = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let names = self.entries("attempts")?.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.map(|name| format!("{life}-{name}")).collect())
    }

    /// Removes the folders of attempts other than `held`, and all spare ones.
    pub fn sweep(&self, held: &BTreeSet<Attempt>) -> Result<()> {
        for entry in self.entries("spare")? {
            fs::remove_dir_all(entry.path()).with_context(|| format!("removing {}", entry.path().display()))?;
        }
        for entry in self.entries("attempts")? {
            let attempt = entry.file_name().to_str().and_then(attempt_of);
            let is_wanted = attempt.is_some_and(|attempt| held.contains(&attempt));
            if !is_wanted && let Err(error) = none_is_fine(fs::remove_dir_all(entry.path())) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove the folder of an old attempt");
            }
        }
        Ok(())
    }

    fn entries(&self, folder: &str) -> Result<Vec<fs::DirEntry>> {
        let path = self.layout.root.join(folder);
        let entries = fs::read_dir(&path).and_then(Iterator::collect);
        entries.with_context(|| format!("listing {}", path.display()))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn none_is_fine(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Replaces a file as a whole: after a crash it holds the old content or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(task: u64) -> Attempt {
        Attempt { task: TaskId(task), number: AttemptNumber::new(Epoch(3), 2) }
    }

    #[test]
    fn an_identity_is_made_once_and_pins_survive() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first = WorkDir::open(dir.path()).expect("a writable folder").identity().expect("a new identity");
        let work = WorkDir::open(dir.path()).expect("the lock went with the first");
        let pinned = Identity { cluster: Some(ClusterId([7; 16])), epoch_seen: Epoch(4), ..first };
        work.pin(&pinned).expect("a writable folder");
        assert_eq!(work.identity().expect("it was just written"), pinned);
    }

    #[test]
    fn a_second_daemon_on_the_same_directory_is_told_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let _first = WorkDir::open(dir.path()).expect("a writable folder");
        let error = WorkDir::open(dir.path()).expect_err("it is locked");
        assert!(error.to_string().contains("--work-dir"), "{error}");
    }

    #[test]
    fn folders_of_what_is_held_stay_and_the_others_go() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let work = WorkDir::open(dir.path()).expect("a writable folder");
        for task in [1, 2] {
            work.prepare(attempt(task)).expect("a writable folder");
        }
        let runner = work.make_runner().expect("a writable folder");
        let life = runner.file_name().and_then(|name| name.to_str()).expect("a name in hex");
        let mut cookies = work.cookies(&runner).expect("readable");
        cookies.sort();
        assert_eq!(cookies, [1, 2].map(|task| cookie(life, attempt(task))));
        assert_eq!(work.runners().expect("readable"), [runner]);
        work.sweep(&[attempt(1)].into()).expect("removable");
        assert!(work.layout().attempt(attempt(1)).exists() && !work.layout().attempt(attempt(2)).exists());
        work.discard(attempt(1)).expect("removable");
        work.discard(attempt(1)).expect("that it is gone is fine");
    }

    #[test]
    fn a_folder_in_which_nothing_is_left_serves_the_next_attempt_and_another_does_not() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let work = WorkDir::open(dir.path()).expect("a writable folder");
        let first = work.prepare(attempt(1)).expect("a writable folder");
        fs::write(first.join("out"), "printed").expect("a writable folder");
        work.discard(attempt(1)).expect("removable");
        assert!(!first.exists());
        let second = work.prepare(attempt(2)).expect("a writable folder");
        assert!(second.join("home").is_dir() && !second.join("out").exists());
        fs::write(second.join("home/left"), "data").expect("a writable folder");
        work.discard(attempt(2)).expect("removable");
        let third = work.prepare(attempt(3)).expect("a writable folder");
        assert!(!third.join("home/left").exists());
    }
}
