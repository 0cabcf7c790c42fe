//! The files in which a system tells what it has: `/proc`, `/sys` and their kin, below a root that a test may choose.
//!
//! What is missing is absent. What is there and makes no sense is absent too, and a warning says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Such files are short; nothing longer is read.
const BYTES_MAX: u64 = 1 << 20;
/// Warnings kept; a machine that is broken throughout needs no more.
const WARNINGS_MAX: usize = 64;

/// A file system as seen from a root.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    warnings: Mutex<BTreeSet<String>>,
}

impl Tree {
    /// This machine's.
    pub fn system() -> Self {
        Self::at("/")
    }

    /// A recorded one.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), warnings: Mutex::default() }
    }

    /// Where `path` lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether `path` is there.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The text of a file without white space around it; absent where it is missing, empty or unreadable.
    pub fn text(&self, path: &str) -> Option<String> {
        match read(&self.path(path)) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                self.warn(format!("reading /{path}: {error}"));
                None
            }
        }
    }

    /// The number in a file; absent where there is none.
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        let text = self.text(path)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.warn(format!("/{path} holds `{}`, which is no number this worker understands", shortened(&text)));
        }
        number
    }

    /// The number in a file that is written as `0x…`; absent where there is none.
    pub fn hexadecimal(&self, path: &str) -> Option<u64> {
        let text = self.text(path)?;
        let number = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        if number.is_none() {
            self.warn(format!("/{path} holds `{}` where a number such as 0x1002 is due", shortened(&text)));
        }
        number
    }

    /// The value of a line `name value` or `name=value` or `name: value`; absent where there is none.
    pub fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.text(path)?;
        field_of(&text, name).map(str::to_owned)
    }

    /// The names in a folder, in order, numbers by their size; empty where it is missing.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        names
    }

    /// Says that something makes no sense.
    pub fn warn(&self, what: String) {
        let mut warnings = self.said();
        if warnings.len() < WARNINGS_MAX {
            warnings.insert(what);
        }
    }

    /// What made no sense so far, each once.
    pub fn warnings(&self) -> Vec<String> {
        self.said().iter().cloned().collect()
    }

    fn said(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the first line `name value`, `name=value` or `name: value`.
pub fn field_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix(name)?;
        let value = rest.trim_start().trim_start_matches([':', '=']).trim();
        (rest.starts_with([' ', '\t', ':', '=']) && !value.is_empty()).then_some(value)
    })
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name_and_whatever_separates_it() {
        let text = "MemTotalX: 1\nMemTotal:  16 kB\nsimd_count 8\nDRIVER=amdgpu\nempty=\n";
        assert_eq!(field_of(text, "MemTotal"), Some("16 kB"));
        assert_eq!((field_of(text, "simd_count"), field_of(text, "DRIVER")), (Some("8"), Some("amdgpu")));
        assert_eq!((field_of(text, "simd"), field_of(text, "empty")), (None, None));
    }

    #[test]
    fn what_is_missing_is_absent_and_what_makes_no_sense_is_absent_and_said() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("good"), "12\n").expect("it is ours");
        std::fs::write(dir.path().join("bad"), "twelve\n").expect("it is ours");
        std::fs::write(dir.path().join("binary"), [0xff, 0xfe, 0]).expect("it is ours");
        let tree = Tree::at(dir.path());
        assert_eq!((tree.number::<u32>("good"), tree.number::<u32>("none")), (Some(12), None));
        assert!(tree.warnings().is_empty());
        assert_eq!((tree.number::<u32>("bad"), tree.text("binary"), tree.hexadecimal("good")), (None, None, None));
        assert_eq!(tree.warnings().len(), 3, "{:?}", tree.warnings());
    }
}
