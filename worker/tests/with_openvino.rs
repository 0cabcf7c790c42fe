//! The real runtime of OpenVINO: `pip install openvino` into a virtual environment, activate it, then
//! `cargo test -p worker --test with_openvino -- --ignored`.

use serde_json::Value;
use std::process::Command;

#[test]
#[ignore = "needs the Python package openvino in VIRTUAL_ENV"]
fn its_processor_computes_and_is_described() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker")).args(["--detect", "--json"]).output().expect("the worker starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let devices = report["machine"]["devices"].as_array().expect("a list");
    let device = devices.iter().find(|device| device["kind"] == "openvino" && device["address"] == "CPU");
    let device = device.unwrap_or_else(|| panic!("no OpenVINO: {:#}", report["kinds"]));
    assert_eq!(device["probe"], "executed");
    assert!(device["runtime"].as_str().is_some_and(|runtime| runtime.starts_with("OpenVINO 20")), "{device:#}");
    assert!(device["name"].is_string() && device["precisions"].as_array().is_some_and(|all| all.contains(&"fp32".into())));
}
