//! `generate_load_balancer_report --db-path ./benchmark_db.duckdb --output report.html` (F151, F164).

use clap::Parser;
use reports::{PlaceArgs, PlaceError, parse_days};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes the report on a coordinator's database as one HTML file.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  generate_load_balancer_report --db-path ./benchmark_db.duckdb --output report.html
  generate_load_balancer_report --days 7 --output week.html --png-dir figures
  generate_load_balancer_report --coordinator http://127.0.0.1:8080 --output report.html"
)]
struct Arguments {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// A folder for the figures as PNG files
    #[arg(long, value_name = "DIR")]
    png_dir: Option<PathBuf>,
    /// Only tasks submitted in the last so many days before the newest fact
    #[arg(long, value_name = "N", value_parser = parse_days, allow_negative_numbers = true)]
    days: Option<f64>,
}

fn main() -> ExitCode {
    match write(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn write(arguments: &Arguments) -> Result<(), PlaceError> {
    let written = arguments.place.place()?.write_report(&arguments.output, arguments.png_dir.as_deref(), arguments.days)?;
    println!("{}", written.html.display());
    for png in &written.pngs {
        println!("{}", png.display());
    }
    Ok(())
}
