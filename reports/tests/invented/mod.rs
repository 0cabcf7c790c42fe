//! An invented run that looks like a real one: unlike machines, a lost worker, a migration, failures and flaky tests.
//! Nothing here was measured.

use shared::fact::{Fact, LoadForecast, StandstillEnd, StopReason, What};
use shared::hardware::{Device, HardwareKind, Inventory, Load, Power, ProbeLevel};
use shared::id::{AttemptNumber, ClusterId, Epoch, Session, TaskId, WorkerId};
use shared::outcome::{Failure, TestOutcome, Usage, Verdict};
use shared::task::{Chunk, Framework, TaskSpec, Work};
use shared::time::Time;
use std::sync::Arc;

/// How large, and what its tests are called.
pub struct Shape {
    pub tasks: u64,
    pub workers: u32,
    pub name: String,
}

impl Default for Shape {
    fn default() -> Self {
        Self { tasks: 160, workers: 6, name: "tests/integration/test_scheduler.py::TestBackpressure::test_case".into() }
    }
}

struct Worker {
    name: Arc<str>,
    speed: f64,
    free_from: Vec<f64>,
}

struct Run {
    facts: Vec<Fact>,
    chance: u64,
    workers: Vec<Worker>,
    name: String,
}

/// The facts, in order of time.
pub fn facts(shape: Shape) -> Vec<Fact> {
    let workers = (0..shape.workers)
        .map(|n| Worker {
            name: if n % 3 == 2 { format!("gpu-lab-{}", n / 3 + 1) } else { format!("rack-{}", n - n / 3 + 1) }.into(),
            speed: [1.0, 0.7, 2.2][n as usize % 3],
            free_from: vec![1.0; [4, 2, 3][n as usize % 3]],
        })
        .collect();
    let mut run = Run { facts: Vec::new(), chance: 42, workers, name: shape.name };
    run.fleet();
    for task in 1..=shape.tasks {
        run.task(task);
    }
    run.samples();
    // A stable order: what was said first of the same moment stays first.
    run.facts.sort_by_key(|fact| fact.at);
    run.facts
}

impl Run {
    fn add(&mut self, seconds: f64, what: What) {
        self.facts.push(Fact { at: Time((seconds * 1e6) as u64), what });
    }

