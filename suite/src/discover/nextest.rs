//! Lists a Rust suite by `cargo nextest list`.

use super::cargo_args::{manifest, nextest_list};
use super::command::{Stderr, ask, refused};
use super::libtest::{Packages, target};
use super::{SkippedTest, TestSuite};
use crate::error::DiscoverError;
use serde::Deserialize;
use shared::task::{Framework, TestCase};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const NAME: &str = "cargo nextest";

/// What nextest lists, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    rust_build_meta: Build,
    rust_suites: BTreeMap<String, Suite>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Build {
    target_directory: PathBuf,
    #[serde(default)]
    base_output_directories: Vec<PathBuf>,
    #[serde(default)]
    linked_paths: Vec<PathBuf>,
    #[serde(default)]
    non_test_binaries: BTreeMap<String, Vec<NonTest>>,
    #[serde(default)]
    build_script_out_dirs: BTreeMap<String, PathBuf>,
    platforms: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct NonTest {
    name: String,
    kind: String,
    path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Suite {
    binary_id: String,
    package_id: String,
    kind: String,
    binary_path: PathBuf,
    #[serde(default)]
    testcases: BTreeMap<String, Case>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Case {
    filter_match: Match,
}

#[derive(Debug, Deserialize)]
struct Match {
    status: String,
    reason: Option<String>,
}

pub fn list(argv: &[String], at: usize, dir: &Path) -> Result<TestSuite, DiscoverError> {
    let (asked, left_out) = nextest_list(argv, at)?;
    let output = ask(&asked, dir, &BTreeMap::new(), Stderr::Shown, "`cargo install cargo-nextest`, or use cargo test")?;
    if !output.status.success() {
        return Err(refused(NAME, &output));
    }
    let listing: Listing = serde_json::from_slice(&output.stdout)
        .map_err(|error| DiscoverError::Format { framework: NAME, problem: error.to_string() })?;
    // `cargo-nextest` started by itself is not cargo.
    let cargo = if argv[0].ends_with("cargo-nextest") { vec!["cargo".to_owned()] } else { argv[..at].to_vec() };
    let packages = Packages::ask(&cargo, &manifest(&asked), dir)?;
    let mut suite = TestSuite::new(Framework::Libtest, argv);
    if !left_out.is_empty() {
        suite.notes.push(format!("not obeyed, because Evenkeel itself runs the tests: {}", left_out.join(" ")));
    }
    take(listing, &packages, dir, &mut suite)?;
    Ok(suite)
}

fn take(listing: Listing, packages: &Packages, dir: &Path, suite: &mut TestSuite) -> Result<(), DiscoverError> {
    let build = listing.rust_build_meta;
    let libraries = libraries(&build);
    for binary in listing.rust_suites.into_values() {
        let package = packages.get(&binary.package_id).ok_or_else(|| DiscoverError::Format {
            framework: NAME,
            problem: format!("{} belongs to {}, which cargo does not list", binary.binary_id, binary.package_id),
        })?;
        let mut target = target(binary.binary_id, &binary.binary_path, package, &libraries, dir);
        target.env.insert("NEXTEST".to_owned(), "1".to_owned());
        target.env.insert("NEXTEST_EXECUTION_MODE".to_owned(), "process-per-test".to_owned());
        if let Some(out) = build.build_script_out_dirs.get(&binary.package_id) {
            target.env.insert("OUT_DIR".to_owned(), build.target_directory.join(out).display().to_string());
        }
        if binary.kind == "test" || binary.kind == "bench" {
            for other in build.non_test_binaries.get(&binary.package_id).into_iter().flatten() {
                if other.kind == "bin-exe" {
                    let path = build.target_directory.join(&other.path).display().to_string();
                    target.env.insert(format!("NEXTEST_BIN_EXE_{}", other.name), path.clone());
                    target.env.insert(format!("CARGO_BIN_EXE_{}", other.name), path);
                }
            }
        }
        let index = u32::try_from(suite.targets.len()).expect("fewer binaries than four billion");
        suite.targets.push(target);
        for (name, case) in binary.testcases {
            let test = TestCase { name, target: Some(index) };
            match (case.filter_match.status.as_str(), case.filter_match.reason.as_deref()) {
                ("matches", _) => suite.tests.push(test.into()),
                (_, Some("ignored")) => suite.skipped.push(SkippedTest { case: test, reason: "ignored".to_owned() }),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Where the dynamic libraries are that a test binary may need.
fn libraries(build: &Build) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = build.linked_paths.iter().map(|path| build.target_directory.join(path)).collect();
    for base in &build.base_output_directories {
        paths.push(build.target_directory.join(base).join("deps"));
        paths.push(build.target_directory.join(base));
    }
    let libdir = build.platforms.as_ref().and_then(|platforms| platforms.pointer("/host/libdir/path"));
    paths.extend(libdir.and_then(|path| path.as_str()).map(PathBuf::from));
    paths
}
