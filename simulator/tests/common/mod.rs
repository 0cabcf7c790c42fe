//! Small scenarios, written where the test runs.

use serde_json::Value;
use simulator::{Options, Run, Scenario, run};

/// The columns most tests need; all others have their defaults.
pub const COLUMNS: &str = "id,submit_s,cores,gpu_memory_gb,state_mb,checkpointable,owner,deadline_s,cpu_s,cuda_s\n";

pub struct Played {
    pub run: Run,
    pub facts: Vec<Value>,
}

pub fn scenario(workers: &str, rows: &str) -> Scenario {
    let folder = tempfile::tempdir().expect("a folder");
    let head = "name = \"test\"\nseed = 1\nhorizon_s = 1000\ntasks = \"tasks.csv\"\n[network]\nlatency_ms = 1\n";
    std::fs::write(folder.path().join("scenario.toml"), format!("{head}{workers}")).expect("written");
    std::fs::write(folder.path().join("tasks.csv"), format!("{COLUMNS}{rows}")).expect("written");
    Scenario::load(&folder.path().join("scenario.toml")).expect("a good scenario")
}

pub fn play(workers: &str, rows: &str) -> Played {
    play_with(&scenario(workers, rows), &Options { policy: "fifo".into(), ..Options::default() })
}

pub fn play_with(scenario: &Scenario, options: &Options) -> Played {
    let run = run(scenario, options).expect("it runs");
    let facts = run.facts().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Played { run, facts }
}

impl Played {
    /// The facts of this name about this task or worker.
    pub fn of<'a>(&'a self, fact: &'a str, about: &'a str) -> impl Iterator<Item = &'a Value> {
        self.facts.iter().filter(move |line| line["fact"] == fact && (line["task"] == about || line["worker"] == about))
    }

    /// When the only fact of this name about this task or worker happened.
    pub fn when(&self, fact: &str, about: &str) -> f64 {
        let times: Vec<f64> = self.of(fact, about).map(|line| line["t"].as_f64().expect("a time")).collect();
        assert_eq!(times.len(), 1, "{fact} of {about}: {times:?}");
        times[0]
    }

    /// Why the attempts of a task stopped, and how far they were.
    pub fn stops(&self, task: &str) -> Vec<(String, f64)> {
        let reason = |line: &Value| line["reason"].as_str().expect("a word").to_owned();
        let stops = self.of("attempt_stopped", task);
        stops.map(|line| (reason(line), line["progress"].as_f64().expect("a share"))).collect()
    }
}

/// Whether two times are the same but for messages on their way.
pub fn about(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.05
}
