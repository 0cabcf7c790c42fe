//! Recommendations (F172): each appears when its figure is beyond its limit, names the figure and its query, and not before.

use benchmark_db::{Database, Options};
use reports::{Format, Question, answer};
use serde_json::Value;
use shared::fact::{Fact, StandstillEnd, StopReason, What};
use shared::hardware::{HardwareKind, Inventory};
use shared::id::{AttemptNumber, Epoch, Session, TaskId, WorkerId};
use shared::outcome::{Usage, Verdict};
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::sync::Arc;

/// What is recommended, as `evenkeel` and the API tell programs.
fn recommended(mut facts: Vec<Fact>) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut database = Database::open(&folder.path().join("db.duckdb"), Options::default()).expect("a new file");
    facts.sort_by_key(|fact| fact.at);
    database.append(1, &facts).expect("appended");
    let bytes = answer(&database, &Question { format: Format::Json, ..Question::default() }).expect("an overview");
    let overview: Value = serde_json::from_slice(&bytes).expect("JSON");
    overview["recommendations"].as_array().expect("a list").clone()
}

fn at(seconds: f64, what: What) -> Fact {
    Fact { at: Time((seconds * 1e6).round() as u64), what }
}

/// Workers with one slot each.
fn fleet(names: &[&str]) -> Vec<Fact> {
    let describe = |name: &&str| {
        let worker: Arc<str> = (*name).into();
        let inventory = Inventory { slots: 1, cores: 1, ..Inventory::default() };
        let joined = What::WorkerJoined { worker: worker.clone(), id: WorkerId([1; 16]), session: Session(1) };
        [at(0.0, joined), at(0.0, What::WorkerDescribed { worker, inventory })]
    };
    names.iter().flat_map(describe).collect()
}

fn queued(seconds: f64, task: u64) -> Fact {
    let spec = TaskSpec::new("true", Work::Command(vec!["true".into()]));
    at(seconds, What::TaskQueued { task: TaskId(task), spec: spec.into(), key: None })
}

fn ran(task: u64, ordinal: u32, worker: &str, (from, to): (f64, f64), reason: StopReason) -> [Fact; 2] {
    let (task, attempt, worker) = (TaskId(task), AttemptNumber::new(Epoch(1), ordinal), Arc::<str>::from(worker));
    let (hardware, progress) = (HardwareKind::Cpu, 0.0);
    let stopped = What::AttemptStopped {
        task,
        attempt,
        worker: worker.clone(),
        reason,
        progress: 1.0,
        failure: None,
        exit_code: None,
        signal: None,
        message: None,
        setup_s: 0.0,
        run_s: 0.0,
        usage: Usage::default(),
        log_bytes: 0,
    };
    [at(from, What::AttemptStarted { task, attempt, worker, hardware, progress }), at(to, stopped)]
}

/// A task from its submit to its verdict.
fn whole(task: u64, (submit, start, stop): (f64, f64, f64), worker: &str) -> Vec<Fact> {
    let mut facts = vec![queued(submit, task)];
    facts.extend(ran(task, 1, worker, (start, stop), StopReason::Finished));
    let attempt = Some(AttemptNumber::new(Epoch(1), 1));
    facts.push(at(stop, What::TaskFinished { task: TaskId(task), attempt, verdict: Verdict::Passed, failure: None }));
    facts
}

fn says(advice: &Value, words: &[&str]) {
    let sentence = advice["sentence"].as_str().expect("a sentence");
    for word in words {
        assert!(sentence.contains(word), "`{word}` is not in: {sentence}");
    }
}

#[test]
fn nothing_is_recommended_where_no_figure_is_beyond_its_limit() {
    let mut facts = fleet(&["a", "b"]);
    facts.extend(whole(1, (0.0, 0.1, 10.0), "a"));
    facts.extend(whole(2, (0.0, 0.1, 10.0), "b"));
    assert_eq!(recommended(facts), [] as [Value; 0]);
}

