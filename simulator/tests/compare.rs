//! Comparisons of policies.

use serde_json::Value;
use simulator::compare::{self, Comparison};
use simulator::{Source, builtin};
use std::path::Path;

fn comparison(scenario: &str, policies: &str) -> Comparison {
    let names: Vec<String> = policies.split(',').map(str::to_owned).collect();
    Comparison {
        sources: vec![Source::find(scenario).expect("a good scenario")],
        policies: compare::policies(&names).expect("known policies"),
        settings: Vec::new(),
        seed: Some(4),
        seeds: 3,
        jobs: 2,
        out: None,
    }
}

fn json(comparison: &Comparison) -> Value {
    serde_json::from_str(&compare::json(&comparison.run().expect("it runs"))).expect("JSON")
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_threads() {
    let told =
        |jobs| compare::json(&Comparison { jobs, ..comparison("builtin:slow-machine", "fifo,adaptive") }.run().expect("it runs"));
    assert_eq!(told(1), told(4));
}

#[test]
fn a_built_in_scenario_compares_the_same_from_its_written_files() {
    let folder = tempfile::tempdir().expect("a folder");
    builtin::by_name("crash").expect("it is built in").write(4, folder.path()).expect("it is written");
    let path = folder.path().join("scenario.toml");
    let once = |scenario: &str| Comparison { seeds: 1, ..comparison(scenario, "fifo,longest_first") };
    assert_eq!(json(&once(path.to_str().expect("plain letters"))), json(&once("builtin:crash")));
}

#[test]
fn every_policy_meets_the_same_seeds_and_is_compared_with_the_first() {
    let found = json(&comparison("builtin:slow-machine", "longest_first,fifo,longest_first"));
    let policies = found[0]["policies"].as_array().expect("a list");
    assert_eq!((&found[0]["seeds"], policies.len()), (&serde_json::json!([4, 5, 6]), 2));
    assert_eq!(policies[0]["relative_to_first"]["makespan_s"]["median"], 1.0);
    let runs = |at: usize| -> Vec<f64> {
        let runs = policies[at]["figures"]["makespan_s"]["runs"].as_array().expect("a list");
        runs.iter().map(|run| run.as_f64().expect("a number")).collect()
    };
    let mut ratios: Vec<f64> = runs(1).iter().zip(runs(0)).map(|(a, b)| a / b).collect();
    ratios.sort_by(f64::total_cmp);
    assert_eq!(policies[1]["relative_to_first"]["makespan_s"]["median"], ratios[1]);
}

#[test]
fn runs_are_kept_where_they_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = Some(folder.path().to_owned());
    Comparison { out, ..comparison("builtin:livelock", "fifo") }.run().expect("it runs");
    for seed in 4..=6 {
        let run = folder.path().join(Path::new("livelock/fifo")).join(format!("seed-{seed}"));
        assert!(run.join("facts.jsonl").exists() && run.join("summary.json").exists(), "{}", run.display());
    }
}

/// A machine that goes before its second task is done, and a policy that would have had the time to do the long one first.
fn losing(folder: &Path) -> String {
    let worker = "[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\nleaves_s = 30\n";
    let head = "name = \"losing\"\nhorizon_s = 20\ntasks = \"tasks.csv\"\n";
    std::fs::write(folder.join("scenario.toml"), format!("{head}{worker}")).expect("written");
    std::fs::write(folder.join("tasks.csv"), "id,submit_s,cpu_s\nt,0,40\nu,0,10\n").expect("written");
    folder.join("scenario.toml").to_str().expect("plain letters").to_owned()
}

#[test]
fn a_policy_that_loses_tasks_is_never_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let tables = comparison(&losing(folder.path()), "fifo").run().expect("it runs");
    assert!(compare::text(&tables).contains("never"), "{}", compare::text(&tables));
    let found: Value = serde_json::from_str(&compare::json(&tables)).expect("JSON");
    assert_eq!(found[0]["policies"][0]["figures"]["makespan_s"]["median"], Value::Null);
}

#[test]
fn the_best_of_a_column_is_marked_in_text_and_in_markdown() {
    let tables = Comparison { seeds: 1, ..comparison("builtin:slow-machine", "fifo,round_robin") }.run().expect("it runs");
    let makespan = tables[0].policies[0].1[0].makespan_s;
    assert!(makespan < tables[0].policies[1].1[0].makespan_s, "turns take no notice of a slow machine");
    let row = |text: &str, begin: &str| text.lines().find(|line| line.starts_with(begin)).expect("a row").to_owned();
    assert!(row(&compare::text(&tables), "fifo").contains(&format!("{makespan:.0}*")));
    assert!(row(&compare::markdown(&tables), "| fifo").contains(&format!("**{makespan:.0}**")));
    assert!(
        !row(&compare::markdown(&tables), "| round_robin").contains(&format!("**{:.0}**", tables[0].policies[1].1[0].makespan_s))
    );
}

#[test]
fn all_means_every_policy_once_and_an_unknown_one_is_refused() {
    let all = compare::policies(&["fifo".into(), "all".into()]).expect("known");
    assert_eq!((all[0].as_str(), all.len()), ("fifo", coordinator_core::policy::NAMES.len()));
    let error = compare::policies(&["best".into()]).expect_err("no such policy").to_string();
    assert!(error.contains("adaptive"), "{error}");
}
