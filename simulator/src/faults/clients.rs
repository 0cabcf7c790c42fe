//! Who asks: submitters, who repeat what was not answered, and an operator.

use super::around::{Around, Happening};
use super::chance::Chance;
use super::tasks;
use coordinator_core::{Command, NewTask};
use shared::fact::{Admission, Known};
use shared::hardware::{HardwareKind, Load};
use shared::id::TaskId;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How long a submitter waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Some tasks that are submitted together, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    first: u64,
    count: u64,
}

/// What was asked, for who reads the answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Tasks were submitted.
    Submit(Request),
    /// An order was given.
    Order(Command),
}

/// See the module.
#[derive(Debug)]
pub struct Clients {
    chance: Chance,
    submitted: u64,
}

impl Request {
    /// A submission of one task.
    pub fn one(number: u64) -> Self {
        Self { first: number, count: 1 }
    }

    /// The numbers of its tasks.
    pub fn numbers(self) -> Range<u64> {
        self.first..self.first + self.count
    }

    /// Its tasks; the same, however often it is repeated.
    pub fn tasks(self, seed: u64) -> Vec<NewTask> {
        let task = |number: u64| NewTask { spec: Arc::new(tasks::spec(seed, number)), key: Some(format!("k{number}").into()) };
        self.numbers().map(task).collect()
    }
}

impl Clients {
    /// Callers that have not asked yet.
    pub fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed, "clients"), submitted: 0 }
    }

    /// The next submission.
    pub fn submit(&mut self) -> Request {
        let count = if self.chance.hits(0.1) { 12 } else { 1 + self.chance.below(3) as u64 };
        let request = Request { first: self.submitted, count };
        self.submitted += count;
        request
    }

    /// Sees to it that a submission is repeated until it is answered.
    pub fn expect_answer(&self, around: &mut Around, request: Request) {
        around.clockwork.set(around.now + PATIENCE, Happening::Repeat(request));
    }

    /// The next order, about one of these tasks or workers.
    pub fn order(&mut self, open: &[TaskId], known: usize, workers: usize) -> Command {
        let chance = &mut self.chance;
        let any_task = TaskId(1 + chance.below(known.max(1)) as u64);
        let task = if open.is_empty() || chance.hits(0.1) { any_task } else { *chance.pick(open) };
        let worker = format!("w{}", chance.below(workers));
        match chance.below(100) {
            0..25 => Command::Cancel(task),
            25..45 => Command::Migrate(task, worker),
            45..55 => Command::Admit(worker, Admission::Cordoned),
            55..65 => Command::Admit(worker, Admission::Draining),
            65..85 => Command::Admit(worker, Admission::Open),
            85..90 => Command::Rebalance,
            90..93 => Command::UsePolicy((*chance.pick(&["adaptive", "fifo", "seed_v1", "work_stealing"])).into()),
            93..97 => Command::Measured(worker, Box::new(Load { cpu: Some(chance.share()), ..Load::default() })),
            _ => {
                let (kind, hardware) = ("long".into(), HardwareKind::Cpu);
                Command::Learn(vec![Known { kind, hardware, seconds: 60.0 + 100.0 * chance.share(), times: 3 }])
            }
        }
    }
}
