//! AMD's GPUs that ROCm can use: the kernel's compute driver lists them, amdgpu's files and `rocm-smi` describe them.
//!
//! Formats: kernel documentation, gpu/amdgpu/driver-misc.rst (`mem_info_vram_total`, `product_name`, `unique_id`) and
//! gpu/amdgpu/thermal.rst (hwmon); the kernel's drivers/gpu/drm/amd/amdkfd/kfd_topology.c writes `properties`.

mod smi;

use super::drm::{self, Card};
use super::tree::{Tree, field_of};
use super::{Answer, sensors};
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};

/// Where the compute driver lists processors and GPUs alike.
const NODES: &str = "sys/class/kfd/kfd/topology/nodes";

/// The GPUs the compute driver lists.
pub fn probe(tree: &Tree) -> Answer {
    let cards: Vec<Card> = drm::cards(tree).into_iter().filter(|card| card.maker == drm::AMD).collect();
    let nodes = tree.names(NODES);
    let mut devices: Vec<Device> = nodes.iter().filter_map(|node| device(tree, &format!("{NODES}/{node}"), &cards)).collect();
    if devices.is_empty() {
        return Answer::absent(why_none(tree, &cards), tree);
    }
    if devices.iter().any(|device| device.name.is_none()) {
        smi::name(tree, &mut devices);
    }
    Answer { warnings: tree.warnings(), ..Answer::found(devices) }
}

fn why_none(tree: &Tree, cards: &[Card]) -> String {
    match cards {
        [] if !tree.has("sys/class/drm") && !tree.has("sys/class/kfd") => {
            "this system lists no graphics cards (no /sys/class/drm) and no compute driver (no /sys/class/kfd)".into()
        }
        [] => "none of the graphics cards in /sys/class/drm is from AMD".into(),
        [card, ..] => {
            let why = if tree.has("sys/class/kfd") { "does not list it" } else { "is not loaded (no /sys/class/kfd)" };
            format!("{}: a card for pictures only, since the kernel's compute driver {why}", card.described())
        }
    }
}

/// The GPU behind a node; nothing for a processor.
fn device(tree: &Tree, node: &str, cards: &[Card]) -> Option<Device> {
    let properties = tree.text(&format!("{node}/properties"))?;
    let number = |name| {
        let text = field_of(&properties, name)?;
        let number = text.parse::<u64>().ok();
        if number.is_none() {
            tree.warn(format!("/{node}/properties says {name} is `{text}`, which is no number"));
        }
        number
    };
    let version = number("gfx_target_version").filter(|version| *version > 0)?;
    let slot = number("location_id").map(|location| {
        // Bus, device and function as in a PCI address.
        let (bus, device, function) = (location >> 8 & 0xff, location >> 3 & 0x1f, location & 0x7);
        format!("{:04x}:{bus:02x}:{device:02x}.{function}", number("domain").unwrap_or(0))
    });
    let card = cards.iter().find(|card| slot.is_some() && card.slot == slot);
    let about = |name: &str| card.map(|card| format!("{}/device/{name}", card.folder));
    let architecture = architecture(version);
    Some(Device {
        vendor: Some("AMD".into()),
        name: about("product_name").and_then(|file| tree.text(&file)),
        address: slot,
        memory_bytes: about("mem_info_vram_total").and_then(|file| tree.number(&file)).filter(|bytes| *bytes > 0),
        version: tree.text("sys/module/amdgpu/version"),
        runtime: tree.text("opt/rocm/.info/version").map(|version| format!("ROCm {version}")),
        throttle_c: card.and_then(|card| sensors::critical_c(tree, &card.sensors(tree)?)),
        precisions: precisions(&architecture),
        architecture: Some(architecture),
        ..Device::of_kind(HardwareKind::Rocm, ProbeLevel::Enumerated)
    })
}

/// 90010 is gfx90a: the last two digits are the stepping, which is written as a hexadecimal digit.
fn architecture(version: u64) -> String {
    format!("gfx{}{}{:x}", version / 10_000, version / 100 % 100, version % 100)
}

/// From the LLVM AMDGPU backend's user guide: dot products and matrix instructions by processor.
fn precisions(architecture: &str) -> Vec<Precision> {
    use Precision::{Bf16, Fp4, Fp8, Fp16, Fp32, Fp64, Int4, Int8};
    match architecture {
        "gfx906" => vec![Fp64, Fp32, Fp16, Int8, Int4],
        "gfx908" | "gfx90a" => vec![Fp64, Fp32, Bf16, Fp16, Int8],
        "gfx942" => vec![Fp64, Fp32, Bf16, Fp16, Fp8, Int8],
        "gfx950" => vec![Fp64, Fp32, Bf16, Fp16, Fp8, Fp4, Int8],
        name if name.starts_with("gfx11") => vec![Fp64, Fp32, Bf16, Fp16, Int8, Int4],
        name if name.starts_with("gfx12") => vec![Fp64, Fp32, Bf16, Fp16, Fp8, Int8, Int4],
        name if name.starts_with("gfx9") || name.starts_with("gfx10") => vec![Fp64, Fp32, Fp16],
        _ => vec![Fp64, Fp32],
    }
}
