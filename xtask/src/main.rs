//! `cargo xtask …`: the project's build steps around plain cargo.
//!
//! It finds a prebuilt DuckDB, so that nobody waits for 380 C++ files, and gives every step the same packages, profile and
//! flags, so that what one step has built serves the next. Plain `cargo build` works without it.

mod cargo;
mod duckdb;
mod installed;
mod prebuilt;
mod steps;

use anyhow::{Result, bail};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                  build, run the suite in examples/posix on two local workers, write ./evenkeel-demo/
  test [-- ARGS]        build the programs, then `cargo test --workspace ARGS`
  run -- ARGS           build the programs, then `evenkeel ARGS`
  build [-- ARGS]       build the programs: `cargo build --workspace --bins ARGS`
  bench dispatch ARGS   build the programs, then `test-harness bench dispatch ARGS` (also: bench plan ARGS)
  ci                    cargo fmt --check, clippy without warnings, test
  cargo -- ARGS         any cargo command, with the prebuilt DuckDB
  duckdb                say where the DuckDB library is

A prebuilt DuckDB is looked for in $EVENKEEL_DUCKDB_DIR, the system's library folders, the cache folder, and the npm client.
EVENKEEL_DUCKDB=build skips the search and compiles DuckDB's C++.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let started = Instant::now();
    match dispatch(&arguments) {
        Ok(code) => {
            eprintln!("xtask {}: exit code {code} after {}", arguments.join(" "), minutes_and_seconds(started));
            ExitCode::from(code)
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<u8> {
    let Some((command, rest)) = arguments.split_first() else { bail!("no command given\n\n{USAGE}") };
    // The separator only keeps cargo's own options apart from ours.
    let rest = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest);
    match command.as_str() {
        "demo" => steps::demo(rest),
        "test" => steps::test(rest),
        "run" => steps::run(rest),
        "build" => steps::build(rest),
        "bench" => steps::bench(rest),
        "ci" => steps::ci(),
        "cargo" => steps::cargo(rest),
        "duckdb" => steps::duckdb(),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(0)
        }
        other => bail!("`{other}` is not a command\n\n{USAGE}"),
    }
}

fn minutes_and_seconds(started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    if seconds < 60.0 { format!("{seconds:.1} s") } else { format!("{} min {:.0} s", (seconds / 60.0) as u64, seconds % 60.0) }
}
