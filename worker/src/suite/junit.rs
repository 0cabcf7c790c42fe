//! Any command that writes a JUnit report: run as a whole, then read.

use super::Stop;
use super::report::Report;
use super::step::{Steps, in_words};
use shared::outcome::TestOutcome;
use shared::task::Chunk;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;
use suite::junit::{CaseAttempt, CaseReport, read};

/// The largest report that is read.
const REPORT_BYTES_MAX: u64 = 256 << 20;

pub async fn run(chunk: &Chunk, steps: &mut Steps, report: &mut Report) -> Result<(), Stop> {
    let name = chunk.junit.as_deref().ok_or_else(|| Stop::Infra("the chunk does not say where the report is".to_owned()))?;
    let path = steps.file(name);
    let before = written(&path);
    let output = steps.output.clone();
    let launch = steps.launch(chunk.argv.clone());
    let ran = steps.run(&launch, |bytes| output.write(bytes)).await?;
    let ending = in_words(ran.exit);
    // A report from before says nothing about this run.
    if before == written(&path) {
        let path = path.display();
        return Err(Stop::Test(format!("the command ended with {ending} and wrote no report to {path}\n{}", ran.tail.text())));
    }
    let (cases, broken) = match read_file(&path) {
        Ok(cases) => (cases, None),
        Err(Unreadable::Broken(broken)) => (broken.cases.clone(), Some(broken.to_string())),
        Err(Unreadable::Io(problem)) => return Err(Stop::Infra(problem)),
    };
    for case in &cases {
        tell(case, report).await;
    }
    match broken {
        Some(problem) => Err(Stop::Test(format!("{}: {problem}; the command ended with {ending}", path.display()))),
        None if ran.exit.code != Some(0) && report.red() == 0 => {
            Err(Stop::Test(format!("the command ended with {ending} although its report holds no failure\n{}", ran.tail.text())))
        }
        None => Ok(()),
    }
}

async fn tell(case: &CaseReport, report: &mut Report) {
    let last = case.attempts.last();
    let seconds = last.map_or(0.0, |attempt| attempt.seconds);
    let message = last.map(reason).filter(|text| !text.is_empty());
    report.tell_named(&case.id, case.outcome(), seconds, message.as_deref()).await;
}

/// Why an attempt was not a plain pass: its line, and its text where that says more.
pub fn reason(attempt: &CaseAttempt) -> String {
    if attempt.outcome == TestOutcome::Passed {
        return String::new();
    }
    let summary = attempt.summary.as_deref().unwrap_or_default();
    match attempt.text.as_deref().or(attempt.system_out.as_deref()).map(str::trim).unwrap_or_default() {
        text if text.contains(summary) => text.to_owned(),
        "" => summary.to_owned(),
        text => format!("{summary}\n{text}"),
    }
}

/// Why a report could not be used.
pub enum Unreadable {
    /// It is not whole; what could be read is in it.
    Broken(suite::junit::BrokenReport),
    /// The system refused.
    Io(String),
}

/// Reads the report at `path`.
pub fn read_file(path: &Path) -> Result<Vec<CaseReport>, Unreadable> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(REPORT_BYTES_MAX).read_to_end(&mut bytes));
    file.map_err(|error| Unreadable::Io(format!("could not read the report {}: {error}", path.display())))?;
    read(&bytes).map_err(Unreadable::Broken)
}

/// When a file was written and how long it is; nothing where there is none.
fn written(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
