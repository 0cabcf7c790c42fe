//! The work directory: who this worker is, results that were not acknowledged, and the folders of attempts.
//!
//! ```text
//! lock            held while a daemon lives
//! identity.json   made once; cluster and epoch are pinned in it
//! outbox          results that were not acknowledged
//! life            the daemon's newest life: with an attempt's name it is the cookie of its processes
//! attempts/A/     home/, scratch/, checkpoint/, out
//! spare/          clean folders of ended attempts, for the next ones
//! blobs/          files of tasks by content
//! ```

use crate::journal::Journal;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use shared::id::{Attempt, AttemptNumber, BootNonce, ClusterId, Epoch, TaskId, WorkerId};
use shared::outcome::{Outcome, TestResult};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A work directory that this process alone uses.
#[derive(Debug)]
pub struct WorkDir {
    root: PathBuf,
    outbox: Mutex<Journal>,
    /// Results an earlier life left, until they are asked for.
    left: Mutex<Vec<Stored>>,
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

/// One file of the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Of which attempt.
    pub attempt: Attempt,
    /// The result.
    pub outcome: Outcome,
    /// The results of its tests.
    #[serde(default)]
    pub tests: Vec<TestResult>,
    /// Bytes of output that were kept.
    #[serde(default)]
    pub log_bytes: u64,
}

/// The name of an attempt in files: its numbers say all, so that no two attempts share one.
pub fn file_name(attempt: Attempt) -> String {
    format!("{}-{}-{}", attempt.task, attempt.number.0 >> 32, attempt.number.ordinal())
}

/// By what the processes of an attempt are known.
pub fn cookie(life: BootNonce, attempt: Attempt) -> String {
    format!("{life}-{}", file_name(attempt))
}

fn attempt_of(name: &str) -> Option<Attempt> {
    let mut parts = name.split('-').map(|part| part.parse::<u64>().ok());
    let (task, epoch, ordinal) = (parts.next()??, parts.next()??, parts.next()??);
    let number = AttemptNumber::new(Epoch(u32::try_from(epoch).ok()?), u32::try_from(ordinal).ok()?);
    parts.next().is_none().then_some(Attempt { task: TaskId(task), number })
}

