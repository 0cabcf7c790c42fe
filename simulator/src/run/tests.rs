//! What machines do when they are told so from outside of a run, and what the coordinator is not told.

use super::*;
use serde_json::Value;
use shared::id::{AttemptNumber, Epoch, TaskId};
use std::time::Duration;

const WORKERS: &str = "name = \"t\"\nseed = 1\nhorizon_s = 1000\ntasks = \"tasks.csv\"\n\
    [network]\nlatency_ms = 1\nstate_mb_per_s = 10\n\
    [[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\n\
    [[worker]]\nid = \"b\"\nhardware = [\"cuda\"]\nslots = 1\njoins_s = 10\nspeed = { cuda = 2.0 }\n";

fn scenario(checkpointable: bool) -> Scenario {
    scenario_of(checkpointable, "100,50")
}

fn scenario_of(checkpointable: bool, seconds: &str) -> Scenario {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, WORKERS).expect("written");
    let rows = format!("id,state_mb,checkpointable,cpu_s,cuda_s\nt,100,{checkpointable},{seconds}\n");
    std::fs::write(folder.path().join("tasks.csv"), rows).expect("written");
    Scenario::load(&path).expect("a good scenario")
}

/// Runs it with something that happens from outside.
fn play(scenario: &Scenario, happenings: Vec<(u64, Happening)>) -> Vec<Value> {
    let options = Options { policy: "fifo".into(), ..Options::default() };
    let settings = options.settings().expect("no settings");
    let policy = policy::by_name("fifo").expect("a policy");
    let coordinator = Coordinator::new(settings.config.clone(), policy);
    let mut simulation = Simulation::new(scenario, coordinator, &settings, 1).expect("a good scenario");
    for (at, happening) in happenings {
        simulation.world.clockwork.set(Time::ZERO + Duration::from_secs(at), happening);
    }
    simulation.go().expect("the invariants hold");
    let names = export::Names::new(scenario, &simulation.world.order, "fifo", 1, "history");
    let lines = export::lines(&simulation.world.journal, &names);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn only<'a>(facts: &'a [Value], fact: &str, attempt: u32) -> &'a Value {
    let found: Vec<&Value> = facts.iter().filter(|line| line["fact"] == fact && line["attempt"] == attempt).collect();
    assert_eq!(found.len(), 1, "{fact} of attempt {attempt}: {found:?}");
    found[0]
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().expect("a number")
}

/// Messages take a millisecond, and a plan waits some twenty for workers that come together.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.05
}

fn first() -> Attempt {
    Attempt { task: TaskId(1), number: AttemptNumber::new(Epoch(1), 1) }
}

#[test]
fn a_moved_task_keeps_its_progress_when_its_state_has_travelled() {
    let order = Happening::Order(Command::Migrate(TaskId(1), "b".into()));
    let facts = play(&scenario(true), vec![(40, order)]);
    let stop = only(&facts, "attempt_stopped", 1);
    assert_eq!((&stop["reason"], near(number(stop, "t"), 40.0)), (&"migrated".into(), true), "{stop}");
    let start = only(&facts, "attempt_started", 2);
    assert_eq!((&start["worker"], &start["hardware"]), (&"b".into(), &"cuda".into()));
    assert!(near(number(start, "progress"), 0.4) && number(start, "t") >= number(stop, "t") + 10.0, "{start}");
    let end = only(&facts, "attempt_stopped", 2);
    assert!(near(number(end, "t"), number(start, "t") + 0.6 * 50.0 / 2.0), "{end}");
    assert_eq!(end["reason"], "finished");
}

#[test]
fn a_state_that_is_saved_and_not_wanted_costs_nothing() {
    let save = FromCoordinator::Checkpoint { attempt: first(), deadline_ms: 5_000 };
    let facts = play(&scenario(true), vec![(40, Happening::Told(ConnectionId(1), save))]);
    let stop = only(&facts, "attempt_stopped", 1);
    assert_eq!(stop["reason"], "finished");
    assert!(near(number(stop, "t"), 100.0), "{stop}");
}

#[test]
fn a_task_that_cannot_save_its_state_goes_on() {
    let save = FromCoordinator::Checkpoint { attempt: first(), deadline_ms: 5_000 };
    let facts = play(&scenario(false), vec![(40, Happening::Told(ConnectionId(1), save))]);
    assert!(near(number(only(&facts, "attempt_stopped", 1), "t"), 100.0));
}

#[test]
fn a_cancelled_task_stops_at_once() {
    let facts = play(&scenario(true), vec![(40, Happening::Order(Command::Cancel(TaskId(1))))]);
    let stop = only(&facts, "attempt_stopped", 1);
    assert_eq!(stop["reason"], "cancelled");
    assert!(near(number(stop, "t"), 40.0) && near(number(stop, "progress"), 0.4));
    assert_eq!(only(&facts, "task_finished", 1)["verdict"], "cancelled");
}

#[test]
fn a_machine_whose_socket_was_closed_comes_back_with_what_it_runs() {
    let closed = vec![(40, Happening::Lost(ConnectionId(1), "a test")), (40, Happening::Closed(ConnectionId(1)))];
    let facts = play(&scenario(true), closed);
    assert!(near(number(only(&facts, "attempt_stopped", 1), "t"), 100.0));
    let joined = facts.iter().filter(|line| line["fact"] == "worker_joined" && line["worker"] == "a").count();
    assert_eq!(joined, 2);
}

#[test]
fn the_specification_of_a_task_does_not_hold_its_true_times() {
    let spec = |seconds| {
        let scenario = scenario_of(true, seconds);
        specs::spec(&scenario.tasks[0], crate::options::Estimates::History).expect("a good task")
    };
    assert_eq!(spec("100,50"), spec("7,3"));
    assert_ne!(spec("100,50"), spec("100,"), "on which hardware it can run is known");
}
