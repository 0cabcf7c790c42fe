//! NVIDIA's GPUs: asked of the driver's management library, else read from the driver's files.
//!
//! The library is loaded when the probe runs, so the worker needs none to start. Formats of the files: the driver's README,
//! chapter "The /proc File System Interface" (`/proc/driver/nvidia/version`, `gpus/*/information`).

use super::Answer;
use super::drm;
use super::tree::{Tree, field_of};
use nvml_wrapper::enum_wrappers::device::TemperatureThreshold;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Nvml, cuda_driver_version_major, cuda_driver_version_minor};
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};

/// Where the driver lists its GPUs.
const GPUS: &str = "proc/driver/nvidia/gpus";

/// What the management library says.
pub fn probe(tree: &Tree) -> Answer {
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(error) => return probe_files(tree, &said(&error)),
    };
    let version = nvml.sys_driver_version().ok();
    let cuda = nvml.sys_cuda_driver_version().ok();
    let runtime = cuda.map(|cuda| format!("CUDA {}.{}", cuda_driver_version_major(cuda), cuda_driver_version_minor(cuda)));
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return Answer::absent(format!("the management library does not count GPUs: {error}"), tree),
    };
    let mut devices = Vec::new();
    for index in 0..count {
        match nvml.device_by_index(index) {
            Ok(gpu) => devices.push(Device { version: version.clone(), runtime: runtime.clone(), ..described(&gpu) }),
            Err(error) => tree.warn(format!("NVIDIA's GPU {index} does not answer and is left out: {error}")),
        }
    }
    if devices.is_empty() {
        return Answer::absent(format!("the management library lists {count} GPUs, none of which answers"), tree);
    }
    Answer { warnings: tree.warnings(), ..Answer::found(devices) }
}

fn described(gpu: &nvml_wrapper::Device<'_>) -> Device {
    let capability = gpu.cuda_compute_capability().ok().map(|version| (version.major, version.minor));
    let threshold = |which| gpu.temperature_threshold(which).ok().map(f64::from);
    Device {
        vendor: Some("NVIDIA".into()),
        name: gpu.name().ok(),
        address: gpu.uuid().ok(),
        memory_bytes: gpu.memory_info().ok().map(|memory| memory.total),
        compute_capability: capability.map(|(major, minor)| f64::from(major) + f64::from(minor) / 10.0),
        precisions: capability.map_or_else(Vec::new, |(major, minor)| precisions(major, minor)),
        throttle_c: threshold(TemperatureThreshold::GpuMax).or_else(|| threshold(TemperatureThreshold::Slowdown)),
        ..Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated)
    }
}

/// What the driver's own files say, where its library is missing: in a container, often.
pub fn probe_files(tree: &Tree, why_no_library: &str) -> Answer {
    let version = tree.text("proc/driver/nvidia/version").and_then(|text| {
        // `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …`: the first word with two numbers and a dot.
        let first = text.lines().next()?.to_owned();
        let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        first.split_whitespace().find(is_version).map(str::to_owned)
    });
    let devices: Vec<Device> = tree.names(GPUS).iter().filter_map(|slot| from_file(tree, slot, version.as_deref())).collect();
    if !devices.is_empty() {
        tree.warn(format!("NVIDIA's GPUs are known from the driver's files only, without memory or load: {why_no_library}"));
        return Answer { warnings: tree.warnings(), ..Answer::found(devices) };
    }
    let cards = drm::cards(tree).into_iter().filter(|card| card.maker_name() == "NVIDIA");
    let card = cards.map(|card| format!("; the card is there: {}", card.described())).next().unwrap_or_default();
    Answer::absent(format!("{why_no_library}, and the driver is not loaded (no /{GPUS}){card}"), tree)
}

fn from_file(tree: &Tree, slot: &str, version: Option<&str>) -> Option<Device> {
    let file = format!("{GPUS}/{slot}/information");
    let Some(text) = tree.text(&file) else {
        tree.warn(format!("/{file} tells nothing: that GPU is left out"));
        return None;
    };
    let told = |name| field_of(&text, name).filter(|value| !value.contains('?')).map(str::to_owned);
    let name = told("Model");
    if name.is_none() {
        tree.warn(format!("/{file} names no model: that GPU is left out"));
        return None;
    }
    Some(Device {
        vendor: Some("NVIDIA".into()),
        name,
        // A GPU that is asleep has a UUID of question marks.
        address: told("GPU UUID").or_else(|| told("Bus Location")),
        version: version.map(str::to_owned),
        ..Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated)
    })
}

/// From the CUDA programming guide's tables of features and of arithmetic by compute capability.
pub fn precisions(major: i32, minor: i32) -> Vec<Precision> {
    let at_least = |wanted| (major, minor) >= wanted;
    let known = [
        (Precision::Fp64, true),
        (Precision::Fp32, true),
        (Precision::Tf32, at_least((8, 0))),
        (Precision::Bf16, at_least((8, 0))),
        (Precision::Fp16, at_least((6, 0)) || (major, minor) == (5, 3)),
        (Precision::Fp8, at_least((8, 9))),
        (Precision::Fp4, at_least((10, 0))),
        (Precision::Int8, at_least((6, 1)) && (major, minor) != (6, 2)),
        (Precision::Int4, at_least((7, 5)) && !at_least((9, 0))),
    ];
    known.into_iter().filter(|(_, has)| *has).map(|(precision, _)| precision).collect()
}

/// The library's errors in words that say what to do.
fn said(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) => {
            "NVIDIA's management library is not installed (libnvidia-ml.so.1 comes with the driver)".into()
        }
        NvmlError::DriverNotLoaded => "NVIDIA's management library is here, but the driver is not loaded".into(),
        other => format!("NVIDIA's management library does not start: {other}"),
    }
}
