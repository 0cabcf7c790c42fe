//! Where the output of an attempt goes: a spool file that keeps its head and its tail, written by a pump and read by
//! whoever sends it on.
//!
//! Memory is constant whatever is written: a chunk is in the file before the next one is read.

use shared::output::{WINDOW, Window};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// A handle on one spool; clones write to and read from the same one.
#[derive(Debug, Clone)]
pub struct OutputSink {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    window: Window,
    grown: Notify,
    spool: Mutex<Spool>,
}

#[derive(Debug, Default)]
struct Spool {
    file: Option<File>,
    /// Bytes that were given a place in the file; some of them have been overwritten since.
    total: u64,
    /// Bytes that could not be written.
    lost: u64,
    failure: Option<String>,
    active: Option<Instant>,
}

impl OutputSink {
    /// A spool at `path`, keeping as much as [`WINDOW`] says. The file is made when the first byte arrives.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with_window(path, WINDOW)
    }

    /// A spool that keeps as much as `window` says.
    pub fn with_window(path: impl Into<PathBuf>, window: Window) -> Self {
        Self { inner: Arc::new(Inner { path: path.into(), window, grown: Notify::new(), spool: Mutex::default() }) }
    }

    /// The spool that an earlier life of the daemon left at `path` after `total` bytes.
    pub fn reopen(path: impl Into<PathBuf>, total: u64) -> io::Result<Self> {
        let sink = Self::new(path);
        if total > 0 {
            let file = File::options().read(true).write(true).open(&sink.inner.path)?;
            let mut spool = sink.lock();
            spool.file = Some(file);
            spool.total = total;
        }
        Ok(sink)
    }

    /// Appends `bytes`. A disk that refuses them costs output, never the attempt: see [`OutputSink::failure`].
    pub fn write(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut spool = self.lock();
        spool.active = Some(Instant::now());
        if spool.failure.is_some() {
            spool.lost += bytes.len() as u64;
        } else if let Err(error) = spool.append(&self.inner.path, self.inner.window, bytes) {
            spool.lost += bytes.len() as u64;
            spool.failure = Some(format!("could not keep output in {}: {error}", self.inner.path.display()));
        }
        drop(spool);
        self.inner.grown.notify_one();
    }

    /// At most `bytes_max` bytes from `cursor`, and where in the output they begin: later than `cursor` where a gap was
    /// dropped. Nothing when no more is there yet.
    pub fn read_at(&self, cursor: u64, bytes_max: usize) -> io::Result<Option<(u64, Vec<u8>)>> {
        let spool = self.lock();
        let Some(piece) = self.inner.window.next(cursor, spool.total, bytes_max as u64) else { return Ok(None) };
        let Some(file) = &spool.file else { return Ok(None) };
        let mut bytes = vec![0; piece.bytes as usize];
        file.read_exact_at(&mut bytes, piece.at)?;
        Ok(Some((piece.offset, bytes)))
    }

    /// Bytes that can be read back, or were kept until newer ones took their place.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// Bytes that were written, kept or not.
    pub fn written(&self) -> u64 {
        let spool = self.lock();
        spool.total + spool.lost
    }

    /// When the last byte arrived.
    pub fn last_activity(&self) -> Option<Instant> {
        self.lock().active
    }

    /// Why output was lost, where it was.
    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// Waits until something was written since the last call; one waiter at a time.
    pub async fn grown(&self) {
        self.inner.grown.notified().await;
    }

    /// Where the spool lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    fn lock(&self) -> MutexGuard<'_, Spool> {
        // A panic between two updates cannot leave the spool half changed: the counters move last.
        self.inner.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    fn append(&mut self, path: &Path, window: Window, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().read(true).write(true).create(true).truncate(true).open(path)?),
        };
        for piece in window.place(self.total, bytes.len() as u64) {
            let from = (piece.offset - self.total) as usize;
            file.write_all_at(&bytes[from..from + piece.bytes as usize], piece.at)?;
        }
        self.total += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sink: &OutputSink) -> Vec<(u64, Vec<u8>)> {
        let (mut read, mut cursor) = (Vec::new(), 0);
        while let Some((offset, bytes)) = sink.read_at(cursor, 7).expect("the spool is readable") {
            cursor = offset + bytes.len() as u64;
            read.push((offset, bytes));
        }
        read
    }

    #[test]
    fn what_was_written_is_read_back_while_more_arrives() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sink = OutputSink::new(dir.path().join("out"));
        assert_eq!(sink.read_at(0, 10).expect("nothing to read"), None);
        assert!(!sink.path().exists(), "no file before the first byte");
        sink.write(b"one ");
        assert_eq!(sink.read_at(0, 10).expect("readable"), Some((0, b"one ".to_vec())));
        sink.write(&[0xff, 0x00, 0xfe]);
        assert_eq!(sink.read_at(4, 10).expect("readable"), Some((4, vec![0xff, 0x00, 0xfe])));
        assert_eq!((sink.total(), sink.written(), sink.last_activity().is_some()), (7, 7, true));
    }

    #[test]
    fn of_a_long_output_both_ends_are_kept() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sink = OutputSink::with_window(dir.path().join("out"), Window { head_bytes: 4, tail_bytes: 8 });
        for byte in 0..100u8 {
            sink.write(&[byte]);
        }
        let read = all(&sink);
        let bytes: Vec<u8> = read.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(bytes, [0, 1, 2, 3, 92, 93, 94, 95, 96, 97, 98, 99]);
        assert_eq!(read[1].0, 92, "the jump in the offset is the gap");
        assert_eq!(std::fs::metadata(sink.path()).expect("the spool exists").len(), 12);
    }

    #[test]
    fn a_disk_that_refuses_costs_output_and_is_said_aloud() {
        let sink = OutputSink::new("/proc/evenkeel-cannot-write-here");
        sink.write(b"lost");
        assert_eq!((sink.total(), sink.written()), (0, 4));
        assert!(sink.failure().is_some_and(|why| why.contains("/proc/evenkeel-cannot-write-here")));
    }

    #[test]
    fn a_later_life_reads_what_an_earlier_one_kept() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("out");
        OutputSink::new(&path).write(b"before the crash");
        let again = OutputSink::reopen(&path, 16).expect("the file is there");
        assert_eq!(again.read_at(7, 100).expect("readable"), Some((7, b"the crash".to_vec())));
        assert!(OutputSink::reopen(dir.path().join("gone"), 5).is_err());
    }
}
