//! Full disks, which only root can mount: `cargo xtask cargo -- test --workspace --test with_root -- --ignored`.

use std::process::Command;

#[test]
#[ignore = "mounts small disks, which needs root"]
fn a_full_disk_costs_no_task_and_no_worker_and_heals_by_itself() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-harness"));
    let output = command.args(["disk-faults", "--cycles", "20", "--json"]).output().expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}