    /// From 0 to 1, the same in every run.
    fn random(&mut self) -> f64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 40) as f64 / (1u64 << 24) as f64
    }

    fn fleet(&mut self) {
        let (cluster, version) = (ClusterId([0x5e; 16]), "0.1.0".to_owned());
        self.add(0.0, What::CoordinatorStarted { cluster, epoch: Epoch(1), wall_ms: 1_795_000_000_000, version });
        for n in 0..self.workers.len() {
            let (worker, slots) = (self.workers[n].name.clone(), self.workers[n].free_from.len() as u32);
            let (id, session) = (WorkerId([n as u8; 16]), Session(n as u64));
            self.add(0.5, What::WorkerJoined { worker: worker.clone(), id, session });
            // One of three has no sensors and says nothing of what it draws.
            let power = (n % 3 != 0).then_some(Power { idle_w: 40.0, busy_w: 220.0 });
            let throttle_c = (n % 3 == 1).then_some(70.0);
            let devices = vec![Device { throttle_c, ..Device::of_kind(HardwareKind::Cpu, ProbeLevel::Executed) }];
            let inventory = Inventory { slots, cores: slots, power, devices, ..Inventory::default() };
            self.add(0.5, What::WorkerDescribed { worker, inventory });
        }
    }

    fn task(&mut self, task: u64) {
        let submitted = 1.0 + (task / 40) as f64 * 4.0;
        let tests = 3;
        let (argv, framework) = (vec!["pytest".into()], Framework::Pytest);
        let work = Work::Tests(Chunk { framework, argv, targets: vec![], tests: vec![], junit: None });
        let spec = TaskSpec {
            kind: format!("chunk-{}", task % 5),
            retries: 1,
            checkpointable: true,
            owner: Some(["ann", "bob"][task as usize % 2].into()),
            ..TaskSpec::new(format!("{} chunk {task}", self.name), work)
        };
        self.add(submitted, What::TaskQueued { task: TaskId(task), spec: spec.into(), key: None });
        let seconds = 0.8 + 14.0 * self.random().powi(3);
        // The first passes and the second moves, however few there are.
        let fate = match task {
            1 => 0.5,
            2 => 0.07,
            _ => self.random(),
        };
        let mut ordinal = 1;
        let mut ready = submitted;
        let mut progress = 0.0;
        if fate < 0.04 {
            // Its machine breaks half way, and it begins again.
            (ready, _) = self.attempt((task, ordinal), ready, (0.0, 0.5), seconds, (StopReason::Lost, Some(Failure::Lost)));
            self.add(ready, What::TaskRequeued { task: TaskId(task), why: Some(Failure::Lost) });
            ordinal += 1;
        } else if fate < 0.1 {
            (ready, _) = self.attempt((task, ordinal), ready, (0.0, 0.6), seconds, (StopReason::Migrated, None));
            self.moved((task, ordinal), ready, seconds);
            (ordinal, progress) = (ordinal + 1, 0.6);
        } else if fate < 0.16 {
            let failed = (StopReason::Finished, Some(Failure::Test));
            let from;
            (ready, from) = self.attempt((task, ordinal), ready, (0.0, 1.0), seconds, failed);
            self.tests((task, ordinal), (from, ready), tests, true);
            self.add(ready, What::TaskRequeued { task: TaskId(task), why: Some(Failure::Test) });
            ordinal += 1;
        }
        let fails = fate > 0.975;
        let failure = fails.then_some(Failure::Test);
        let (end, from) = self.attempt((task, ordinal), ready, (progress, 1.0), seconds, (StopReason::Finished, failure));
        self.tests((task, ordinal), (from, end), tests, fails);
        if progress > 0.0 {
            let (task, predicted_gain_s) = (TaskId(task), 0.3 * seconds);
            let realised_gain_s = predicted_gain_s * (3.0 * self.random() - 1.0);
            self.add(end, What::MigrationJudged { task, predicted_gain_s, realised_gain_s });
        }
        let verdict = if fails { Verdict::Failed } else { Verdict::Passed };
        self.add(end, What::TaskFinished { task: TaskId(task), attempt: Some(number(ordinal)), verdict, failure });
    }

    /// Runs an attempt on the slot that is free first, and tells when it ended and started.
    fn attempt(
        &mut self,
        (task, ordinal): (u64, u32),
        ready: f64,
        (progress_from, progress_to): (f64, f64),
        seconds: f64,
        (reason, failure): (StopReason, Option<Failure>),
    ) -> (f64, f64) {
        let slots = self.workers.iter().enumerate().flat_map(|(w, worker)| (0..worker.free_from.len()).map(move |s| (w, s)));
        let best = slots.min_by(|a, b| self.workers[a.0].free_from[a.1].total_cmp(&self.workers[b.0].free_from[b.1]));
        let (w, s) = best.expect("a fleet has slots");
        let start = self.workers[w].free_from[s].max(ready) + 0.02;
        let run_s = seconds * (progress_to - progress_from) / self.workers[w].speed;
        let end = start + run_s;
        self.workers[w].free_from[s] = end;
        let worker = self.workers[w].name.clone();
        let (task, attempt) = (TaskId(task), number(ordinal));
        let hardware = HardwareKind::Cpu;
        self.add(
            start - 0.01,
            What::AttemptLeased {
                task,
                attempt,
                worker: worker.clone(),
                hardware: HardwareKind::Cpu,
                device: None,
                hedge: false,
                why: "free first".into(),
                decision: None,
                decided_with: None,
            },
        );
        self.add(start, What::AttemptStarted { task, attempt, worker: worker.clone(), hardware, progress: progress_from });
        let what = What::AttemptStopped {
            task,
            attempt,
            worker,
            reason,
            progress: progress_to,
            failure,
            exit_code: None,
            signal: None,
            message: failure.map(|failure| format!("{failure}: see the log")),
            setup_s: 0.01,
            run_s,
            usage: Usage::default(),
            log_bytes: 2000,
        };
        self.add(end, what);
        (end, start)
    }

    /// The order that stopped an attempt, and that it was followed.
    fn moved(&mut self, (task, ordinal): (u64, u32), stopped: f64, seconds: f64) {
        let (task, attempt) = (TaskId(task), number(ordinal));
        let Some(from) = self.facts.iter().rev().find_map(|fact| match &fact.what {
            What::AttemptStopped { task: of, worker, .. } if *of == task => Some(worker.clone()),
            _ => None,
        }) else {
            return;
        };
        let to = self.workers[(task.0 as usize + 1) % self.workers.len()].name.clone();
        let (hardware, why) = (HardwareKind::Cpu, "it ends sooner there".into());
        let (predicted_gain_s, cost_s) = (0.3 * seconds, 0.2 + 3.0 * self.random().powi(3));
        let migration = What::Migration { task, attempt, from, to, hardware, why, predicted_gain_s, cost_s, decision: None };
        self.add(stopped - 0.05, migration);
        self.add(stopped, What::StandstillEnded { task, attempt, end: StandstillEnd::Followed, why: "it moved".into() });
    }

    fn tests(&mut self, (task, ordinal): (u64, u32), (from, to): (f64, f64), tests: u32, fails: bool) {
        for index in 0..tests {
            let outcome = match (index, fails) {
                (1, true) => TestOutcome::Failed,
                (2, _) if task % 11 == 0 => TestOutcome::Skipped,
                _ => TestOutcome::Passed,
            };
            let message = (!outcome.is_green()).then(|| {
                format!("    def {}():\n>       assert queue.depth() <= limit\nE       assert 1025 <= 1024\n\ntest_scheduler.py:{task}: AssertionError", self.name)
            });
            let at = from + (to - from) * f64::from(index + 1) / f64::from(tests);
            let test = format!("{}[{}-{index}]", self.name, task % 50).into();
            let (task, attempt, seconds) = (TaskId(task), number(ordinal), (to - from) / f64::from(tests));
            self.add(at, What::TestFinished { task, attempt, index, test, outcome, seconds, message });
        }
    }

    /// The balancer looks every two seconds; its thresholds follow the load a little. One worker has a thermometer, and one
    /// of the others a meter.
    fn samples(&mut self) {
        let end = self.workers.iter().flat_map(|worker| worker.free_from.iter().copied()).fold(0.0, f64::max);
        let looks = ((end / 2.0) as u32).min(2000);
        for look in 0..looks {
            let share = f64::from(look) / f64::from(looks.max(1));
            let load = if share < 0.8 { 0.92 - 0.1 * self.random() } else { (1.0 - share) * 4.0 };
            let (high, low) = (0.85 - 0.05 * share, 0.2 + 0.04 * share);
            let imbalance = 0.1 + 0.3 * share * self.random();
            let workers = self.workers.len() as u32;
            let foreseen = (load + 0.1 * self.random() - 0.05).min(1.0);
            let (window_s, imbalance_then) = (6.0, imbalance);
            let bounds = ((foreseen - 0.08).max(0.0), (foreseen + 0.08).min(1.0));
            let forecast = LoadForecast {
                window_s,
                load: foreseen,
                low: bounds.0,
                high: bounds.1,
                confidence: 0.84,
                imbalance: imbalance_then,
            };
            let (forecast, accuracy) = (Some(forecast), (look > 3).then_some(0.9));
            self.add(1.0 + share * end, What::LoadSampled { load, imbalance, high, low, workers, forecast, accuracy });
            for n in 0..self.workers.len() {
                let temperature_c = (n % 3 == 1).then_some(35.0 + 50.0 * share.min(0.8) * load);
                let power_w = (n % 3 == 2).then_some(60.0 + 200.0 * load);
                let load = Load { temperature_c, power_w, ..Load::default() };
                let (worker, slots) = (self.workers[n].name.clone(), self.workers[n].free_from.len() as u32);
                self.add(1.0 + share * end, What::WorkerSampled { worker, load, busy_slots: slots, slots });
            }
        }
    }
}

fn number(ordinal: u32) -> AttemptNumber {
    AttemptNumber::new(Epoch(1), ordinal)
}
