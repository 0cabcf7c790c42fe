//! What is asked for, and what an attempt of it really does: drawn from the seed and the attempt alone, so that whatever the
//! farm does with it, the truth about it is known.

use super::chance::Chance;
use shared::id::Attempt;
use shared::outcome::{Ended, Failure, Outcome, TestOutcome, TestResult};
use shared::task::{Chunk, Framework, TaskSpec, TestCase, Timeouts, Work};
use std::time::Duration;

/// The kind of tasks that do as they are told.
pub const STEADY: &str = "steady";

/// Something an attempt does.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Its process begins.
    Begin,
    /// It prints so many bytes.
    Print(u64),
    /// A test of it ends.
    Test(TestResult),
    /// It takes the power of its machine with it.
    Poison,
    /// It ends by itself.
    Exit(Outcome),
}

/// What an attempt does when it is told to save its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Save {
    /// It saves and stops.
    Saves,
    /// The order ends it, and nothing is saved.
    Dies,
    /// It goes on.
    Ignores,
}

/// What an attempt does when nobody interferes, and what when someone does.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// Its steps, each with how long after the one before.
    pub steps: Vec<(Duration, Step)>,
    /// How long it takes to end after SIGTERM; none where it ignores it.
    pub term: Option<Duration>,
    /// How long its processes take to be gone after SIGKILL.
    pub kill: Duration,
    /// What it does when it is told to save its state, and how long that takes.
    pub save: Save,
    /// See `save`.
    pub saves: Duration,
    /// How long the whole of its task takes.
    pub whole: Duration,
    /// Whether its files cannot be fetched where it is to go on from a state.
    pub cannot_restore: bool,
}

/// A task, by the number of its submission.
pub fn spec(seed: u64, number: u64) -> TaskSpec {
    let chance = &mut Chance::of(seed, "task", [number, 0]);
    let kind = match chance.below(100) {
        0..30 => "quick",
        30..60 => "long",
        60..70 => "suite",
        70..75 => "noop",
        75..82 => "failing",
        82..86 => "broken",
        86..90 => "hanging",
        90..93 => "silent",
        93..96 => "slow setup",
        96..99 => "impatient",
        _ => "poison",
    };
    let work = match kind {
        "noop" => Work::Noop,
        "suite" => {
            let case = |at: usize| TestCase { name: format!("t{at}"), target: None };
            let tests = (0..1 + chance.below(5)).map(case).collect();
            Work::Tests(Chunk { framework: Framework::Pytest, argv: vec!["pytest".into()], targets: vec![], tests, junit: None })
        }
        _ => Work::Command(vec![kind.into()]),
    };
    let mut spec = TaskSpec { kind: kind.into(), ..TaskSpec::new(format!("{kind} {number}"), work) };
    spec.checkpointable = kind == "long" && chance.hits(0.7);
    spec.retries = chance.below(3) as u8;
    spec.timeouts = match kind {
        "hanging" => Timeouts { run_s: Some(20.0), ..Timeouts::default() },
        "silent" => Timeouts { silence_s: Some(15.0), ..Timeouts::default() },
        "slow setup" => Timeouts { setup_s: Some(10.0), ..Timeouts::default() },
        "impatient" => Timeouts { queue_s: Some(chance.span(2.0, 60.0).as_secs_f64()), ..Timeouts::default() },
        _ => Timeouts::default(),
    };
    spec
}

impl Fate {
    /// What this attempt of this task does when so much of its work is done already, 0 to 1.
    pub fn of(seed: u64, attempt: Attempt, spec: &TaskSpec, done: f64) -> Self {
        let chance = &mut Chance::of(seed, "fate", [attempt.task.0, attempt.number.0]);
        if spec.kind == STEADY {
            return Self::steady(done);
        }
        let set_up = if spec.kind == "slow setup" && chance.hits(0.7) { 30.0 } else { chance.span(0.01, 2.0).as_secs_f64() };
        let mut steps = vec![(Duration::from_secs_f64(set_up), Step::Begin)];
        let work = match spec.kind.as_str() {
            // A task takes as long as it takes, whichever attempt it is.
            "long" => Chance::of(seed, "work", [attempt.task.0, 0]).span(20.0, 400.0),
            "hanging" | "silent" => Duration::from_secs(3600),
            _ => chance.span(0.05, 20.0),
        };
        let whole = work;
        let work = work.mul_f64(1.0 - done);
        match &spec.work {
            Work::Tests(chunk) => {
                let share = work / chunk.tests.len() as u32;
                for index in 0..chunk.tests.len() as u32 {
                    steps.push((share, Step::Test(a_test(chance, index))));
                }
                // The end follows from the results, and is decided there.
                steps.push((share, Step::Exit(Outcome::bare(Ended::Passed))));
            }
            Work::Command(_) | Work::Noop => {
                steps.push((work / 3, Step::Print(1 + chance.below(300) as u64)));
                steps.push((work / 3, Step::Print(1 + chance.below(300) as u64)));
                let is_poison = spec.kind == "poison" && chance.hits(0.9);
                steps.push((work / 3, if is_poison { Step::Poison } else { Step::Exit(an_end(chance, spec)) }));
            }
        }
        Self {
            steps,
            term: chance.hits(0.8).then(|| chance.span(0.01, 3.0)),
            kill: if chance.hits(0.05) { chance.span(1.0, 5.0) } else { chance.span(0.001, 0.1) },
            save: *chance.pick(&[Save::Saves, Save::Saves, Save::Saves, Save::Saves, Save::Saves, Save::Dies, Save::Ignores]),
            saves: chance.span(0.01, 40.0),
            whole,
            cannot_restore: chance.hits(0.1),
        }
    }
}

impl Fate {
    /// Two minutes of work that saves its state in two seconds when it is told to.
    fn steady(done: f64) -> Self {
        let whole = Duration::from_secs(120);
        let exit = Step::Exit(Outcome { exit_code: Some(0), run_s: 120.0, ..Outcome::bare(Ended::Passed) });
        let steps = vec![(Duration::from_millis(500), Step::Begin), (whole.mul_f64(1.0 - done), exit)];
        let (term, kill) = (Some(Duration::from_millis(50)), Duration::from_millis(10));
        let saves = Duration::from_secs(2);
        Self { steps, term, kill, save: Save::Saves, saves, whole, cannot_restore: false }
    }
}

fn a_test(chance: &mut Chance, index: u32) -> TestResult {
    let outcome = if chance.hits(0.1) { TestOutcome::Failed } else { TestOutcome::Passed };
    TestResult { index, name: None, outcome, seconds: 0.1, message: None }
}

fn an_end(chance: &mut Chance, spec: &TaskSpec) -> Outcome {
    let (ended, exit_code) = match spec.kind.as_str() {
        "failing" if chance.hits(0.6) => (Ended::Failed(Failure::Test), Some(1)),
        "broken" if chance.hits(0.7) => (Ended::Failed(Failure::Infra), None),
        _ => (Ended::Passed, Some(0)),
    };
    Outcome { exit_code, run_s: 1.0, ..Outcome::bare(ended) }
}

/// What an attempt prints at this place.
pub fn content(attempt: Attempt, at: u64) -> u8 {
    (attempt.task.0 ^ attempt.number.0 ^ (at * 31)) as u8
}
