//! Opening: what is ours is read, what is damaged is moved aside, what is a user's is left alone.

use crate::common::*;
use benchmark_db::{Database, OpenError, Options};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn open(path: &Path) -> Result<Database, OpenError> {
    Database::open(path, Options::default())
}

#[test]
fn a_text_file_is_refused_by_name_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for content in ["dear diary, this is not a database", "", "short"] {
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, content).expect("written");
        let error = Database::open_or_rebuild(&path, Options::default()).expect_err("not a database");
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), content);
    }
}

#[test]
fn a_damaged_database_is_moved_aside_and_a_new_one_begun() {
    let (folder, database) = database(&[queued(0.0, 1, "k", "", 1)]);
    let path = database.path().to_owned();
    drop(database);
    // Both copies of the header that say which of the file's blocks count, after the mark, and the rest.
    let mut bytes = std::fs::read(&path).expect("the file");
    bytes.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, &bytes).expect("written");
    assert!(matches!(open(&path).expect_err("damaged"), OpenError::Damaged { .. }));
    let opened = Database::open_or_rebuild(&path, Options::default()).expect("rebuilt");
    assert_eq!(opened.database.last_seq(), 0);
    let (aside, why) = opened.moved_aside.expect("the damaged file is kept");
    assert_eq!(aside, folder.path().join("benchmark_db.duckdb.damaged-1"));
    assert_eq!(std::fs::read(&aside).expect("kept"), bytes);
    assert!(!why.is_empty());
}

#[test]
fn a_damaged_write_ahead_log_is_moved_aside_with_its_database() {
    let (folder, database) = database(&[queued(0.0, 1, "k", "", 1)]);
    let path = database.path().to_owned();
    let wal = folder.path().join("benchmark_db.duckdb.wal");
    // A crash leaves the log; a copy of both files taken while it is open is the same.
    let copy = folder.path().join("crashed.duckdb");
    std::fs::copy(&path, &copy).expect("copied");
    let mut bytes = std::fs::read(&wal).expect("the write-ahead log");
    drop(database);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(folder.path().join("crashed.duckdb.wal"), &bytes).expect("written");
    let opened = Database::open_or_rebuild(&copy, Options::default()).expect("rebuilt");
    assert!(opened.moved_aside.is_some());
    assert!(folder.path().join("crashed.duckdb.damaged-1.wal").exists());
    assert_eq!(opened.database.last_seq(), 0);
}

#[test]
fn a_database_of_someone_else_or_of_another_version_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, sql) in [
        ("other.duckdb", "CREATE TABLE recipes(name VARCHAR)"),
        ("meta.duckdb", "CREATE TABLE meta(name VARCHAR)"),
        ("newer.duckdb", "CREATE TABLE meta(schema_version INTEGER); INSERT INTO meta VALUES (99)"),
    ] {
        let path = folder.path().join(name);
        duckdb::Connection::open(&path).expect("a file").execute_batch(sql).expect("a table");
        let error = Database::open_or_rebuild(&path, Options::default()).expect_err("not ours");
        assert!(matches!(error, OpenError::OtherSchema { .. }), "{name}: {error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error_of_the_system() {
    let error = open(Path::new("/nonexistent/evenkeel/db.duckdb")).expect_err("no such folder");
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    let error = Database::open_read_only(Path::new("/nonexistent/db"), Options::default()).expect_err("no such file");
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
}

#[test]
fn reading_only_changes_nothing_and_reads_everything() {
    let (_folder, database) = database(&[queued(0.0, 1, "k", "", 1)]);
    let path = database.path().to_owned();
    drop(database);
    let mut reader = Database::open_read_only(&path, Options::default()).expect("a reader");
    assert_eq!((reader.summary().expect("a summary").tasks, reader.last_seq()), (1, 1));
    assert!(reader.append(2, &[queued(1.0, 2, "k", "", 1)]).is_err());
}

#[test]
fn sql_cannot_reach_files_or_load_extensions() {
    let (folder, database) = database(&[]);
    let target = folder.path().join("out.csv");
    let copy = format!("COPY meta TO '{}'", target.display());
    assert!(database.connection().execute_batch(&copy).is_err());
    assert!(database.connection().execute_batch("INSTALL httpfs").is_err());
    assert!(database.connection().execute_batch("SET enable_external_access = true").is_err());
    assert!(!target.exists());
}

const HOLD: &str = "EVENKEEL_TEST_HOLD";

#[test]
fn a_file_that_another_process_holds_names_that_process() {
    if let Some(path) = std::env::var_os(HOLD) {
        // This is the other process: it holds the file until its input ends.
        let _database = open(Path::new(&path)).expect("a new file");
        println!("\nheld");
        std::io::stdout().flush().expect("written");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("benchmark_db.duckdb");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "open::a_file_that_another_process_holds_names_that_process", "--nocapture"])
        .env(HOLD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let mut lines = BufReader::new(other.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "held"), "the other process ended before it held the file");
    let error = open(&path).expect_err("held");
    let reading = Database::open_read_only(&path, Options::default()).expect_err("held");
    drop(other.stdin.take());
    // Read to its end, so that its last words are not a broken pipe.
    assert!(lines.count() > 0);
    other.wait().expect("it ends with its input");
    for error in [error, reading] {
        let OpenError::Locked { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(*holder, Some(other.id()), "{error}");
    }
}
