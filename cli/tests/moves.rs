//! Tasks that move between real workers with the state they save, while daemons are killed.

#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use common::{Ended, Place, Running, eventually, runners, signal};
use serde_json::Value;

/// A coordinator and the workers `a` and `b`.
struct Farm {
    place: Place,
    url: String,
    coordinator: Option<Running>,
    workers: [Option<Running>; 2],
}

const NAMES: [&str; 2] = ["a", "b"];

impl Farm {
    fn start() -> Self {
        let place = Place::with("");
        let script = std::fs::read_to_string("../examples/checkpoint/collatz.sh");
        place.write("collatz.sh", &script.expect("the example is there"));
        let mut farm = Self { place, url: String::new(), coordinator: None, workers: [None, None] };
        farm.start_coordinator("0");
        let read = |farm: &Self| Some(farm.place.read("url").trim().to_owned()).filter(|url| !url.is_empty());
        farm.url = eventually("the coordinator listens", || read(&farm));
        for worker in 0..2 {
            farm.start_worker(worker);
        }
        farm
    }

    fn start_coordinator(&mut self, port: &str) {
        let words = ["coordinator", "--port", port, "--announce", "url"];
        // Nothing moves but what the test moves, however busy this machine is with other things.
        let calm = ["--policy", "fifo", "--utilization-threshold-high", "1", "--threshold-adjustment-rate", "0"];
        self.coordinator = Some(self.place.start(&[&words[..], &calm].concat()));
    }

    /// Starts a worker, and waits until it is there.
    fn start_worker(&mut self, worker: usize) {
        let name = NAMES[worker];
        let words = ["worker", "--coordinator", &self.url, "--name", name, "--work-dir", name, "--slots", "1"];
        self.workers[worker] = Some(self.place.start(&words));
        eventually("the worker is there", || {
            let workers = self.json(&["workers", "--json"]);
            let found = workers.as_array()?.iter().find(|one| one["name"] == name)?.clone();
            (found["state"] == "ready").then_some(())
        });
    }

    fn ask(&self, words: &[&str]) -> Ended {
        let mut command = self.place.command(words);
        command.env("EVENKEEL_COORDINATOR", &self.url);
        Running::of(command).end()
    }

    /// What a command prints as JSON; nothing while the coordinator is away.
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ask(words).stdout).unwrap_or_default()
    }

    /// Submits a count to `limit`.
    fn submit(&self, limit: u32) -> String {
        let (dir, limit) = (self.place.path("").display().to_string(), limit.to_string());
        let words = ["submit", "--checkpointable", "--cwd", &dir, "--", "sh", "collatz.sh", &limit];
        self.ask(&words).expect_code(0).stdout.trim().to_owned()
    }

    /// Orders a move, as soon as the worker can take the task.
    fn migrate(&self, id: &str, to: usize) {
        let order = || self.ask(&["migrate", id, "--to", NAMES[to]]).code == Some(0);
        eventually("the move is ordered", || order().then_some(()));
    }

    fn task(&self, id: &str) -> Value {
        self.json(&["task", id, "--json"])
    }

    /// Where the newest attempt of a task runs, once it has begun there and is attempt `number` or a later one.
    fn runs_at(&self, id: &str, number: u64) -> Option<usize> {
        let task = self.task(id);
        let last = task["attempts"].as_array()?.last()?.clone();
        let is_under_way = task["state"] == "running" && last["number"].as_u64()? >= number;
        NAMES.iter().position(|name| is_under_way && last["worker"] == *name)
    }

    /// The verdict of a task, its attempts, and what it printed at each, once it is over.
    fn end_of(&self, id: &str) -> (Value, Vec<Value>, Vec<String>) {
        let task = eventually("a verdict", || Some(self.task(id)).filter(|task| task["state"] == "done"));
        let attempts = task["attempts"].as_array().cloned().unwrap_or_default();
        let printed = attempts.iter().map(|attempt| {
            let number = attempt["number"].to_string();
            self.ask(&["logs", id, "--attempt", &number]).stdout
        });
        (task["verdict"].clone(), attempts.clone(), printed.collect())
    }

    /// What an unmoved count to `limit` prints.
    fn unmoved(&self, limit: u32) -> String {
        let mut command = std::process::Command::new("sh");
        let output = command.args(["collatz.sh", &limit.to_string()]).current_dir(self.place.path("")).output();
        String::from_utf8_lossy(&output.expect("there is a shell").stdout).into_owned()
    }

    fn kill_runner(&self, worker: usize) {
        for runner in runners(&self.place.path(NAMES[worker])) {
            signal(runner, "KILL");
        }
    }

    fn restart_worker(&mut self, worker: usize) {
        // Dropping it kills it.
        self.workers[worker] = None;
        self.start_worker(worker);
    }

    fn restart_coordinator(&mut self) {
        self.coordinator = None;
        let port = self.url.rsplit(':').next().expect("an address has a port").to_owned();
        self.start_coordinator(&port);
    }
}

#[test]
fn a_task_that_is_moved_again_and_again_prints_what_an_unmoved_one_prints() {
    const LIMIT: u32 = 36_000;
    let farm = Farm::start();
    let id = farm.submit(LIMIT);
    let mut at = eventually("it runs", || farm.runs_at(&id, 1));
    for number in 2..=6 {
        let to = 1 - at;
        farm.migrate(&id, to);
        at = eventually("it runs there", || farm.runs_at(&id, number));
        assert_eq!(at, to);
    }
    let (verdict, attempts, printed) = farm.end_of(&id);
    assert_eq!((verdict, attempts.len()), ("passed".into(), 6));
    assert!(attempts[..5].iter().all(|attempt| attempt["reason"] == "migrated"), "{attempts:?}");
    assert_eq!(printed.concat(), farm.unmoved(LIMIT), "nothing is lost and nothing is done twice");
}

/// What is killed while a task moves.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Source,
    SourceRunner,
    Target,
    TargetRunner,
    Coordinator,
}

#[test]
fn whatever_is_killed_while_a_task_moves_it_has_one_verdict_and_the_same_last_word() {
    const LIMIT: u32 = 12_000;
    let mut farm = Farm::start();
    let expected = farm.unmoved(LIMIT);
    let last_word = expected.lines().last().expect("it prints");
    for victim in [Victim::Coordinator, Victim::Source, Victim::SourceRunner, Victim::Target, Victim::TargetRunner] {
        for is_moved in [false, true] {
            let id = farm.submit(LIMIT);
            let from = eventually("it runs", || farm.runs_at(&id, 1));
            let to = 1 - from;
            farm.migrate(&id, to);
            if is_moved {
                eventually("it is leased there", || (farm.task(&id)["attempts"].as_array()?.len() > 1).then_some(()));
            }
            match victim {
                Victim::Source => farm.restart_worker(from),
                Victim::SourceRunner => farm.kill_runner(from),
                Victim::Target => farm.restart_worker(to),
                Victim::TargetRunner => farm.kill_runner(to),
                Victim::Coordinator => farm.restart_coordinator(),
            }
            let (verdict, attempts, printed) = farm.end_of(&id);
            assert_eq!(verdict, "passed", "{victim:?}, moved: {is_moved}: {attempts:?}");
            let last = printed.iter().flat_map(|text| text.lines()).next_back();
            assert_eq!(last, Some(last_word), "{victim:?}, moved: {is_moved}: {printed:?}");
            let finals = printed.iter().flat_map(|text| text.lines()).filter(|line| *line == last_word).count();
            assert_eq!(finals, 1, "it came to its end once: {victim:?}, moved: {is_moved}: {attempts:?}");
        }
    }
}
