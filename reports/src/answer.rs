//! What can be asked of a database, and the answer as bytes: by a program that has the file, and by the coordinator that holds it.

use crate::figures::Figures;
use crate::metric::{Metric, UnknownMetric};
use crate::{ReportError, advice, chart, listing, page, render};
use benchmark_db::Database;
use std::str::FromStr;

/// Rows of an analysis that is read by a program.
const ROWS_MAX: usize = 100_000;
/// Rows of an analysis that is read by people.
const ROWS_SHOWN: usize = 30;

/// What the answer is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A page that needs no other file and no network.
    #[default]
    Html,
    /// A figure as vectors.
    Svg,
    /// A figure as pixels.
    Png,
    /// The rows of a figure, separated by commas.
    Csv,
    /// The rows of a figure, or the key figures of everything, for programs.
    Json,
    /// The same for people.
    Text,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Question {
    /// One figure; everything where absent.
    pub metric: Option<Metric>,
    /// What the answer is written in.
    pub format: Format,
    /// Only what was submitted in the last so many days before the newest fact.
    pub days: Option<f64>,
    /// Whether a page shows values at once where it is pointed at, which takes a small script within it.
    pub interactive: bool,
}

/// A question that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// No such metric.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// No such format.
    #[error("there is no format `{0}`; there are html, svg, png, csv, json and text")]
    Format(String),
    /// Not a stretch of time.
    #[error("`{0}` is not a number of days; write one above 0, such as 7 or 0.5")]
    Days(String),
    /// Only one figure can be had in this format.
    #[error("{0:?} holds one figure: name its metric, one of {list}", list = Metric::ALL.map(Metric::name).join(", "))]
    NeedsMetric(Format),
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Svg => "image/svg+xml",
            Format::Png => "image/png",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Json => "application/json",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    /// Its name, which is the ending of its files.
    pub fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Svg => "svg",
            Format::Png => "png",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Text => "text",
        }
    }
}

impl FromStr for Format {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let all = [Format::Html, Format::Svg, Format::Png, Format::Csv, Format::Json, Format::Text];
        let found = all.into_iter().find(|format| format.name().eq_ignore_ascii_case(text));
        found.or((text == "txt").then_some(Format::Text)).ok_or_else(|| QuestionError::Format(text.to_owned()))
    }
}

impl Question {
    /// The question as it stands behind `/api/report?`.
    pub fn query(&self) -> String {
        let metric = self.metric.map(|metric| format!("&metric={metric}")).unwrap_or_default();
        let days = self.days.map(|days| format!("&days={days}")).unwrap_or_default();
        let interactive = if self.interactive { "&interactive=true" } else { "" };
        format!("format={}{metric}{days}{interactive}", self.format.name())
    }
}

/// A number of days, as people write it.
///
/// # Errors
/// It is none above 0.
pub fn parse_days(text: &str) -> Result<f64, QuestionError> {
    let days = text.trim().parse().ok().filter(|days: &f64| days.is_finite() && *days > 0.0 && *days <= 1e6);
    days.ok_or_else(|| QuestionError::Days(text.to_owned()))
}

/// The answer to `question` from `db`.
///
/// # Errors
/// The question makes no sense, there is nothing to draw, or the database does not answer.
pub fn answer(db: &Database, question: &Question) -> Result<Vec<u8>, ReportError> {
    let snapshot = db.snapshot(question.days)?;
    let figures = || Figures::read(&snapshot, question.days);
    let drawn = |metric: Metric| {
        let figures = figures()?;
        let chart = chart::one(metric, &figures).ok_or_else(|| ReportError::nothing(metric, db))?;
        Ok::<_, ReportError>((figures, chart))
    };
    let draw = |metric: Metric| move |detail| ReportError::Draw { figure: metric.name().into(), detail };
    match (question.metric, question.format) {
        (None, Format::Html) => {
            let figures = figures()?;
            Ok(page::html(&figures, &chart::all(&figures))?.into_bytes())
        }
        (None, Format::Json) => Ok(listing::overview(&figures()?).into_bytes()),
        (None, Format::Text) => Ok(listing::advice_text(&advice::of(&figures()?)).into_bytes()),
        (None, other) => Err(QuestionError::NeedsMetric(other).into()),
        (Some(metric), Format::Html) => {
            let (figures, chart) = drawn(metric)?;
            Ok(page::one(&figures, &chart, question.interactive)?.into_bytes())
        }
        (Some(metric), Format::Svg) => {
            let (_, chart) = drawn(metric)?;
            Ok(render::svg_file(&chart.drawing).map_err(draw(metric))?.into_bytes())
        }
        (Some(metric), Format::Png) => render::png(&drawn(metric)?.1.drawing).map_err(draw(metric)),
        (Some(metric), Format::Csv) => listing::csv(&snapshot.listing(metric.query(), ROWS_MAX)?),
        (Some(metric), Format::Json) => Ok(listing::json(metric, &snapshot.listing(metric.query(), ROWS_MAX)?).into_bytes()),
        (Some(metric), Format::Text) => {
            let rows = snapshot.listing(metric.query(), ROWS_SHOWN)?;
            if rows.rows.is_empty() {
                return Err(ReportError::nothing(metric, db));
            }
            Ok(listing::text(metric, &rows).into_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_above_zero_are_days() {
        assert_eq!((parse_days("7"), parse_days(" 0.5 ")), (Ok(7.0), Ok(0.5)));
        for wrong in ["-1", "0", "week", "", "nan", "inf"] {
            assert!(parse_days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_question_is_written_as_the_api_takes_it() {
        let question = Question { metric: Some(Metric::Energy), format: Format::Png, days: Some(1.5), interactive: true };
        assert_eq!(question.query(), "format=png&metric=energy&days=1.5&interactive=true");
        assert_eq!(Question::default().query(), "format=html");
    }
}
