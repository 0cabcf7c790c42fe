//! Fills one chunk after another from units, the longest first.

use super::Planned;
use super::unit::Unit;
use crate::discover::TestSuite;
use shared::task::{Chunk, TestCase};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A chunk may be this much larger than planned when that saves a cut.
const SLACK: f64 = 1.1;

/// How large chunks become.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// A chunk takes one of this many equal shares of what is left.
    pub shares: f64,
    /// Seconds below which a chunk is not worth its costs.
    pub floor_s: f64,
    /// Most tests of a chunk.
    pub tests_max: usize,
    /// Most bytes of a chunk.
    pub bytes_max: usize,
}

/// The chunk being filled.
#[derive(Debug, Default)]
struct Open {
    tests: Vec<usize>,
    targets: BTreeSet<u32>,
    seconds: f64,
    bytes: usize,
}

/// See the module.
pub struct Cutter<'a> {
    suite: &'a TestSuite,
    seconds: &'a [f64],
    sizes: Sizes,
    test_bytes: Vec<usize>,
    target_bytes: Vec<usize>,
    left: f64,
    open: Open,
    chunks: Vec<Planned>,
}

impl<'a> Cutter<'a> {
    /// A cutter for `suite`, whose tests take `seconds` each.
    pub fn new(suite: &'a TestSuite, seconds: &'a [f64], mut sizes: Sizes) -> Self {
        let bytes = |value: Result<String, serde_json::Error>| value.map_or(0, |text| text.len());
        // Every chunk carries the command.
        sizes.bytes_max = sizes.bytes_max.saturating_sub(bytes(serde_json::to_string(&suite.argv)));
        Self {
            suite,
            seconds,
            sizes,
            test_bytes: suite.tests.iter().map(|test| bytes(serde_json::to_string(&test.case)) + 1).collect(),
            target_bytes: suite.targets.iter().map(|target| bytes(serde_json::to_string(target)) + 1).collect(),
            left: seconds.iter().sum(),
            open: Open::default(),
            chunks: Vec::new(),
        }
    }

    /// The chunks that hold all of `units`.
    pub fn cut(mut self, units: Vec<Unit>) -> Vec<Planned> {
        let mut heap = BinaryHeap::from(units);
        while let Some(unit) = heap.pop() {
            let budget = (self.left / self.sizes.shares).max(self.sizes.floor_s);
            let room = SLACK * budget - self.open.seconds;
            let fitting = self.fitting(&unit, room);
            if fitting == unit.tests.len() {
                self.add(unit);
            } else if !self.open.tests.is_empty() && (!unit.divisible || self.open.seconds >= budget / 2.0) {
                self.close();
                heap.push(unit);
                continue;
            } else if unit.divisible {
                let (front, rest) = unit.split(fitting.max(1), self.seconds);
                self.add(front);
                self.close();
                heap.extend(rest);
                continue;
            } else {
                self.add(unit);
            }
            if self.open.seconds >= budget {
                self.close();
            }
        }
        self.close();
        self.chunks
    }

    /// How many of the unit's first tests fit into the open chunk.
    fn fitting(&self, unit: &Unit, room_s: f64) -> usize {
        let (mut seconds, mut bytes) = (0.0, self.open.bytes);
        let mut target = None;
        for (count, at) in unit.tests.iter().enumerate() {
            let needs = self.suite.tests[*at].case.target;
            if let Some(index) = needs.filter(|index| needs != target && !self.open.targets.contains(index)) {
                bytes += self.target_bytes[index as usize];
                target = needs;
            }
            seconds += self.seconds[*at];
            bytes += self.test_bytes[*at];
            let tests = self.open.tests.len() + count + 1;
            if seconds > room_s || bytes > self.sizes.bytes_max || tests > self.sizes.tests_max {
                return count;
            }
        }
        unit.tests.len()
    }

    fn add(&mut self, unit: Unit) {
        for at in &unit.tests {
            self.open.bytes += self.test_bytes[*at];
            if let Some(index) = self.suite.tests[*at].case.target
                && self.open.targets.insert(index)
            {
                self.open.bytes += self.target_bytes[index as usize];
            }
        }
        self.open.seconds += unit.seconds;
        self.open.tests.extend(unit.tests);
    }

    fn close(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        if open.tests.is_empty() {
            return;
        }
        self.left = (self.left - open.seconds).max(0.0);
        // The framework's order is the one in which tests are known to pass.
        open.tests.sort_unstable();
        let position: BTreeMap<u32, u32> = open.targets.into_iter().zip(0..).collect();
        let tests = open.tests.iter().map(|at| {
            let case = &self.suite.tests[*at].case;
            TestCase { name: case.name.clone(), target: case.target.map(|index| position[&index]) }
        });
        let chunk = Chunk {
            framework: self.suite.framework,
            argv: self.suite.argv.clone(),
            targets: position.keys().map(|index| self.suite.targets[*index as usize].clone()).collect(),
            tests: tests.collect(),
            junit: None,
        };
        self.chunks.push(Planned { chunk, estimate_s: open.seconds, tests: open.tests });
    }
}
