//! What the machine has and how busy it is, as the operating system tells it.

use crate::args::Args;
use anyhow::{Context, Result};
use shared::hardware::{Device, HardwareKind, Inventory, Load, ProbeLevel};
use std::path::{Path, PathBuf};
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

/// What this machine offers.
pub fn inventory(args: &Args, host: String) -> Result<Inventory> {
    let wanted = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()).with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(wanted).context("reading what this machine has")?;
    // This count minds the affinity of the process and the quota of its control group.
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let name = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|name| !name.is_empty());
    let mut devices = vec![Device { name, ..Device::of_kind(HardwareKind::Cpu, ProbeLevel::Enumerated) }];
    let declared = args.hardware.iter().filter(|kind| **kind != HardwareKind::Cpu);
    devices.extend(declared.map(|kind| Device::of_kind(*kind, ProbeLevel::Declared)));
    Ok(Inventory {
        slots: args.slots.unwrap_or(cores),
        cores,
        memory_bytes: memory(&system).0,
        devices,
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        host,
        labels: args.labels.iter().cloned().collect(),
        power: None,
        cost_per_hour: None,
    })
}

/// The name of this machine.
pub fn host_name() -> String {
    System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "worker".into())
}

/// Memory in all and in use, in bytes: of the control group where that has less.
fn memory(system: &System) -> (u64, u64) {
    let (total, used) = (system.total_memory(), system.used_memory());
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 && limits.total_memory < total => {
            (limits.total_memory, limits.total_memory.saturating_sub(limits.free_memory))
        }
        _ => (total, used),
    }
}

/// Measures how busy the machine is.
#[derive(Debug)]
pub struct Gauge {
    system: System,
    disks: Option<Disks>,
    work_dir: PathBuf,
}

impl Gauge {
    /// A gauge for this machine and the disk under `work_dir`.
    pub fn new(work_dir: &Path) -> Result<Self> {
        let work_dir = work_dir.canonicalize().unwrap_or_else(|_| work_dir.into());
        let system = System::new().context("reading how busy this machine is")?;
        Ok(Self { system, disks: Disks::new_with_refreshed_list().ok(), work_dir })
    }

    /// How busy it is. The share of its processors is that since the last call, and absent in the first one.
    pub fn read(&mut self) -> Load {
        let is_first = self.system.cpus().is_empty();
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let disk = self.disks.as_mut().and_then(|disks| {
            disks.refresh(false);
            let under = disks.iter().filter(|disk| self.work_dir.starts_with(disk.mount_point()));
            let disk = under.max_by_key(|disk| disk.mount_point().as_os_str().len())?;
            Some((disk.total_space().saturating_sub(disk.available_space()), disk.total_space()))
        });
        let share = |used: u64, total: u64| (total > 0).then(|| (used as f64 / total as f64).clamp(0.0, 1.0));
        let (total, used) = memory(&self.system);
        Load {
            cpu: (!is_first).then(|| (f64::from(self.system.global_cpu_usage()) / 100.0).clamp(0.0, 1.0)),
            memory: share(used, total),
            disk: disk.and_then(|(used, total)| share(used, total)),
            load_average: System::load_average().ok().map(|average| average.one),
            temperature_c: None,
            power_w: None,
            speed: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shares_and_the_first_reading_knows_no_processor_use() {
        let mut gauge = Gauge::new(Path::new(".")).expect("this system is supported");
        let (first, second) = (gauge.read(), gauge.read());
        assert_eq!(first.cpu, None);
        assert!(second.cpu.is_some_and(|share| (0.0..=1.0).contains(&share)));
        assert!(second.memory.is_some_and(|share| share > 0.0 && share < 1.0));
    }
}
