//! Troubles at a chosen moment: every phase of a move (section 4.7 of the reliability design) beside every trouble, and a death
//! of the coordinator around every commit.

use super::center::{Death, DeathPhase, DeathPoint, Input};
use super::clients::Request;
use super::farm::Farm;
use super::network::Hostility;
use super::setting::Setting;
use super::tasks::STEADY;
use super::trace::Trace;
use super::witness::Violation;
use coordinator_core::{Command, NewTask};
use shared::id::{Attempt, TaskId};
use shared::outcome::Verdict;
use shared::task::{TaskSpec, Work};
use std::sync::Arc;
use std::time::Duration;

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// M0, M1: the order is on disk, and the attempt runs.
    Ordered,
    /// M2: the attempt stands still; its state is on its way.
    Stands,
    /// M3: that its state is saved is on disk.
    Saved,
    /// M4: its processes are gone; that it ended is not on disk yet.
    Gone,
    /// M5: the next attempt is given to the target, on disk, and has not begun.
    Given,
    /// M6: the next attempt runs.
    Runs,
}

/// What happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The daemon of the source is killed, and comes back after five seconds.
    SourceDaemonDies,
    /// The machine of the source loses its power for a minute.
    SourceHostDies,
    /// The machine of the target loses its power for a minute.
    TargetDies,
    /// The coordinator is killed, and comes back after a second.
    CoordinatorDies,
    /// Nothing passes between the source and the coordinator for a minute.
    Partition,
    /// States are neither taken nor given for two minutes.
    StoreFails,
    /// The task ends by itself.
    TaskEnds,
    /// Someone cancels the task.
    Cancelled,
    /// Every frame is told twice, and many are held back, for a minute.
    Repeated,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Phase; 6] = [Phase::Ordered, Phase::Stands, Phase::Saved, Phase::Gone, Phase::Given, Phase::Runs];
}

impl Blow {
    /// All of them.
    pub const ALL: [Blow; 9] = [
        Blow::SourceDaemonDies,
        Blow::SourceHostDies,
        Blow::TargetDies,
        Blow::CoordinatorDies,
        Blow::Partition,
        Blow::StoreFails,
        Blow::TaskEnds,
        Blow::Cancelled,
        Blow::Repeated,
    ];

    /// Why this cannot happen in that phase, where it cannot.
    pub fn impossible_in(self, phase: Phase) -> Option<&'static str> {
        match (self, phase) {
            (Blow::TaskEnds, Phase::Stands | Phase::Saved) => Some("the process has ended to save its state: it does no work"),
            (Blow::TaskEnds, Phase::Gone | Phase::Given) => Some("no attempt of the task runs"),
            (Blow::StoreFails, Phase::Saved | Phase::Runs) => Some("no state is on its way"),
            _ => None,
        }
    }
}

/// What came of one cell.
#[derive(Debug)]
pub struct Ended {
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The verdict on the task.
    pub verdict: Option<Verdict>,
    /// Attempts of it that were begun.
    pub begun: usize,
}

