//! What holds of a run as a whole.

mod common;

use common::{COLUMNS, about, play, play_with, scenario};
use simulator::{Options, Scenario};
use std::fmt::Write;

const FLEET: &str = "[[worker]]\nid = \"a\"\ncount = 3\nhardware = [\"cpu\"]\nslots = 2\ncrashes_s = [30]\nrestart_s = 5\n\
    power = { idle_w = 50, busy_w = 150 }\n";

fn many() -> String {
    (0..200).fold(String::new(), |mut rows, at| {
        writeln!(rows, "t{at},{},,,10,true,o{},,{},", at % 17, at % 2, 1 + at % 23).expect("text takes any length");
        rows
    })
}

#[test]
fn the_same_scenario_policy_and_seed_give_the_same_facts_to_the_byte() {
    let scenario = scenario(FLEET, &many());
    for policy in coordinator_core::policy::NAMES {
        let facts = |seed| {
            let options = Options { policy: policy.into(), seed: Some(seed), ..Options::default() };
            play_with(&scenario, &options).run.facts()
        };
        assert_eq!(facts(1), facts(1), "{policy}");
        assert_ne!(facts(1), facts(2), "{policy}: the seed reaches the network");
    }
}

#[test]
fn every_task_finishes_once_and_facts_are_in_the_order_of_time() {
    let played = play(FLEET, &many());
    let finished = played.facts.iter().filter(|line| line["fact"] == "task_finished").count();
    assert_eq!((finished, played.run.summary.finished, played.run.summary.lost), (200, 200, 0));
    let times: Vec<f64> = played.facts.iter().map(|line| line["t"].as_f64().expect("a time")).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(played.stops("t40").last().map(|(reason, _)| reason.as_str()), Some("finished"));
    assert!(played.run.summary.gap >= 1.0 && played.run.summary.energy_j >= played.run.summary.energy_lower_bound_j);
}

#[test]
fn a_task_that_no_machine_can_run_keeps_nobody_waiting() {
    let played = play(FLEET, "t,0,,,,,,5,10,\nwide,0,9,,,,,,10,\ncuda,0,,,,,,,,10\n");
    let summary = &played.run.summary;
    assert_eq!((summary.finished, summary.impossible, summary.lost, summary.deadline_misses), (1, 2, 0, 1));
    assert!(about(played.facts.last().expect("facts")["t"].as_f64().expect("a time"), 10.0));
}

#[test]
fn a_run_that_cannot_end_is_ended() {
    let workers = "[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\nleaves_s = 5\n";
    let played = play(workers, "t,10,,,,,,,10,\n");
    assert_eq!((played.run.summary.finished, played.run.summary.lost), (0, 1));
    assert!(played.run.summary.to_json().contains("\"makespan_s\": null"));
}

#[test]
fn the_true_times_are_known_to_the_coordinator_only_where_it_is_told_them() {
    let rows = "short,0,,,,,,,1,\nmiddle,0,,,,,,,20,\nlong,0,,,,,,,90,\n";
    let scenario = scenario("[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\n", rows);
    let options = |setting: &str| Options {
        policy: "longest_first".into(),
        settings: vec![setting.parse().expect("key=value")],
        ..Options::default()
    };
    let perfect = play_with(&scenario, &options("estimates=perfect"));
    assert!(perfect.when("attempt_started", "long") < perfect.when("attempt_started", "middle"));
    assert!(perfect.when("attempt_started", "middle") < perfect.when("attempt_started", "short"));
    assert_eq!(perfect.run.summary.estimates, "perfect");
    let blind = play_with(&scenario, &options("estimates=history"));
    assert!(blind.when("attempt_started", "short") < blind.when("attempt_started", "long"), "it has to guess");
}

#[test]
fn what_is_wrong_with_a_scenario_is_said_with_its_place() {
    let head = "name = \"x\"\nhorizon_s = 10\ntasks = \"tasks.csv\"\n";
    let worker = "[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\n";
    let cases = [
        (format!("{head}{worker}color = 1\n"), format!("{COLUMNS}t,0,,,,,,,1,\n"), "color"),
        (format!("{head}{worker}"), "id,cpu_s,speed\nt,1,1\n".into(), "tasks.csv, line 1: there is no column `speed`"),
        (format!("{head}{worker}"), "id,cpu_s\nt,1\nu,soon\n".into(), "line 3: cpu_s is `soon`"),
        (format!("{head}{worker}"), "id,cpu_s\nt,1\nt,1\n".into(), "line 3: a task before it is called `t` too"),
        (format!("{head}{worker}"), "id,cpu_s\nt,0\n".into(), "cpu_s is 0"),
        (format!("{head}{worker}"), "id,cpu_s,priority\nt,1,11\n".into(), "priority is 11"),
        (format!("{head}{worker}{worker}"), "id,cpu_s\nt,1\n".into(), "two workers are called `a`"),
        (head.into(), "id,cpu_s\nt,1\n".into(), "no [[worker]]"),
    ];
    for (toml, csv, expected) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("scenario.toml"), toml).expect("written");
        std::fs::write(folder.path().join("tasks.csv"), csv).expect("written");
        let error = Scenario::load(&folder.path().join("scenario.toml")).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\nshould say: {expected}");
    }
}

#[test]
fn an_unknown_policy_is_refused_with_those_there_are() {
    let scenario = scenario(FLEET, "t,0,,,,,,,1,\n");
    let error = simulator::run(&scenario, &Options { policy: "best".into(), ..Options::default() }).expect_err("no such policy");
    assert!(error.to_string().contains("fifo"), "{error}");
}

#[test]
fn what_is_written_can_be_read_again() {
    let played = play(FLEET, "\"a, b\",0,,,,,,,1,\n");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("deep/inside");
    played.run.write(&out).expect("it is written");
    let facts = std::fs::read_to_string(out.join("facts.jsonl")).expect("facts");
    assert!(facts.lines().any(|line| line.contains("\"task\":\"a, b\"")));
    let summary = std::fs::read_to_string(out.join("summary.json")).expect("figures");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["simulated"], true);
    assert_eq!(summary["policy"], "fifo");
}