#[test]
fn uneven_load_calls_for_resource_aware() {
    // One is always busy and the other never: their busy shares are half from their mean.
    let mut facts = fleet(&["a", "b"]);
    facts.extend(whole(1, (0.0, 0.0, 10.0), "a"));
    let advice = recommended(facts);
    assert_eq!(advice.len(), 1);
    says(&advice[0], &["50 %", "30 %", "coordinator --policy resource_aware"]);
    assert_eq!((advice[0]["figure"].as_str(), advice[0]["value"].as_f64()), (Some("load_stddev"), Some(0.5)));
    assert_eq!(advice[0]["query"], "SELECT load_stddev FROM summary");
}

#[test]
fn waiting_beside_free_machines_calls_for_latency_based_and_in_a_full_fleet_for_more_machines() {
    let mut facts = fleet(&["a"]);
    facts.extend(whole(1, (0.0, 4.0, 10.0), "a"));
    let advice = recommended(facts);
    says(&advice[0], &["waited 4 s on average", "500 ms", "only 60 % busy", "latency_based"]);
    assert_eq!((advice.len(), advice[0]["value"].as_f64()), (1, Some(4.0)));
    let mut facts = fleet(&["a"]);
    facts.extend(whole(1, (0.0, 0.0, 10.0), "a"));
    facts.extend(whole(2, (0.0, 10.0, 20.0), "a"));
    let advice = recommended(facts);
    says(&advice[0], &["waited 5 s on average", "100 % busy", "More workers"]);
}

#[test]
fn moves_that_did_not_pay_are_told() {
    let mut facts = fleet(&["a", "b"]);
    for task in 1..=5 {
        let from = 20.0 * (task - 1) as f64;
        facts.push(queued(from, task));
        facts.extend(ran(task, 1, "a", (from, from + 10.0), StopReason::Migrated));
        facts.extend(ran(task, 2, "b", (from + 10.0, from + 20.0), StopReason::Finished));
        let (id, first) = (TaskId(task), AttemptNumber::new(Epoch(1), 1));
        let (hardware, why) = (HardwareKind::Cpu, Arc::<str>::from("it ends sooner there"));
        let (predicted_gain_s, cost_s) = (2.0, 1.0);
        facts.extend([
            at(
                from + 9.0,
                What::Migration {
                    task: id,
                    attempt: first,
                    from: "a".into(),
                    to: "b".into(),
                    hardware,
                    why: why.clone(),
                    predicted_gain_s,
                    cost_s,
                    decision: None,
                },
            ),
            at(from + 10.0, What::StandstillEnded { task: id, attempt: first, end: StandstillEnd::Followed, why }),
            at(from + 20.0, What::MigrationJudged { task: id, predicted_gain_s, realised_gain_s: -3.0 }),
        ]);
    }
    let advice = recommended(facts);
    let moves = advice.iter().find(|advice| advice["figure"] == "mean_realised_gain_s").expect("moves are judged");
    says(moves, &["did not pay", "3 s later", "--disable-task-migration"]);
}

#[test]
fn a_steady_trend_over_runs_is_told_and_noise_is_not() {
    // A run an hour, of one task each: its wait grows by 0.1 s from run to run, or goes up and down.
    let run_with = |waits: [f64; 4]| {
        let mut facts = fleet(&["a"]);
        for (run, wait) in (0..).zip(waits) {
            let from = 3600.0 * run as f64;
            facts.extend(whole(run + 1, (from, from + wait, from + 10.0), "a"));
        }
        recommended(facts).into_iter().filter(|advice| advice["figure"] == "mean wait").collect::<Vec<_>>()
    };
    let steady = run_with([0.1, 0.2, 0.3, 0.4]);
    says(&steady[0], &["Trend over 4 runs", "mean wait +300 ms", "250 ms on average", "look at what took longest"]);
    assert!(steady[0]["query"].as_str().is_some_and(|query| query.contains("FROM trends")));
    assert!(run_with([0.3, 0.1, 0.4, 0.2]).is_empty());
}