/// A farm of three workers of one slot, and the tasks that were given to it.
struct Bench {
    farm: Farm,
    submitted: u64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let setting = Setting { slots: vec![1; 3], ..Setting::calm(seed, 3) };
        let mut farm = Farm::new(setting, Trace::default());
        farm.start();
        let mut bench = Self { farm, submitted: 0 };
        bench.wait(10.0);
        bench
    }

    fn wait(&mut self, seconds: f64) {
        let until = self.farm.around.now + Duration::from_secs_f64(seconds);
        self.farm.run_until(until);
    }

    fn submit(&mut self) -> TaskId {
        let number = self.submitted;
        self.submitted += 1;
        let work = Work::Command(vec!["steady".into()]);
        let spec = TaskSpec { checkpointable: true, kind: STEADY.into(), ..TaskSpec::new(format!("steady {number}"), work) };
        let task = NewTask { spec: Arc::new(spec), key: Some(format!("k{number}").into()) };
        let request = Request::one(number);
        // Who hears nothing asks again.
        for _ in 0..10 {
            self.farm.ask(Input::Submit(request, vec![task.clone()]));
            let until = self.farm.around.now + Duration::from_secs(5);
            if self.farm.run_until_so(until, |farm| farm.around.witness.is_answered(request)) {
                break;
            }
        }
        TaskId(number + 1)
    }

    /// Waits until it is so, at most two minutes.
    fn until(&mut self, is_so: impl FnMut(&Farm) -> bool) -> bool {
        let until = self.farm.around.now + Duration::from_secs(120);
        self.farm.run_until_so(until, is_so)
    }

    /// The newest attempt of a task, once it runs.
    fn running(&mut self, task: TaskId) -> Option<Attempt> {
        let is_begun = self.until(|farm| farm.around.witness.history.newest(task).is_some_and(|(_, is_started, _)| is_started));
        let (number, _, _) = self.farm.around.witness.history.newest(task)?;
        is_begun.then_some(Attempt { task, number })
    }

    fn holder(&self, attempt: Attempt) -> Option<usize> {
        self.farm.stations.iter().position(|station| station.holds(attempt))
    }

    /// Lets the move go on until it is so far.
    fn reach(&mut self, phase: Phase, moved: Attempt, source: usize) -> bool {
        let task = moved.task;
        self.until(|farm| {
            let history = &farm.around.witness.history;
            let (is_ordered, is_saved) = history.moving(task);
            let newest = history.newest(task);
            let next = newest.filter(|(number, _, _)| *number > moved.number);
            match phase {
                Phase::Ordered => is_ordered,
                Phase::Stands => farm.stations[source].runner.stands(moved) && !is_saved,
                Phase::Saved => is_saved && !history.has_stopped(moved),
                Phase::Gone => is_saved && !farm.stations[source].runner.stands(moved) && next.is_none(),
                Phase::Given => next.is_some_and(|(_, has_started, _)| !has_started),
                Phase::Runs => next.is_some_and(|(_, has_started, _)| has_started),
            }
        })
    }

    fn strike(&mut self, blow: Blow, task: TaskId, source: usize, target: usize) {
        let now = self.farm.around.now;
        let minute = now + Duration::from_secs(60);
        match blow {
            Blow::SourceDaemonDies => {
                self.farm.kill_station(source, Death::Killed);
                self.wait(5.0);
            }
            Blow::SourceHostDies | Blow::TargetDies => {
                let at = if blow == Blow::TargetDies { target } else { source };
                self.farm.kill_station(at, Death::PowerLost);
                self.wait(60.0);
            }
            Blow::CoordinatorDies => {
                self.farm.center.die(&mut self.farm.around, Death::Killed);
                self.wait(1.0);
            }
            Blow::Partition => {
                self.farm.around.network.hold(source, true, true, minute);
                self.wait(60.0);
            }
            Blow::StoreFails => {
                self.farm.around.is_store_down = true;
                self.wait(120.0);
            }
            Blow::TaskEnds => {
                for station in &mut self.farm.stations {
                    station.runner.finish_task(&mut self.farm.around, task);
                }
            }
            Blow::Cancelled => self.farm.ask(Input::Operate(Command::Cancel(task))),
            Blow::Repeated => {
                self.farm.around.network.hostility = Hostility { drop: 0.0, double: 0.7, delay: 0.3 };
                self.wait(60.0);
            }
        }
    }

    fn ended(mut self, task: TaskId) -> Ended {
        if self.farm.around.witness.violation.is_none() {
            self.farm.heal();
            self.farm.settle();
        }
        let witness = &self.farm.around.witness;
        let begun = witness.begun_of(task);
        Ended { verdict: witness.history.verdict(task), begun, violation: witness.violation.clone() }
    }
}

/// Drives a move to a phase and strikes there.
///
/// # Errors
/// The move does not come so far.
pub fn strike(phase: Phase, blow: Blow, seed: u64) -> Result<Ended, String> {
    let mut bench = Bench::new(seed);
    let task = bench.submit();
    let moved = bench.running(task).ok_or("the task does not begin")?;
    let source = bench.holder(moved).ok_or("no worker holds the task")?;
    let target = (source + 1) % 3;
    bench.farm.ask(Input::Operate(Command::Migrate(task, format!("w{target}"))));
    if !bench.reach(phase, moved, source) {
        return Err(format!("the move does not come to {phase:?}"));
    }
    bench.strike(blow, task, source, target);
    Ok(bench.ended(task))
}

/// Runs a few tasks through, with a move and a cancellation, and lets the coordinator die once; how many commits there were.
fn through(seed: u64, dies: Option<DeathPoint>) -> (Ended, u64) {
    let mut bench = Bench::new(seed);
    let from = bench.farm.center.commits;
    bench.farm.center.dies = dies;
    let (first, second) = (bench.submit(), bench.submit());
    bench.wait(20.0);
    bench.farm.ask(Input::Operate(Command::Migrate(first, "w2".into())));
    bench.wait(20.0);
    bench.farm.ask(Input::Operate(Command::Cancel(second)));
    bench.wait(200.0);
    let commits = bench.farm.center.commits - from;
    (bench.ended(first), commits)
}

/// Lets the coordinator die around each commit of a run with a move and a cancellation: before it is written, before anyone
/// hears of it, after the first effect, after all of them. How often it died, and what did not hold.
pub fn die_around_each_commit(seed: u64) -> (u64, Vec<(DeathPointName, Ended)>) {
    let (_, commits) = through(seed, None);
    let mut wrong = Vec::new();
    let phases = [
        ("before it is written", DeathPhase::BeforeWrite),
        ("before anyone hears of it", DeathPhase::AfterWrite),
        ("after the first effect", DeathPhase::AfterEffects(1)),
        ("after all effects", DeathPhase::AfterEffects(usize::MAX)),
    ];
    for after in 0..commits {
        for (name, at) in phases {
            let (ended, _) = through(seed, Some(DeathPoint { after, at }));
            if ended.violation.is_some() || ended.verdict != Some(Verdict::Passed) {
                wrong.push((DeathPointName { commit: after, at: name }, ended));
            }
        }
    }
    (commits * phases.len() as u64, wrong)
}

/// Where the coordinator died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeathPointName {
    /// Around which commit.
    pub commit: u64,
    /// When.
    pub at: &'static str,
}
