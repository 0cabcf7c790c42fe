//! Lists a Rust suite by building it with `cargo test --no-run` and asking each test binary.

use super::cargo_args::{TestArgs, subcommand_at};
use super::command::{Stderr, ask, refused, without};
use super::libtest::{Package, Packages, binary_id, names, target};
use super::{SkippedTest, TestSuite, nextest};
use crate::error::DiscoverError;
use serde::Deserialize;
use shared::task::{Framework, Target, TestCase};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const NAME: &str = "cargo test";
const HINT: &str = "install Rust with rustup";

/// One line of what cargo says while it builds, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    BuildScriptExecuted {
        package_id: String,
        out_dir: PathBuf,
        #[serde(default)]
        linked_paths: Vec<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    package_id: String,
    target: ArtifactTarget,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct ArtifactTarget {
    kind: Vec<String>,
    name: String,
    #[serde(default)]
    doctest: bool,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// Everything a build told.
#[derive(Debug, Default)]
struct Build {
    artifacts: Vec<Artifact>,
    out_dirs: BTreeMap<String, PathBuf>,
    linked: Vec<PathBuf>,
}

/// Lists the tests of `cargo test …` or `cargo nextest run …`.
pub fn list(argv: &[String], dir: &Path) -> Result<TestSuite, DiscoverError> {
    let at = subcommand_at(argv);
    match at.map(|at| (at, argv[at].as_str())) {
        Some((at, "nextest")) => nextest::list(argv, at, dir),
        Some((at, "test" | "t")) => list_by_cargo(argv, &TestArgs::parse(argv, at), dir),
        _ => Err(DiscoverError::Unrecognised { command: argv.join(" ") }),
    }
}

fn list_by_cargo(argv: &[String], args: &TestArgs, dir: &Path) -> Result<TestSuite, DiscoverError> {
    let mut suite = TestSuite::new(Framework::Libtest, argv);
    if args.only_doc() {
        add_doctests(args, &args.options, "doctests", dir, &mut suite)?;
        return Ok(suite);
    }
    let build = build(args, dir)?;
    let packages = Packages::ask(&args.cargo, &args.manifest(), dir)?;
    let mut documented = BTreeSet::new();
    let libraries = libraries(&build, args, dir)?;
    for artifact in build.artifacts.iter().filter(|artifact| artifact.profile.test) {
        let Some(package) = packages.get(&artifact.package_id) else { continue };
        if artifact.target.doctest {
            documented.insert((package.name.clone(), package.version.clone()));
        }
        let Some(binary) = &artifact.executable else { continue };
        let kind = artifact.target.kind.first().map_or("", String::as_str);
        let name = binary_id(&package.name, kind, &artifact.target.name);
        let mut target = target(name, binary, package, &libraries, dir);
        complete(&mut target, artifact, kind, &build);
        add_binary(binary, package, target, args, &mut suite)?;
    }
    if args.with_doc() {
        let selecting = [("-p", 1), ("--package", 1), ("--workspace", 0), ("--all", 0), ("--exclude", 1)];
        let (options, _) = without(&args.options, &selecting);
        for (name, version) in documented {
            let own = ["--doc".to_owned(), "-p".to_owned(), format!("{name}@{version}")];
            let options: Vec<String> = options.iter().cloned().chain(own).collect();
            add_doctests(args, &options, &format!("{name}::doc"), dir, &mut suite)?;
        }
    }
    Ok(suite)
}

fn build(args: &TestArgs, dir: &Path) -> Result<Build, DiscoverError> {
    let asked = args.test(&args.options, &["--no-run", "--message-format", "json-render-diagnostics"]);
    let output = ask(&asked, dir, &BTreeMap::new(), Stderr::Shown, HINT)?;
    if !output.status.success() {
        // What the compiler said went to the terminal as it came; what is kept is machine language.
        let status = super::command::status(&output);
        return Err(DiscoverError::Listing { framework: NAME, status, output: "the build failed, see above".to_owned() });
    }
    let mut build = Build::default();
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with('{')) {
        let message = serde_json::from_str(line)
            .map_err(|error| DiscoverError::Format { framework: NAME, problem: format!("{error} in {line}") })?;
        match message {
            Message::CompilerArtifact(artifact) => build.artifacts.push(artifact),
            Message::BuildScriptExecuted { package_id, out_dir, linked_paths } => {
                let path = |linked: String| PathBuf::from(linked.split_once('=').map_or(linked.as_str(), |(_, path)| path));
                build.linked.extend(linked_paths.into_iter().map(path));
                build.out_dirs.insert(package_id, out_dir);
            }
            Message::Other => {}
        }
    }
    Ok(build)
}

