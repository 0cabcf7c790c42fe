//! What the machine has and how busy it is, as the operating system tells it.

pub mod devices;
pub mod energy;
mod pressure;
mod processor;
mod rates;

use crate::args::Args;
use crate::hardware::cgroup::{self, Limits};
use crate::hardware::tree::Tree;
use crate::hardware::{Finding, cpu};
use anyhow::{Context, Result};
use devices::Devices;
use energy::{Meter, Reading};
use rates::{Counters, Rates};
use shared::hardware::{CORES_MAX, Device, DeviceLoad, HardwareKind, Inventory, Load};
use std::path::{Path, PathBuf};
use std::time::Instant;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What this machine offers.
pub fn inventory(args: &Args, host: String, kinds: &[Finding]) -> Result<Inventory> {
    let tree = Tree::system();
    let limits = cgroup::limits(&tree);
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()));
    let system = system.context("reading what this machine has")?;
    // This count minds the affinity of the process and the quota of its control group.
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    Ok(Inventory {
        slots: args.slots.unwrap_or(cores),
        cores,
        memory_bytes: memory(&system, limits).0,
        processor: cpu::processor(&tree, &limits).map(Box::new),
        devices: kinds.iter().flat_map(|finding| finding.answer.devices.iter().cloned()).collect(),
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
fn memory(system: &System, limits: Limits) -> (u64, u64) {
    let (total, used) = (system.total_memory(), system.used_memory());
    match (limits.memory_bytes.filter(|bytes| *bytes < total), limits.memory_used_bytes) {
        (Some(limit), Some(in_group)) => (limit, in_group),
        (Some(limit), None) => (limit, used.min(limit)),
        (None, _) => (total, used),
    }
}

/// Measures how busy the machine is.
#[derive(Debug)]
pub struct Gauge {
    tree: Tree,
    system: System,
    work_dir: PathBuf,
    rates: Rates,
    processor: processor::Sensors,
    /// The processor's place in the inventory.
    own: Option<u32>,
    devices: Devices,
    meter: Option<Meter>,
    drawn: Option<Reading>,
}

impl Gauge {
    /// A gauge for this machine with these devices, the disk under `work_dir` and the energy `meter` counts.
    pub fn new(work_dir: &Path, devices: &[Device], meter: Option<Meter>) -> Result<Self> {
        let tree = Tree::system();
        let own = devices.iter().position(|device| device.kind == HardwareKind::Cpu);
        Ok(Self {
            system: System::new().context("reading how busy this machine is")?,
            work_dir: work_dir.into(),
            rates: Rates::default(),
            processor: processor::Sensors::new(&tree),
            own: own.and_then(|at| u32::try_from(at).ok()),
            devices: Devices::new(devices, &tree),
            meter,
            drawn: None,
            tree,
        })
    }

    /// How busy it is. Shares of time and rates are those since the last call, and absent in the first one.
    pub fn read(&mut self) -> Load {
        let (tree, now) = (&self.tree, Instant::now());
        let is_first = self.system.cpus().is_empty();
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let (total, used) = memory(&self.system, cgroup::limits(tree));
        let [disk, net] = self.rates.since_last(now, Counters::read(tree));
        let cores = if is_first || self.system.cpus().len() > CORES_MAX { &[] } else { self.system.cpus() };
        let mut devices = self.devices.read(tree, now);
        let own = DeviceLoad {
            device: self.own.unwrap_or(0),
            temperature_c: self.processor.temperature_c(tree),
            power_w: self.meter.as_ref().and_then(|meter| {
                let drawn = meter.read(now)?;
                drawn.watts_since(&self.drawn.replace(drawn)?)
            }),
            ..DeviceLoad::default()
        };
        if own.temperature_c.is_some() || own.power_w.is_some() {
            devices.insert(0, own);
        }
        Load {
            cpu: (!is_first).then(|| share(f64::from(self.system.global_cpu_usage()), 100.0)),
            memory: (total > 0).then(|| share(used as f64, total as f64)),
            disk: disk_share(&self.work_dir),
            load_average: System::load_average().ok().map(|average| average.one),
            temperature_c: devices.iter().filter_map(|device| device.temperature_c).max_by(f64::total_cmp),
            power_w: devices.iter().filter_map(|device| device.power_w).reduce(|sum, watts| sum + watts),
            speed: None,
            cores: cores.iter().map(|core| core.usage().round().clamp(0.0, 100.0) as u8).collect(),
            pressure: pressure::read(tree),
            disk_read_bps: disk.map(|bytes| bytes[0]),
            disk_write_bps: disk.map(|bytes| bytes[1]),
            net_in_bps: net.map(|bytes| bytes[0]),
            net_out_bps: net.map(|bytes| bytes[1]),
            clock_mhz: self.processor.clock_mhz(tree),
            fan_rpm: self.processor.fan_rpm(tree),
            throttle: self.processor.throttle(tree),
            devices,
        }
    }
}

/// A share in thousandths, which is as exact as it is: more digits only make heartbeats longer.
fn share(part: f64, whole: f64) -> f64 {
    ((part / whole).clamp(0.0, 1.0) * 1e3).round() / 1e3
}

/// The share in use of the disk under `folder`.
fn disk_share(folder: &Path) -> Option<f64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    (disk.blocks() > 0).then(|| share(disk.blocks().saturating_sub(disk.blocks_available()) as f64, disk.blocks() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shares_and_the_first_reading_knows_no_use_over_time() {
        let mut gauge = Gauge::new(Path::new("."), &[], None).expect("this system is supported");
        let (first, second) = (gauge.read(), gauge.read());
        assert_eq!((first.cpu, first.disk_read_bps, first.net_in_bps, first.cores.len()), (None, None, None, 0));
        assert!(second.cpu.is_some_and(|share| (0.0..=1.0).contains(&share)));
        assert!(second.memory.is_some_and(|share| share > 0.0 && share < 1.0));
        assert!(second.disk.is_some_and(|share| share > 0.0 && share < 1.0));
        assert!(!second.cores.is_empty() && second.cores.iter().all(|percent| *percent <= 100));
    }
}
