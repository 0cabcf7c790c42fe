//! The work directory: who this worker is, results that were not acknowledged, and the folders of attempts.
//!
//! ```text
//! lock            held while a daemon lives
//! identity.json   made once; cluster and epoch are pinned in it
//! outbox/A.json   one result that was not acknowledged
//! attempts/A/     cookie, home/, scratch/, checkpoint/, out
//! blobs/          files of tasks by content
//! ```

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use shared::id::{Attempt, AttemptNumber, ClusterId, Epoch, TaskId, WorkerId};
use shared::outcome::{Outcome, TestResult};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A work directory that this process alone uses.
#[derive(Debug)]
pub struct WorkDir {
    root: PathBuf,
    /// Held for as long as this value lives.
    _lock: File,
}

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

fn attempt_of(name: &str) -> Option<Attempt> {
    let mut parts = name.split('-').map(|part| part.parse::<u64>().ok());
    let (task, epoch, ordinal) = (parts.next()??, parts.next()??, parts.next()??);
    let number = AttemptNumber::new(Epoch(u32::try_from(epoch).ok()?), u32::try_from(ordinal).ok()?);
    parts.next().is_none().then_some(Attempt { task: TaskId(task), number })
}

impl WorkDir {
    /// Opens `root`, makes it where it is not there, and takes its lock.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["outbox", "attempts", "blobs"] {
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
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another worker is using {}; give this one its own --work-dir or --name", root.display())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
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

    /// Keeps a result.
    pub fn store(&self, stored: &Stored) -> Result<()> {
        let path = self.outbox_file(stored.attempt);
        let bytes = serde_json::to_vec(stored).context("writing down a result")?;
        replace(&path, &bytes).with_context(|| format!("keeping the result of attempt {}", stored.attempt))
    }

    /// Removes a result; that there is none is fine.
    pub fn forget(&self, attempt: Attempt) -> io::Result<()> {
        none_is_fine(fs::remove_file(self.outbox_file(attempt)))
    }

    /// Removes the folder of an attempt; that there is none is fine.
    pub fn discard(&self, attempt: Attempt) -> io::Result<()> {
        none_is_fine(fs::remove_dir_all(self.attempt(attempt)))
    }

    /// The results that an earlier life left, and the cookies of attempts of which processes may still run.
    pub fn leftovers(&self) -> Result<(Vec<Stored>, Vec<String>)> {
        let mut results = Vec::new();
        for entry in self.entries("outbox")? {
            let path = entry.path();
            match fs::read(&path).map_err(anyhow::Error::from).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
                Ok(stored) => results.push(stored),
                // An unfinished write was never relied upon.
                Err(_) if path.extension().is_some_and(|extension| extension == "tmp") => none_is_fine(fs::remove_file(&path))?,
                Err(error) => tracing::warn!(path = %path.display(), %error, "a kept result cannot be read and is passed over"),
            }
        }
        let cookies = self.entries("attempts")?;
        let cookies = cookies.iter().filter_map(|entry| fs::read_to_string(entry.path().join("cookie")).ok()).collect();
        Ok((results, cookies))
    }

    /// Removes the folders of attempts other than those of `results`, whose output is still to be told.
    pub fn sweep(&self, results: &[Stored]) -> Result<()> {
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

    fn outbox_file(&self, attempt: Attempt) -> PathBuf {
        self.root.join("outbox").join(format!("{}.json", file_name(attempt)))
    }
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
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
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
        work.store(&stored).expect("a writable folder");
        for task in [1, 2] {
            fs::create_dir_all(work.attempt(attempt(task))).expect("a writable folder");
            fs::write(work.attempt(attempt(task)).join("cookie"), task.to_string()).expect("a writable folder");
        }
        fs::write(dir.path().join("outbox/9-9-9.tmp"), "{unfin").expect("a writable folder");
        let (results, mut cookies) = work.leftovers().expect("readable");
        cookies.sort();
        assert_eq!((results.clone(), cookies), (vec![stored], vec!["1".into(), "2".into()]));
        work.sweep(&results).expect("removable");
        assert!(work.attempt(attempt(1)).exists() && !work.attempt(attempt(2)).exists());
        work.forget(attempt(1)).expect("it is there");
        work.forget(attempt(1)).expect("that it is gone is fine");
        work.discard(attempt(1)).expect("removable");
        assert_eq!(work.leftovers().expect("readable"), (Vec::new(), Vec::new()));
    }
}
