//! How busy, hot and thirsty each device is: NVIDIA's from the driver's library, others from the kernel's files.
//!
//! Formats: kernel documentation, gpu/amdgpu/driver-misc.rst and thermal.rst, ABI/testing/sysfs-driver-intel-i915-hwmon and
//! sysfs-driver-intel-xe-hwmon; clocks and `throttle_reason_*` as the drivers i915 and xe write them.

use crate::hardware::tree::Tree;
use crate::hardware::{Card, cards, sensors};
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use shared::hardware::{Device, DeviceLoad, HardwareKind, Throttle};
use std::collections::BTreeMap;
use std::time::Instant;

/// Whom to ask about the devices of an inventory, each by its place there.
#[derive(Debug)]
pub struct Devices {
    nvml: Option<Nvml>,
    nvidia: Vec<(u32, String)>,
    cards: Vec<(u32, Card)>,
    energy: BTreeMap<u32, (Instant, f64)>,
}

impl Devices {
    /// Those of `devices` that can be asked. The library is loaded only where a GPU of NVIDIA was found through it.
    pub fn new(devices: &[Device], tree: &Tree) -> Self {
        let of_kind = |kind| devices.iter().zip(0_u32..).filter(move |(device, _)| device.kind == kind);
        let told = |(device, at): (&Device, u32)| Some((at, device.address.clone().filter(|id| id.starts_with("GPU-"))?));
        let nvidia: Vec<(u32, String)> = of_kind(HardwareKind::Cuda).filter_map(told).collect();
        let all = cards(tree);
        let card = |(device, at): (&Device, u32)| {
            let slot = slot_of(device)?;
            Some((at, all.iter().find(|card| card.slot.as_deref() == Some(slot))?.clone()))
        };
        let kinds = [HardwareKind::Rocm, HardwareKind::Openvino, HardwareKind::Webgpu];
        let cards = kinds.into_iter().flat_map(of_kind).filter_map(card).collect();
        let nvml = if nvidia.is_empty() { None } else { Nvml::init().ok() };
        Self { nvml, nvidia, cards, energy: BTreeMap::new() }
    }

    /// What each tells now; those that tell nothing are left out.
    pub fn read(&mut self, tree: &Tree, now: Instant) -> Vec<DeviceLoad> {
        let mut loads = Vec::new();
        if let Some(nvml) = &self.nvml {
            loads.extend(
                self.nvidia.iter().filter_map(|(at, uuid)| Some(from_nvml(*at, &nvml.device_by_uuid(uuid.as_str()).ok()?))),
            );
        }
        for (at, card) in &self.cards {
            let mut load = from_card(tree, card, *at);
            let joules = card.sensors(tree).and_then(|chip| sensors::energy_j(tree, &chip));
            if let (None, Some(joules)) = (load.power_w, joules) {
                let before = self.energy.insert(*at, (now, joules));
                load.power_w = before.and_then(|(then, before)| {
                    let seconds = now.duration_since(then).as_secs_f64();
                    (seconds > 0.0 && joules >= before).then(|| (joules - before) / seconds)
                });
            }
            loads.push(load);
        }
        loads.retain(|load| *load != DeviceLoad { device: load.device, ..DeviceLoad::default() });
        loads
    }
}

/// The place on the PCI bus, where the address is one.
fn slot_of(device: &Device) -> Option<&str> {
    device.address.as_deref().filter(|address| address.len() == "0000:00:00.0".len() && address.contains(':'))
}

fn from_nvml(device: u32, gpu: &nvml_wrapper::Device<'_>) -> DeviceLoad {
    let clock = gpu.clock_info(Clock::SM).or_else(|_| gpu.clock_info(Clock::Graphics));
    DeviceLoad {
        device,
        utilization: gpu.utilization_rates().ok().map(|used| f64::from(used.gpu) / 100.0),
        memory_used_bytes: gpu.memory_info().ok().map(|memory| memory.used),
        temperature_c: gpu.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        power_w: gpu.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
        clock_mhz: clock.ok(),
        fan_rpm: gpu.fan_speed_rpm(0).ok(),
        throttle: gpu.current_throttle_reasons().ok().map(throttle_of),
    }
}

/// The gravest of NVIDIA's reasons.
fn throttle_of(reasons: ThrottleReasons) -> Throttle {
    let hot = ThrottleReasons::SW_THERMAL_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN;
    let power = ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN | ThrottleReasons::HW_SLOWDOWN;
    if reasons.intersects(hot) {
        Throttle::Heat
    } else if reasons.intersects(power) {
        Throttle::Power
    } else if reasons.is_empty() {
        Throttle::Nothing
    } else {
        Throttle::Setting
    }
}

/// What a card tells in the kernel's files.
pub fn from_card(tree: &Tree, card: &Card, device: u32) -> DeviceLoad {
    let chip = card.sensors(tree);
    let sensed = |read: fn(&Tree, &str) -> Option<f64>| chip.as_ref().and_then(|chip| read(tree, chip));
    let about = |name: &str| format!("{}/device/{name}", card.folder);
    // i915 beside the device, xe below its first tile, amdgpu as a sensor in hertz.
    let clock = tree.number::<u32>(&format!("{}/gt_act_freq_mhz", card.folder));
    let clock = clock.or_else(|| tree.number(&about("tile0/gt0/freq0/act_freq")));
    let hertz = || chip.as_ref().and_then(|chip| tree.number::<u64>(&format!("{chip}/freq1_input")));
    let percent = tree.number::<f64>(&about("gpu_busy_percent")).filter(|percent| (0.0..=100.0).contains(percent));
    DeviceLoad {
        device,
        utilization: percent.map(|percent| percent / 100.0),
        memory_used_bytes: tree.number(&about("mem_info_vram_used")),
        temperature_c: sensed(sensors::temperature_c),
        power_w: sensed(sensors::power_w),
        clock_mhz: clock.or_else(|| hertz().and_then(|hertz| u32::try_from(hertz / 1_000_000).ok())),
        fan_rpm: chip.as_ref().and_then(|chip| sensors::fan_rpm(tree, chip)),
        throttle: throttle(tree, card),
    }
}

/// Intel's drivers say whether anything slows the card down, and one file for each reason says which.
fn throttle(tree: &Tree, card: &Card) -> Option<Throttle> {
    let i915 = format!("{}/gt/gt0/throttle_reason_", card.folder);
    let xe = format!("{}/device/tile0/gt0/freq0/throttle/", card.folder);
    let (status, reason) =
        if tree.has(&format!("{i915}status")) { (i915.clone(), i915) } else { (xe.clone(), format!("{xe}reason_")) };
    let is_on = |file: String| tree.number::<u8>(&file).is_some_and(|flag| flag == 1);
    let any = tree.number::<u8>(&format!("{status}status"))?;
    let hot = ["thermal", "prochot", "ratl", "vr_thermalert"].iter().any(|name| is_on(format!("{reason}{name}")));
    let power = ["pl1", "pl2", "pl4", "vr_tdc"].iter().any(|name| is_on(format!("{reason}{name}")));
    Some(match (any, hot, power) {
        (0, ..) => Throttle::Nothing,
        (_, true, _) => Throttle::Heat,
        (_, false, true) => Throttle::Power,
        (_, false, false) => Throttle::Setting,
    })
}
