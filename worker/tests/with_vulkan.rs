//! A real Vulkan driver under WebGPU: install `mesa-vulkan-drivers` (Debian), then
//! `cargo test -p worker --features webgpu --test with_vulkan -- --ignored`.

use serde_json::Value;
use std::process::Command;

#[test]
#[ignore = "needs a Vulkan driver and the feature webgpu"]
fn a_shader_runs_on_the_adapter_and_the_adapter_is_described() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker")).args(["--detect", "--json"]).output().expect("the worker starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let devices = report["machine"]["devices"].as_array().expect("a list");
    let device = devices.iter().find(|device| device["kind"] == "webgpu");
    let device = device.unwrap_or_else(|| panic!("no WebGPU: {:#}", report["kinds"]));
    assert_eq!(device["probe"], "executed", "{device:#}");
    assert!(
        device["name"].is_string() && device["runtime"].as_str().is_some_and(|runtime| runtime.contains("vulkan")),
        "{device:#}"
    );
}
