//! Apple's GPUs that Metal can use, as `system_profiler` lists them.
//!
//! Metal itself can only be asked on macOS; the program that comes with the system tells the same, without a framework to link.

use super::Answer;
use super::child::{self, LIMIT};
use super::tree::Tree;
use serde_json::Value;
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};
use std::process::Command;

/// The GPUs of this Mac.
pub fn probe(tree: &Tree) -> Answer {
    if std::env::consts::OS != "macos" {
        return Answer::absent("Metal exists on macOS only".into(), tree);
    }
    let mut command = Command::new("/usr/sbin/system_profiler");
    command.args(["SPDisplaysDataType", "-json"]);
    match child::output(&mut command, LIMIT) {
        Ok(text) => parse(&text, tree),
        Err(why) => Answer::absent(format!("asking for the displays of this Mac: {why}"), tree),
    }
}

/// The GPUs in what `system_profiler SPDisplaysDataType -json` prints.
pub fn parse(text: &str, tree: &Tree) -> Answer {
    let Ok(all) = serde_json::from_str::<Value>(text) else {
        return Answer::absent("system_profiler printed something that is no JSON".into(), tree);
    };
    let gpus = all.get("SPDisplaysDataType").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
    let devices: Vec<Device> = gpus.iter().filter_map(device).collect();
    match (gpus.len(), devices.is_empty()) {
        (0, _) => Answer::absent("system_profiler lists no GPU".into(), tree),
        (_, true) => Answer::absent("none of the GPUs of this Mac supports Metal".into(), tree),
        (_, false) => Answer::found(devices),
    }
}

fn device(gpu: &Value) -> Option<Device> {
    let text = |name: &str| gpu.get(name).and_then(Value::as_str);
    // `spdisplays_metal3`, before macOS 13 `spdisplays_supported`.
    let metal = text("spdisplays_mtlgpufamilysupport").or_else(|| text("spdisplays_metal"))?;
    let version = metal.trim_start_matches("spdisplays_").trim_start_matches("metal");
    let is_apple = text("spdisplays_vendor").is_some_and(|vendor| vendor.ends_with("Apple"));
    Some(Device {
        vendor: text("spdisplays_vendor").map(|vendor| vendor.trim_start_matches("sppci_vendor_").to_owned()),
        name: text("sppci_model").map(str::to_owned),
        runtime: Some(if version.parse::<u32>().is_ok() { format!("Metal {version}") } else { "Metal".into() }),
        // Memory is shared with the processor: it has none of its own.
        precisions: if is_apple { vec![Precision::Fp32, Precision::Fp16] } else { vec![Precision::Fp32] },
        ..Device::of_kind(HardwareKind::Mps, ProbeLevel::Enumerated)
    })
}
