//! What a Rust test binary needs to run as cargo would run it, and how its tests are listed.

use super::command::{Stderr, ask, refused};
use crate::error::DiscoverError;
use serde::Deserialize;
use shared::task::Target;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `cargo metadata`, as far as it is used.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    manifest_path: PathBuf,
    #[serde(default)]
    authors: Vec<String>,
    description: Option<String>,
    homepage: Option<String>,
    repository: Option<String>,
    license: Option<String>,
    license_file: Option<String>,
    rust_version: Option<String>,
    readme: Option<String>,
}

/// The packages of a workspace, by their ids.
pub struct Packages(BTreeMap<String, Package>);

impl Packages {
    /// Asks cargo, started by the words `cargo`.
    pub fn ask(cargo: &[String], manifest: &[String], dir: &Path) -> Result<Self, DiscoverError> {
        let mut argv = cargo.to_vec();
        argv.extend(["metadata", "--format-version", "1", "--no-deps"].map(str::to_owned));
        argv.extend_from_slice(manifest);
        let output = ask(&argv, dir, &BTreeMap::new(), Stderr::Kept, "install Rust with rustup")?;
        if !output.status.success() {
            return Err(refused("cargo metadata", &output));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| DiscoverError::Format { framework: "cargo metadata", problem: error.to_string() })?;
        Ok(Self(metadata.packages.into_iter().map(|package| (package.id.clone(), package)).collect()))
    }

    /// The package with that id.
    pub fn get(&self, id: &str) -> Option<&Package> {
        self.0.get(id)
    }
}

impl Package {
    /// The folder its tests run in.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// The variables cargo sets for its tests.
    pub fn env(&self) -> BTreeMap<String, String> {
        let numbers = self.version.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let pre = self.version.split('+').next().and_then(|version| version.split_once('-')).map_or("", |(_, pre)| pre);
        [
            ("CARGO_MANIFEST_DIR", self.folder().display().to_string()),
            ("CARGO_MANIFEST_PATH", self.manifest_path.display().to_string()),
            ("CARGO_PKG_NAME", self.name.clone()),
            ("CARGO_PKG_VERSION", self.version.clone()),
            ("CARGO_PKG_VERSION_MAJOR", part()),
            ("CARGO_PKG_VERSION_MINOR", part()),
            ("CARGO_PKG_VERSION_PATCH", part()),
            ("CARGO_PKG_VERSION_PRE", pre.to_owned()),
            ("CARGO_PKG_AUTHORS", self.authors.join(":")),
            ("CARGO_PKG_DESCRIPTION", text(&self.description)),
            ("CARGO_PKG_HOMEPAGE", text(&self.homepage)),
            ("CARGO_PKG_REPOSITORY", text(&self.repository)),
            ("CARGO_PKG_LICENSE", text(&self.license)),
            ("CARGO_PKG_LICENSE_FILE", text(&self.license_file)),
            ("CARGO_PKG_RUST_VERSION", text(&self.rust_version)),
            ("CARGO_PKG_README", text(&self.readme)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// The name of a test binary, the same whoever lists it: `demo`, `demo::it`, `demo::bin/tool`.
pub fn binary_id(package: &str, kind: &str, target: &str) -> String {
    match kind {
        "test" => format!("{package}::{target}"),
        "bin" | "example" | "bench" => format!("{package}::{kind}/{target}"),
        _ => package.to_owned(),
    }
}

/// A binary as a target: paths below `dir` are relative, so that a copy of the folder elsewhere can run it.
pub fn target(name: String, binary: &Path, package: &Package, libraries: &[PathBuf], dir: &Path) -> Target {
    let mut env = package.env();
    env.insert("CARGO".to_owned(), std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    let variable = if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    if !libraries.is_empty() {
        let paths: Vec<String> = libraries.iter().map(|path| path.display().to_string()).collect();
        env.insert(variable.to_owned(), paths.join(":"));
    }
    Target { name, argv: vec![below(binary, dir)], cwd: Some(below(package.folder(), dir)), env }
}

fn below(path: &Path, dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    match path.strip_prefix(&dir) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => format!("./{}", rest.display()),
        Err(_) => path.display().to_string(),
    }
}

/// The names a test binary lists; nothing when it does not speak libtest's language.
pub fn names(listing: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for line in listing.lines().filter(|line| !line.is_empty()) {
        let name = line.strip_suffix(": test").or_else(|| line.strip_suffix(": benchmark"))?;
        names.push(name.to_owned());
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_listing_of_tests_is_one() {
        let listed = names("a::b: test\nspeed: benchmark\nc::d: test\n");
        assert_eq!(listed, Some(vec!["a::b".to_owned(), "speed".to_owned(), "c::d".to_owned()]));
        assert_eq!(names(""), Some(Vec::new()));
        assert_eq!(names("all is well\n"), None);
    }

    #[test]
    fn paths_below_the_folder_are_relative() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().canonicalize().expect("it exists");
        assert_eq!(below(&root.join("target/debug/a"), dir.path()), "./target/debug/a");
        assert_eq!(below(&root, dir.path()), ".");
        assert_eq!(below(Path::new("/elsewhere/a"), dir.path()), "/elsewhere/a");
    }
}
