//! Rust's libtest: one process a test, so that a crash, an abort or a leak is that test's own.

use super::report::Report;
use super::step::{Ran, Steps, in_words};
use super::{Stop, step};
use crate::process::Launch;
use shared::outcome::TestOutcome;
use shared::task::{Chunk, Target};
use std::ffi::OsString;
use std::time::Instant;

/// Variables that hold a list of folders, to which a target adds its own.
const PATH_LISTS: [&str; 3] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];

pub async fn run(chunk: &Chunk, steps: &mut Steps, report: &mut Report) -> Result<(), Stop> {
    if chunk.tests.is_empty() {
        for target in &chunk.targets {
            run_whole(target, steps, report).await?;
        }
    }
    for index in report.remaining() {
        steps.boundary()?;
        let test = &chunk.tests[index as usize];
        let Some(target) = test.target.and_then(|at| chunk.targets.get(at as usize)) else {
            return Err(Stop::Infra(format!("the test {} names no test binary: the chunk is malformed", test.name)));
        };
        let arguments = ["--exact", &test.name, "--include-ignored", "--nocapture"].map(str::to_owned);
        let launch = launch(target, &arguments, steps);
        let began = Instant::now();
        let output = steps.output.clone();
        let ran = steps.run(&launch, |bytes| output.write(bytes)).await?;
        let seconds = began.elapsed().as_secs_f64();
        let (outcome, message) = judge(&ran);
        report.tell(index, outcome, seconds, message.as_deref()).await;
    }
    Ok(())
}

fn judge(ran: &Ran) -> (TestOutcome, Option<String>) {
    let text = ran.tail.text();
    match ran.exit.code {
        // A binary that was built anew may have lost the test, and an empty run is not a pass.
        Some(0) if text.lines().any(|line| line == "running 0 tests") => {
            (TestOutcome::Error, Some("the test binary has no test of this name: build and list the suite again".to_owned()))
        }
        Some(0) => (TestOutcome::Passed, None),
        _ => (TestOutcome::Failed, Some(format!("{}\n{text}", step::in_words(ran.exit)))),
    }
}

/// The process of `target` with `arguments`. Its paths may be relative to the task's folder.
fn launch(target: &Target, arguments: &[String], steps: &Steps) -> Launch {
    let mut argv = target.argv.clone();
    if let Some(program) = argv.first_mut().filter(|program| program.contains('/')) {
        *program = steps.file(program).display().to_string();
    }
    argv.extend_from_slice(arguments);
    let dir = target.cwd.as_ref().map_or_else(|| steps.dir.clone(), |cwd| steps.file(cwd));
    let mut env = steps.env.clone();
    for (name, value) in &target.env {
        let before = env.get(&OsString::from(name)).filter(|_| PATH_LISTS.contains(&name.as_str()));
        let value = match before {
            Some(before) => format!("{value}:{}", before.to_string_lossy()),
            None => value.clone(),
        };
        env.insert(name.into(), value.into());
    }
    // Where the files were copied to, the package is not where it was listed.
    if target.cwd.as_deref().is_some_and(|cwd| !cwd.starts_with('/')) && target.env.contains_key("CARGO_MANIFEST_DIR") {
        let folder = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        env.insert("CARGO_MANIFEST_PATH".into(), folder.join("Cargo.toml").into());
        env.insert("CARGO_MANIFEST_DIR".into(), folder.into());
    }
    Launch { argv, dir, env, stdin: false }
}

/// Runs a target that tells its tests only while it runs: documentation tests, or a harness of its own.
async fn run_whole(target: &Target, steps: &mut Steps, report: &mut Report) -> Result<(), Stop> {
    let launch = launch(target, &[], steps);
    let output = steps.output.clone();
    let mut lines = Lines::default();
    let ran = steps
        .run(&launch, |bytes| {
            output.write(bytes);
            lines.push(bytes);
        })
        .await?;
    let text = ran.tail.text();
    let share = ran.exit.run_s / lines.results.len().max(1) as f64;
    let mut red = 0;
    for (name, outcome) in &lines.results {
        red += usize::from(!outcome.is_green());
        let message = (!outcome.is_green()).then(|| section(&text, name));
        report.tell_named(name, *outcome, share, message.as_deref()).await;
    }
    let passed = ran.exit.code == Some(0);
    if lines.results.is_empty() {
        let outcome = if passed { TestOutcome::Passed } else { TestOutcome::Failed };
        let message = (!passed).then(|| format!("{}\n{text}", in_words(ran.exit)));
        report.tell_named(&target.name, outcome, ran.exit.run_s, message.as_deref()).await;
    } else if !passed && red == 0 {
        let message = format!("{} ended with {} although no test of it failed\n{text}", target.name, in_words(ran.exit));
        report.tell_named(&target.name, TestOutcome::Error, 0.0, Some(&message)).await;
    }
    Ok(())
}

/// The results in libtest's own output, as it comes.
#[derive(Default)]
struct Lines {
    open: Vec<u8>,
    results: Vec<(String, TestOutcome)>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.open);
                self.results.extend(result_of(&String::from_utf8_lossy(&line)));
            } else if self.open.len() < 4096 {
                self.open.push(*byte);
            }
        }
    }
}

/// `test NAME ... ok`, also with what the test printed between.
fn result_of(line: &str) -> Option<(String, TestOutcome)> {
    let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let word = word.trim_end();
    let outcome = match word {
        _ if word == "ok" || word.ends_with(" ok") || word.starts_with("ok (") => TestOutcome::Passed,
        _ if word.starts_with("ignored") => TestOutcome::Skipped,
        _ if word.contains("FAILED") => TestOutcome::Failed,
        _ => return None,
    };
    Some((name.to_owned(), outcome))
}

/// What libtest prints about a test that failed.
fn section(text: &str, name: &str) -> String {
    let from = text.find(&format!("---- {name} ")).map_or("", |at| &text[at..]);
    let end = from.get(5..).and_then(|rest| rest.find("\n---- ").or_else(|| rest.find("\n\nfailures:\n"))).map(|at| at + 5);
    end.map_or(from, |end| &from[..end]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_a_whole_run_are_read_from_its_output() {
        let mut lines = Lines::default();
        let text = "\nrunning 3 tests\ntest src/lib.rs - add (line 4) ... ok\ntest src/lib.rs - no_run (line 9) - compile ... ok\n\
                    test a ... FAILED\ntest b ... ignored, slow\n\ntest result: FAILED. 1 passed; 1 failed\n";
        for part in text.as_bytes().chunks(7) {
            lines.push(part);
        }
        let found: Vec<(&str, TestOutcome)> = lines.results.iter().map(|(name, outcome)| (name.as_str(), *outcome)).collect();
        assert_eq!(
            found,
            [
                ("src/lib.rs - add (line 4)", TestOutcome::Passed),
                ("src/lib.rs - no_run (line 9) - compile", TestOutcome::Passed),
                ("a", TestOutcome::Failed),
                ("b", TestOutcome::Skipped),
            ]
        );
    }

    #[test]
    fn a_failure_is_explained_by_its_own_section() {
        let text = "failures:\n\n---- a stdout ----\nfirst\n\n---- b stdout ----\nsecond\n\n\nfailures:\n    a\n    b\n";
        assert_eq!(section(text, "a"), "---- a stdout ----\nfirst\n");
        assert_eq!(section(text, "b"), "---- b stdout ----\nsecond\n");
        assert_eq!(section(text, "c"), "");
    }
}
