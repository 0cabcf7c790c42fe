//! Where the output of an attempt goes: a spool file that keeps its head and its tail, written by a pump in the runner and
//! read by the daemon, which sends it on.
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
        let total = self.total + bytes.len() as u64;
        if total > capacity(window) {
            // Readers in other processes look at it after they have read, so it is written before.
            file.write_all_at(&total.to_le_bytes(), capacity(window))?;
        }
        for piece in window.place(self.total, bytes.len() as u64) {
            let from = (piece.offset - self.total) as usize;
            file.write_all_at(&bytes[from..from + piece.bytes as usize], piece.at)?;
        }
        self.total = total;
        Ok(())
    }
}

/// Bytes of output in a full spool. Behind them lies how much has been given a place, once something was overwritten.
fn capacity(window: Window) -> u64 {
    window.head_bytes + window.tail_bytes
}

/// Reads a spool that another process writes.
#[derive(Debug)]
pub struct OutputReader {
    path: PathBuf,
    window: Window,
    file: Option<File>,
    /// Bytes that are known to be there.
    pub total: u64,
}

impl OutputReader {
    /// The spool at `path`, which may not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, window: WINDOW, file: None, total: 0 }
    }

    /// At most `bytes_max` bytes from `cursor`, as [`OutputSink::read_at`] gives them.
    ///
    /// # Errors
    /// The spool is gone or unreadable.
    pub fn read_at(&mut self, mut cursor: u64, bytes_max: usize) -> io::Result<Option<(u64, Vec<u8>)>> {
        while let Some(piece) = self.window.next(cursor, self.total, bytes_max as u64) {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(File::open(&self.path)?),
            };
            let mut bytes = vec![0; piece.bytes as usize];
            file.read_exact_at(&mut bytes, piece.at)?;
            let mut placed = [0; 8];
            match file.read_exact_at(&mut placed, capacity(self.window)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some((piece.offset, bytes))),
                Err(error) => return Err(error),
            }
            // What was read may have been overwritten meanwhile, and not all of what came in its place is told yet.
            let gap = self.window.gap(u64::from_le_bytes(placed));
            if !(gap.start..gap.end).contains(&piece.offset) {
                return Ok(Some((piece.offset, bytes)));
            }
            cursor = gap.end;
        }
        Ok(None)
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
        assert_eq!(std::fs::metadata(sink.path()).expect("the spool exists").len(), 12 + 8, "and the counter behind it");
    }

    #[test]
    fn a_disk_that_refuses_costs_output_and_is_said_aloud() {
        let sink = OutputSink::new("/proc/evenkeel-cannot-write-here");
        sink.write(b"lost");
        assert_eq!((sink.total(), sink.written()), (0, 4));
        assert!(sink.failure().is_some_and(|why| why.contains("/proc/evenkeel-cannot-write-here")));
    }

    #[test]
    fn another_process_reads_what_is_kept_and_never_what_took_its_place() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("out");
        let window = Window { head_bytes: 4, tail_bytes: 8 };
        let sink = OutputSink::with_window(&path, window);
        let mut reader = OutputReader { window, ..OutputReader::new(path) };
        assert_eq!(reader.read_at(0, 9).expect("nothing is there yet"), None);
        (0..10u8).for_each(|byte| sink.write(&[byte]));
        reader.total = 10;
        assert_eq!(reader.read_at(2, 9).expect("readable"), Some((2, vec![2, 3])));
        assert_eq!(reader.read_at(4, 9).expect("readable"), Some((4, vec![4, 5, 6, 7, 8, 9])));
        (10..15u8).for_each(|byte| sink.write(&[byte]));
        // It was told of ten bytes only, and of those in the ring 4, 5 and 6 are overwritten.
        assert_eq!(reader.read_at(4, 2).expect("readable"), Some((7, vec![7, 8])));
        (15..100u8).for_each(|byte| sink.write(&[byte]));
        assert_eq!(reader.read_at(4, 2).expect("readable"), None, "nothing of the ten bytes in the ring is left");
        assert_eq!(reader.read_at(0, 9).expect("readable"), Some((0, vec![0, 1, 2, 3])));
    }
}
