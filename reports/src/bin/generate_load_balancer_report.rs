//! `generate_load_balancer_report --db-path ./benchmark_db.duckdb --output report.html` (F151, F164).

use anyhow::Context;
use benchmark_db::{Database, Options};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes the report on a coordinator's database as one HTML file.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The database a coordinator wrote.
    #[arg(long, default_value = "./benchmark_db.duckdb")]
    db_path: PathBuf,
    /// Where the page goes.
    #[arg(long, default_value = "report.html")]
    output: PathBuf,
    /// A folder for the figures as PNG files.
    #[arg(long)]
    png_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    match write(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn write(arguments: &Arguments) -> anyhow::Result<()> {
    let database = Database::open_read_only(&arguments.db_path, Options::default())?;
    let written = reports::write_report(&database, &arguments.output, arguments.png_dir.as_deref())
        .with_context(|| format!("reporting on {}", arguments.db_path.display()))?;
    println!("{}", written.html.display());
    for png in &written.pngs {
        println!("{}", png.display());
    }
    Ok(())
}
