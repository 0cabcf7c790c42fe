//! Where runtimes keep their libraries: what their installers set in the environment, Python's packages, the system's folders.

use std::path::{Path, PathBuf};

/// Variables that name the root of an installation.
const ROOTS: [&str; 5] = ["OPENVINO_INSTALL_DIR", "INTEL_OPENVINO_DIR", "QNN_SDK_ROOT", "QAIRT_SDK_ROOT", "CUDA_HOME"];
/// Where installations keep libraries, below their root.
const BELOW_ROOTS: [&str; 7] =
    ["", "lib", "lib64", "runtime/lib/intel64", "runtime/lib/arm64", "lib/x86_64-linux-clang", "lib/aarch64-ubuntu-gcc9.4"];
/// The system's own folders.
const SYSTEM: [&str; 9] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/wsl/lib",
    "/opt/intel/openvino/runtime/lib/intel64",
    "/vendor/lib64",
];
/// Where Python's packages keep libraries, below `site-packages`.
const BELOW_PACKAGES: [&str; 2] = ["openvino/libs", "onnxruntime_qnn"];

/// The files called `name` or `name.VERSION`, the likeliest first. A file of a runtime is no device: it only says whom to ask.
pub fn find(name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders() {
        for path in files(&folder, name) {
            // Folders that are links to each other hold the same file.
            let path = path.canonicalize().unwrap_or(path);
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_it = |file: &str| file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut paths: Vec<PathBuf> = names.filter(|file| is_it(file)).map(|file| folder.join(file)).collect();
    paths.sort();
    paths
}

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        folders.extend(std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()));
    }
    for root in ROOTS.iter().filter_map(std::env::var_os) {
        folders.extend(BELOW_ROOTS.iter().map(|below| Path::new(&root).join(below)));
    }
    let pythons = [std::env::var_os("VIRTUAL_ENV").map(PathBuf::from), Some("/usr".into()), Some("/usr/local".into())];
    for lib in pythons.into_iter().flatten().map(|python| python.join("lib")) {
        let Ok(entries) = std::fs::read_dir(&lib) else { continue };
        let versions = entries.flatten().map(|entry| entry.path());
        for version in versions.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")))
        {
            let packages = ["site-packages", "dist-packages"].map(|kind| version.join(kind));
            folders.extend(packages.iter().flat_map(|all| BELOW_PACKAGES.map(|below| all.join(below))));
        }
    }
    folders.extend(SYSTEM.map(PathBuf::from));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_with_its_version_and_not_by_the_beginning_of_its_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["libx.so", "libx.so.2641", "libx_more.so", "liby.so"] {
            std::fs::write(dir.path().join(name), "").expect("it is ours");
        }
        assert_eq!(files(dir.path(), "libx.so"), ["libx.so", "libx.so.2641"].map(|name| dir.path().join(name)));
        assert!(files(&dir.path().join("none"), "libx.so").is_empty());
    }
}
