//! `visualize_load_balancer --metric threshold_adaptation --interactive --output thresholds.html` (F151, F166).

use anyhow::bail;
use clap::Parser;
use reports::{Format, Metric, PlaceArgs, Question, parse_days, write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Draws one figure: as a page, as vectors or as pixels, by the ending of the output's name.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  visualize_load_balancer --metric threshold_adaptation --interactive --output thresholds.html
  visualize_load_balancer --metric system_load --output load.svg
  visualize_load_balancer --metric temperature --days 1 --coordinator http://127.0.0.1:8080 --output heat.png

Metrics: timeline, system_load, worker_utilization, task_times, slowest, threshold_adaptation, prediction_accuracy,
migration_success_rate, cost_benefit, energy, temperature."
)]
struct Arguments {
    #[command(flatten)]
    place: PlaceArgs,
    /// What is drawn, see below
    #[arg(long, value_name = "NAME", default_value = "threshold_adaptation")]
    metric: Metric,
    /// Show values at once where the page is pointed at; it still needs no network
    #[arg(long)]
    interactive: bool,
    /// Only tasks submitted in the last so many days before the newest fact
    #[arg(long, value_name = "N", value_parser = parse_days, allow_negative_numbers = true)]
    days: Option<f64>,
    /// Where the figure goes: .html, .svg or .png [default: METRIC.html]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    match draw(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn draw(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { metric, interactive, days, .. } = *arguments;
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{metric}.html")));
    let format = output.extension().and_then(|ending| ending.to_str()).and_then(|ending| ending.parse().ok());
    let Some(format @ (Format::Html | Format::Svg | Format::Png)) = format else {
        bail!("{} is not the name of a figure; end it in .html, .svg or .png", output.display());
    };
    if interactive && format != Format::Html {
        bail!("only a page can be interactive, and {} is none; end it in .html", output.display());
    }
    let bytes = arguments.place.place()?.ask(&Question { metric: Some(metric), format, days, interactive })?;
    write(&output, &bytes)?;
    println!("{}", output.display());
    Ok(())
}
