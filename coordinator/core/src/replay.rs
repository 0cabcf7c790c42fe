//! A recorded run, driven through the same code again: at every plan the policy is asked once more, on the state that the facts
//! before it make, and what it decides is held against what was decided then.
//!
//! A plan is a function of the facts before it, the time, the published table and what the policy remembers of its plans
//! before; so the same policy decides the same, bit for bit. Another policy, or another table, says at each plan what it would
//! have done there; what follows is still what was recorded.

use crate::adaptive::evacuate::evacuate;
use crate::adaptive::threshold::Limits;
use crate::decision::Decisions;
use crate::plan::{self, Balance, Move, Policy, View};
use crate::policy;
use crate::state::State;
use serde::Serialize;
use shared::config::BalancerConfig;
use shared::fact::{Decision, Fact, What};
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use shared::time::Time;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is to be asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Another policy than the recorded one.
    pub policy: Option<String>,
    /// How many differences are kept; all are counted.
    pub limit: usize,
}

/// What a policy does with one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The task.
    pub task: TaskId,
    /// What is done with it.
    pub action: Action,
    /// Where it goes; absent where it goes nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<Arc<str>>,
    /// The hardware it is to use there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareKind>,
    /// The rule that chose it.
    pub why: Arc<str>,
    /// Seconds it is expected to gain, and to cost, where it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_and_cost_s: Option<(f64, f64)>,
    /// What was weighed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Arc<Decision>>,
}

/// What is done with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is begun.
    Lease,
    /// It is begun a second time.
    Hedge,
    /// It moves with its state.
    Migrate,
    /// It is set aside.
    Preempt,
}

/// A task with which the two do not do the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// When.
    #[serde(rename = "t")]
    pub at: Time,
    /// The task.
    pub task: TaskId,
    /// What was done with it; absent where nothing was.
    pub recorded: Option<Choice>,
    /// What is decided now; absent where nothing is.
    pub now: Option<Choice>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Facts that were read.
    pub facts: u64,
    /// Plans that were made again.
    pub plans: u64,
    /// Decisions that were recorded with them.
    pub recorded: u64,
    /// Decisions that are the same now.
    pub same: u64,
    /// Tasks with which the two do not do the same, over all plans.
    pub different: u64,
    /// Plans with the same decisions in another order.
    pub reordered: u64,
    /// The first differences.
    pub first: Vec<Difference>,
}

