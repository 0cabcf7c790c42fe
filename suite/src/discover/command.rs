//! Starts a framework's program to ask it something.

use crate::error::DiscoverError;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Where the program's standard error goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// To the answer.
    Kept,
    /// To the user's terminal, as it comes: for builds, which take long and say why they fail.
    Shown,
}

/// The last part of a program's path.
pub fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Runs `argv` in `dir` with `env` beside the present environment, and waits for it to end.
pub fn ask(
    argv: &[String],
    dir: &Path,
    env: &BTreeMap<String, String>,
    stderr: Stderr,
    hint: &str,
) -> Result<Output, DiscoverError> {
    let (program, rest) = argv.split_first().ok_or_else(|| DiscoverError::Unrecognised { command: String::new() })?;
    let stderr = match stderr {
        Stderr::Kept => Stdio::piped(),
        Stderr::Shown => Stdio::inherit(),
    };
    let mut command = Command::new(program);
    command.args(rest).current_dir(dir).envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    // A folder that is not there is reported by the system in the same words as a missing program.
    if !dir.is_dir() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(DiscoverError::Io { doing: format!("enter the folder {}", dir.display()), source });
    }
    command.output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => DiscoverError::Missing { program: program.clone(), hint: hint.to_owned() },
        _ => DiscoverError::Io { doing: format!("start {program}"), source },
    })
}

/// A failed listing in the framework's own words.
pub fn refused(framework: &'static str, output: &Output) -> DiscoverError {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    DiscoverError::Listing { framework, status: status(output), output: text.trim_end().to_owned() }
}

/// The exit status in words.
pub fn status(output: &Output) -> String {
    match output.status.code() {
        Some(code) => code.to_string(),
        None => output.status.to_string(),
    }
}

/// `argv` with the options in `drop` taken away, each with its value where the number beside it is 1. Returns what was
/// taken. Nothing after a lone `--` is touched.
pub fn without(argv: &[String], drop: &[(&str, usize)]) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        match drop.iter().find(|(option, values)| names(word, option, *values)) {
            None => kept.push(word.clone()),
            Some((option, values)) => {
                taken.push(word.clone());
                if *values == 1
                    && word == option
                    && let Some(value) = words.next()
                {
                    taken.push(value.clone());
                }
            }
        }
    }
    (kept, taken)
}

/// Whether `word` is `option`, also in the forms `--option=value` and `-ovalue`.
fn names(word: &str, option: &str, values: usize) -> bool {
    let long = option.starts_with("--") || option.len() > 2;
    match word.strip_prefix(option) {
        Some("") => true,
        Some(rest) => values == 1 && (rest.starts_with('=') || (!long && !rest.is_empty())),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_away_in_all_their_forms() {
        let argv: Vec<String> =
            "ctest -R a -Rb --parallel=4 -j 8 -V --repeat until-pass:3 -- -R x".split(' ').map(str::to_owned).collect();
        let (kept, taken) = without(&argv, &[("-R", 1), ("--parallel", 1), ("-j", 1)]);
        assert_eq!(kept.join(" "), "ctest -V --repeat until-pass:3 -- -R x");
        assert_eq!(taken.join(" "), "-R a -Rb --parallel=4 -j 8");
    }

    #[test]
    fn a_missing_program_and_a_missing_folder_are_told_apart() {
        let ask = |program: &str, dir: &str| {
            ask(&[program.to_owned()], Path::new(dir), &BTreeMap::new(), Stderr::Kept, "install it").expect_err("missing")
        };
        assert!(matches!(ask("no-such-program-here", "."), DiscoverError::Missing { .. }));
        assert!(ask("true", "/no/such/folder").to_string().contains("/no/such/folder"));
    }
}
