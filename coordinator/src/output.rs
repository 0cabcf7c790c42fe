//! What tasks print: one file an attempt, its head and its tail, written by one thread and read by whoever asks.
//!
//! A file begins with a header (total bytes, and the run that was dropped by a slow or cut connection), then lies as
//! `shared::output::Window` says.

use crate::log::LogHealth;
use shared::id::Attempt;
use shared::output::WINDOW;
use shared::protocol::FromCoordinator;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

const HEADER_BYTES: u64 = 24;
/// Chunks that may wait for the disk: 32 MiB at the most.
const CHUNKS_MAX: usize = 1_024;
/// Files kept open for the next chunk.
const OPEN_FILES_MAX: usize = 256;
/// Output that waits in memory for a full disk, in bytes; what comes then is told again in the worker's next session.
const HELD_BYTES_MAX: usize = 32 << 20;
/// How often a disk that refused output is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Some output of an attempt.
#[derive(Debug)]
pub struct Chunk {
    /// Whose.
    pub attempt: Attempt,
    /// Where in the output.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whom to tell that it is stored.
    pub credit: mpsc::WeakSender<FromCoordinator>,
}

/// The way to the thread that stores output, and to what it has stored.
#[derive(Debug, Clone)]
pub struct OutputStore {
    folder: PathBuf,
    chunks: mpsc::Sender<Chunk>,
    grown: watch::Receiver<u64>,
}

/// Some stored output.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Where it begins: later than asked where a part was dropped.
    pub offset: u64,
    /// Where to go on.
    pub next: u64,
    /// Bytes of output in all, so far.
    pub total: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl OutputStore {
    /// Begins to store output below `folder`, as long as `health` has space to spare.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn start(folder: &Path, health: LogHealth) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (chunks, queue) = mpsc::channel(CHUNKS_MAX);
        let (tell, grown) = watch::channel(0);
        let shelf = Shelf { folder: folder.to_owned(), open: HashMap::new(), held: VecDeque::new(), tell, health };
        std::thread::Builder::new().name("output".into()).spawn(move || shelf.run(queue))?;
        Ok(Self { folder: folder.to_owned(), chunks, grown })
    }

    /// Hands in some output; waits while too much of it waits for the disk.
    pub async fn store(&self, chunk: Chunk) {
        // The thread ends only with the process.
        drop(self.chunks.send(chunk).await);
    }

    /// At most `bytes_max` bytes from `cursor` on; nothing is not an error.
    ///
    /// # Errors
    /// The disk.
    pub fn read(&self, attempt: Attempt, cursor: u64, bytes_max: u64) -> io::Result<Read> {
        let file = match File::open(path(&self.folder, attempt)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Read { offset: cursor, next: cursor, ..Read::default() });
            }
            Err(error) => return Err(error),
        };
        let header = Header::read(&file)?;
        let cursor = if header.dropped.contains(&cursor) { header.dropped.end } else { cursor };
        let until = if cursor < header.dropped.start { header.dropped.start } else { header.total };
        let Some(piece) = WINDOW.next(cursor, header.total, bytes_max.min(until.saturating_sub(cursor))) else {
            let next = cursor.min(header.total).max(if cursor > header.total { header.total } else { cursor });
            return Ok(Read { offset: next, next, total: header.total, bytes: Vec::new() });
        };
        let mut bytes = vec![0; usize::try_from(piece.bytes).expect("a piece fits into memory")];
        file.read_exact_at(&mut bytes, HEADER_BYTES + piece.at)?;
        Ok(Read { offset: piece.offset, next: piece.offset + piece.bytes, total: header.total, bytes })
    }

    /// Something that changes whenever output was stored.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.clone()
    }
}

fn path(folder: &Path, attempt: Attempt) -> PathBuf {
    let shelf = format!("{:06}", attempt.task.0 / 1000);
    folder.join(shelf).join(format!("{}-{}.out", attempt.task, attempt.number.0))
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Header {
    total: u64,
    dropped: Range<u64>,
}

impl Header {
    fn read(file: &File) -> io::Result<Self> {
        let mut raw = [0; HEADER_BYTES as usize];
        match file.read_exact_at(&mut raw, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Self::default()),
            Err(error) => return Err(error),
        }
        let number = |at: usize| u64::from_le_bytes(raw[at..at + 8].try_into().expect("eight bytes"));
        Ok(Self { total: number(0), dropped: number(8)..number(16) })
    }

    fn write(&self, file: &File) -> io::Result<()> {
        let raw: Vec<u8> = [self.total, self.dropped.start, self.dropped.end].into_iter().flat_map(u64::to_le_bytes).collect();
        file.write_all_at(&raw, 0)
    }

    /// Where the new part of a run begins within it; nothing where all of it is known.
    fn take(&mut self, offset: u64, bytes: u64) -> Option<u64> {
        let end = offset + bytes;
        if end <= self.total {
            return None;
        }
        if offset > self.total {
            let from = if self.dropped.is_empty() { self.total } else { self.dropped.start };
            self.dropped = from..offset;
        }
        let known = self.total.saturating_sub(offset);
        self.total = end;
        Some(known)
    }
}

