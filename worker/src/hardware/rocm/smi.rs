//! Names of AMD's GPUs as `rocm-smi --showproductname --showbus --json` tells them: consumer cards have no `product_name` file.

use crate::hardware::child::{self, LIMIT};
use crate::hardware::tree::Tree;
use serde_json::Value;
use shared::hardware::Device;
use std::process::Command;

/// What `rocm-smi` printed when a tree was recorded.
const RECORDED: &str = "recorded/rocm-smi.json";

/// Gives their names to those devices that have none, matched by their place on the bus.
pub fn name(tree: &Tree, devices: &mut [Device]) {
    let Some(text) = recorded_or_asked(tree) else { return };
    let Ok(Value::Object(cards)) = serde_json::from_str(&text) else {
        tree.warn("rocm-smi printed something that is no JSON object; the names of AMD's GPUs stay unknown".into());
        return;
    };
    for card in cards.values() {
        let told = |name: &str| {
            // Capitals and spaces changed between versions: `Card series`, `Card Series`.
            let fields = card.as_object()?.iter();
            let mut found = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).filter_map(|(_, value)| value.as_str());
            found.next().filter(|text| !text.is_empty() && *text != "N/A")
        };
        let Some(bus) = told("PCI Bus") else { continue };
        let here = devices.iter_mut().find(|device| device.address.as_deref().is_some_and(|at| at.eq_ignore_ascii_case(bus)));
        if let Some(device) = here.filter(|device| device.name.is_none()) {
            device.name = told("Card Series").or_else(|| told("Device Name")).map(str::to_owned);
        }
    }
}

fn recorded_or_asked(tree: &Tree) -> Option<String> {
    if tree.path("") != std::path::Path::new("/") {
        return tree.text(RECORDED);
    }
    let mut command = Command::new("rocm-smi");
    command.args(["--showproductname", "--showbus", "--json"]);
    child::output(&mut command, LIMIT).map_err(|why| tree.warn(format!("asking rocm-smi: {why}"))).ok()
}
