//! What a control group allows: version 1, version 2, or both at once.
//!
//! Formats: kernel documentation, admin-guide/cgroup-v2.rst (`cpu.max`, `memory.max`) and admin-guide/cgroup-v1/memory.rst,
//! scheduler/sched-bwc.rst (`cpu.cfs_quota_us`). The limits of every ancestor hold, so the least of them is told.

use super::tree::Tree;

/// A limit in bytes as large as this is none: version 1 writes the largest number of whole pages.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// What is allowed, and how much memory is in use. Nothing is absent but what is unlimited or not told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Processors' worth of time.
    pub cores: Option<f64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory in use, files that can be dropped aside, in bytes; only beside a limit.
    pub memory_used_bytes: Option<u64>,
}

/// The limits of the control group this process is in.
pub fn limits(tree: &Tree) -> Limits {
    let text = tree.text("proc/self/cgroup").unwrap_or_default();
    let mut limits = Limits::default();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            tree.warn(format!("/proc/self/cgroup has the line `{line}`, which names no control group"));
            continue;
        };
        match controllers {
            "" => {
                let unified = if tree.has("sys/fs/cgroup/unified") { "sys/fs/cgroup/unified" } else { "sys/fs/cgroup" };
                ancestors(unified, path).for_each(|folder| version_2(tree, &folder, &mut limits));
            }
            controllers => {
                let mount = format!("sys/fs/cgroup/{controllers}");
                let has = |name: &str| controllers.split(',').any(|controller| controller == name);
                ancestors(&mount, path).for_each(|folder| version_1(tree, &folder, has("cpu"), has("memory"), &mut limits));
            }
        }
    }
    limits
}

/// The folders of a group and all above it, the group first. In a container the path may name a place outside of what is
/// mounted; then only the root of the mount is found to hold files.
fn ancestors(mount: &str, path: &str) -> impl Iterator<Item = String> {
    let mut folders = vec![mount.to_owned()];
    for part in path.split('/').filter(|part| !part.is_empty() && *part != "..") {
        folders.push(format!("{}/{part}", folders[folders.len() - 1]));
    }
    folders.into_iter().rev()
}

fn version_2(tree: &Tree, folder: &str, limits: &mut Limits) {
    let file = format!("{folder}/cpu.max");
    if let Some(text) = tree.text(&file) {
        let (quota, period) = text.split_once(' ').unwrap_or((&text, "100000"));
        if quota != "max" {
            match (quota.parse::<f64>(), period.parse::<f64>()) {
                (Ok(quota), Ok(period)) if period > 0.0 && quota > 0.0 => limits.allow_cores(quota / period),
                _ => tree.warn(format!("/{file} holds `{text}`, not a quota and a period")),
            }
        }
    }
    if tree.text(&format!("{folder}/memory.max")).is_some_and(|text| text != "max") {
        let bytes = tree.number(&format!("{folder}/memory.max"));
        let used = || {
            let used: u64 = tree.number(&format!("{folder}/memory.current"))?;
            Some(used.saturating_sub(droppable(tree, &format!("{folder}/memory.stat"), "inactive_file")))
        };
        limits.allow_memory(bytes, used);
    }
}

fn version_1(tree: &Tree, folder: &str, cpu: bool, memory: bool, limits: &mut Limits) {
    if cpu && let Some(quota) = tree.number::<f64>(&format!("{folder}/cpu.cfs_quota_us")).filter(|quota| *quota > 0.0) {
        let period = tree.number::<f64>(&format!("{folder}/cpu.cfs_period_us")).filter(|period| *period > 0.0);
        limits.allow_cores(quota / period.unwrap_or(100_000.0));
    }
    if memory {
        let bytes = tree.number::<u64>(&format!("{folder}/memory.limit_in_bytes"));
        let used = || {
            let used: u64 = tree.number(&format!("{folder}/memory.usage_in_bytes"))?;
            Some(used.saturating_sub(droppable(tree, &format!("{folder}/memory.stat"), "total_inactive_file")))
        };
        limits.allow_memory(bytes, used);
    }
}

/// Bytes of files in memory that nobody used for a while.
fn droppable(tree: &Tree, stat: &str, name: &str) -> u64 {
    tree.field(stat, name).and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

impl Limits {
    fn allow_cores(&mut self, cores: f64) {
        self.cores = Some(self.cores.map_or(cores, |before| before.min(cores)));
    }

    fn allow_memory(&mut self, bytes: Option<u64>, used: impl FnOnce() -> Option<u64>) {
        if let Some(bytes) = bytes.filter(|bytes| *bytes < NO_LIMIT_BYTES && self.memory_bytes.is_none_or(|least| *bytes < least))
        {
            (self.memory_bytes, self.memory_used_bytes) = (Some(bytes), used());
        }
    }
}
