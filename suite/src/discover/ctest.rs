//! Lists a CTest suite by `ctest --show-only=json-v1`.

use super::command::{Stderr, ask, refused, without};
use super::{ListedTest, TestSuite};
use crate::error::DiscoverError;
use serde::Deserialize;
use shared::task::{Framework, TestCase};
use std::collections::BTreeMap;
use std::path::Path;

const NAME: &str = "ctest";

/// Options that choose tests: the worker names its tests itself. With those that distribute or report.
const DROPPED: [(&str, usize); 24] = [
    ("-R", 1),
    ("--tests-regex", 1),
    ("-E", 1),
    ("--exclude-regex", 1),
    ("-L", 1),
    ("--label-regex", 1),
    ("-LE", 1),
    ("--label-exclude", 1),
    ("-I", 1),
    ("--tests-information", 1),
    ("--tests-from-file", 1),
    ("--exclude-from-file", 1),
    ("-U", 0),
    ("--union", 0),
    ("--rerun-failed", 0),
    ("-j", 1),
    ("--parallel", 1),
    ("--test-load", 1),
    ("--output-junit", 1),
    ("--stop-on-failure", 0),
    ("--schedule-random", 0),
    ("-N", 0),
    ("--stop-time", 1),
    ("--progress", 0),
];

#[derive(Debug, Deserialize)]
struct Listing {
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
struct Test {
    name: String,
    #[serde(default)]
    properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
struct Property {
    name: String,
    value: serde_json::Value,
}

pub fn list(argv: &[String], dir: &Path) -> Result<TestSuite, DiscoverError> {
    let mut asked = argv.to_vec();
    asked.push("--show-only=json-v1".to_owned());
    let output = ask(&asked, dir, &BTreeMap::new(), Stderr::Kept, "install CMake 3.21 or newer")?;
    if !output.status.success() {
        return Err(refused(NAME, &output));
    }
    let listing: Listing = serde_json::from_slice(&output.stdout)
        .map_err(|error| DiscoverError::Format { framework: NAME, problem: error.to_string() })?;
    let (kept, _) = without(argv, &DROPPED);
    let mut suite = TestSuite::new(Framework::Ctest, &kept);
    suite.tests = group(listing.tests);
    Ok(suite)
}

/// Tests that share a fixture, a lock or an order run together, where CTest itself keeps to it.
fn group(tests: Vec<Test>) -> Vec<ListedTest> {
    let mut parent: Vec<usize> = (0..tests.len()).collect();
    let mut holder: BTreeMap<String, usize> = BTreeMap::new();
    for (at, test) in tests.iter().enumerate() {
        for tie in ties(test) {
            let other = *holder.entry(tie).or_insert(at);
            let (a, b) = (root(&mut parent, at), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    let roots: Vec<usize> = (0..tests.len()).map(|at| root(&mut parent, at)).collect();
    let mut sizes = vec![0; tests.len()];
    roots.iter().for_each(|root| sizes[*root] += 1);
    let together = |at: usize| u32::try_from(roots[at]).ok().filter(|_| sizes[roots[at]] > 1);
    let case = |name| TestCase { name, target: None };
    tests.into_iter().enumerate().map(|(at, test)| ListedTest { case: case(test.name), together: together(at) }).collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// What ties a test to others, each as a word that the others have too.
fn ties(test: &Test) -> Vec<String> {
    let mut ties = vec![format!("test {}", test.name)];
    for property in &test.properties {
        let kind = match property.name.as_str() {
            "FIXTURES_SETUP" | "FIXTURES_CLEANUP" | "FIXTURES_REQUIRED" => "fixture",
            "RESOURCE_LOCK" => "lock",
            "DEPENDS" => "test",
            "RUN_SERIAL" if property.value == true => {
                ties.push("serial".to_owned());
                continue;
            }
            _ => continue,
        };
        match &property.value {
            serde_json::Value::Array(names) => {
                ties.extend(names.iter().filter_map(|name| name.as_str()).map(|name| format!("{kind} {name}")));
            }
            serde_json::Value::String(name) => ties.push(format!("{kind} {name}")),
            _ => {}
        }
    }
    ties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_tied_by_fixtures_locks_or_order_are_one_group() {
        let listing: Listing = serde_json::from_str(
            r#"{"kind":"ctestInfo","tests":[
              {"name":"free"},
              {"name":"setup","properties":[{"name":"FIXTURES_SETUP","value":["db"]}]},
              {"name":"uses","properties":[{"name":"FIXTURES_REQUIRED","value":["db"]},{"name":"TIMEOUT","value":3.0}]},
              {"name":"after","properties":[{"name":"DEPENDS","value":["uses"]}]},
              {"name":"locks","properties":[{"name":"RESOURCE_LOCK","value":["port"]}]},
              {"name":"locks too","properties":[{"name":"RESOURCE_LOCK","value":["port"]}]}]}"#,
        )
        .expect("what ctest prints");
        let groups: Vec<Option<u32>> = group(listing.tests).iter().map(|test| test.together).collect();
        assert_eq!(groups, [None, Some(1), Some(1), Some(1), Some(4), Some(4)]);
    }
}
