//! Lists a Go suite by `go test -list`.

use super::TestSuite;
use super::command::{Stderr, ask, refused, without};
use crate::error::DiscoverError;
use serde::Deserialize;
use shared::task::{Framework, Target, TestCase};
use std::collections::BTreeMap;
use std::path::Path;

const NAME: &str = "go test";

/// Flags of `go test` followed by a value, in the one- and two-dash forms that Go takes for the same.
const WITH_VALUE: [&str; 37] = [
    "C",
    "asmflags",
    "bench",
    "benchtime",
    "blockprofile",
    "blockprofilerate",
    "buildmode",
    "compiler",
    "count",
    "covermode",
    "coverpkg",
    "coverprofile",
    "cpu",
    "cpuprofile",
    "exec",
    "fuzz",
    "fuzztime",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "list",
    "memprofile",
    "mod",
    "modfile",
    "mutexprofile",
    "o",
    "outputdir",
    "overlay",
    "p",
    "parallel",
    "pgo",
    "run",
    "skip",
    "tags",
    "timeout",
    "vet",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    output: String,
}

pub fn list(argv: &[String], dir: &Path) -> Result<TestSuite, DiscoverError> {
    let args = Args::parse(argv)?;
    let mut asked = argv[..2].to_vec();
    asked.extend(args.flags.iter().cloned());
    let pattern = args.run.clone().unwrap_or_else(|| ".".to_owned());
    asked.extend(["-json".to_owned(), "-list".to_owned(), pattern]);
    asked.extend(args.packages.iter().cloned());
    let output = ask(&asked, dir, &BTreeMap::new(), Stderr::Kept, "install Go from https://go.dev/dl")?;
    let mut suite = TestSuite::new(Framework::Gotest, &[&argv[..2], &args.flags[..]].concat());
    let failed = read(&String::from_utf8_lossy(&output.stdout), &mut suite)?;
    // A package that cannot be built has nothing to list; that is an error now rather than a suite without it.
    if !output.status.success() || !failed.is_empty() {
        return Err(refused(NAME, &output));
    }
    suite.notes = args.notes;
    Ok(suite)
}

/// A `go test` command line, taken apart.
#[derive(Debug, Default, PartialEq)]
struct Args {
    /// Flags for every run.
    flags: Vec<String>,
    /// The pattern that chooses tests.
    run: Option<String>,
    packages: Vec<String>,
    notes: Vec<String>,
}

impl Args {
    fn parse(argv: &[String]) -> Result<Self, DiscoverError> {
        let mut args = Args::default();
        let one_dash: Vec<String> = argv[2..]
            .iter()
            .map(|word| word.strip_prefix('-').filter(|rest| rest.starts_with('-')).map_or_else(|| word.clone(), str::to_owned))
            .collect();
        if let Some(at) = one_dash.iter().position(|word| word == "-args") {
            args.notes.push(format!("not passed on: {}", argv[2 + at..].join(" ")));
        }
        let own: Vec<String> = one_dash.into_iter().take_while(|word| word != "-args").collect();
        let (own, dropped) = without(&own, &[("-json", 0), ("-bench", 1), ("-failfast", 0)]);
        if !dropped.is_empty() {
            args.notes.push(format!("not obeyed, because Evenkeel itself runs the tests: {}", dropped.join(" ")));
        }
        let mut words = own.into_iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-') else {
                args.packages.push(word);
                continue;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (flag.to_owned(), None),
            };
            let value = if value.is_none() && WITH_VALUE.contains(&name.as_str()) { words.next() } else { value };
            match (name.as_str(), value) {
                ("run", Some(pattern)) => args.run = Some(pattern),
                (_, Some(value)) => args.flags.push(format!("-{name}={value}")),
                (_, None) => args.flags.push(format!("-{name}")),
            }
        }
        if args.run.as_ref().is_some_and(|pattern| pattern.contains('/')) {
            let hint = "subtests run with the test they belong to; give a pattern of whole tests, without a slash";
            return Err(DiscoverError::Option { option: "-run".to_owned(), hint });
        }
        Ok(args)
    }
}

/// Adds the listed tests to `suite` and returns the packages that failed.
fn read(text: &str, suite: &mut TestSuite) -> Result<Vec<String>, DiscoverError> {
    let mut failed = Vec::new();
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let event: Event = serde_json::from_str(line)
            .map_err(|error| DiscoverError::Format { framework: NAME, problem: format!("{error} in {line}") })?;
        match event.action.as_str() {
            // One line of output can come in several events.
            "output" => lines.entry(event.package).or_default().push_str(&event.output),
            "fail" => failed.push(event.package),
            _ => {}
        }
    }
    for (package, output) in lines {
        let index = u32::try_from(suite.targets.len()).expect("fewer packages than four billion");
        let is_test = |line: &&str| ["Test", "Example", "Fuzz"].iter().any(|word| line.starts_with(word)) && !line.contains(' ');
        let names: Vec<String> = output.lines().filter(is_test).map(str::to_owned).collect();
        if !names.is_empty() {
            suite.targets.push(Target { name: package, argv: Vec::new(), cwd: None, env: BTreeMap::new() });
            suite.tests.extend(names.into_iter().map(|name| TestCase { name, target: Some(index) }.into()));
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, DiscoverError> {
        Args::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_packages_and_the_pattern_are_told_apart() {
        let args = parse("go test -race --tags e2e -run=Add ./... -count 1 -json").expect("well formed");
        assert_eq!(args.flags.join(" "), "-race -tags=e2e -count=1");
        assert_eq!((args.run.as_deref(), args.packages.join(" ").as_str(), args.notes.len()), (Some("Add"), "./...", 1));
        assert!(parse("go test -run Add/one").is_err());
    }

    #[test]
    fn tests_are_listed_with_their_package() {
        let mut suite = TestSuite::new(Framework::Gotest, &[]);
        let text = r#"{"Action":"start","Package":"x/a"}
{"Action":"output","Package":"x/a","Output":"TestOne\nExam"}
{"Action":"output","Package":"x/a","Output":"pleTwo\nBenchmarkX\nok  \tx/a\t0.001s\n"}
{"Action":"output","Package":"x/b","Output":"?   \tx/b\t[no test files]\n"}
{"Action":"skip","Package":"x/b"}"#;
        assert!(read(text, &mut suite).expect("what go prints").is_empty());
        let names: Vec<&str> = suite.tests.iter().map(|test| test.case.name.as_str()).collect();
        assert_eq!((names, suite.targets.len()), (vec!["TestOne", "ExampleTwo"], 1));
        assert_eq!(suite.targets[0].name, "x/a");
    }
}
