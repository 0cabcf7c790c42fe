//! Opening a file: whose it is, whether it can be trusted, and what happens when it cannot.
//!
//! A file that never was a DuckDB database is a user's and is left alone with an error. One that carries DuckDB's mark and
//! cannot be read was a database, and everything in it is in the coordinator's log too: it may be moved aside and rebuilt.

use crate::snapshot::VIEWS;
use crate::{Database, OpenError, SCHEMA_VERSION};
use duckdb::{AccessMode, Config, Connection};
use shared::config::BalancerConfig;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Megabytes DuckDB may keep in memory.
    pub memory_limit_mb: u32,
    /// Threads DuckDB may use.
    pub threads: u32,
    /// The balancer's configuration, told in the metrics it fills; absent figures are NULL there.
    pub balancer: Option<BalancerConfig>,
}

impl Default for Options {
    fn default() -> Self {
        Self { memory_limit_mb: 256, threads: 1, balancer: None }
    }
}

/// A database, and where a damaged file that stood in its place was moved to.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub database: Database,
    /// Where the damaged file lies now, and what was wrong with it.
    pub moved_aside: Option<(PathBuf, String)>,
}

/// The bytes at offset 8 of every DuckDB file.
const MARK: &[u8; 4] = b"DUCK";

/// How many damaged files are kept beside each other before a person has to look.
const DAMAGED_MAX: u32 = 1000;

impl Database {
    /// Opens the file at `path`, or makes one where there is none.
    pub fn open(path: &Path, options: Options) -> Result<Database, OpenError> {
        check_mark(path)?;
        let connection = connect(path, options, AccessMode::ReadWrite)?;
        match schema_of(&connection, path)? {
            Schema::Ours => {}
            Schema::Empty => create(&connection).map_err(|source| refused(path, &source))?,
        }
        // Views hold no data: those of this program replace those of the one that made the file.
        for views in VIEWS {
            connection.execute_batch(views).map_err(|source| refused(path, &source))?;
        }
        describe(connection, path, options)
    }

    /// Opens the file at `path`; where DuckDB finds it damaged, moves it aside and begins a new one, which is then filled
    /// from the log. A file that is no database is an error, not a loss.
    pub fn open_or_rebuild(path: &Path, options: Options) -> Result<Opened, OpenError> {
        match Self::open(path, options) {
            Ok(database) => Ok(Opened { database, moved_aside: None }),
            Err(OpenError::Damaged { detail, .. }) => {
                let aside = quarantine(path).map_err(|error| OpenError::Io {
                    path: path.to_owned(),
                    detail: format!("it is damaged ({detail}) and cannot be moved aside: {error}"),
                })?;
                Ok(Opened { database: Self::open(path, options)?, moved_aside: Some((aside, detail)) })
            }
            Err(other) => Err(other),
        }
    }

    /// Opens the file at `path` for queries only. It must exist, and no process may be writing to it.
    pub fn open_read_only(path: &Path, options: Options) -> Result<Database, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        check_mark(path)?;
        let connection = connect(path, options, AccessMode::ReadOnly)?;
        match schema_of(&connection, path)? {
            Schema::Ours => describe(connection, path, options),
            Schema::Empty => Err(other_schema(path, "no tables".into())),
        }
    }
}

