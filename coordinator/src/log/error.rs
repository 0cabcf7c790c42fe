//! What can go wrong with a log, and what to do about it.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// The format this build writes; older ones are read, newer ones refused.
pub(super) const VERSION: i64 = 1;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be opened, read or written.
    #[error("the log {path} cannot be {doing}: {source}; check that the folder exists, is writable and has space")]
    Storage {
        /// Where.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The mark beside it cannot be read or written.
    #[error("the mark {path} beside the log cannot be opened: {source}; check that the folder exists, is writable and has space")]
    Mark {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A record is not what was written.
    #[error(
        "the log {path} is damaged at record {seq}: {what}; restore the folder from a backup, or keep what lies before the damage with `coordinator salvage --data-dir {}`",
        path.parent().unwrap_or(Path::new(".")).display()
    )]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which record; those before it are as they were written.
        seq: u64,
        /// How it shows.
        what: String,
    },
    /// It was written by a later version of the program.
    #[error("the log {path} has format {found}, and this program knows up to {VERSION}: run a newer coordinator")]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
}

/// Tells damage from a disk that refuses. Whatever SQLite finds wrong with the content is damage at record `seq`, the first
/// that could not be read; what the system refuses may be well again later.
pub(super) fn reading(path: &Path, seq: u64, source: rusqlite::Error) -> LogError {
    // A file that ends within a page was cut off, and that is no fault of the disk today.
    let is_short = source.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ);
    let is_refusal = matches!(
        source.sqlite_error_code(),
        Some(
            ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
        )
    );
    if is_refusal && !is_short {
        return LogError::Storage { path: path.to_owned(), doing: "read", source };
    }
    LogError::Damaged { path: path.to_owned(), seq, what: source.to_string() }
}
