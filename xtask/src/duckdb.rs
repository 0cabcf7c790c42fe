//! Finds a DuckDB library and writes the cargo configuration that puts it in the place of the C++ build.
//!
//! Cargo lets a configuration stand in for the build script of a package with `links = "duckdb"`; what the script would have
//! made, the Rust bindings, comes from the sources of libduckdb-sys themselves.

use crate::{installed, prebuilt};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The DuckDB this tree is written for.
pub const VERSION: &str = "1.5.6";
/// The crate's way of writing that version.
const CRATE_PREFIX: &str = "1.10506.";

/// A library that builds may link against.
pub struct Library {
    /// The shared library.
    pub file: PathBuf,
    /// Where it came from, in words.
    pub origin: String,
    /// The cargo configuration that selects it.
    pub config: PathBuf,
}

impl Library {
    /// Programs find the library where the linker found it.
    pub fn link_argument(&self) -> String {
        link_argument(self.folder())
    }

    fn folder(&self) -> &Path {
        self.file.parent().expect("a library file lies in a folder")
    }
}

/// The library to use, or why there is none.
pub fn find(host: &str, metadata: &Value) -> Result<Library> {
    if std::env::var("EVENKEEL_DUCKDB").is_ok_and(|value| value == "build") {
        bail!("EVENKEEL_DUCKDB=build asks for it");
    }
    let bindings = bindings(metadata)?;
    let cache = cache_folder()?;
    let (file, origin) = match installed::find(&cache)? {
        Some(found) => found,
        None => prebuilt::find(host, &cache)?,
    };
    let config = configure(host, &cache, &file, &bindings)?;
    Ok(Library { file, origin, config })
}

/// `$XDG_CACHE_HOME/evenkeel`, or `~/.cache/evenkeel`.
fn cache_folder() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    let folder = base.join("evenkeel");
    std::fs::create_dir_all(&folder).with_context(|| format!("creating the cache folder {}", folder.display()))?;
    Ok(folder)
}

/// The pregenerated bindings in the sources of libduckdb-sys, which cargo has fetched.
fn bindings(metadata: &Value) -> Result<PathBuf> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == "libduckdb-sys");
    let package = package.ok_or_else(|| anyhow!("the workspace does not depend on libduckdb-sys"))?;
    let version = package["version"].as_str().unwrap_or_default();
    if !version.starts_with(CRATE_PREFIX) {
        bail!("libduckdb-sys is at {version}, and only libraries for {CRATE_PREFIX}x are known: update xtask/src/duckdb.rs");
    }
    let manifest = package["manifest_path"].as_str().context("libduckdb-sys has no manifest path")?;
    Ok(Path::new(manifest).with_file_name("src").join("bindgen_bundled_version.rs"))
}

fn configure(host: &str, cache: &Path, library: &Path, bindings: &Path) -> Result<PathBuf> {
    let library_folder = library.parent().context("a library file lies in a folder")?;
    // One folder per library: two trees or two choices must not rewrite each other's configuration.
    let identity = format!("{}\n{}", library.display(), bindings.display());
    let folder = cache.join(format!("duckdb-{VERSION}-override-{}", &prebuilt::sha256_hex(identity.as_bytes())[..12]));
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let text = std::fs::read(bindings).with_context(|| format!("reading the bindings {}", bindings.display()))?;
    write_if_different(&folder.join("bindgen.rs"), &text)?;
    let config = folder.join("cargo.toml");
    let text = config_text(host, library_folder, &folder);
    write_if_different(&config, text.as_bytes())?;
    Ok(config)
}

fn config_text(host: &str, library_folder: &Path, out_dir: &Path) -> String {
    let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let flag = quoted(link_argument(library_folder));
    let search = quoted(format!("native={}", library_folder.display()));
    let out_dir = quoted(out_dir.display().to_string());
    format!(
        "[target.{host}]\nrustflags = [{flag}]\n\n[target.{host}.duckdb]\nrustc-link-lib = [\"dylib=duckdb\"]\n\
         rustc-link-search = [{search}]\nrustc-env = {{ OUT_DIR = {out_dir} }}\n"
    )
}

fn link_argument(folder: &Path) -> String {
    format!("-Clink-arg=-Wl,-rpath,{}", folder.display())
}

/// Cargo rebuilds what includes a file whose time changed, so a file that is right stays as it is.
fn write_if_different(file: &Path, text: &[u8]) -> Result<()> {
    if std::fs::read(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&fresh, text).with_context(|| format!("writing {}", fresh.display()))?;
    std::fs::rename(&fresh, file).with_context(|| format!("moving {} to {}", fresh.display(), file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_override_names_the_library_folder_and_the_bindings() {
        let text = config_text("x86_64-unknown-linux-gnu", Path::new("/opt/a \"b\""), Path::new("/cache/o"));
        assert!(text.contains("[target.x86_64-unknown-linux-gnu.duckdb]"), "{text}");
        assert!(text.contains("rustc-link-search = [\"native=/opt/a \\\"b\\\"\"]"), "{text}");
        assert!(text.contains("rustc-env = { OUT_DIR = \"/cache/o\" }"), "{text}");
        assert!(text.contains("-Wl,-rpath,/opt/a \\\"b\\\""), "{text}");
    }

    #[test]
    fn another_version_of_the_crate_is_refused() {
        let package = serde_json::json!({"name": "libduckdb-sys", "version": "1.20000.1", "manifest_path": "/s/Cargo.toml"});
        let error = bindings(&serde_json::json!({ "packages": [package] })).expect_err("2.0 has other bindings");
        assert!(error.to_string().contains("1.20000.1"), "{error}");
    }
}
