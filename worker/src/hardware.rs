//! What hardware this machine has: eight kinds, each asked in its own way, and the reason where the answer is no.
//!
//! Nothing is assumed from the name of a package: a device was listed by a system that knows, or computed something, or its
//! owner declared it, and says which ([`shared::hardware::ProbeLevel`]). Libraries that could hang or crash are asked in a process of their own,
//! `worker --probe KIND`, with a limit. docs/adr/0008-probing.md has the reasons.

pub mod cgroup;
mod child;
pub mod cpu;
pub mod cuda;
mod declared;
mod drm;
mod libraries;
pub mod mps;
mod openvino;
mod qnn;
mod report;
pub mod rocm;
pub mod sensors;
pub mod tree;
mod visible;
mod webgpu;
mod webnn;

pub use declared::Declared;
pub use drm::{Card, cards};
pub use report::Report;
pub use visible::variables;

use serde::{Deserialize, Serialize};
use shared::hardware::{Device, HardwareKind};
use std::path::Path;
use std::process::Command;
use std::thread;
use tree::Tree;

/// Begins the line in which a probe's process tells its answer: libraries print what they like.
const ANSWER: &str = "evenkeel-probe: ";
/// Programs that understand `--probe`; a daemon inside another program, such as a test, asks no child of that name.
const PROGRAMS: [&str; 2] = ["worker", "evenkeel"];

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The devices of its kind.
    pub devices: Vec<Device>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// What made no sense on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: HardwareKind,
    /// What the machine and its owner say of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// Which probes are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoroughness {
    /// All: what `--detect` does.
    Everything,
    /// Those that take no time where there is nothing, and of the others those of kinds that were declared: what a daemon
    /// does when it starts. A browser is started on nobody's machine without being asked for.
    AtStart,
}

impl Answer {
    /// These devices.
    pub fn found(devices: Vec<Device>) -> Self {
        Self { devices, ..Self::default() }
    }

    /// None, and why; with what made no sense on the way.
    pub fn absent(why: String, tree: &Tree) -> Self {
        Self { absent: Some(why), warnings: tree.warnings(), ..Self::default() }
    }
}

/// What there is of every kind, what was declared included, in the order of [`HardwareKind::ALL`]. The probes run side by
/// side; each has at most [`child::LIMIT`].
pub fn detect(declared: &[Declared], thoroughness: Thoroughness) -> Vec<Finding> {
    let is_named = |kind| declared.iter().any(|one| one.kind == kind);
    thread::scope(|scope| {
        let ask = |kind: HardwareKind| {
            let is_asked = thoroughness == Thoroughness::Everything || !is_dear(kind) || is_named(kind);
            scope.spawn(move || if is_asked { ask(kind) } else { not_asked(kind) })
        };
        let asked = HardwareKind::ALL.map(|kind| (kind, ask(kind)));
        asked.into_iter().map(|(kind, answer)| finding(kind, answer.join().unwrap_or_else(|_| broken(kind)), declared)).collect()
    })
}

/// Whether asking takes long even on a machine that has nothing of the kind: a browser or every driver of a GPU is started.
fn is_dear(kind: HardwareKind) -> bool {
    matches!(kind, HardwareKind::Webgpu | HardwareKind::Webnn)
}

fn not_asked(kind: HardwareKind) -> Answer {
    let why = format!("not asked when a worker starts; `--hardware {kind}` has it asked, `--detect` asks everything");
    Answer::absent(why, &Tree::system())
}

fn broken(kind: HardwareKind) -> Answer {
    Answer::absent(format!("the probe for {kind} broke down, which is a mistake in this program"), &Tree::system())
}

/// What the machine lists counts more than what its owner says; what only the owner says is kept, and says so.
fn finding(kind: HardwareKind, mut answer: Answer, declared: &[Declared]) -> Finding {
    if answer.devices.is_empty() {
        answer.devices = declared.iter().filter(|one| one.kind == kind).flat_map(Declared::devices).collect();
        if !answer.devices.is_empty()
            && let Some(why) = answer.absent.take()
        {
            answer.warnings.push(format!("declared by the owner of this machine, and not found: {why}"));
        }
    }
    Finding { kind, answer }
}

/// Asks for one kind: here where only files are read, else in a process of its own.
fn ask(kind: HardwareKind) -> Answer {
    let tree = Tree::system();
    let in_vain = match kind {
        HardwareKind::Cpu => return cpu::probe(&tree),
        HardwareKind::Rocm => return rocm::probe(&tree),
        HardwareKind::Mps => return mps::probe(&tree),
        HardwareKind::Cuda if libraries::find("libnvidia-ml.so").is_empty() && !tree.has("dev/nvidiactl") => {
            return cuda::probe_files(&tree, "NVIDIA's management library is not installed (libnvidia-ml.so.1)");
        }
        HardwareKind::Cuda => None,
        HardwareKind::Openvino => openvino::why_not(&tree),
        HardwareKind::Qnn => qnn::why_not(&tree),
        HardwareKind::Webgpu => webgpu::why_not(),
        HardwareKind::Webnn => webnn::why_not(),
    };
    match in_vain {
        Some(why) => Answer::absent(why, &tree),
        None => ask_child(kind).unwrap_or_else(|why| Answer::absent(why, &tree)),
    }
}

fn ask_child(kind: HardwareKind) -> Result<Answer, String> {
    let program = std::env::current_exe().map_err(|error| format!("finding this program to ask with: {error}"))?;
    let name = program.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !PROGRAMS.contains(&name.as_str()) {
        return Err(format!(
            "not asked: this program is {name}, and only {} can ask in a process of its own",
            PROGRAMS.join(" or ")
        ));
    }
    let mut command = Command::new(&program);
    if name == "evenkeel" {
        command.arg("worker");
    }
    command.args(["--probe", kind.name()]).current_dir(Path::new("/"));
    let text = child::output(&mut command, child::LIMIT)?;
    let line = text.lines().find_map(|line| line.strip_prefix(ANSWER)).ok_or("its process ended without an answer")?;
    serde_json::from_str(line).map_err(|error| format!("its answer `{line}` is none: {error}"))
}

/// Asks for one kind in this process, for better or worse, and says what came of it in one line: what `--probe KIND` does.
pub async fn probe_here(kind: HardwareKind) -> String {
    let tree = Tree::system();
    let answer = match kind {
        HardwareKind::Cpu => cpu::probe(&tree),
        HardwareKind::Cuda => cuda::probe(&tree),
        HardwareKind::Rocm => rocm::probe(&tree),
        HardwareKind::Mps => mps::probe(&tree),
        HardwareKind::Openvino => openvino::probe(&tree),
        HardwareKind::Qnn => qnn::probe(&tree),
        HardwareKind::Webnn => webnn::probe(&tree).await,
        HardwareKind::Webgpu => webgpu::probe(&tree).await,
    };
    format!("{ANSWER}{}", serde_json::to_string(&answer).expect("an answer is plain data"))
}