/// Moves the damaged database at `path`, and its write-ahead log, to `<path>.damaged-<n>`, the first `n` that is free.
pub fn quarantine(path: &Path) -> std::io::Result<PathBuf> {
    for n in 1..=DAMAGED_MAX {
        let aside = with_suffix(path, &format!(".damaged-{n}"));
        if aside.exists() {
            continue;
        }
        let wal = with_suffix(path, ".wal");
        for (from, to) in [(path, aside.as_path()), (&wal, &with_suffix(&aside, ".wal"))] {
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        return Ok(aside);
    }
    Err(std::io::Error::other(format!("{DAMAGED_MAX} damaged files are beside it already; look at them and delete some")))
}

enum Schema {
    Ours,
    Empty,
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses what is not a DuckDB file before DuckDB sees it, so that no message depends on how DuckDB words it.
fn check_mark(path: &Path) -> Result<(), OpenError> {
    let io = |error: std::io::Error| OpenError::Io { path: path.to_owned(), detail: error.to_string() };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let mut head = [0; 12];
    match file.read_exact(&mut head) {
        Ok(()) if head[8..] == *MARK => Ok(()),
        Ok(()) => Err(OpenError::NotADatabase { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(OpenError::NotADatabase { path: path.to_owned() }),
        Err(error) => Err(io(error)),
    }
}

fn connect(path: &Path, options: Options, mode: AccessMode) -> Result<Connection, OpenError> {
    // What does not fit into memory goes beside the file, or elsewhere where the file is only read: it may lie where we may not
    // write.
    let beside = with_suffix(path, ".tmp");
    let elsewhere = std::env::temp_dir().join(format!("evenkeel-report-{}", std::process::id()));
    let spill = if matches!(mode, AccessMode::ReadOnly) { elsewhere } else { beside };
    let config = || {
        Config::default()
            .access_mode(mode)?
            .with("temp_directory", spill.to_string_lossy())?
            .enable_external_access(false)?
            .enable_autoload_extension(false)?
            .with("autoinstall_known_extensions", "false")?
            .max_memory(&format!("{}MB", options.memory_limit_mb))?
            .threads(i64::from(options.threads))
    };
    config().and_then(|config| Connection::open_with_flags(path, config)).map_err(|source| refused(path, &source))
}

fn refused(path: &Path, source: &duckdb::Error) -> OpenError {
    let path = path.to_owned();
    let text = source.to_string();
    let detail = text.lines().next().unwrap_or_default().to_owned();
    if text.contains("Could not set lock") {
        let holder = text.split("PID ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        return OpenError::Locked { path, holder };
    }
    if text.contains("but we can only read versions") || text.contains("created with a newer") {
        return other_schema(&path, "a format of another DuckDB".into());
    }
    let of_the_system = ["No such file", "Permission denied", "No space left", "Is a directory", "Read-only file system"];
    if of_the_system.iter().any(|words| text.contains(words)) {
        return OpenError::Io { path, detail };
    }
    if is_of_the_content(&text) { OpenError::Damaged { path, detail } } else { OpenError::Refused { path, detail } }
}

/// Whether DuckDB says this of a file's content: a fault of ours or a full memory must never move a file aside.
pub(crate) fn is_of_the_content(text: &str) -> bool {
    let signs = [
        "Corrupt",
        "corrupt",
        "hecksum",
        "replaying WAL",
        "Serialization Error",
        "INTERNAL Error",
        "not a valid DuckDB",
        "metadata",
    ];
    signs.iter().any(|words| text.contains(words))
}

fn other_schema(path: &Path, found: String) -> OpenError {
    OpenError::OtherSchema { path: path.to_owned(), found, ours: SCHEMA_VERSION }
}

fn schema_of(connection: &Connection, path: &Path) -> Result<Schema, OpenError> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|source| refused(path, &source));
    if count("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta'")? == 0 {
        return match count("SELECT count(*) FROM duckdb_tables()")? {
            0 => Ok(Schema::Empty),
            tables => Err(other_schema(path, format!("{tables} tables of something else"))),
        };
    }
    // A table `meta` of someone else has no such column; then it is not ours either.
    let version = connection.query_row("SELECT schema_version FROM meta", [], |row| row.get::<_, i32>(0));
    match version {
        Ok(SCHEMA_VERSION) => Ok(Schema::Ours),
        Ok(version) => Err(other_schema(path, format!("schema version {version}"))),
        Err(_) => Err(other_schema(path, "a table `meta` of something else".into())),
    }
}

fn create(connection: &Connection) -> duckdb::Result<()> {
    let schema = include_str!("../schema.sql");
    connection.execute_batch(&format!("BEGIN; {schema} INSERT INTO meta VALUES ({SCHEMA_VERSION}, NULL, 0, NULL); COMMIT;"))
}

fn describe(connection: Connection, path: &Path, options: Options) -> Result<Database, OpenError> {
    let (last_seq, cluster, wall_offset_us) = connection
        .query_row("SELECT last_seq, cluster, wall_offset_us FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(|source| refused(path, &source))?;
    Ok(Database { connection, path: path.to_owned(), last_seq, cluster, wall_offset_us, derived: None, options })
}
