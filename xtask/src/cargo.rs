//! Runs cargo with the prebuilt DuckDB, or without it and with signs of life while the C++ compiles.

use crate::duckdb::{self, Library};
use anyhow::{Context, Result};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many C++ files DuckDB has with the extensions we ask for; only the progress line uses it.
const CPP_FILES: usize = 380;
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Cargo as this tree needs it.
pub struct Cargo {
    root: PathBuf,
    target_dir: PathBuf,
    library: Option<Library>,
}

/// The cargo that started us, or the one on the path.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs to the end; a signal becomes 128 plus its number, as shells have it.
pub fn status(command: &mut Command) -> Result<u8> {
    let status = command.status().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

impl Cargo {
    /// Asks cargo about the tree, then looks for DuckDB and says what was found where that is news.
    pub fn find() -> Result<Self> {
        let host = host()?;
        let metadata = metadata(&host)?;
        let text =
            |name: &str| metadata[name].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata has no {name}"));
        let (root, target_dir) = (text("workspace_root")?, text("target_directory")?);
        let library = match duckdb::find(&host, &metadata) {
            Ok(library) => Some(library),
            // Somebody meant that library and no other.
            Err(why) if std::env::var_os("EVENKEEL_DUCKDB_DIR").is_some_and(|value| !value.is_empty()) => return Err(why),
            Err(why) => {
                announce_cpp_build(&target_dir, &format!("{why:#}"));
                None
            }
        };
        Ok(Cargo { root, target_dir, library })
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The prebuilt library, if one serves.
    pub fn library(&self) -> Option<&Library> {
        self.library.as_ref()
    }

    /// Where a program of the workspace lies once built.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target_dir.join("debug").join(name)
    }

    /// `cargo SUBCOMMAND ARGUMENTS` in the current folder; the exit code is cargo's.
    pub fn run(&self, subcommand: &str, arguments: &[String]) -> Result<u8> {
        let mut command = Command::new(cargo());
        command.arg(subcommand);
        let Some(library) = &self.library else {
            let heartbeat = Heartbeat::start(self.target_dir.clone());
            let code = status(command.args(arguments));
            heartbeat.stop();
            return code;
        };
        command.arg("--config").arg(&library.config).args(arguments);
        if let Some(mut flags) = flags_of_the_environment() {
            // Flags in the environment silence those of the configuration, and with them the path to the library.
            flags.push(library.link_argument());
            command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        }
        status(&mut command)
    }
}

fn host() -> Result<String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(&rustc).arg("-vV").output().with_context(|| format!("asking {rustc} for its host"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("`{rustc} -vV` names no host"))
}

fn metadata(host: &str) -> Result<Value> {
    let mut command = Command::new(cargo());
    command.args(["metadata", "--format-version", "1", "--filter-platform", host]).stderr(Stdio::inherit());
    let output = command.output().context("starting cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata failed ({}); its message is above", output.status);
    serde_json::from_slice(&output.stdout).context("reading the answer of cargo metadata")
}

fn flags_of_the_environment() -> Option<Vec<String>> {
    let (flags, separator) = match (std::env::var("CARGO_ENCODED_RUSTFLAGS"), std::env::var("RUSTFLAGS")) {
        (Ok(encoded), _) => (encoded, '\u{1f}'),
        (Err(_), Ok(plain)) => (plain, ' '),
        (Err(_), Err(_)) => return None,
    };
    Some(flags.split(separator).map(str::trim).filter(|flag| !flag.is_empty()).map(str::to_owned).collect())
}

fn announce_cpp_build(target_dir: &Path, why: &str) {
    if archive_exists(target_dir) {
        eprintln!("xtask: no prebuilt DuckDB ({why}); the one compiled here before is used");
    } else {
        eprintln!("xtask: no prebuilt DuckDB ({why}); its C++ is compiled, once: about 20 minutes on 2 cores");
    }
}

fn archive_exists(target_dir: &Path) -> bool {
    output_folders(target_dir).iter().any(|folder| folder.join("libduckdb.a").exists())
}

/// Where the build script of libduckdb-sys leaves its objects, one folder per profile and feature set.
fn output_folders(target_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(target_dir.join("debug/build")).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("libduckdb-sys-"));
    ours.map(|entry| entry.path().join("out")).filter(|folder| folder.is_dir()).collect()
}

/// Prints how far the C++ build is, because cargo itself is silent until it ends.
struct Heartbeat {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Heartbeat {
    fn start(target_dir: PathBuf) -> Self {
        let (stop, stopped) = sync_channel::<()>(0);
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(HEARTBEAT) {
                if let Some(line) = progress(&target_dir, started) {
                    eprintln!("xtask: {line}");
                }
            }
        });
        Heartbeat { stop, thread }
    }

    fn stop(self) {
        drop(self.stop);
        // The thread only prints; if that panicked there is nothing to save.
        let _ = self.thread.join();
    }
}

fn progress(target_dir: &Path, started: Instant) -> Option<String> {
    let unfinished = output_folders(target_dir).into_iter().filter(|folder| !folder.join("libduckdb.a").exists());
    let objects = unfinished.map(|folder| objects_in(&folder)).max().filter(|&count| count > 0)?;
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    Some(format!("compiling DuckDB's C++: {objects} of about {CPP_FILES} files, {minutes:.1} min so far"))
}

fn objects_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "o")).count()
}
