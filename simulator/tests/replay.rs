//! What was decided in a run is decided again from its record alone.

use coordinator_core::decision::recomputes;
use coordinator_core::policy::NAMES;
use shared::fact::{Fact, What};
use simulator::record::{self, Head};
use simulator::replay::{ReplayArgs, replay};
use simulator::{Options, Run, Scenario, run};
use std::path::PathBuf;

const WORKERS: &str = r#"
[[worker]]
id = "steady"
count = 3
hardware = ["cpu"]
slots = 2
[[worker]]
id = "slows"
hardware = ["cpu"]
slots = 2
slow = [{ from_s = 60, to_s = 400, factor = 0.2 }]
[[worker]]
id = "dies"
hardware = ["cuda", "cpu"]
slots = 2
gpu_memory_gb = 8
crashes_s = [90]
restart_s = 30
[[worker]]
id = "leaves"
hardware = ["cpu"]
slots = 2
leaves_s = 70
[[worker]]
id = "late"
hardware = ["cuda", "cpu"]
slots = 1
gpu_memory_gb = 16
joins_s = 100
"#;

/// Two waves of tasks, half of which can save their state.
fn unruly() -> Scenario {
    let rows = (0..60).map(|task| {
        let (submit_s, seconds) = (if task < 30 { 0.0 } else { f64::from(task) * 4.0 }, 20.0 + f64::from(task * 37 % 90));
        format!("t{task},{submit_s},1,0,40,{},,,{seconds},{}\n", task % 2, seconds / 3.0)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let head = "name = \"test\"\nhorizon_s = 1000\ntasks = \"tasks.csv\"\n[network]\nlatency_ms = 1\n";
    let columns = "id,submit_s,cores,gpu_memory_gb,state_mb,checkpointable,owner,deadline_s,cpu_s,cuda_s\n";
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, format!("{head}{WORKERS}")).expect("written");
    std::fs::write(folder.path().join("tasks.csv"), columns.to_owned() + &rows.collect::<String>()).expect("written");
    Scenario::load(&path).expect("a good scenario")
}

fn recorded(scenario: &Scenario, policy: &str) -> Run {
    let settings = vec!["heartbeat=5s".parse().expect("a setting")];
    let run = run(scenario, &Options { policy: policy.into(), settings, log: true, ..Options::default() });
    run.expect("it runs")
}

fn asked(run: &Run, policy: Option<&str>, settings: &[&str]) -> coordinator_core::replay::Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(record::LOG);
    let head = Head { scenario: "test".into(), policy: run.summary.policy.clone(), seed: 1, settings: Vec::new() };
    record::write(&path, &head, &run.log).expect("written");
    let (found, facts) = record::read(&path).expect("just written");
    assert_eq!(found, head);
    let settings = settings.iter().map(|text| text.parse().expect("a setting")).collect();
    let args = ReplayArgs { from: PathBuf::new(), policy: policy.map(Into::into), settings, limit: 3, json: false };
    replay(&args, facts.map(|fact| fact.map_err(|error| error.to_string()))).expect("it can be replayed")
}

#[test]
fn every_policy_decides_the_same_again_from_what_is_written() {
    let scenario = unruly();
    for policy in NAMES {
        let run = recorded(&scenario, policy);
        let report = asked(&run, None, &[]);
        assert!(report.is_identical(), "{policy}: {:#?}", report.first);
        assert!(report.recorded >= 60 && report.same == report.recorded, "{policy}: {report:?}");
        assert_eq!(report.facts, run.log.len() as u64);
    }
}

#[test]
fn the_run_has_what_makes_replays_hard() {
    let summary = recorded(&unruly(), "adaptive").summary;
    assert!(summary.lost_attempts > 0 && summary.migrations > 0, "{summary:?}");
}

#[test]
fn every_score_recomputes_from_what_is_written_to_the_last_bit() {
    let run = recorded(&unruly(), "adaptive");
    let (mut decisions, mut moves, mut shared) = (0, 0, 0);
    for fact in &run.log {
        let text = serde_json::to_string(&**fact).expect("a fact can be written");
        let back: Fact = serde_json::from_str(&text).expect("and read");
        assert_eq!(back, **fact);
        let decision = match &back.what {
            What::AttemptLeased { decision, decided_with, .. } => {
                shared += u32::from(decided_with.is_some());
                decision
            }
            What::Migration { decision, predicted_gain_s, .. } => {
                let decision = decision.as_ref().expect("a move is weighed against staying");
                assert!((decision.gain - predicted_gain_s).abs() < 1e-6, "{fact:?}");
                assert!(decision.stays.is_some());
                moves += 1;
                &Some(decision.clone())
            }
            What::Preemption { decision, .. } => decision,
            _ => continue,
        };
        let Some(decision) = decision else { continue };
        decisions += 1;
        assert!(recomputes(decision), "{decision:?}");
        assert!((1..=8).contains(&decision.candidates.len()) && decision.weighed as usize >= decision.candidates.len());
        let mut other = (**decision).clone();
        other.candidates[0].seconds *= 1.0 + 1e-12;
        other.candidates[0].cost *= 1.0 + 1e-12;
        assert!(!recomputes(&other) || (other.candidates[0].seconds, other.candidates[0].cost) == (0.0, 0.0));
    }
    assert!(decisions > 30 && moves > 0, "{decisions} decisions, {moves} moves, {shared} that share one");
}

#[test]
fn a_move_is_judged_when_its_task_passes() {
    let run = recorded(&unruly(), "adaptive");
    let mut promised = 0;
    for fact in &run.log {
        if let What::MigrationJudged { task, predicted_gain_s, realised_gain_s } = &fact.what {
            let newest = run.log.iter().rev().find_map(|fact| match &fact.what {
                What::Migration { task: moved, predicted_gain_s, decision, .. } if moved == task => {
                    Some((fact.at, *predicted_gain_s, decision.clone()?.stays.clone()?.seconds))
                }
                _ => None,
            });
            let (at, predicted, stays_s) = newest.expect("it was moved");
            assert_eq!(*predicted_gain_s, predicted);
            assert_eq!(*realised_gain_s, stays_s - fact.at.since(at).as_secs_f64());
            promised += 1;
        }
    }
    assert!(promised > 0);
}

#[test]
fn another_table_decides_otherwise_where_it_matters() {
    let run = recorded(&unruly(), "adaptive");
    let report = asked(&run, None, &["enable_task_migration=false"]);
    assert!(report.different > 0 && report.first.len() <= 3, "{report:?}");
    let moved = |choice: &coordinator_core::replay::Choice| choice.gain_and_cost_s.is_some();
    assert!(report.first.iter().any(|difference| difference.recorded.as_ref().is_some_and(moved)), "{:?}", report.first);
}

#[test]
fn another_policy_is_asked_at_every_plan() {
    let run = recorded(&unruly(), "adaptive");
    let (same, other) = (asked(&run, None, &[]), asked(&run, Some("round_robin"), &[]));
    assert_eq!(other.plans, same.plans);
    assert!(other.different > 0, "{other:?}");
}

#[test]
fn a_record_that_was_changed_does_not_pass() {
    let mut run = recorded(&unruly(), "fifo");
    let planned = run.log.iter().rposition(|fact| matches!(fact.what, What::Planned { moves, .. } if moves > 0));
    let decision = planned.expect("something was decided") + 1;
    let mut changed = (*run.log[decision]).clone();
    let What::AttemptLeased { why, .. } = &mut changed.what else { panic!("fifo only leases: {changed:?}") };
    *why = "something else".into();
    run.log[decision] = changed.into();
    assert!(!asked(&run, None, &[]).is_identical());
}
