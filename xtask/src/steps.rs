//! What each command does: one function a command.
//!
//! Every step builds the whole workspace's programs. A narrower selection would choose other features of the shared
//! dependencies, and the next step would compile them again.

use crate::cargo::Cargo;
use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const DEMO_DIR: &str = "evenkeel-demo";

/// Builds, then runs the shipped suite on two local workers; ends by saying where the results are.
pub fn demo(arguments: &[String]) -> Result<u8> {
    let cargo = Cargo::find()?;
    let code = build_with(&cargo, &[])?;
    if code != 0 {
        return Ok(code);
    }
    let out = std::env::current_dir().context("finding the current folder")?.join(DEMO_DIR);
    std::fs::create_dir_all(&out).with_context(|| format!("creating the folder {}", out.display()))?;
    let junit = out.join("junit.xml");
    let report = out.join("report.html");
    let suite = cargo.root().join("examples/posix/SUITE.toml");
    // The verdicts of an earlier demo must not be taken for this one's.
    for old in [&junit, &report] {
        let _ = std::fs::remove_file(old);
    }
    let mut command = Command::new(cargo.program("evenkeel"));
    command.args(["run", "--local-workers", "2", "--junit"]).arg(&junit).arg("--report").arg(&report);
    command.args(arguments).arg(&suite).current_dir(&out);
    let code = crate::cargo::status(&mut command)?;
    eprintln!();
    show("JUnit  ", &junit);
    show("report ", &report);
    for database in duckdb_files(&out, 3) {
        show("DuckDB ", &database);
    }
    Ok(code)
}

/// `cargo test --workspace`, after the programs that end-to-end tests start.
pub fn test(arguments: &[String]) -> Result<u8> {
    let cargo = Cargo::find()?;
    let code = build_with(&cargo, &[])?;
    if code != 0 {
        return Ok(code);
    }
    cargo.run("test", &with(&["--workspace"], arguments))
}

/// Builds, then becomes `evenkeel ARGUMENTS`: signals and the exit code are the program's own.
pub fn run(arguments: &[String]) -> Result<u8> {
    become_program("evenkeel", arguments)
}

/// Builds, then becomes `test-harness bench ARGUMENTS`.
pub fn bench(arguments: &[String]) -> Result<u8> {
    if arguments.is_empty() {
        bail!("which bench? `cargo xtask bench dispatch --tasks N --workers W --slots S --json` or `cargo xtask bench plan …`");
    }
    become_program("test-harness", &with(&["bench"], arguments))
}

/// Every program of the workspace.
pub fn build(arguments: &[String]) -> Result<u8> {
    build_with(&Cargo::find()?, arguments)
}

/// The checks of the tree, cheapest first; stops at the first that fails.
pub fn ci() -> Result<u8> {
    let code = crate::cargo::status(Command::new(crate::cargo::cargo()).args(["fmt", "--all", "--check"]))?;
    if code != 0 {
        eprintln!("xtask: the tree is not formatted; run `cargo fmt --all`");
        return Ok(code);
    }
    let cargo = Cargo::find()?;
    let code = cargo.run("clippy", &with(&["--workspace", "--all-targets", "--", "-D", "warnings"], &[]))?;
    if code != 0 {
        return Ok(code);
    }
    test(&[])
}

/// Any cargo command with the prebuilt DuckDB.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let Some((subcommand, rest)) = arguments.split_first() else { bail!("which cargo command? `cargo xtask cargo -- check`") };
    if subcommand == "fmt" {
        // It compiles nothing and does not know cargo's `--config`.
        return crate::cargo::status(Command::new(crate::cargo::cargo()).args(arguments));
    }
    Cargo::find()?.run(subcommand, rest)
}

/// Prints the folder of the library that builds link against.
pub fn duckdb() -> Result<u8> {
    match Cargo::find()?.library() {
        Some(library) => {
            println!("{}", library.file.display());
            eprintln!("xtask: found {}; cargo's override is {}", library.origin, library.config.display());
        }
        None => println!("none: DuckDB is compiled from its C++ sources"),
    }
    Ok(0)
}

fn build_with(cargo: &Cargo, arguments: &[String]) -> Result<u8> {
    cargo.run("build", &with(&["--workspace", "--bins"], arguments))
}

fn become_program(name: &str, arguments: &[String]) -> Result<u8> {
    let cargo = Cargo::find()?;
    let code = build_with(&cargo, &[])?;
    if code != 0 {
        return Ok(code);
    }
    let program = cargo.program(name);
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}

fn with(first: &[&str], then: &[String]) -> Vec<String> {
    first.iter().map(|&text| text.to_owned()).chain(then.iter().cloned()).collect()
}

fn show(what: &str, file: &Path) {
    if file.exists() {
        eprintln!("{what} {}", file.display());
    } else {
        eprintln!("{what} was not written: {}", file.display());
    }
}

/// The databases under `folder`, at most `depth` folders down.
fn duckdb_files(folder: &Path, depth: u32) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            found.extend(duckdb_files(&path, depth - 1));
        } else if path.extension().is_some_and(|extension| extension == "duckdb") {
            found.push(path);
        }
    }
    found.sort();
    found
}
