//! What `worker --detect` prints: the machine, and each kind with its devices or the reason why there are none.

use super::Finding;
use serde::Serialize;
use shared::hardware::{Device, Inventory, Precision, Processor};
use std::fmt;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// What a coordinator would be told.
    pub machine: &'a Inventory,
    /// Kind by kind.
    pub kinds: &'a [Finding],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine;
        let gigabytes = machine.memory_bytes as f64 / 1e9;
        writeln!(f, "{}: {} {}, {} cores to use, {gigabytes:.1} GB", machine.host, machine.os, machine.arch, machine.cores)?;
        if let Some(processor) = &machine.processor {
            writeln!(f, "processor: {}", made_of(processor))?;
        }
        for finding in self.kinds {
            let kind = finding.kind.name();
            for device in &finding.answer.devices {
                writeln!(f, "{kind:<9} {:<11} {}", device.probe, described(device))?;
            }
            if let Some(why) = &finding.answer.absent {
                writeln!(f, "{kind:<9} {:<11} {why}", "absent")?;
            }
            for warning in &finding.answer.warnings {
                writeln!(f, "{:<21} warning: {warning}", "")?;
            }
        }
        Ok(())
    }
}

fn made_of(processor: &Processor) -> String {
    let count =
        |number: Option<u32>, what: &str| number.map(|number| format!("{number} {what}{}", if number == 1 { "" } else { "s" }));
    let parts = [
        count(Some(processor.threads), "thread"),
        count(processor.cores, "core"),
        count(processor.sockets, "socket"),
        count(processor.numa_nodes, "NUMA node"),
        processor.quota_cores.map(|cores| format!("limited to {cores} cores by its control group")),
        processor.memory_limit_bytes.map(|bytes| format!("limited to {:.1} GB by its control group", bytes as f64 / 1e9)),
        (!processor.features.is_empty()).then(|| processor.features.join(" ")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn described(device: &Device) -> String {
    let parts = [
        device.vendor.clone(),
        Some(device.name.clone().unwrap_or_else(|| "no name told".into())),
        device.address.clone(),
        device.memory_bytes.map(|bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
        device.architecture.clone(),
        device.compute_capability.map(|version| format!("compute capability {version:.1}")),
        device.version.as_ref().map(|version| format!("driver {version}")),
        device.runtime.clone(),
        device.throttle_c.map(|celsius| format!("slows down at {celsius} °C")),
        (!device.precisions.is_empty())
            .then(|| device.precisions.iter().map(|one| Precision::name(*one)).collect::<Vec<_>>().join(" ")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