/// What the thread that stores output holds.
struct Shelf {
    folder: PathBuf,
    open: HashMap<Attempt, (File, Header)>,
    /// What the disk has no room for now.
    held: VecDeque<Chunk>,
    tell: watch::Sender<u64>,
    health: LogHealth,
}

impl Shelf {
    fn run(mut self, mut queue: mpsc::Receiver<Chunk>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs only memory");
        let mut again_at = Instant::now();
        loop {
            if self.held.is_empty() {
                let Some(chunk) = queue.blocking_recv() else { return };
                self.take(chunk);
                again_at = Instant::now() + RETRY;
                continue;
            }
            match runtime.block_on(async { timeout_at(again_at, queue.recv()).await }) {
                Ok(None) => return,
                Ok(Some(chunk)) => self.hold(chunk),
                Err(_) => {
                    // What still finds no room comes back here, in the same order.
                    std::mem::take(&mut self.held).into_iter().for_each(|chunk| self.take(chunk));
                    again_at = Instant::now() + RETRY;
                }
            }
        }
    }

    fn take(&mut self, chunk: Chunk) {
        // The space that is left belongs to the log, and output that waits comes before what follows it.
        if !self.health.is_well() || !self.held.is_empty() {
            self.hold(chunk);
            return;
        }
        if self.open.len() >= OPEN_FILES_MAX && !self.open.contains_key(&chunk.attempt) {
            self.open.clear();
        }
        match append(&self.folder, &mut self.open, &chunk) {
            Ok(offset) => {
                self.tell.send_modify(|count| *count += 1);
                if let Some(credit) = chunk.credit.upgrade() {
                    // A socket whose outbox is full is being closed; the worker is told again when it is back.
                    drop(credit.try_send(FromCoordinator::LogAck { attempt: chunk.attempt, offset }));
                }
            }
            Err(error) => {
                tracing::warn!("output of attempt {} cannot be stored and waits: {error}", chunk.attempt);
                self.open.remove(&chunk.attempt);
                self.hold(chunk);
            }
        }
    }

    /// Keeps output in memory for a while. Without credit its worker sends no more of it, and keeps it until it is stored.
    fn hold(&mut self, chunk: Chunk) {
        let held: usize = self.held.iter().map(|chunk| chunk.bytes.len()).sum();
        if held + chunk.bytes.len() <= HELD_BYTES_MAX {
            self.held.push_back(chunk);
        }
    }
}

fn append(folder: &Path, open: &mut HashMap<Attempt, (File, Header)>, chunk: &Chunk) -> io::Result<u64> {
    let (file, header) = match open.entry(chunk.attempt) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let path = path(folder, chunk.attempt);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
            let header = Header::read(&file)?;
            entry.insert((file, header))
        }
    };
    let mut after = header.clone();
    if let Some(known) = after.take(chunk.offset, chunk.bytes.len() as u64) {
        let fresh = &chunk.bytes[usize::try_from(known).expect("a chunk fits into memory")..];
        let from = chunk.offset + known;
        for piece in WINDOW.place(from, fresh.len() as u64) {
            let start = usize::try_from(piece.offset - from).expect("a chunk fits into memory");
            let bytes = &fresh[start..start + usize::try_from(piece.bytes).expect("a chunk fits into memory")];
            file.write_all_at(bytes, HEADER_BYTES + piece.at)?;
        }
        after.write(file)?;
        *header = after;
    }
    Ok(header.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{AttemptNumber, TaskId};

    fn store(folder: &Path, chunks: &[(u64, &[u8])]) -> OutputStore {
        let attempt = Attempt { task: TaskId(1), number: AttemptNumber(1) };
        let mut open = HashMap::new();
        let (sender, _keep) = mpsc::channel(1);
        for (offset, bytes) in chunks {
            let chunk = Chunk { attempt, offset: *offset, bytes: bytes.to_vec(), credit: sender.downgrade() };
            append(folder, &mut open, &chunk).expect("a writable folder");
        }
        let (chunks, _queue) = mpsc::channel(1);
        OutputStore { folder: folder.to_owned(), chunks, grown: watch::channel(0).1 }
    }

    fn all(store: &OutputStore) -> Vec<(u64, Vec<u8>)> {
        let attempt = Attempt { task: TaskId(1), number: AttemptNumber(1) };
        let (mut cursor, mut found) = (0, Vec::new());
        loop {
            let read = store.read(attempt, cursor, 4).expect("readable");
            if read.bytes.is_empty() {
                return found;
            }
            found.push((read.offset, read.bytes));
            cursor = read.next;
        }
    }

    #[test]
    fn a_chunk_that_is_sent_again_is_stored_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = store(dir.path(), &[(0, b"abcd"), (2, b"cdef"), (0, b"abcd")]);
        assert_eq!(all(&store), [(0, b"abcd".to_vec()), (4, b"ef".to_vec())]);
    }

    #[test]
    fn what_was_dropped_on_the_way_is_a_gap_and_not_zeros() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = store(dir.path(), &[(0, b"ab"), (10, b"kl"), (12, b"m")]);
        assert_eq!(all(&store), [(0, b"ab".to_vec()), (10, b"klm".to_vec())]);
    }
}
