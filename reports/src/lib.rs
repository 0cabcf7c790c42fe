//! A run as a page that can be forwarded: one HTML file with its figures inside, and the same figures one by one.
//!
//! Reports read the database and nothing else, so a simulated run and a real one have the same report.

mod advice;
mod answer;
mod chart;
mod drawing;
mod figures;
mod listing;
mod metric;
mod page;
mod place;
mod render;
mod text;

pub use answer::{Format, Question, QuestionError, answer, parse_days};
pub use metric::{Metric, UnknownMetric};
pub use place::{Place, PlaceArgs, PlaceError};

use benchmark_db::{Database, QueryError};
use figures::Figures;
use std::path::{Path, PathBuf};

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The question makes no sense.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The database did not answer.
    #[error("reading the figures of the report: {0}")]
    Query(#[from] QueryError),
    /// There is no data for a figure.
    #[error("there is nothing to draw of {metric} in {}: {}", path.display(), metric.needs())]
    Nothing {
        /// Which figure.
        metric: Metric,
        /// The database.
        path: PathBuf,
    },
    /// A figure could not be drawn.
    #[error("drawing {figure}: {detail}; this is a fault of the program, please report it")]
    Draw {
        /// Which figure.
        figure: String,
        /// What the drawing library says.
        detail: String,
    },
    /// A file could not be written.
    #[error("writing {}: {source}; check that the folder exists and that you may write there", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl ReportError {
    fn nothing(metric: Metric, db: &Database) -> Self {
        Self::Nothing { metric, path: db.path().to_owned() }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The figures, where they were asked for.
    pub pngs: Vec<PathBuf>,
}

/// Writes the report on everything in `db`, or on its last `days`, to `html`, and its figures as PNG files into the folder
/// `png_dir`, which is made where it is missing. The page needs no other file and no network.
pub fn write_report(db: &Database, html: &Path, png_dir: Option<&Path>, days: Option<f64>) -> Result<Written, ReportError> {
    let figures = Figures::read(&db.snapshot(days)?, days)?;
    let charts = chart::all(&figures);
    write(html, page::html(&figures, &charts)?.as_bytes())?;
    let mut pngs = Vec::new();
    if let Some(folder) = png_dir {
        std::fs::create_dir_all(folder).map_err(|source| ReportError::Io { path: folder.to_owned(), source })?;
        for chart in &charts {
            let figure = chart.metric.name();
            let path = folder.join(format!("{figure}.png"));
            let bytes = render::png(&chart.drawing).map_err(|detail| ReportError::Draw { figure: figure.into(), detail })?;
            write(&path, &bytes)?;
            pngs.push(path);
        }
    }
    Ok(Written { html: html.to_owned(), pngs })
}

/// Writes a file.
///
/// # Errors
/// The folder does not exist, or the system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    std::fs::write(path, bytes).map_err(|source| ReportError::Io { path: path.to_owned(), source })
}