impl WorkDir {
    /// Opens `root`, makes it where it is not there, and takes its lock.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["attempts", "spare", "blobs"] {
            let path = root.join(folder);
            fs::create_dir_all(&path)
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
        let path = root.join("outbox");
        let (outbox, left) = Journal::open(&path).with_context(|| format!("opening the outbox {}", path.display()))?;
        let (outbox, left, spare) = (Mutex::new(outbox), Mutex::new(left), Mutex::default());
        Ok(Self { root, outbox, left, spare, _lock: lock })
    }

    /// Who this worker is; decided here when it is its first start.
    pub fn identity(&self) -> Result<Identity> {
        let path = self.root.join("identity.json");
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
        replace(&self.root.join("identity.json"), &bytes).context("keeping this worker's identity")
    }

    /// The folder of an attempt.
    pub fn attempt(&self, attempt: Attempt) -> PathBuf {
        self.root.join("attempts").join(file_name(attempt))
    }

    /// Where the output of an attempt is kept.
    pub fn output(&self, attempt: Attempt) -> PathBuf {
        self.attempt(attempt).join("out")
    }

    /// Where files are kept by content.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder of an attempt, with an empty `home` in it.
    pub fn prepare(&self, attempt: Attempt) -> io::Result<PathBuf> {
        let folder = self.attempt(attempt);
        let spare = lock(&self.spare).folders.pop();
        match spare {
            Some(spare) => fs::rename(spare, &folder)?,
            None => fs::create_dir_all(folder.join("home"))?,
        }
        Ok(folder)
    }

    /// Keeps a result. It outlives this process at once, and the machine when the system has written it: a machine that
    /// loses it also lost the session, and its attempt is run again.
    pub fn store(&self, stored: &Stored) -> Result<()> {
        let kept = lock(&self.outbox).keep(stored);
        kept.with_context(|| format!("keeping the result of attempt {}", stored.attempt))
    }

    /// Removes a result; that there is none is fine.
    pub fn forget(&self, attempt: Attempt) -> io::Result<()> {
        lock(&self.outbox).forget(attempt)
    }

    /// Removes the folder of an attempt, or keeps it for another where nothing is left in it; that there is none is fine.
    pub fn discard(&self, attempt: Attempt) -> io::Result<()> {
        let folder = self.attempt(attempt);
        none_is_fine(fs::remove_file(folder.join("out")))?;
        let is_empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        let is_clean = is_empty(&folder.join("home")) && !folder.join("scratch").exists() && !folder.join("checkpoint").exists();
        let mut spare = lock(&self.spare);
        if !is_clean || spare.folders.len() >= SPARE_MAX {
            drop(spare);
            return none_is_fine(fs::remove_dir_all(folder));
        }
        spare.next += 1;
        let kept = self.root.join("spare").join(spare.next.to_string());
        fs::rename(folder, &kept)?;
        spare.folders.push(kept);
        Ok(())
    }

    /// The results that an earlier life left, and the cookies of attempts of which processes may still run.
    pub fn leftovers(&self) -> Result<(Vec<Stored>, Vec<String>)> {
        let results = std::mem::take(&mut *lock(&self.left));
        let life = match fs::read_to_string(self.root.join("life")) {
            Ok(life) => life,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((results, Vec::new())),
            Err(error) => return Err(error).with_context(|| format!("reading {}", self.root.join("life").display())),
        };
        let names = self.entries("attempts")?.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok((results, names.map(|name| format!("{life}-{name}")).collect()))
    }

    /// Notes which life of the daemon this is, before its first process: a later one finds by it whatever this one leaves.
    pub fn begin(&self, life: BootNonce) -> Result<()> {
        replace(&self.root.join("life"), life.to_string().as_bytes()).context("noting which life of the worker this is")
    }

    /// Removes the folders of attempts other than those of `results`, whose output is still to be told.
    pub fn sweep(&self, results: &[Stored]) -> Result<()> {
        for entry in self.entries("spare")? {
            fs::remove_dir_all(entry.path()).with_context(|| format!("removing {}", entry.path().display()))?;
        }
        for entry in self.entries("attempts")? {
            let attempt = entry.file_name().to_str().and_then(attempt_of);
            let is_wanted = attempt.is_some_and(|attempt| results.iter().any(|stored| stored.attempt == attempt));
            if !is_wanted && let Err(error) = none_is_fine(fs::remove_dir_all(entry.path())) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove the folder of an old attempt");
            }
        }
        Ok(())
    }

    fn entries(&self, folder: &str) -> Result<Vec<fs::DirEntry>> {
        let path = self.root.join(folder);
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
    use shared::outcome::Ended;

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
    fn results_stay_until_forgotten_and_their_folders_with_them() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let work = WorkDir::open(dir.path()).expect("a writable folder");
        let outcome = Outcome::bare(Ended::Passed);
        let stored = Stored { attempt: attempt(1), outcome, tests: Vec::new(), log_bytes: 9 };
        work.begin(BootNonce([5; 8])).expect("a writable folder");
        work.store(&stored).expect("a writable folder");
        for task in [1, 2] {
            fs::create_dir_all(work.attempt(attempt(task))).expect("a writable folder");
        }
        drop(work);
        let work = WorkDir::open(dir.path()).expect("the lock went with the first");
        let (results, mut cookies) = work.leftovers().expect("readable");
        cookies.sort();
        let cookie = |task| cookie(BootNonce([5; 8]), attempt(task));
        assert_eq!((results.clone(), cookies), (vec![stored], vec![cookie(1), cookie(2)]));
        work.sweep(&results).expect("removable");
        assert!(work.attempt(attempt(1)).exists() && !work.attempt(attempt(2)).exists());
        work.forget(attempt(1)).expect("it is there");
        work.forget(attempt(1)).expect("that it is gone is fine");
        work.discard(attempt(1)).expect("removable");
        drop(work);
        let work = WorkDir::open(dir.path()).expect("the lock went with the second");
        assert_eq!(work.leftovers().expect("readable"), (Vec::new(), Vec::new()));
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
