//! Pressure stall information: how much time is lost to waiting.
//!
//! Format: kernel documentation, accounting/psi.rst: `some avg10=1.53 avg60=0.87 avg300=0.73 total=1234`, in percent.

use crate::hardware::tree::Tree;
use shared::hardware::Pressure;

/// The shares of the last ten seconds; absent where the kernel does not account for them.
pub fn read(tree: &Tree) -> Option<Pressure> {
    let some = |name: &str| {
        let line = tree.field(&format!("proc/pressure/{name}"), "some")?;
        let percent = line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.parse::<f64>().ok()?;
        (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
    };
    let pressure = Pressure { cpu: some("cpu"), memory: some("memory"), io: some("io") };
    (pressure != Pressure::default()).then_some(pressure)
}
