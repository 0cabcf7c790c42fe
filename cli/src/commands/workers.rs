//! `evenkeel workers`, `drain`, `cordon`, `uncordon`: the machines, and which work they receive.

use crate::client::Connection;
use crate::screen::{bytes, print, print_json, table};
use shared::api::{WorkerState, WorkerView};
use shared::fact::Admission;
use shared::hardware::{Device, HardwareKind, ProbeLevel};
use std::process::ExitCode;

/// The options of `workers`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel workers --coordinator http://farm:8080")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The options of `drain`, `cordon` and `uncordon`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The worker's name
    worker: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the list.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let workers: Vec<WorkerView> = args.connection.client()?.get("/api/workers", "list the workers").await?;
    if args.json {
        print_json(&workers)?;
    } else if workers.is_empty() {
        print("no worker has registered yet; start one with `evenkeel worker --coordinator URL`")?;
    } else {
        print(&list(&workers))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Orders `verb` for a worker.
pub async fn set(verb: &str, args: SetArgs) -> anyhow::Result<ExitCode> {
    let SetArgs { connection, worker, json } = args;
    // The name becomes part of a path.
    let safe = worker.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    anyhow::ensure!(safe && !worker.is_empty(), "no worker is named `{worker}`; `evenkeel workers` lists them");
    connection.client()?.order(&format!("/api/workers/{worker}/{verb}"), &format!("{verb} {worker}")).await?;
    if json {
        print_json(&serde_json::json!({ "worker": worker, "ordered": verb }))?;
    } else {
        print(&format!("{worker}: {verb} ordered"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each kind with how many there are of it, and whether only its owner says so: `cpu, 2 cuda, qnn (declared)`.
fn devices(devices: &[Device]) -> String {
    let kinds = HardwareKind::ALL.into_iter().filter_map(|kind| {
        let all: Vec<&Device> = devices.iter().filter(|device| device.kind == kind).collect();
        let doubt = if all.iter().any(|device| device.probe == ProbeLevel::Declared) { " (declared)" } else { "" };
        match all.len() {
            0 => None,
            1 => Some(format!("{kind}{doubt}")),
            count => Some(format!("{count} {kind}{doubt}")),
        }
    });
    kinds.collect::<Vec<_>>().join(", ")
}

/// The workers as a table.
pub fn list(workers: &[WorkerView]) -> String {
    let rows: Vec<Vec<String>> = workers.iter().map(row).collect();
    table(&["worker", "state", "work", "slots", "memory", "cpu", "devices", "host", "heard"], &rows)
}

fn row(worker: &WorkerView) -> Vec<String> {
    let state = match worker.state {
        WorkerState::Ready => "ready",
        WorkerState::Suspect => "suspect",
        WorkerState::Disconnected => "disconnected",
        WorkerState::Gone => "gone",
    };
    let admission = match worker.admission {
        Admission::Open => "open",
        Admission::Cordoned => "cordoned",
        Admission::Draining => "draining",
    };
    let inventory = &worker.inventory;
    vec![
        worker.name.clone(),
        state.to_owned(),
        admission.to_owned(),
        format!("{}/{}", worker.busy_slots, inventory.slots),
        bytes(inventory.memory_bytes),
        worker.load.cpu.map_or_else(|| "n/a".to_owned(), |share| format!("{:.0} %", share * 100.0)),
        devices(&inventory.devices),
        inventory.host.clone(),
        format!("{:.0} s ago", worker.silent_s),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_counted_by_kind_and_a_mere_word_of_the_owner_is_marked() {
        let all = [
            Device::of_kind(HardwareKind::Cuda, ProbeLevel::Enumerated),
            Device::of_kind(HardwareKind::Qnn, ProbeLevel::Declared),
            Device::of_kind(HardwareKind::Cpu, ProbeLevel::Executed),
            Device::of_kind(HardwareKind::Cuda, ProbeLevel::Executed),
        ];
        assert_eq!(devices(&all), "cpu, 2 cuda, qnn (declared)");
    }
}
