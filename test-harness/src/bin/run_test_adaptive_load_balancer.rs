//! Runs the same load under several policies on real worker daemons, sets the figures beside those of the simulator, and keeps a
//! report of each run (F180, F188).

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // A task of the test is this very program.
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).map(String::as_str) == Some(test_harness::twin::WORK) {
        return test_harness::twin::work(&words[2..]);
    }
    match test_harness::twin::run(&test_harness::twin::Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("run_test_adaptive_load_balancer: {error:#}");
            ExitCode::from(2)
        }
    }
}
