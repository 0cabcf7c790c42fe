//! What looking at the machine costs: `cargo run -p worker --example telemetry [LOOKS]`.
//!
//! Prints, as JSON, microseconds of processor time for one look, the share of a core that is at one look every two seconds, and
//! the bytes of a heartbeat that tells what was seen.

use shared::protocol::{FromWorker, Heartbeat};
use std::path::Path;
use worker::hardware::tree::Tree;
use worker::hardware::{Thoroughness, detect};
use worker::telemetry::Gauge;
use worker::telemetry::energy::Meter;

/// Seconds between two looks of a daemon.
const EVERY_S: f64 = 2.0;

fn main() -> anyhow::Result<()> {
    let looks: u32 = std::env::args().nth(1).map_or(Ok(1000), |text| text.parse())?;
    let devices: Vec<_> = detect(&[], Thoroughness::AtStart).into_iter().flat_map(|finding| finding.answer.devices).collect();
    let mut gauge = Gauge::new(Path::new("."), &devices, Meter::new(Tree::system()))?;
    let mut load = gauge.read();
    let before_s = own_s()?;
    for _ in 0..looks {
        load = gauge.read();
    }
    let look_us = (own_s()? - before_s) / f64::from(looks) * 1e6;
    let heartbeat = FromWorker::Heartbeat(Heartbeat { number: 1_000_000, load: load.into(), holds: u64::MAX });
    let told = serde_json::json!({
        "looks": looks,
        "cpu_us_per_look": look_us.round(),
        "share_of_a_core": look_us / 1e6 / EVERY_S,
        "heartbeat_bytes_json": serde_json::to_vec(&heartbeat)?.len(),
        "heartbeat_bytes_msgpack": rmp_serde::to_vec_named(&heartbeat)?.len(),
    });
    println!("{told}");
    Ok(())
}

/// Processor time this process has used, in seconds, as the scheduler counts it.
fn own_s() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
