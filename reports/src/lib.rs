//! A run as a page that can be forwarded: one HTML file with its figures inside, and the same figures as PNG.
//!
//! Reports read the database and nothing else, so a simulated run and a real one have the same report.

mod chart;
mod drawing;
mod figures;
mod page;
mod render;
mod text;

use benchmark_db::{Database, QueryError};
use figures::Figures;
use std::path::{Path, PathBuf};

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The database did not answer.
    #[error("reading the figures of the report: {0}")]
    Query(#[from] QueryError),
    /// A figure could not be drawn.
    #[error("drawing {figure}: {detail}; this is a fault of the program, please report it")]
    Draw {
        /// Which figure.
        figure: String,
        /// What the drawing library says.
        detail: String,
    },
    /// A file could not be written.
    #[error("writing {}: {source}; check that the folder exists and has room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The figures, where they were asked for.
    pub pngs: Vec<PathBuf>,
}

/// The report on everything in `db` as one page that needs no other file and no network.
pub fn html(db: &Database) -> Result<String, ReportError> {
    let figures = Figures::read(db)?;
    page::html(&figures, &chart::all(&figures))
}

/// Writes the report on everything in `db` to `html`, and its figures as PNG files into the folder `png_dir`, which is
/// made where it is missing. The page needs no other file and no network.
pub fn write_report(db: &Database, html: &Path, png_dir: Option<&Path>) -> Result<Written, ReportError> {
    let figures = Figures::read(db)?;
    let charts = chart::all(&figures);
    let page = page::html(&figures, &charts)?;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError::Io { path, source }
    };
    std::fs::write(html, page).map_err(io(html))?;
    let mut pngs = Vec::new();
    if let Some(folder) = png_dir {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        for chart in &charts {
            let path = folder.join(format!("{}.png", chart.name));
            render::png(&chart.drawing, &path).map_err(|detail| ReportError::Draw { figure: chart.name.into(), detail })?;
            pngs.push(path);
        }
    }
    Ok(Written { html: html.to_owned(), pngs })
}
