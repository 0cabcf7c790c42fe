//! `go test`: one run a package for the tests of the chunk, its stream of events read as it comes.

use super::Stop;
use super::report::Report;
use super::step::{Steps, Tail, in_words};
use crate::output::OutputSink;
use serde::Deserialize;
use shared::outcome::TestOutcome;
use shared::task::Chunk;
use std::collections::{BTreeMap, BTreeSet};
use suite::filter::exactly;

/// One event of `go test -json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    test: String,
    #[serde(default)]
    output: String,
    #[serde(default)]
    elapsed: f64,
}

pub async fn run(chunk: &Chunk, steps: &mut Steps, report: &mut Report) -> Result<(), Stop> {
    let mut packages = BTreeSet::new();
    for index in report.remaining() {
        let test = &chunk.tests[index as usize];
        let target = test.target.filter(|at| chunk.targets.get(*at as usize).is_some());
        let target =
            target.ok_or_else(|| Stop::Infra(format!("the test {} names no package: the chunk is malformed", test.name)))?;
        packages.insert(target);
    }
    for target in packages {
        steps.boundary()?;
        // A panic ends the package: those that did not have their turn are run again without the one that panicked.
        while run_package(chunk, target, steps, report).await? {}
    }
    Ok(())
}

/// Runs what is left of a package; true when there is more to run.
async fn run_package(chunk: &Chunk, target: u32, steps: &mut Steps, report: &mut Report) -> Result<bool, Stop> {
    let of_package = |index: &u32| chunk.tests[*index as usize].target == Some(target);
    let remaining: Vec<u32> = report.remaining().into_iter().filter(of_package).collect();
    if remaining.is_empty() {
        return Ok(false);
    }
    let name = |index: u32| chunk.tests[index as usize].name.as_str();
    let package = &chunk.targets[target as usize].name;
    let mut argv = chunk.argv.clone();
    argv.extend(["-json".to_owned(), "-run".to_owned(), exactly(remaining.iter().map(|index| name(*index)))]);
    argv.push(package.clone());
    let mut stream = Stream { output: Some(steps.output.clone()), ..Stream::default() };
    let launch = steps.launch(argv);
    let ran = steps.run(&launch, |bytes| stream.push(bytes)).await?;
    let mut told = 0;
    for index in &remaining {
        if let Some(test) = stream.tests.remove(name(*index))
            && let Some((outcome, seconds)) = test.result
        {
            let message = (outcome != TestOutcome::Passed).then(|| test.printed.text());
            report.tell(*index, outcome, seconds, message.as_deref()).await;
            told += 1;
        }
    }
    if told == remaining.len() {
        return Ok(false);
    }
    if told > 0 && ran.exit.code != Some(0) {
        return Ok(true);
    }
    let left_out = chunk.argv.iter().any(|word| word.starts_with("-skip"));
    for index in remaining {
        if ran.exit.code == Some(0) && left_out {
            report.tell(index, TestOutcome::Skipped, 0.0, Some("left out by -skip")).await;
        } else {
            let why = format!("{package} ended with {} before this test ran\n{}", in_words(ran.exit), stream.printed.text());
            report.tell(index, TestOutcome::Error, 0.0, Some(&why)).await;
        }
    }
    Ok(false)
}

/// What has been heard of a run.
#[derive(Default)]
struct Stream {
    open: Vec<u8>,
    /// What is not a test's: the build's errors.
    printed: Tail,
    tests: BTreeMap<String, Test>,
    output: Option<OutputSink>,
}

#[derive(Default)]
struct Test {
    printed: Tail,
    result: Option<(TestOutcome, f64)>,
}

impl Stream {
    fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.open);
                self.line(&line);
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let event: Option<Event> = serde_json::from_slice(line).ok();
        // The build writes plain text to standard error.
        let Some(event) = event else {
            self.print("", line);
            return;
        };
        let test = event.test.split('/').next().unwrap_or_default().to_owned();
        let outcome = match event.action.as_str() {
            "output" | "build-output" => {
                self.print(&test, event.output.as_bytes());
                return;
            }
            "pass" => TestOutcome::Passed,
            "skip" => TestOutcome::Skipped,
            "fail" => TestOutcome::Failed,
            _ => return,
        };
        // Subtests are part of the test that holds them.
        if !test.is_empty() && test == event.test {
            self.tests.entry(test).or_default().result = Some((outcome, event.elapsed));
        }
    }

    fn print(&mut self, test: &str, bytes: &[u8]) {
        if let Some(output) = &self.output {
            output.write(bytes);
        }
        if test.is_empty() {
            self.printed.push(bytes);
        } else {
            self.tests.entry(test.to_owned()).or_default().printed.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_read_whatever_the_pieces_it_comes_in() {
        let text = br#"# x/a
{"Action":"run","Package":"x/a","Test":"TestOne"}
{"Action":"output","Package":"x/a","Test":"TestOne/sub","Output":"    why\n"}
{"Action":"fail","Package":"x/a","Test":"TestOne/sub","Elapsed":0.1}
{"Action":"fail","Package":"x/a","Test":"TestOne","Elapsed":0.25}
{"Action":"pass","Package":"x/a","Test":"TestTwo","Elapsed":0}
{"Action":"fail","Package":"x/a","Elapsed":0.3}
"#;
        for size in [1, 10, 1000] {
            let mut stream = Stream::default();
            text.chunks(size).for_each(|part| stream.push(part));
            let one = &stream.tests["TestOne"];
            assert_eq!((one.result, one.printed.text().as_str()), (Some((TestOutcome::Failed, 0.25)), "    why\n"));
            assert_eq!(stream.tests["TestTwo"].result, Some((TestOutcome::Passed, 0.0)));
            assert_eq!((stream.tests.len(), stream.printed.text().as_str()), (2, "# x/a\n"));
        }
    }
}
