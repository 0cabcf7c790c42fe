//! Lists a pytest suite by collecting it with our plugin: exact node ids, whatever they hold.

use super::command::{Stderr, ask, refused};
use super::{SkippedTest, TestSuite};
use crate::error::DiscoverError;
use crate::pytest::{LIST_VARIABLE, PATH_BEFORE_VARIABLE, program_at, with_plugin, write_plugin};
use serde::Deserialize;
use shared::task::{Framework, TestCase};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

const NAME: &str = "pytest";

/// One line of the listing.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Test { id: String },
    Skipped { skipped: String, reason: String },
    End { end: usize },
}

pub fn list(argv: &[String], dir: &Path) -> Result<TestSuite, DiscoverError> {
    let mut suite = TestSuite::new(Framework::Pytest, argv);
    suite.notes = check_options(&argv[program_at(argv).map_or(0, |at| at + 1)..])?;
    let folder = tempfile::tempdir().map_err(DiscoverError::io("make a temporary folder for the pytest plugin"))?;
    write_plugin(folder.path())?;
    let listing = folder.path().join("list.jsonl");
    let mut env = BTreeMap::from([(LIST_VARIABLE.to_owned(), listing.display().to_string())]);
    let before = std::env::var("PYTHONPATH").ok();
    let path = before.iter().fold(folder.path().display().to_string(), |path, before| format!("{path}:{before}"));
    env.insert("PYTHONPATH".to_owned(), path);
    env.extend(before.map(|before| (PATH_BEFORE_VARIABLE.to_owned(), before)));
    let mut asked = with_plugin(argv);
    let at = program_at(&asked).map_or(asked.len(), |at| at + 1);
    asked.splice(at..at, ["--collect-only".to_owned(), "-qq".to_owned()]);
    let hint = "`pip install pytest`, or name it by its path";
    let output = ask(&asked, dir, &env, Stderr::Kept, hint)?;
    judge(argv, &output)?;
    let text = std::fs::read_to_string(&listing).map_err(|_| refused(NAME, &output))?;
    read(&text, &mut suite)?;
    Ok(suite)
}

/// Refuses what cannot work in parts; returns what is worth saying about the rest.
fn check_options(arguments: &[String]) -> Result<Vec<String>, DiscoverError> {
    let mut notes = Vec::new();
    for word in arguments.iter().take_while(|word| *word != "--") {
        let option = word.split('=').next().unwrap_or(word);
        let attached = |short: &str| word.starts_with(short) && !word.starts_with("--");
        if attached("-n") || matches!(option, "--numprocesses" | "--dist" | "--tx") {
            let hint = "Evenkeel's workers run the tests side by side; leave it out, and say --local-workers N instead";
            return Err(DiscoverError::Option { option: word.clone(), hint });
        }
        if word == "-x" || option == "--exitfirst" || option == "--maxfail" {
            notes.push(format!("{option} is not obeyed: chunks that run side by side cannot stop each other, so all tests run"));
        }
        if option == "--junitxml" || option == "--junit-xml" {
            notes.push(format!("{option} is not obeyed: every chunk would write that file; use evenkeel run --junit FILE"));
        }
    }
    Ok(notes)
}

/// Whether the collection went well, by pytest's exit status.
fn judge(argv: &[String], output: &Output) -> Result<(), DiscoverError> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("No module named pytest") {
        let hint = format!("`{} -m pip install pytest`", argv[0]);
        return Err(DiscoverError::Missing { program: NAME.to_owned(), hint });
    }
    match output.status.code() {
        // 5: nothing was selected; modules that skipped themselves may still have been counted.
        Some(0 | 5) => Ok(()),
        _ => Err(refused(NAME, output)),
    }
}

fn read(text: &str, suite: &mut TestSuite) -> Result<(), DiscoverError> {
    let problem = |problem: String| DiscoverError::Format { framework: NAME, problem };
    let mut ended = false;
    for line in text.lines() {
        match serde_json::from_str(line).map_err(|error| problem(format!("{error} in {line}")))? {
            Line::Test { id } => suite.tests.push(TestCase { name: id, target: None }.into()),
            Line::Skipped { skipped, reason } => {
                suite.skipped.push(SkippedTest { case: TestCase { name: skipped, target: None }, reason });
            }
            Line::End { end } => ended = end == suite.tests.len(),
        }
    }
    if ended { Ok(()) } else { Err(problem("the listing was cut short".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributing_options_are_refused_with_what_to_do() {
        for line in ["-n 4", "-nauto", "tests --numprocesses=2", "--dist loadfile"] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let error = check_options(&words).expect_err(line);
            assert!(error.to_string().contains("--local-workers"), "{error}");
        }
        let words = ["-k", "numbers", "-x", "--junitxml=a.xml"].map(str::to_owned);
        assert_eq!(check_options(&words).expect("these are only noted").len(), 2);
    }

    #[test]
    fn a_listing_that_was_cut_short_is_not_taken_for_the_whole() {
        let mut suite = TestSuite::new(Framework::Pytest, &[]);
        assert!(read("{\"id\": \"a\"}\n", &mut suite).is_err());
        let mut suite = TestSuite::new(Framework::Pytest, &[]);
        read("{\"skipped\": \"m\", \"reason\": \"r\"}\n{\"id\": \"a\\nb\"}\n{\"end\": 1}\n", &mut suite).expect("complete");
        assert_eq!((suite.tests[0].case.name.as_str(), suite.skipped.len()), ("a\nb", 1));
    }
}
