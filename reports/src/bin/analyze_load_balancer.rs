//! `analyze_load_balancer --metric migration_success_rate --days 30 --output migrations.png` (F151, F167).

use anyhow::{Context, bail};
use clap::Parser;
use reports::{Format, Metric, PlaceArgs, Question, parse_days, write};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints the rows behind a figure, the newest first, and writes the figure or all of its rows to a file.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  analyze_load_balancer                                    what to do about what was found
  analyze_load_balancer --metric prediction_accuracy
  analyze_load_balancer --metric migration_success_rate --days 30 --output migrations.png
  analyze_load_balancer --metric energy --coordinator http://127.0.0.1:8080 --output energy.csv

Metrics: timeline, system_load, worker_utilization, task_times, slowest, threshold_adaptation, prediction_accuracy,
migration_success_rate, cost_benefit, energy, temperature."
)]
struct Arguments {
    #[command(flatten)]
    place: PlaceArgs,
    /// What is analysed, see below [without it: recommendations, each with its evidence]
    #[arg(long, value_name = "NAME")]
    metric: Option<Metric>,
    /// Only tasks submitted in the last so many days before the newest fact
    #[arg(long, value_name = "N", value_parser = parse_days, allow_negative_numbers = true)]
    days: Option<f64>,
    /// A file for the figure (.png, .svg, .html) or for its rows (.csv, .json, .txt)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match analyze(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn analyze(arguments: &Arguments) -> anyhow::Result<()> {
    let place = arguments.place.place()?;
    let question = Question { metric: arguments.metric, days: arguments.days, ..Question::default() };
    if let Some(path) = &arguments.output {
        let Some(ending) = path.extension().and_then(|ending| ending.to_str()) else {
            bail!("{} does not say what to write; end it in .png, .svg, .html, .csv, .json or .txt", path.display());
        };
        let format: Format = ending.parse().with_context(|| format!("writing {}", path.display()))?;
        write(path, &place.ask(&Question { format, ..question })?)?;
        println!("{}", path.display());
        return Ok(());
    }
    let format = if arguments.json { Format::Json } else { Format::Text };
    let bytes = place.ask(&Question { format, ..question })?;
    std::io::stdout().lock().write_all(&bytes).context("printing the analysis")
}