/// Where the dynamic libraries are that a test binary may need.
fn libraries(build: &Build, args: &TestArgs, dir: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    let mut paths = build.linked.clone();
    for deps in build.artifacts.iter().filter_map(|artifact| artifact.executable.as_ref()?.parent()) {
        for path in [Some(deps), deps.parent()].into_iter().flatten() {
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_path_buf());
            }
        }
    }
    let toolchain = args.cargo.iter().filter(|word| word.starts_with('+')).cloned();
    let words = ["--print", "target-libdir"].map(str::to_owned);
    let rustc: Vec<String> = ["rustc".to_owned()].into_iter().chain(toolchain).chain(words).collect();
    let output = ask(&rustc, dir, &BTreeMap::new(), Stderr::Kept, HINT)?;
    paths.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    Ok(paths)
}

/// The variables that depend on the build.
fn complete(target: &mut Target, artifact: &Artifact, kind: &str, build: &Build) {
    if let Some(out) = build.out_dirs.get(&artifact.package_id) {
        target.env.insert("OUT_DIR".to_owned(), out.display().to_string());
    }
    let programs = build.artifacts.iter().filter(|other| {
        other.package_id == artifact.package_id && !other.profile.test && other.target.kind.iter().any(|kind| kind == "bin")
    });
    for program in programs.filter(|_| kind == "test" || kind == "bench") {
        if let Some(path) = &program.executable {
            target.env.insert(format!("CARGO_BIN_EXE_{}", program.target.name), path.display().to_string());
        }
    }
}

/// Asks a binary for its tests. One that does not answer as libtest would is run as a whole, as cargo runs it.
fn add_binary(
    binary: &Path,
    package: &Package,
    mut target: Target,
    args: &TestArgs,
    suite: &mut TestSuite,
) -> Result<(), DiscoverError> {
    let ask_for = |more: &[&str]| {
        let words = ["--list", "--format", "terse"].iter().chain(more).map(|word| (*word).to_owned());
        let flags = ["--ignored", "--include-ignored", "--nocapture", "--no-capture", "-q", "--quiet", "--show-output"];
        let drop: Vec<(&str, usize)> = flags.iter().map(|flag| (*flag, 0)).chain([("--test-threads", 1)]).collect();
        let (filters, _) = without(&args.passed, &drop);
        let asked: Vec<String> = [binary.display().to_string()].into_iter().chain(words).chain(filters).collect();
        ask(&asked, package.folder(), &target.env, Stderr::Kept, "build it again")
            .map(|output| names(&String::from_utf8_lossy(&output.stdout)).filter(|_| output.status.success()))
    };
    let (all, ignored) = (ask_for(&[])?, ask_for(&["--ignored"])?);
    let index = u32::try_from(suite.targets.len()).expect("fewer binaries than four billion");
    let (Some(all), Some(ignored)) = (all, ignored) else {
        target.argv.extend(args.passed.iter().cloned());
        suite.targets.push(target);
        suite.whole.push(index);
        return Ok(());
    };
    suite.targets.push(target);
    let ignored: BTreeSet<String> = ignored.into_iter().collect();
    let says = |flag: &str| args.passed.iter().any(|word| word == flag);
    for name in all {
        let is_ignored = ignored.contains(&name);
        let case = TestCase { name, target: Some(index) };
        if says("--include-ignored") || is_ignored == says("--ignored") {
            suite.tests.push(case.into());
        } else if is_ignored {
            suite.skipped.push(SkippedTest { case, reason: "ignored".to_owned() });
        }
    }
    Ok(())
}

/// Adds the documentation tests of `cargo test` with `options`, where there are any, as one target.
fn add_doctests(args: &TestArgs, options: &[String], name: &str, dir: &Path, suite: &mut TestSuite) -> Result<(), DiscoverError> {
    let (mut list, mut run) = (args.test(options, &["--", "--list", "--format", "terse"]), args.test(options, &["--"]));
    list.extend(args.passed.iter().cloned());
    run.extend(args.passed.iter().cloned());
    let output = ask(&list, dir, &BTreeMap::new(), Stderr::Kept, HINT)?;
    if !output.status.success() {
        return Err(refused(NAME, &output));
    }
    if String::from_utf8_lossy(&output.stdout).lines().any(|line| line.ends_with(": test")) {
        let index = u32::try_from(suite.targets.len()).expect("fewer targets than four billion");
        suite.targets.push(Target { name: name.to_owned(), argv: run, cwd: None, env: BTreeMap::new() });
        suite.whole.push(index);
    }
    Ok(())
}
