//! A policy that proposes anything at all, sensible or not: whatever a policy says, the coordinator stays right.

use super::chance::Chance;
use coordinator_core::fleet::WorkerIndex;
use coordinator_core::ledger::State;
use coordinator_core::plan::{Move, Plan, Policy, View};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Wild {
    chance: Chance,
    why: Arc<str>,
}

impl Wild {
    /// One that draws from `chance`.
    pub fn new(chance: Chance) -> Self {
        Self { chance, why: "wild".into() }
    }

    fn any_move(&mut self, task: TaskId, to: WorkerIndex) -> Move {
        let (why, decision, hardware) = (self.why.clone(), None, HardwareKind::Cpu);
        match self.chance.below(10) {
            0..3 => Move::Preempt { task, why, decision },
            3..8 => Move::Migrate { task, to, hardware, gain_s: 1.0, cost_s: 1.0, why, decision },
            _ => Move::Hedge { task, to, hardware, why, decision },
        }
    }
}

impl Policy for Wild {
    fn name(&self) -> &'static str {
        "wild"
    }

    fn plan(&mut self, view: &mut View<'_>) -> Plan {
        let workers = view.fleet().iter().count();
        let mut moves = Vec::new();
        if workers == 0 {
            return Plan { moves, again: None };
        }
        let waiting: Vec<TaskId> = view.groups().flat_map(|(_, tasks)| tasks).collect();
        for task in waiting {
            let to = WorkerIndex(self.chance.below(workers) as u32);
            let hardware = if self.chance.hits(0.02) { HardwareKind::Cuda } else { HardwareKind::Cpu };
            moves.push(Move::Lease { task, to, hardware, why: self.why.clone(), decision: None });
        }
        let with_attempts = view.ledger().iter().rev().filter(|(_, task)| matches!(task.state, State::Running(_)));
        let running: Vec<TaskId> = with_attempts.map(|(id, _)| id).collect();
        for task in running {
            if self.chance.hits(0.05) {
                let to = WorkerIndex(self.chance.below(workers) as u32);
                moves.push(self.any_move(task, to));
            }
        }
        Plan { moves, again: Some(view.now() + Duration::from_secs(10)) }
    }
}
