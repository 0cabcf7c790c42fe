//! `evenkeel run` while its daemons are killed, and the subcommands while it runs.

mod common;

use common::{Place, Running, eventually, junit, runners, signal};

/// Twelve tasks, one of which fails. The first ones wait until the test lets them go; every run of one leaves a line.
const SUITE: &str = "[defaults]\nenv = { OUT = \"ran\" }\n\
    [[task]]\nname = \"slow\"\nrepeat = 4\ncommand = [\"sh\", \"-c\", \"echo slow >> ran; while [ ! -e go ]; do sleep 0.05; done\"]\n\
    [[task]]\nname = \"quick\"\nrepeat = 7\ncommand = [\"sh\", \"-c\", \"echo quick >> ran\"]\n\
    [[task]]\nname = \"red\"\ncommand = [\"false\"]\n";

fn running(place: &Place) {
    eventually("a task runs", || place.read("ran").contains("slow").then_some(()));
}

fn check(place: &Place) {
    let mut cases = junit(&place.path("junit.xml"));
    cases.sort();
    let mut expected: Vec<(String, bool)> = (1..=4).map(|n| (format!("slow-{n}"), true)).collect();
    expected.extend((1..=7).map(|n| (format!("quick-{n}"), true)));
    expected.push(("red".to_owned(), false));
    expected.sort();
    assert_eq!(cases, expected);
}

const RUN: [&str; 7] = ["run", "SUITE.toml", "--junit", "junit.xml", "--local-workers", "2", "--slots-per-worker"];

#[test]
fn killing_a_worker_in_mid_suite_does_not_change_the_verdict_and_runs_nothing_twice() {
    let place = Place::with(SUITE);
    let run = place.start(&[&RUN[..], &["2"]].concat());
    running(&place);
    let first = place.pid("worker-1", None);
    signal(first, "KILL");
    place.pid("worker-1", Some(first));
    place.write("go", "");
    let ended = run.end().expect_code(1).expect_words("worker-1 ended");
    assert!(ended.stdout.contains("12 tests"), "{}", ended.stdout);
    check(&place);
    let ran = place.read("ran");
    assert_eq!((ran.matches("slow").count(), ran.matches("quick").count()), (4, 7), "what ran went on: {ran}");
}

#[test]
fn killing_the_coordinator_in_mid_suite_does_not_change_the_verdict_and_runs_nothing_twice() {
    let place = Place::with(SUITE);
    let run = place.start(&[&RUN[..], &["2"]].concat());
    running(&place);
    let first = place.pid("coordinator", None);
    signal(first, "KILL");
    place.pid("coordinator", Some(first));
    place.write("go", "");
    run.end().expect_code(1).expect_words("coordinator ended");
    check(&place);
    let ran = place.read("ran");
    assert_eq!((ran.matches("slow").count(), ran.matches("quick").count()), (4, 7), "{ran}");
}

#[test]
fn an_interrupted_run_exits_130_and_leaves_no_process_behind() {
    let place = Place::with(SUITE);
    let run = place.start(&[&RUN[..], &["2"]].concat());
    running(&place);
    let daemons = ["coordinator", "worker-1", "worker-2"].map(|name| place.pid(name, None));
    signal(run.id(), "INT");
    run.end().expect_code(130).expect_words("interrupted");
    check_gone(&place, &daemons);
}

#[test]
fn the_daemons_of_a_run_that_was_killed_end_by_themselves() {
    let place = Place::with(SUITE);
    let run = place.start(&[&RUN[..], &["2"]].concat());
    running(&place);
    let daemons = ["coordinator", "worker-1", "worker-2"].map(|name| place.pid(name, None));
    signal(run.id(), "KILL");
    check_gone(&place, &daemons);
    // What the killed run left is cancelled by the next one in this folder, which has its own verdict.
    place.write("go", "");
    place.evenkeel(&["run", "SUITE.toml", "--junit", "junit.xml"]).expect_code(1).expect_words("earlier run");
    check(&place);
}

fn check_gone(place: &Place, daemons: &[u32]) {
    eventually("no runner is left", || runners(&place.path("")).is_empty().then_some(()));
    for pid in daemons {
        eventually("the daemon is gone", || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    }
}

#[test]
fn the_subcommands_answer_while_a_suite_runs() {
    let place = Place::with(SUITE);
    // Four workers hold what waits, which leaves two for what is submitted beside it.
    let run = place.start(&["run", "SUITE.toml", "--junit", "junit.xml", "--local-workers", "6", "--slots-per-worker", "1"]);
    running(&place);
    let url = place.read(".evenkeel/run/url").trim().to_owned();
    let ask = |words: &[&str]| {
        let mut command = place.command(words);
        command.env("EVENKEEL_COORDINATOR", &url);
        Running::of(command).end()
    };
    let shows = |words: &[&str], what: &str| {
        let ended = ask(words).expect_code(0);
        assert!(ended.stdout.contains(what), "{words:?} does not say `{what}`:\n{}", ended.stdout);
    };
    eventually("all six workers are there", || ask(&["status"]).expect_code(0).stdout.contains("6 ready").then_some(()));
    shows(&["workers"], "local-1");
    shows(&["tasks", "--state", "running"], "slow-");
    shows(&["tasks", "--json"], "\"total\": 12");
    shows(&["task", "1"], "slow-1");
    shows(&["config"], "adaptive");
    shows(&["cordon", "local-1"], "cordon ordered");
    shows(&["uncordon", "local-1"], "uncordon ordered");
    shows(&["report", "--output", "live.html"], "live.html");
    assert!(place.read("live.html").contains("<html"));
    let submitted = ask(&["submit", "--requires", "cores>=100000", "--", "true"]).expect_code(0);
    let id = submitted.stdout.trim().to_owned();
    shows(&["why", &id], "cores>=100000");
    shows(&["cancel", &id], "asked to stop");
    ask(&["why", "999999"]).expect_code(2);
    let waited = ask(&["submit", "--wait", "--name", "four", "--", "sh", "-c", "echo heard; exit 4"]);
    waited.expect_code(1).expect_words("exit status 4");
    let list = ask(&["tasks", "--json"]).expect_code(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).expect("JSON alone");
    let four = list["tasks"].as_array().and_then(|tasks| tasks.iter().find(|task| task["name"] == "four")).cloned();
    let four = four.expect("it was submitted")["task_id"].to_string();
    shows(&["logs", "-f", &four], "heard");
    shows(&["task", &four], "exit status 4");
    place.write("go", "");
    run.end().expect_code(1);
    check(&place);
}