/// Why a run cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No policy has this name.
    #[error("no policy is called `{0}`; there are {names}", names = policy::NAMES.join(", "))]
    UnknownPolicy(String),
    /// The record is not whole.
    #[error("the plan made {at_s} s into the run is followed by another fact than its decisions: the record is not whole")]
    Broken {
        /// When.
        at_s: f64,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Replay {
    question: Question,
    state: State,
    balancer: BalancerConfig,
    /// Another table than the recorded one.
    instead: Option<BalancerConfig>,
    policy: Option<Box<dyn Policy>>,
    plan: Option<Pending>,
    report: Report,
}

/// A plan some of whose recorded decisions are still to come.
#[derive(Debug)]
struct Pending {
    at: Time,
    left: u32,
    own: VecDeque<Move>,
    /// Once the two differ: what is decided now from there on, and what was decided then.
    parted: Option<(Vec<Choice>, Vec<Choice>)>,
}

impl Report {
    /// Whether the same was decided throughout.
    pub fn is_identical(&self) -> bool {
        self.different == 0 && self.reordered == 0
    }
}

impl Replay {
    /// Begins one.
    ///
    /// # Errors
    /// There is no such policy.
    pub fn new(question: Question) -> Result<Self, ReplayError> {
        if let Some(name) = question.policy.as_deref().filter(|name| policy::by_name(name).is_none()) {
            return Err(ReplayError::UnknownPolicy(name.into()));
        }
        let (state, report) = (State::default(), Report::default());
        let balancer = BalancerConfig::default();
        Ok(Self { question, state, balancer, instead: None, policy: None, plan: None, report })
    }

    /// Asks with this table from now on, whatever was recorded.
    pub fn use_table(&mut self, balancer: BalancerConfig) {
        self.instead = Some(balancer);
    }

    /// Takes the next fact of the run.
    ///
    /// # Errors
    /// The run cannot be replayed.
    pub fn take(&mut self, fact: &Fact) -> Result<(), ReplayError> {
        self.report.facts += 1;
        match &fact.what {
            // The policy of a life begins knowing nothing, and so does one that is chosen later.
            What::CoordinatorStarted { .. } => {
                self.plan = None;
                self.policy = None;
            }
            What::PolicyChosen { .. } => self.policy = None,
            What::BalancerConfigured { balancer } => self.balancer = self.instead.unwrap_or(*balancer),
            _ => {}
        }
        if let Some(pending) = self.plan.take() {
            let Some(recorded) = recorded(fact, &self.state.decisions) else {
                return Err(ReplayError::Broken { at_s: pending.at.seconds() });
            };
            self.compare(pending, recorded, fact);
            return Ok(());
        }
        self.state.apply(fact);
        if let What::Planned { policy, moves, high, low, uneven, ordered } = &fact.what {
            let limits = Limits { high: *high, low: *low };
            self.ask(fact.at, policy, *moves, Balance { limits, uneven: *uneven, ordered: *ordered })?;
        }
        Ok(())
    }

    /// What came of it. Of a plan whose decisions the record does not hold to the end only those count that it holds.
    pub fn finish(self) -> Report {
        self.report
    }

    fn ask(&mut self, at: Time, name: &str, left: u32, balance: Balance) -> Result<(), ReplayError> {
        let name = self.question.policy.as_deref().unwrap_or(name);
        if self.policy.as_ref().is_none_or(|policy| policy.name() != name) {
            let fresh = policy::by_name(name).ok_or_else(|| ReplayError::UnknownPolicy(name.into()))?;
            self.policy = Some(fresh);
        }
        let policy = self.policy.as_mut().expect("it was just made where there was none");
        let mut view = View::new(at, &self.balancer, balance, &mut self.state);
        let mut own = evacuate(&mut view);
        own.extend(policy.plan(&mut view).moves);
        self.report.plans += 1;
        self.report.recorded += u64::from(left);
        let pending = Pending { at, left, own: own.into(), parted: None };
        self.go_on(pending);
        Ok(())
    }

    /// Holds one recorded decision against the next of now, and lets what was recorded happen.
    fn compare(&mut self, mut pending: Pending, recorded: Choice, fact: &Fact) {
        pending.left -= 1;
        if let Some((_, then)) = &mut pending.parted {
            then.push(recorded);
        } else {
            match self.next(&mut pending.own) {
                Some(now) if self.is_same(&recorded, &now) => self.report.same += 1,
                now => {
                    let mut rest: Vec<Choice> = now.into_iter().collect();
                    rest.extend(self.rest(&mut pending.own));
                    pending.parted = Some((rest, vec![recorded]));
                }
            }
        }
        self.state.apply(fact);
        self.go_on(pending);
    }

    fn go_on(&mut self, mut pending: Pending) {
        if pending.left > 0 {
            self.plan = Some(pending);
            return;
        }
        let (mut now, then) = match pending.parted.take() {
            Some(parted) => parted,
            None => (self.rest(&mut pending.own), Vec::new()),
        };
        let different = self.report.different;
        let is_parted = !then.is_empty();
        for recorded in then {
            let other = now.iter().position(|choice| choice.task == recorded.task).map(|at| now.remove(at));
            match other {
                Some(other) if self.is_same(&recorded, &other) => self.report.same += 1,
                other => self.differ(pending.at, Some(recorded), other),
            }
        }
        now.into_iter().for_each(|choice| self.differ(pending.at, None, Some(choice)));
        self.report.reordered += u64::from(is_parted && different == self.report.different);
    }

    fn differ(&mut self, at: Time, recorded: Option<Choice>, now: Option<Choice>) {
        self.report.different += 1;
        if self.report.first.len() < self.question.limit {
            let task = recorded.as_ref().or(now.as_ref()).expect("one of them does something").task;
            self.report.first.push(Difference { at, task, recorded, now });
        }
    }

    /// The same policy gives the same reasons and figures; another one agrees where it does the same.
    fn is_same(&self, recorded: &Choice, now: &Choice) -> bool {
        let is_strict = self.question.policy.is_none() && self.instead.is_none();
        let place = |choice: &Choice| (choice.task, choice.action, choice.worker.clone(), choice.hardware);
        let bits = |choice: &Choice| choice.gain_and_cost_s.map(|(gain, cost)| (gain.to_bits(), cost.to_bits()));
        place(recorded) == place(now)
            && (!is_strict || (recorded.why == now.why && bits(recorded) == bits(now) && recorded.decision == now.decision))
    }

    /// The next move that may happen.
    fn next(&self, own: &mut VecDeque<Move>) -> Option<Choice> {
        let may_happen =
            |proposed: &Move| plan::check(&self.state, proposed).is_ok() && self.state.permits(&self.balancer, proposed);
        std::iter::from_fn(|| own.pop_front()).find(may_happen).map(|proposed| self.choice(proposed))
    }

    fn rest(&self, own: &mut VecDeque<Move>) -> Vec<Choice> {
        std::iter::from_fn(|| self.next(own)).collect()
    }

    fn choice(&self, proposed: Move) -> Choice {
        let name = |worker| Some(self.state.fleet.get(worker).name.clone());
        let (task, action, worker, hardware, why, gain_and_cost_s, decision) = match proposed {
            Move::Lease { task, to, hardware, why, decision } => {
                (task, Action::Lease, name(to), Some(hardware), why, None, decision)
            }
            Move::Hedge { task, to, hardware, why, decision } => {
                (task, Action::Hedge, name(to), Some(hardware), why, None, decision)
            }
            Move::Preempt { task, why, decision } => (task, Action::Preempt, None, None, why, None, decision),
            Move::Migrate { task, to, hardware, gain_s, cost_s, why, decision } => {
                (task, Action::Migrate, name(to), Some(hardware), why, Some((gain_s, cost_s)), decision)
            }
        };
        Choice { task, action, worker, hardware, why, gain_and_cost_s, decision }
    }
}

/// The decision a fact tells of, where it tells of one.
fn recorded(fact: &Fact, decisions: &Decisions) -> Option<Choice> {
    let choice = match &fact.what {
        What::AttemptLeased { task, worker, hardware, hedge, why, decision, decided_with, .. } => Choice {
            task: *task,
            action: if *hedge { Action::Hedge } else { Action::Lease },
            worker: Some(worker.clone()),
            hardware: Some(*hardware),
            why: why.clone(),
            gain_and_cost_s: None,
            decision: decision.clone().or_else(|| decisions.newest((*decided_with)?)),
        },
        What::Migration { task, to, hardware, why, predicted_gain_s, cost_s, decision, .. } => Choice {
            task: *task,
            action: Action::Migrate,
            worker: Some(to.clone()),
            hardware: Some(*hardware),
            why: why.clone(),
            gain_and_cost_s: Some((*predicted_gain_s, *cost_s)),
            decision: decision.clone(),
        },
        What::Preemption { task, why, decision, .. } => {
            let (why, decision) = (why.clone(), decision.clone());
            Choice { task: *task, action: Action::Preempt, worker: None, hardware: None, why, gain_and_cost_s: None, decision }
        }
        _ => return None,
    };
    Some(choice)
}
