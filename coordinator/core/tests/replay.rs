//! A run of two lives is decided again from its facts alone, whatever happened between the plans.

mod common;

use common::{Bench, failed, machine, passed, spec};
use coordinator_core::replay::{Question, Replay, ReplayError, Report};
use coordinator_core::{Command, ConnectionId, Event, policy};
use shared::fact::{Admission, Fact, What};
use shared::hardware::Load;
use shared::id::{Attempt, TaskId};
use shared::outcome::Failure;
use shared::protocol::{FromWorker, Heartbeat};
use shared::task::TaskSpec;
use std::sync::Arc;
use std::time::Duration;

fn replayed(facts: &[Arc<Fact>], question: Question) -> Result<Report, ReplayError> {
    let mut replay = Replay::new(question)?;
    for fact in facts {
        let text = serde_json::to_string(&**fact).expect("a fact can be written");
        replay.take(&serde_json::from_str(&text).expect("and read"))?;
    }
    Ok(replay.finish())
}

fn beat(bench: &mut Bench, connection: u64, load: Load) {
    let fleet = &bench.coordinator.state().fleet;
    let Some(worker) = fleet.by_connection(ConnectionId(connection)) else { return };
    let heartbeat = Heartbeat { number: 1, load: load.into(), holds: fleet.get(worker).digest() };
    bench.say(connection, FromWorker::Heartbeat(heartbeat));
}

/// Work comes, starts and ends, while loads that are kept and loads that are not are told, one worker is drained, one is used
/// by others, one falls silent and speaks again, and one goes.
fn live(bench: &mut Bench, first: u64) {
    for connection in first..first + 4 {
        let name = char::from(b'a' + (connection - first) as u8).to_string();
        bench.join(&name, connection, machine(if name == "b" { 64 } else { 2 }), &[], vec![]);
    }
    for round in 0..12u64 {
        let tasks = (0..3).map(|at| TaskSpec { kind: format!("kind-{}", at % 2), checkpointable: true, ..spec("work") });
        bench.submit(tasks.collect());
        // The last one is silent for a while.
        let is_silent = |connection: u64| connection == first + 3 && (3..9).contains(&round);
        let given: Vec<(u64, Attempt)> =
            bench.starts().into_iter().map(|(to, start)| (to, start.attempt)).filter(|(to, _)| !is_silent(*to)).collect();
        given.iter().for_each(|(to, attempt)| bench.say(*to, FromWorker::Started { attempt: *attempt }));
        bench.wait(Duration::from_secs(2 + round % 3));
        for (to, attempt) in given.into_iter().filter(|(_, attempt)| attempt.task.0 % 4 != 0) {
            let outcome = if attempt.task.0 % 11 == 0 { failed(Failure::Infra) } else { passed() };
            bench.say(to, FromWorker::Finished { attempt, outcome });
        }
        let odd = |connection: u64| (round * 7 + connection * 3) % 10;
        for connection in first..first + 4 {
            if !is_silent(connection) {
                let cpu = if connection == first + 1 && round > 6 { 0.99 } else { odd(connection) as f64 / 33.0 };
                let speed = (connection == first && round == 5).then_some(0.5);
                beat(bench, connection, Load { cpu: Some(cpu), speed, ..Load::default() });
            }
        }
        match round {
            4 => drop(bench.order(Command::Admit("c".into(), Admission::Draining))),
            8 => drop(bench.order(Command::Rebalance)),
            10 => bench.step(Event::Disconnected { connection: ConnectionId(first + 2), why: "cut".into() }),
            _ => {}
        }
    }
}

#[test]
fn two_lives_are_decided_again_by_every_policy() {
    for name in policy::NAMES {
        let mut one = Bench::new(name);
        live(&mut one, 1);
        let mut two = Bench::replayed(name, &one.facts, one.now);
        live(&mut two, 11);
        assert_eq!(two.verdict(TaskId(1)), Some("passed"));
        let told = |wanted: fn(&What) -> bool| two.facts.iter().filter(|fact| wanted(&fact.what)).count();
        assert!(told(|what| matches!(what, What::WorkerSuspected { .. })) > 0, "{name}: nobody fell silent");
        assert!(told(|what| matches!(what, What::WorkerHeldBack { .. })) > 0, "{name}: nobody was used by others");
        let report = replayed(&two.facts, Question { limit: 2, ..Question::default() }).expect("it is whole");
        assert!(report.is_identical() && report.recorded > 20, "{name}: {report:#?}");
    }
}

#[test]
fn a_plan_whose_decisions_are_missing_is_noticed() {
    let mut bench = Bench::new("fifo");
    live(&mut bench, 1);
    let mut facts = bench.facts;
    let decided = facts.iter().position(|fact| matches!(fact.what, What::AttemptLeased { .. })).expect("something was");
    facts.remove(decided);
    assert!(matches!(replayed(&facts, Question::default()), Err(ReplayError::Broken { .. })));
    let unknown = Question { policy: Some("best".into()), ..Question::default() };
    assert!(matches!(replayed(&facts, unknown), Err(ReplayError::UnknownPolicy(_))));
}
