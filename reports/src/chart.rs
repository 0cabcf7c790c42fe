//! The figures of a report, each with what it shows and how that is defined.

mod cost_benefit;
mod energy;
mod heat;
mod migration_success_rate;
mod prediction_accuracy;
mod slowest;
mod system_load;
mod task_times;
mod temperature;
mod threshold_adaptation;
mod timeline;
mod worker_utilization;

use crate::drawing::{Anchor, Colour, Drawing};
use crate::figures::Figures;
use crate::metric::Metric;

/// The width of every figure, in pixels.
const WIDTH: f64 = 1100.0;

/// Where the data of a figure begins that has the names of workers at its left.
const NAMES_WIDTH: f64 = 150.0;

/// Workers that get a row of their own in a figure; the table lists all.
const WORKER_ROWS_MAX: usize = 40;

/// A figure with its words.
#[derive(Debug)]
pub struct Chart {
    /// What it is about.
    pub metric: Metric,
    /// What it shows and how that is defined, in a sentence or two.
    pub caption: String,
    /// Itself.
    pub drawing: Drawing,
}

/// Those figures for which there is data.
pub fn all(figures: &Figures) -> Vec<Chart> {
    Metric::ALL.into_iter().filter_map(|metric| one(metric, figures)).collect()
}

/// The figure of one metric; absent where there is nothing to draw.
pub fn one(metric: Metric, figures: &Figures) -> Option<Chart> {
    let mut chart = drawn(metric, figures)?;
    // A figure travels alone, too.
    if let Some(words) = figures.simulated() {
        let drawing = &mut chart.drawing;
        drawing.height += 22.0;
        drawing.text((10.0, drawing.height - 11.0), words, Anchor::Start, Colour::Faint);
    }
    Some(chart)
}

fn drawn(metric: Metric, figures: &Figures) -> Option<Chart> {
    match metric {
        Metric::Timeline => timeline::chart(figures),
        Metric::SystemLoad => system_load::chart(figures),
        Metric::WorkerUtilization => worker_utilization::chart(figures),
        Metric::ThresholdAdaptation => threshold_adaptation::chart(figures),
        Metric::MigrationSuccessRate => migration_success_rate::chart(figures),
        Metric::CostBenefit => cost_benefit::chart(figures),
        Metric::PredictionAccuracy => prediction_accuracy::chart(figures),
        Metric::TaskTimes => task_times::chart(figures),
        Metric::Slowest => slowest::chart(figures),
        Metric::Energy => energy::chart(figures),
        Metric::Temperature => temperature::chart(figures),
    }
}

/// The names of the workers that get a row, and a sentence on the others where there are more.
fn worker_rows(figures: &Figures) -> (Vec<&str>, String) {
    let mut rows: Vec<_> = figures.workers.iter().collect();
    rows.sort_by(|a, b| b.busy_slot_s.total_cmp(&a.busy_slot_s).then_with(|| a.worker.cmp(&b.worker)));
    let note = match rows.len() {
        all if all > WORKER_ROWS_MAX => format!(" The {WORKER_ROWS_MAX} busiest of {all} workers have a row."),
        _ => String::new(),
    };
    let mut names: Vec<_> = rows.into_iter().take(WORKER_ROWS_MAX).map(|row| row.worker.as_str()).collect();
    names.sort_by_key(|name| natural(name));
    (names, note)
}

/// A key that sorts `gpu-2` before `gpu-10`.
fn natural(name: &str) -> (String, u64, String) {
    let digits_from = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (stem, digits) = name.split_at(digits_from);
    (stem.to_owned(), digits.parse().unwrap_or(0), name.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn workers_are_sorted_as_people_count() {
        let mut names = ["gpu-10", "cpu-1", "gpu-2", "old"];
        names.sort_by_key(|name| super::natural(name));
        assert_eq!(names, ["cpu-1", "gpu-2", "gpu-10", "old"]);
    }
}
