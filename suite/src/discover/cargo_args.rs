//! The parts of a `cargo test` or `cargo nextest` command line.

use super::command::without;
use crate::error::DiscoverError;

/// Options of `cargo test` that are followed by a value.
const WITH_VALUE: [&str; 17] = [
    "-p",
    "--package",
    "--exclude",
    "--bin",
    "--example",
    "--test",
    "--bench",
    "-F",
    "--features",
    "-j",
    "--jobs",
    "--profile",
    "--target",
    "--target-dir",
    "--manifest-path",
    "--config",
    "-Z",
];
/// Options by which some targets are chosen; documentation tests run only without them.
const TARGETS: [&str; 10] =
    ["--lib", "--bins", "--bin", "--examples", "--example", "--tests", "--test", "--benches", "--bench", "--all-targets"];
/// Options of `cargo nextest run` that `cargo nextest list` does not know, and whether a value follows.
const NEXTEST_RUN_ONLY: [(&str, usize); 17] = [
    ("--no-fail-fast", 0),
    ("--nff", 0),
    ("--fail-fast", 0),
    ("--ff", 0),
    ("--max-fail", 1),
    ("--retries", 1),
    ("--test-threads", 1),
    ("-j", 1),
    ("--no-capture", 0),
    ("--nocapture", 0),
    ("--status-level", 1),
    ("--final-status-level", 1),
    ("--success-output", 1),
    ("--failure-output", 1),
    ("--no-tests", 1),
    ("--hide-progress-bar", 0),
    ("--no-input-handler", 0),
];

/// A `cargo test` command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestArgs {
    /// `cargo`, a toolchain, and options of cargo itself, without `test`.
    pub cargo: Vec<String>,
    /// Options of `cargo test`.
    pub options: Vec<String>,
    /// What is passed on to each test binary: the name filter and all behind `--`.
    pub passed: Vec<String>,
}

/// Where in `argv` the word of the subcommand stands.
pub fn subcommand_at(argv: &[String]) -> Option<usize> {
    let mut words = argv.iter().enumerate().skip(1);
    while let Some((at, word)) = words.next() {
        if matches!(word.as_str(), "--config" | "-Z" | "-C" | "--color") {
            words.next();
        } else if !word.starts_with('-') && !word.starts_with('+') {
            return Some(at);
        }
    }
    None
}

impl TestArgs {
    /// Takes `argv` apart, whose word `at` is `test`.
    pub fn parse(argv: &[String], at: usize) -> Self {
        let (own, behind) = match argv.iter().position(|word| word == "--") {
            Some(dashes) => (&argv[at + 1..dashes], &argv[dashes + 1..]),
            None => (&argv[at + 1..], &argv[argv.len()..]),
        };
        let (own, _) = without(own, &[("--no-run", 0), ("--no-fail-fast", 0), ("--message-format", 1)]);
        let (mut options, mut passed) = (Vec::new(), Vec::new());
        let mut words = own.into_iter();
        while let Some(word) = words.next() {
            let takes_value = WITH_VALUE.contains(&word.as_str());
            if word.starts_with('-') {
                options.push(word);
                if takes_value {
                    options.extend(words.next());
                }
            } else {
                passed.push(word);
            }
        }
        passed.extend(behind.iter().cloned());
        Self { cargo: argv[..at].to_vec(), options, passed }
    }

    /// Whether only documentation tests are asked for.
    pub fn only_doc(&self) -> bool {
        self.options.iter().any(|word| word == "--doc")
    }

    /// Whether documentation tests run beside the others.
    pub fn with_doc(&self) -> bool {
        !self.options.iter().any(|word| TARGETS.contains(&word.split('=').next().unwrap_or(word)))
    }

    /// The command `cargo test` with `options` and more.
    pub fn test(&self, options: &[String], more: &[&str]) -> Vec<String> {
        let more = more.iter().map(|word| (*word).to_owned());
        self.cargo.iter().cloned().chain(["test".to_owned()]).chain(options.iter().cloned()).chain(more).collect()
    }

    /// The options that say where the workspace is, for other cargo commands.
    pub fn manifest(&self) -> Vec<String> {
        manifest(&self.options)
    }
}

/// The options among `words` that say where the workspace is.
pub fn manifest(words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word == "--manifest-path" {
            found.extend(words[at..].iter().take(2).cloned());
        } else if word.starts_with("--manifest-path=") {
            found.push(word.clone());
        }
    }
    found
}

/// The command that lists what `argv`, whose word `at` is `nextest`, would run; and what was left out of it.
pub fn nextest_list(argv: &[String], at: usize) -> Result<(Vec<String>, Vec<String>), DiscoverError> {
    let run = argv.get(at + 1).map(String::as_str);
    if !matches!(run, Some("run" | "r")) {
        let hint = "give the command that runs the tests: cargo nextest run …";
        return Err(DiscoverError::Option { option: argv.join(" "), hint });
    }
    let partition = argv.iter().find(|word| word.starts_with("--partition"));
    if let Some(option) = partition {
        let hint = "Evenkeel divides the tests among the workers itself; leave it out";
        return Err(DiscoverError::Option { option: option.clone(), hint });
    }
    let (kept, taken) = without(&argv[at + 2..], &NEXTEST_RUN_ONLY);
    let mut list = argv[..=at].to_vec();
    list.extend(["list", "--message-format", "json"].map(str::to_owned));
    list.extend(kept);
    Ok((list, taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_name_filter_is_told_from_the_values_of_options() {
        let line = argv("cargo +nightly test -p demo --features a,b adds --no-run -- --skip slow --ignored");
        let args = TestArgs::parse(&line, subcommand_at(&line).expect("test"));
        assert_eq!(args.cargo.join(" "), "cargo +nightly");
        assert_eq!(args.options.join(" "), "-p demo --features a,b");
        assert_eq!(args.passed.join(" "), "adds --skip slow --ignored");
        assert!(args.with_doc() && !args.only_doc());
        assert!(!TestArgs::parse(&argv("cargo test --lib"), 1).with_doc());
    }

    #[test]
    fn flags_without_values_do_not_swallow_the_filter() {
        let args = TestArgs::parse(&argv("cargo test --release adds"), 1);
        assert_eq!((args.options.join(" "), args.passed.join(" ")), ("--release".to_owned(), "adds".to_owned()));
    }

    #[test]
    fn a_nextest_run_becomes_a_list_of_the_same_tests() {
        let line = argv("cargo nextest run -p demo --retries 2 -j4 -E test(a) -- --skip b");
        let (list, left_out) = nextest_list(&line, 1).expect("a run");
        assert_eq!(list.join(" "), "cargo nextest list --message-format json -p demo -E test(a) -- --skip b");
        assert_eq!(left_out.join(" "), "--retries 2 -j4");
        assert!(nextest_list(&argv("cargo nextest archive"), 1).is_err());
        assert!(nextest_list(&argv("cargo nextest run --partition hash:1/2"), 1).is_err());
    }
}
