//! Prebuilt libraries from the npm client: named here, checked by sha256, kept in the cache folder.

use crate::duckdb::VERSION;
use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

struct Prebuilt {
    host: &'static str,
    package: &'static str,
    library: &'static str,
    sha256: &'static str,
}

/// A platform is added with the checksum of its library; without one it compiles the C++.
const PREBUILT: &[Prebuilt] = &[Prebuilt {
    host: "x86_64-unknown-linux-gnu",
    package: "@duckdb/node-bindings-linux-x64@1.5.6-r.1",
    library: "libduckdb.so",
    sha256: "3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633",
}];

const NPM_TIME_MAX: Duration = Duration::from_secs(600);

/// The library from the cache folder, or from npm into the cache folder.
pub fn find(host: &str, cache: &Path) -> Result<(PathBuf, String)> {
    let known = PREBUILT.iter().find(|prebuilt| prebuilt.host == host);
    let known = known.ok_or_else(|| anyhow!("none is installed, and no checksum is known for {host}"))?;
    let folder = cache.join(format!("duckdb-{VERSION}-{host}"));
    let file = folder.join(known.library);
    if file.exists() {
        if sha256_of(&file)? == known.sha256 {
            return Ok((file, "in the cache folder".to_owned()));
        }
        eprintln!("xtask: {} does not have the expected checksum; it is fetched again", file.display());
        std::fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    // Fetched beside its place and moved there whole, so that two commands at once do no harm.
    let fresh = cache.join(format!("fetch-{}", std::process::id()));
    std::fs::create_dir_all(&fresh).with_context(|| format!("creating {}", fresh.display()))?;
    let fetched = fetch(known, &fresh).and_then(|found| {
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        std::fs::rename(&found, &file).with_context(|| format!("moving the library to {}", file.display()))
    });
    let _ = std::fs::remove_dir_all(&fresh);
    fetched?;
    Ok((file, format!("in the npm package {}", known.package)))
}

fn fetch(known: &Prebuilt, folder: &Path) -> Result<PathBuf> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=1", known.package]).current_dir(folder);
    run(&mut npm, "npm", "fetching a prebuilt DuckDB by npm (24 MB, once)")?;
    let entries = std::fs::read_dir(folder).context("reading what npm packed")?.flatten();
    let archive = entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    let archive = archive.context("npm pack left no archive")?;
    let member = format!("package/{}", known.library);
    run(Command::new("tar").arg("-xzf").arg(&archive).arg(&member).current_dir(folder), "tar", "unpacking it")?;
    let library = folder.join(member);
    let found = sha256_of(&library)?;
    if found != known.sha256 {
        bail!("the library in {} has the checksum {found}, not the pinned {}", known.package, known.sha256);
    }
    Ok(library)
}

/// Runs to the end or to the time limit; the error is the last line the program wrote.
fn run(command: &mut Command, name: &str, purpose: &str) -> Result<()> {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("none is installed, and there is no {name} on the path")
        }
        other => other.with_context(|| format!("starting {name}"))?,
    };
    eprintln!("xtask: {purpose}");
    let mut stderr = child.stderr.take().context("its stderr is piped")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let deadline = Instant::now() + NPM_TIME_MAX;
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("waiting for {name}"))? {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{name} took longer than {} s", NPM_TIME_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let text = reader.join().unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty() && !line.contains("complete log"));
    bail!("{name} failed: {}", last.unwrap_or("it did not say why"))
}

fn sha256_of(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(sha256_hex(&bytes))
}

/// The sha256 of some bytes, in lowercase hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_text_has_its_known_checksum() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_platform_without_a_checksum_is_refused() {
        let error = find("riscv64gc-unknown-linux-gnu", Path::new("/nonexistent")).expect_err("nothing is pinned for it");
        assert!(error.to_string().contains("no checksum"), "{error}");
    }

    #[test]
    fn every_pin_is_a_whole_sha256() {
        for prebuilt in PREBUILT {
            assert_eq!(prebuilt.sha256.len(), 64, "{}", prebuilt.host);
            assert!(prebuilt.package.contains(VERSION), "{} is not DuckDB {VERSION}", prebuilt.package);
        }
    }

    #[test]
    fn a_missing_program_is_said_by_name() {
        let error = run(&mut Command::new("evenkeel-no-such-program"), "npm", "testing").expect_err("it does not exist");
        assert!(error.to_string().contains("no npm on the path"), "{error}");
    }
}
