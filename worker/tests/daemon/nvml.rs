//! NVIDIA's library through its real interface: a stand-in is compiled and loaded, by the daemon as by its probe.

use crate::fake::{self, Coordinator, PATIENCE};
use serde_json::Value;
use shared::hardware::{Load, Precision, Throttle};
use shared::protocol::FromWorker;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Compiles the stand-in into `folder` under the name the driver gives its library.
fn compile(folder: &Path) {
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.join("libnvidia-ml.so.1"))
        .arg("tests/stub/nvml.c")
        .status()
        .expect("a C compiler, which building this project needs anyway");
    assert!(compiled.success(), "the stand-in does not compile");
}

fn detected(folder: &Path, mode: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["--detect", "--json"])
        .env("LD_LIBRARY_PATH", folder)
        .env("STUB_NVML", mode)
        .env("PATH", "/nowhere")
        .output()
        .expect("the worker starts");
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    report["kinds"].as_array().and_then(|kinds| kinds.iter().find(|kind| kind["kind"] == "cuda").cloned()).expect("it is told")
}

#[test]
fn what_the_library_tells_is_told_and_a_broken_one_is_a_reason() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    compile(dir.path());
    let cuda = detected(dir.path(), "");
    let device = &cuda["devices"][1];
    assert_eq!(cuda["devices"].as_array().map(Vec::len), Some(2), "{cuda:#}");
    for (name, value) in [
        ("probe", Value::from("enumerated")),
        ("name", "Stub B".into()),
        ("address", "GPU-66666666-7777-8888-9999-000000000000".into()),
        ("version", "550.54.15".into()),
        ("runtime", "CUDA 12.4".into()),
        ("memory_bytes", 24_000_000_000_u64.into()),
        ("compute_capability", 8.9.into()),
        ("throttle_c", 91.0.into()),
    ] {
        assert_eq!(device[name], value, "{name}");
    }
    let precisions: Vec<Precision> = serde_json::from_value(device["precisions"].clone()).expect("they are known");
    assert!(precisions.contains(&Precision::Fp8) && !precisions.contains(&Precision::Fp4));

    let broken = detected(dir.path(), "crash");
    assert!(broken["absent"].as_str().is_some_and(|why| why.contains("signal")), "{broken:#}");
    let unloaded = detected(dir.path(), "no_driver");
    assert!(unloaded["absent"].as_str().is_some_and(|why| why.contains("driver is not loaded")), "{unloaded:#}");
}

#[tokio::test]
async fn heartbeats_tell_how_busy_each_gpu_is_and_what_slows_it_down() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    compile(dir.path());
    let mut coordinator = Coordinator::start(Vec::new()).await;
    let library = [("LD_LIBRARY_PATH", dir.path().as_os_str())];
    let _daemon = fake::daemon_with(&coordinator.address, dir.path(), &[], &library);
    let (mut talk, _, inventory) = coordinator.accept().await;
    let places: Vec<u32> =
        (0..).zip(&inventory.machine.devices).filter(|(_, one)| one.address.is_some()).map(|(at, _)| at).collect();
    let deadline = Instant::now() + PATIENCE;
    let load: Load = loop {
        assert!(Instant::now() < deadline, "no heartbeat told of devices");
        if let FromWorker::Heartbeat(heartbeat) = talk.any().await
            && !heartbeat.load.devices.is_empty()
        {
            break *heartbeat.load;
        }
    };
    let of = |place| load.devices.iter().find(|device| device.device == place).expect("it is told");
    let (first, second) = (of(places[0]), of(places[1]));
    assert_eq!((first.utilization, first.memory_used_bytes, first.temperature_c), (Some(0.7), Some(1_000_000_000), Some(60.0)));
    assert_eq!((first.power_w, first.clock_mhz, first.throttle), (Some(250.0), Some(1501), Some(Throttle::Power)));
    assert_eq!((second.temperature_c, second.throttle, second.fan_rpm), (Some(61.0), Some(Throttle::Heat), None));
    assert_eq!(load.temperature_c.map(|celsius| celsius >= 61.0), Some(true), "the hottest device is the machine's");
}
