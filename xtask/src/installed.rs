//! Libraries that are on the machine already: used only when the library itself answers with the right version.

use crate::duckdb::VERSION;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDERS: &[&str] =
    &["/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/opt/homebrew/lib"];
const FILES: &[&str] = &["libduckdb.so", "libduckdb.dylib"];

/// Asks the library in the words of its C interface, so no header is needed.
const QUESTION: &str = "#include <stdio.h>\nconst char *duckdb_library_version(void);\n\
                        int main(void) { puts(duckdb_library_version()); return 0; }\n";

/// The library of `$EVENKEEL_DUCKDB_DIR`, else one in the system's folders. A named folder without a fitting library is an
/// error.
pub fn find(cache: &Path) -> Result<Option<(PathBuf, String)>> {
    if let Some(folder) = std::env::var_os("EVENKEEL_DUCKDB_DIR").filter(|value| !value.is_empty()) {
        let folder = std::path::absolute(&folder).context("reading EVENKEEL_DUCKDB_DIR")?;
        let Some(file) = library_in(&folder) else { bail!("EVENKEEL_DUCKDB_DIR={} holds no libduckdb", folder.display()) };
        let version = version_of(&file, cache).with_context(|| format!("asking {} for its version", file.display()))?;
        if !is_ours(&version) {
            bail!("EVENKEEL_DUCKDB_DIR={} holds DuckDB {version}, and {VERSION} is needed", folder.display());
        }
        return Ok(Some((file, "by EVENKEEL_DUCKDB_DIR".to_owned())));
    }
    for file in FOLDERS.iter().filter_map(|folder| library_in(Path::new(folder))) {
        // One of another version, or one that does not load, belongs to somebody else's program.
        if version_of(&file, cache).is_ok_and(|version| is_ours(&version)) {
            return Ok(Some((file, "installed on this machine".to_owned())));
        }
    }
    Ok(None)
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| folder.join(name)).find(|file| file.exists())
}

fn is_ours(version: &str) -> bool {
    version.trim_start_matches('v') == VERSION
}

fn version_of(library: &Path, cache: &Path) -> Result<String> {
    let folder = library.parent().context("a library file lies in a folder")?;
    let scratch = cache.join(format!("ask-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).with_context(|| format!("creating {}", scratch.display()))?;
    let answer = ask(library, folder, &scratch);
    let _ = std::fs::remove_dir_all(&scratch);
    answer
}

fn ask(library: &Path, folder: &Path, scratch: &Path) -> Result<String> {
    let (source, program) = (scratch.join("ask.c"), scratch.join("ask"));
    std::fs::write(&source, QUESTION).with_context(|| format!("writing {}", source.display()))?;
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut command = Command::new(&compiler);
    command.arg(&source).arg("-o").arg(&program).arg(library).arg(format!("-Wl,-rpath,{}", folder.display()));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.with_context(|| format!("starting the C compiler `{compiler}`"))?;
    anyhow::ensure!(status.success(), "`{compiler}` could not link against {}", library.display());
    let output = Command::new(&program).output().context("starting the program that asks")?;
    anyhow::ensure!(output.status.success(), "the program that asks ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_the_exact_version_is_ours() {
        assert!(is_ours("v1.5.6") && is_ours("1.5.6"));
        for other in ["v1.5.5", "v1.5.60", "v2.0.0", "1.5.6-dev", ""] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
