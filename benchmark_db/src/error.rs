//! What can go wrong with the database, and what to do about it.

use std::path::PathBuf;

/// A database that could not be opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "opening {}: it is in use by {}; stop that process, ask the coordinator that holds it for a report, or name another file",
        path.display(),
        holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The process that has it, where DuckDB tells.
        holder: Option<u32>,
    },
    /// It is some other kind of file, and nothing of it was changed.
    #[error("opening {}: it is not a DuckDB database; name another file, or move this one away", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is a DuckDB database that someone else made, or another version of this program.
    #[error("opening {}: it holds {found}, not this program's schema version {ours}; name another file", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// The version this program reads and writes.
        ours: i32,
    },
    /// It is a DuckDB database whose content DuckDB refuses.
    #[error(
        "opening {}: the database is damaged ({detail}); move it aside and it is rebuilt from the coordinator's log",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What DuckDB says.
        detail: String,
    },
    /// There is no file, and it was to be read.
    #[error("opening {}: there is no such file; name the database a coordinator wrote (`--db-path`)", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// DuckDB refused, for a reason that is not the file's content.
    #[error("opening {}: {detail}; if memory is short allow it more, otherwise this is a fault of the program: report it", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What DuckDB says.
        detail: String,
    },
    /// The system refused.
    #[error("opening {}: {detail}; check that the folder exists and that you may write there", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

/// Facts that could not be appended. Nothing of the batch was kept.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// They belong to another coordinator's data.
    #[error("appending to {}: it holds the facts of cluster {ours}, these are of {theirs}; give each cluster its own file", path.display())]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// The cluster it belongs to.
        ours: String,
        /// The cluster of these facts.
        theirs: String,
    },
    /// A fact has no JSON form.
    #[error("appending fact {seq}: it cannot be written as JSON: {source}")]
    Unwritable {
        /// Its position.
        seq: u64,
        /// What JSON says.
        source: serde_json::Error,
    },
    /// DuckDB refused.
    #[error("appending to {}: {source}; the batch was not kept, append it again from the last position", path.display())]
    Duckdb {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: duckdb::Error,
    },
}

impl AppendError {
    /// Whether it shows that the file is damaged: it may then be moved aside and rebuilt.
    pub fn is_damage(&self) -> bool {
        match self {
            AppendError::Duckdb { source, .. } => crate::open::is_of_the_content(&source.to_string()),
            AppendError::OtherCluster { .. } | AppendError::Unwritable { .. } => false,
        }
    }
}

/// A query that failed.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}")]
pub struct QueryError {
    doing: &'static str,
    source: duckdb::Error,
}

impl QueryError {
    pub(crate) fn new(doing: &'static str, source: duckdb::Error) -> Self {
        Self { doing, source }
    }
}
