//! CTest: one `ctest` for all tests of the chunk, which sees to fixtures and limits; its report is read at the end.

use super::Stop;
use super::junit::{Unreadable, read_file, reason};
use super::report::Report;
use super::step::{Steps, in_words};
use shared::outcome::TestOutcome;
use shared::task::Chunk;
use std::collections::BTreeMap;
use suite::filter::exactly;
use suite::junit::{CaseAttempt, CaseReport};

pub async fn run(chunk: &Chunk, steps: &mut Steps, report: &mut Report) -> Result<(), Stop> {
    let remaining = report.remaining();
    if remaining.is_empty() {
        return Ok(());
    }
    let path = steps.scratch.join("ctest.xml");
    let pattern = exactly(remaining.iter().map(|index| chunk.tests[*index as usize].name.as_str()));
    let mut argv = chunk.argv.clone();
    argv.extend(["-R".to_owned(), pattern, "--output-junit".to_owned(), path.display().to_string()]);
    let output = steps.output.clone();
    let launch = steps.launch(argv);
    let ran = steps.run(&launch, |bytes| output.write(bytes)).await?;
    let failed = |what: String| Stop::Infra(format!("ctest ended with {} and {what}\n{}", in_words(ran.exit), ran.tail.text()));
    let cases = match read_file(&path) {
        Ok(cases) => cases,
        Err(Unreadable::Io(problem)) => return Err(failed(format!("{problem} (--output-junit needs CMake 3.21 or newer)"))),
        Err(Unreadable::Broken(broken)) => return Err(failed(broken.to_string())),
    };
    let mut by_name: BTreeMap<&str, Vec<&CaseReport>> = BTreeMap::new();
    // Later ones last: tests of one name are taken in their order.
    for case in cases.iter().rev() {
        by_name.entry(&case.name).or_default().push(case);
    }
    for index in remaining {
        let name = chunk.tests[index as usize].name.as_str();
        if let Some(attempt) = by_name.get_mut(name).and_then(Vec::pop).and_then(|case| case.attempts.last()) {
            let (outcome, message) = (judge(attempt), reason(attempt));
            report.tell(index, outcome, attempt.seconds, Some(&message)).await;
        }
    }
    match report.remaining().first() {
        Some(index) => Err(failed(format!(
            "did not run {}: is the build folder here that of the listing?",
            chunk.tests[*index as usize].name
        ))),
        None => Ok(()),
    }
}

/// CTest reports a test whose program or files are missing as skipped, and counts it as failed.
fn judge(attempt: &CaseAttempt) -> TestOutcome {
    match (attempt.outcome, attempt.summary.as_deref()) {
        (TestOutcome::Skipped, Some(why)) if !why.starts_with("SKIP_") => TestOutcome::Error,
        (outcome, _) => outcome,
    }
}
