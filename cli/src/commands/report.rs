//! `evenkeel report`: draws what happened, from a database, from the facts of a run, or from a coordinator that holds them.

mod facts;

use crate::client::{Client, Connection};
use crate::screen::{print, print_json};
use anyhow::Context;
use reports::{Place, parse_days};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The database that coordinators write when nothing else is said.
const DEFAULT_DB: &str = "./benchmark_db.duckdb";
/// The database that `evenkeel run` writes when nothing else is said.
const RUN_DB: &str = ".evenkeel/evenkeel.duckdb";

/// The options of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evenkeel report --db-path .evenkeel/evenkeel.duckdb --output report.html --png figures\n  \
                        evenkeel report --coordinator http://farm:8080 --days 7 --output week.html\n  \
                        evenkeel simulate builtin:heat --out heat --log && evenkeel report --facts heat --output heat.html")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The metrics database [default: .evenkeel/evenkeel.duckdb, else ./benchmark_db.duckdb]; with --facts, where to keep theirs
    #[arg(long, value_name = "FILE")]
    db_path: Option<PathBuf>,
    /// Draw the facts of a run: a folder that `evenkeel simulate --log` wrote, or the data folder of a coordinator
    #[arg(long, value_name = "RUN")]
    facts: Option<PathBuf>,
    /// The HTML file to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Write the figures as PNG
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Only tasks submitted in the last so many days before the newest fact
    #[arg(long, value_name = "N", value_parser = parse_days, allow_negative_numbers = true)]
    days: Option<f64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes the report.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let wanted = Wanted { html: Some(&args.output), png: args.png.as_deref(), days: args.days };
    if let Some(facts) = &args.facts {
        let (facts, keep_at) = (facts.clone(), args.db_path.clone());
        let kept = tokio::task::spawn_blocking(move || facts::database(&facts, keep_at)).await.context("reading the facts")??;
        wanted.write(Place::File(kept.path.clone())).await?;
    } else {
        let is_remote = args.connection.coordinator.is_some() && args.db_path.is_none();
        let db_path = (!is_remote).then(|| args.db_path.clone().unwrap_or_else(default_db));
        wanted.write(place(db_path.as_deref(), &args.connection.client()?)).await?;
    }
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

/// The database at `db_path`, or what the coordinator says of its own.
pub fn place(db_path: Option<&Path>, client: &Client) -> Place {
    match db_path {
        Some(path) => Place::File(path.to_owned()),
        None => Place::Coordinator { url: client.base().to_owned(), token: client.token().map(str::to_owned) },
    }
}

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The page.
    pub html: Option<&'a Path>,
    /// The folder of the figures.
    pub png: Option<&'a Path>,
    /// Only the last so many days.
    pub days: Option<f64>,
}

impl Wanted<'_> {
    /// Draws what is at `place`. Figures alone bring their page along.
    pub async fn write(self, place: Place) -> anyhow::Result<()> {
        let html = match (self.html, self.png) {
            (Some(html), _) => html.to_owned(),
            (None, Some(png)) => png.join("report.html"),
            (None, None) => return Ok(()),
        };
        if let Some(folder) = html.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("making the folder of {}", html.display()))?;
        }
        let (png, days) = (self.png.map(Path::to_owned), self.days);
        let draw = move || place.write_report(&html, png.as_deref(), days);
        tokio::task::spawn_blocking(draw).await.context("drawing the report")??;
        Ok(())
    }
}
