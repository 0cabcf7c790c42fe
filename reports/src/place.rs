//! Where the figures are: in a database file, or with the coordinator that holds one.

use crate::answer::{Question, answer};
use crate::{Format, Metric};
use crate::{ReportError, Written, write, write_report};
use benchmark_db::{Database, OpenError, Options};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Memory DuckDB may use for a report, in megabytes: with what drawing takes it stays below 1 GiB. More is put on disk.
const MEMORY_MB: u32 = 640;
/// A report of a full database takes a while.
const ANSWER_MAX: Duration = Duration::from_secs(300);
/// The most bytes of an answer.
const BYTES_MAX: u64 = 256 << 20;

/// A place.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A coordinator.
    Coordinator {
        /// Such as `http://127.0.0.1:8080`.
        url: String,
        /// What it asks of callers.
        token: Option<String>,
    },
}

/// A place that gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The file cannot be opened.
    #[error("{error}{hint}")]
    Open {
        /// Why not.
        error: OpenError,
        /// What to do about it here.
        hint: &'static str,
    },
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The token's file cannot be read.
    #[error("reading the token from {}: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nobody answers.
    #[error("asking the coordinator at {url} for its report: {detail}; is it running, and is that its address?")]
    Unreachable {
        /// Where.
        url: String,
        /// The system's words.
        detail: String,
    },
    /// The coordinator said no.
    #[error("the coordinator at {url} said: {message}")]
    Refused {
        /// Where.
        url: String,
        /// Its words.
        message: String,
    },
}

/// The options that name a place.
#[derive(Debug, Clone, clap::Args)]
pub struct PlaceArgs {
    /// The database a coordinator wrote
    #[arg(long, value_name = "FILE", default_value = "./benchmark_db.duckdb")]
    pub db_path: PathBuf,
    /// The coordinator that holds the database, such as http://127.0.0.1:8080, while it runs
    #[arg(long, value_name = "URL", conflicts_with = "db_path")]
    pub coordinator: Option<String>,
    /// The file with the coordinator's token [otherwise EVENKEEL_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE", requires = "coordinator")]
    pub token_file: Option<PathBuf>,
}

impl PlaceArgs {
    /// The place they name.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn place(&self) -> Result<Place, PlaceError> {
        let Some(url) = &self.coordinator else { return Ok(Place::File(self.db_path.clone())) };
        let token = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| PlaceError::Token { path: path.clone(), source })?;
                Some(text.trim().to_owned())
            }
            None => std::env::var("EVENKEEL_TOKEN").ok().filter(|token| !token.is_empty()),
        };
        Ok(Place::Coordinator { url: url.trim_end_matches('/').to_owned(), token })
    }
}

impl Place {
    /// The answer to `question`.
    ///
    /// # Errors
    /// The file cannot be opened, nobody answers, or there is nothing to draw.
    pub fn ask(&self, question: &Question) -> Result<Vec<u8>, PlaceError> {
        match self {
            Place::File(path) => Ok(answer(&open(path)?, question)?),
            Place::Coordinator { url, token } => fetch(url, token.as_deref(), question),
        }
    }

    /// Writes the report to `html` and its figures as PNG into `png_dir`, where one is given.
    ///
    /// # Errors
    /// As for [`Place::ask`], and where a file cannot be written.
    pub fn write_report(&self, html: &Path, png_dir: Option<&Path>, days: Option<f64>) -> Result<Written, PlaceError> {
        if let Place::File(path) = self {
            return Ok(write_report(&open(path)?, html, png_dir, days)?);
        }
        write(html, &self.ask(&Question { days, ..Question::default() })?)?;
        let mut pngs = Vec::new();
        if let Some(folder) = png_dir {
            std::fs::create_dir_all(folder).map_err(|source| ReportError::Io { path: folder.to_owned(), source })?;
            for metric in Metric::ALL {
                let question = Question { metric: Some(metric), format: Format::Png, days, interactive: false };
                // A figure for which there is no data is left out of a report, too.
                let Ok(bytes) = self.ask(&question) else { continue };
                let path = folder.join(format!("{metric}.png"));
                write(&path, &bytes)?;
                pngs.push(path);
            }
        }
        Ok(Written { html: html.to_owned(), pngs })
    }
}

fn open(path: &Path) -> Result<Database, PlaceError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4) as u32;
    let options = Options { memory_limit_mb: MEMORY_MB, threads, ..Options::default() };
    Database::open_read_only(path, options).map_err(|error| {
        let hint = match error {
            OpenError::Locked { .. } => " (`--coordinator URL` asks it, such as http://127.0.0.1:8080)",
            _ => "",
        };
        PlaceError::Open { error, hint }
    })
}

fn fetch(url: &str, token: Option<&str>, question: &Question) -> Result<Vec<u8>, PlaceError> {
    let unreachable = |detail: String| PlaceError::Unreachable { url: url.to_owned(), detail };
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).http_status_as_error(false).proxy(None);
    let mut request = ureq::Agent::new_with_config(config.build()).get(format!("{url}/api/report?{}", question.query()));
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = request.call().map_err(|error| unreachable(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = response.body_mut().as_reader().take(BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| unreachable(error.to_string()))?;
    if response.status().is_success() {
        return Ok(bytes);
    }
    let said: Option<(String, String)> = serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|body| {
        let word = |name: &str| body["error"][name].as_str().map(str::to_owned);
        Some((word("message")?, word("hint").unwrap_or_default()))
    });
    let message = match said {
        Some((message, hint)) if hint.is_empty() => message,
        Some((message, hint)) => format!("{message}; {hint}"),
        None => format!("{}, which is not understood; is it an Evenkeel coordinator?", response.status()),
    };
    Err(PlaceError::Refused { url: url.to_owned(), message })
}
