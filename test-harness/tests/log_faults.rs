//! Power cuts and damage under the log, a modest number; `test-harness log-faults` makes more.

use std::process::Command;

#[test]
fn no_power_cut_loses_what_was_acknowledged_and_no_damage_is_taken_for_truth() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-harness"));
    let output = command.args(["log-faults", "--images", "600", "--mutants", "1200", "--json"]).output().expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!((figures["violations"].as_u64(), figures["images"].as_u64()), (Some(0), Some(600)));
    // Chance must have reached both ends: logs that were damaged, and logs that were only changed where nothing lies.
    assert!(figures["refused"]["bits flipped in the log"].as_u64() > Some(0), "{figures}");
    assert!(figures["whole"]["bits flipped in the mark"].as_u64() > Some(0), "{figures}");
    assert!(figures["salvaged"].as_u64() > Some(0), "{figures}");
}
