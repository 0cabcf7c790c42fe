//! A real browser asked for WebNN: install `chromium`, then `cargo test -p worker --test with_chromium -- --ignored`.

use serde_json::Value;
use std::process::Command;

/// Distributions build Chromium with or without a neural network back end. Either way the answer is the browser's own.
#[test]
#[ignore = "needs chromium"]
fn the_browser_itself_says_whether_it_computes() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker")).args(["--detect", "--json"]).output().expect("the worker starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let kinds = report["kinds"].as_array().expect("a list");
    let webnn = kinds.iter().find(|kind| kind["kind"] == "webnn").expect("it is told");
    let devices = webnn["devices"].as_array().expect("a list");
    match webnn["absent"].as_str() {
        Some(why) => {
            assert!(devices.is_empty());
            assert!(why.contains("Chrome/") && !why.contains("no answer"), "the browser did not answer: {why}");
        }
        None => {
            assert!(!devices.is_empty() && devices.iter().all(|device| device["probe"] == "executed"), "{webnn:#}");
            assert!(devices.iter().all(|device| device["runtime"].as_str().is_some_and(|runtime| runtime.contains("Chrome/"))));
        }
    }
}
