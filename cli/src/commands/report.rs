//! `evenkeel report`: draws what happened, from a database or from a coordinator that holds one.

use crate::client::{Client, Connection};
use crate::screen::{print, print_json};
use anyhow::{Context, bail};
use benchmark_db::{Database, Options};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The database that coordinators write when nothing else is said.
const DEFAULT_DB: &str = "./benchmark_db.duckdb";
/// The database that `evenkeel run` writes when nothing else is said.
const RUN_DB: &str = ".evenkeel/evenkeel.duckdb";

/// The options of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evenkeel report --db-path .evenkeel/evenkeel.duckdb --output report.html --png figures\n  \
                        evenkeel report --coordinator http://farm:8080 --output report.html")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The metrics database [default: .evenkeel/evenkeel.duckdb, else ./benchmark_db.duckdb]
    #[arg(long, value_name = "FILE")]
    db_path: Option<PathBuf>,
    /// The HTML file to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Write the figures as PNG
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes the report.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let is_remote = args.connection.coordinator.is_some() && args.db_path.is_none();
    let db_path = (!is_remote).then(|| args.db_path.clone().unwrap_or_else(default_db));
    write_report_of(db_path.as_deref(), &args.connection.client()?, Some(&args.output), args.png.as_deref()).await?;
    let output = args.output.display().to_string();
    if args.json {
        print_json(&serde_json::json!({ "html": output, "png": args.png }))?;
    } else {
        print(&format!("report {output}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn default_db() -> PathBuf {
    let of_run = PathBuf::from(RUN_DB);
    if of_run.is_file() { of_run } else { PathBuf::from(DEFAULT_DB) }
}

/// Draws the database at `db_path`, or what the coordinator says of its own. Figures alone bring their page along.
pub async fn write_report_of(
    db_path: Option<&Path>,
    client: &Client,
    html: Option<&Path>,
    png: Option<&Path>,
) -> anyhow::Result<()> {
    let html = match (html, png) {
        (Some(html), _) => html.to_owned(),
        (None, Some(png)) => png.join("report.html"),
        (None, None) => return Ok(()),
    };
    if let Some(folder) = html.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder of {}", html.display()))?;
    }
    let Some(db_path) = db_path else {
        if png.is_some() {
            bail!(
                "a coordinator sends its report as HTML only; for PNG run `evenkeel report --db-path FILE --png DIR` where it runs"
            );
        }
        let page = client.get_bytes("/api/report?format=html", "fetch the report").await?;
        return std::fs::write(&html, page).with_context(|| format!("writing {}", html.display()));
    };
    let (db_path, png) = (db_path.to_owned(), png.map(Path::to_owned));
    let draw = move || -> anyhow::Result<()> {
        let hint = "while a coordinator runs with this database, ask it: evenkeel report --coordinator URL";
        let database = Database::open_read_only(&db_path, Options::default()).map_err(|error| match error {
            benchmark_db::OpenError::Locked { .. } => anyhow::anyhow!("{error}; {hint}"),
            other => other.into(),
        })?;
        reports::write_report(&database, &html, png.as_deref())?;
        Ok(())
    };
    tokio::task::spawn_blocking(draw).await.context("drawing the report")?
}
