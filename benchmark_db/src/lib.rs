//! DuckDB: the facts of a coordinator's log, and every figure that is drawn from them.
//!
//! The database is a copy. It is fed from the log by one thread, may fall behind, and may be deleted and rebuilt without
//! touching a task. The tables are in `schema.sql`; the figures are defined once, in the other `.sql` files.

mod append;
mod balancer_query;
mod derived;
mod error;
mod listing;
mod machine_query;
mod open;
mod query;
mod row;
mod snapshot;

pub use balancer_query::{
    Kpis, LookRow, MigrationFigures, MigrationPiece, MigrationRow, PredictionFigures, PredictionRow, TrendRow,
};
pub use error::{AppendError, OpenError, QueryError};
pub use listing::{Cell, Listing};
pub use machine_query::{MachineRow, MeasureRow, SpreadRow};
pub use open::{Opened, Options, quarantine};
pub use query::QUANTILES;
pub use row::{AttemptRow, FailureRow, FlakyRow, OwnerRow, RunRow, ShareRow, SlowRow, Summary, TaskTimes, WorkerRow};

use derived::Derived;
use duckdb::Connection;
use std::path::{Path, PathBuf};

/// The version of `schema.sql`. A file of another version is refused, never changed.
pub const SCHEMA_VERSION: i32 = 1;

/// An open database. One process at a time may hold a file that is written to.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    last_seq: u64,
    cluster: Option<String>,
    wall_offset_us: Option<i64>,
    /// What the derived rows need to know of earlier facts; absent until it is read back from them.
    derived: Option<Derived>,
    options: Options,
}

impl Database {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest fact that is here, 0 when there is none. Facts up to it need not be appended again.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The cluster whose facts these are; absent until one said so.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Another connection to the same open file, for queries beside the one writer. It sees what was committed.
    pub fn reader(&self) -> Result<Database, QueryError> {
        let connection = self.connection.try_clone().map_err(|source| QueryError::new("opening a second connection", source))?;
        Ok(Self {
            connection,
            path: self.path.clone(),
            last_seq: self.last_seq,
            cluster: self.cluster.clone(),
            wall_offset_us: self.wall_offset_us,
            derived: None,
            options: self.options,
        })
    }

    /// The connection, for analyses of one's own.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}
