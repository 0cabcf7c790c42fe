//! A database made of the facts of a run: of a simulated one from its `log.jsonl`, of a real one from its coordinator's log.

use anyhow::{Context, bail};
use benchmark_db::{Database, Options};
use shared::fact::Fact;
use simulator::record;
use std::path::{Path, PathBuf};

/// Facts in one transaction.
const BATCH_FACTS: usize = 5_000;

/// A database, for as long as this is held or, where it was to be kept, for good.
#[derive(Debug)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

type Facts = Box<dyn Iterator<Item = anyhow::Result<Fact>>>;

/// Makes a database of the facts at `run`, at `keep_at` or in a folder of its own.
///
/// # Errors
/// There are no facts, they cannot be read, or there is a file at `keep_at` already.
pub fn database(run: &Path, keep_at: Option<PathBuf>) -> anyhow::Result<Kept> {
    let facts = facts_of(run)?;
    let (path, folder) = match keep_at {
        Some(path) if path.exists() => {
            bail!("{} exists already; name a new file for the facts of {}, or remove it", path.display(), run.display())
        }
        Some(path) => (path, None),
        None => {
            let folder = tempfile::tempdir().context("making a folder for the database")?;
            let name =
                std::path::absolute(run).ok().and_then(|run| run.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            (folder.path().join(format!("{}.duckdb", name.unwrap_or_else(|| "run".into()))), Some(folder))
        }
    };
    let mut database = Database::open(&path, Options::default())?;
    let mut batch = Vec::with_capacity(BATCH_FACTS);
    for fact in facts {
        batch.push(fact.with_context(|| format!("reading the facts of {}", run.display()))?);
        if batch.len() == BATCH_FACTS {
            append(&mut database, &mut batch)?;
        }
    }
    append(&mut database, &mut batch)?;
    Ok(Kept { path, _folder: folder })
}

fn append(database: &mut Database, batch: &mut Vec<Fact>) -> anyhow::Result<()> {
    database.append(database.last_seq() + 1, batch)?;
    batch.clear();
    Ok(())
}

fn facts_of(run: &Path) -> anyhow::Result<Facts> {
    let beside = if run.is_file() { run.parent().unwrap_or(Path::new("")) } else { run };
    let log = if run.extension().is_some_and(|end| end == "jsonl") && !run.ends_with("facts.jsonl") {
        run.to_owned()
    } else {
        beside.join(record::LOG)
    };
    if log.is_file() {
        let (_, facts) = record::read(&log)?;
        return Ok(Box::new(facts.map(|fact| fact.map_err(Into::into))));
    }
    if beside.join("facts.jsonl").is_file() {
        bail!(
            "{} holds what the machines did, which is less than a report tells; run `evenkeel simulate … --log --out {}` again, \
             which writes {} too",
            beside.join("facts.jsonl").display(),
            beside.display(),
            record::LOG
        );
    }
    let recorded = coordinator::Recorded::open(run).with_context(|| {
        format!("{} holds neither the {} of a simulated run nor the log of a coordinator", run.display(), record::LOG)
    })?;
    Ok(Box::new(recorded.map(|fact| fact.map_err(Into::into))))
}
