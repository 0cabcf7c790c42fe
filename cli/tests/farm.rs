//! The command against a coordinator and a worker that were started by themselves, as on a farm.

#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use common::{Ended, Place, Running, eventually, junit};

/// A coordinator and one worker called `far`, which has none of this place's files.
struct Farm {
    place: Place,
    url: String,
    _daemons: [Running; 2],
}

impl Farm {
    fn start(suite: &str) -> Self {
        let place = Place::with(suite);
        let coordinator = place.start(&["coordinator", "--port", "0", "--announce", "url"]);
        let url =
            eventually("the coordinator listens", || Some(place.read("url").trim().to_owned()).filter(|url| !url.is_empty()));
        let worker = place.start(&["worker", "--coordinator", &url, "--name", "far", "--work-dir", "far", "--slots", "1"]);
        let farm = Self { place, url, _daemons: [coordinator, worker] };
        eventually("the worker is there", || farm.ask(&["workers"]).stdout.contains("ready").then_some(()));
        farm
    }

    fn ask(&self, words: &[&str]) -> Ended {
        let mut command = self.place.command(words);
        command.env("EVENKEEL_COORDINATOR", &self.url);
        Running::of(command).end()
    }
}

const SUITE: &str = "[[task]]\nname = \"reads\"\ncommand = [\"sh\", \"-c\", \"grep -q content data/file && test ! -e left.log && test -x tool.sh\"]\n";

#[test]
fn files_are_shipped_once_and_found_by_the_task() {
    let farm = Farm::start(SUITE);
    std::fs::create_dir(farm.place.path("data")).expect("the folder is ours");
    farm.place.write("data/file", "content\n");
    farm.place.write("tool.sh", "#!/bin/sh\n");
    farm.place.write("left.log", "not this\n");
    farm.place.write(".gitignore", "*.log\nfar\nbenchmark_db*\nurl\n");
    use std::os::unix::fs::PermissionsExt;
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(farm.place.path("tool.sh"), executable).expect("the file is ours");
    let words = ["run", "SUITE.toml", "--sync", ".", "--junit", "junit.xml", "--report", "report.html"];
    farm.ask(&words).expect_code(0).expect_words("shipping 4 of 4 files");
    assert_eq!(junit(&farm.place.path("junit.xml")), [("reads".to_owned(), true)]);
    // The results of this run are the only thing that is new.
    std::fs::remove_file(farm.place.path("junit.xml")).expect("it was written");
    std::fs::remove_file(farm.place.path("report.html")).expect("it was written");
    let again = farm.ask(&["run", "SUITE.toml", "--sync", "."]).expect_code(0);
    assert!(!again.stderr.contains("shipping"), "{}", again.stderr);
}

#[test]
fn a_folder_that_the_worker_lacks_is_the_farms_trouble_and_not_a_failed_test() {
    let farm = Farm::start("[[task]]\nname = \"elsewhere\"\ncommand = [\"true\"]\ncwd = \"/no/such/folder\"\n");
    let ended = farm.ask(&["run", "SUITE.toml"]).expect_code(2).expect_words("--sync");
    assert!(ended.stdout.contains("/no/such/folder"), "{}", ended.stdout);
}

#[test]
fn an_array_of_tasks_is_told_its_numbers_and_waited_for() {
    let farm = Farm::start("");
    let ended =
        farm.ask(&["submit", "--array", "3", "--wait", "--", "sh", "-c", "exit $((EVENKEEL_ARRAY_INDEX == 2))"]).expect_code(1);
    assert!(ended.stdout.contains("2 passed, 1 failed"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_submitted_is_refused_with_the_reason() {
    let farm = Farm::start("");
    farm.place.write("tasks.json", "[{\"command\": [\"true\"], \"requirements\": \"flux>=3\"}]");
    farm.ask(&["submit", "--file", "tasks.json"]).expect_code(2).expect_words("flux");
    farm.place.write("tasks.json", "{\"comand\": [\"true\"]}");
    farm.ask(&["submit", "--file", "tasks.json"]).expect_code(2).expect_words("comand");
    farm.ask(&["submit"]).expect_code(2).expect_words("nothing to submit");
    farm.ask(&["drain", "nobody"]).expect_code(2).expect_words("nobody");
    farm.ask(&["report", "--db-path", "benchmark_db.duckdb"]).expect_code(2).expect_words("--coordinator");
}
