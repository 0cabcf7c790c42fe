//! What requirements mean.

use super::*;
use crate::hardware::{Device, ProbeLevel};

fn device(kind: HardwareKind, memory_gb: u64) -> Device {
    Device {
        memory_bytes: (memory_gb > 0).then_some(memory_gb * 1_000_000_000),
        compute_capability: (kind == HardwareKind::Cuda).then_some(8.6),
        ..Device::of_kind(kind, ProbeLevel::Enumerated)
    }
}

fn gpu_box() -> Inventory {
    Inventory {
        slots: 8,
        cores: 8,
        memory_bytes: 33 << 30,
        devices: vec![device(HardwareKind::Cpu, 0), device(HardwareKind::Cuda, 24)],
        os: "linux".into(),
        arch: "x86_64".into(),
        host: "lab-3".into(),
        labels: [("rack".to_string(), "b2".to_string())].into(),
        ..Inventory::default()
    }
}

fn unmet(text: &str) -> Option<Unmet> {
    text.parse::<Requirement>().expect(text).unmet("gpu-1", &gpu_box())
}

#[test]
fn a_machine_that_has_everything_is_not_refused() {
    for text in [
        "",
        "cuda",
        "memory>=16GB && cores>=8 && cuda",
        "gpu_memory >= 24GB && cuda.cc >= 8.0",
        "cpu_cores>=8 && available_memory>=32GiB",
        "(rocm || cuda) && !mps",
        "os==linux && arch!=aarch64 && label.rack==b2 && worker==gpu-1",
        "label.gone!=b2",
    ] {
        assert_eq!(unmet(text), None, "{text}");
    }
}

#[test]
fn the_first_condition_not_met_is_named_with_what_is_there() {
    let says = |needs: &str, has: &str| Some(Unmet { needs: needs.into(), has: has.into() });
    assert_eq!(unmet("cuda && cores>=16 && memory>=1TB"), says("cores>=16", "cores 8"));
    assert_eq!(unmet("memory>=64GB"), says("memory>=64GB", "memory 35.43GB"));
    assert_eq!(unmet("mps"), says("mps", "cpu, cuda"));
    assert_eq!(unmet("mps || rocm"), says("mps || rocm", "cpu, cuda"));
    assert_eq!(unmet("!cuda"), says("!cuda", "cuda"));
    assert_eq!(unmet("label.floor==3"), says("label.floor==3", "no label.floor"));
}

#[test]
fn lower_bounds_that_always_hold_are_what_is_kept_to_itself() {
    let demand = |text: &str| text.parse::<Requirement>().expect(text).demand();
    assert_eq!(demand(""), Demand { cores: 1, ..Demand::default() });
    assert_eq!(demand("cores>=4 && memory>=2GB && cuda"), Demand { cores: 4, memory_bytes: 2_000_000_000, gpu_memory_bytes: 0 });
    assert_eq!(demand("cores>=4 || memory>=2GB"), Demand { cores: 1, ..Demand::default() });
    assert_eq!(demand("cores<=4"), Demand { cores: 1, ..Demand::default() });
}

#[test]
fn what_cannot_be_understood_is_refused_with_the_reason() {
    for (text, part) in [
        ("memory>=16XB", "no known unit"),
        ("memory>=GB", "is not a size"),
        ("tpu>=1", "nothing is known as `tpu`"),
        ("quantum", "nothing is known as `quantum`"),
        ("cores", "needs a comparison"),
        ("cores>=many", "not a number"),
        ("cores>=", "a value should follow"),
        ("cuda &&", "it ends where a condition should follow"),
        ("(cuda", "`)` is missing"),
        ("cuda rocm", "expected `&&` or `||`"),
        ("os>=linux", "compare it with `==`"),
        ("é", "expected a condition"),
        (&"!".repeat(100_000), "long"),
        (&"(".repeat(1000), "nests deeper"),
    ] {
        let error = text.parse::<Requirement>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn joined_requirements_both_hold() {
    let both = "cuda".parse::<Requirement>().expect("valid").and(&"cores>=16".parse().expect("valid"));
    assert!(both.unmet("gpu-1", &gpu_box()).is_some());
    assert_eq!(both.text().parse::<Requirement>().expect("what is joined reads back").demand().cores, 16);
}
