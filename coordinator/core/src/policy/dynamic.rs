//! F61: the rule that suits the moment. Processors busy above 0.8 on average: `resource_aware`. Else, when workers take more
//! than 200 ms to begin what they are given: `latency_based`. Else, when tasks use more than 0.8 of their budget:
//! `cost_aware`. Else `smart_adaptive`. All four learn all the time, whichever decides.
//!
//! Processors: what workers measure; where none does, the share of slots in use. Latency is taken to be that of the way to
//! the worker and its set-up: tasks that run for minutes would otherwise always be above 200 ms.

use super::cost_aware::{BUDGET, BestValue, cost_of};
use super::latency_based::Latencies;
use super::push::{Arrival, Choose, Desk, Ended, Means, Push, Sight};
use super::resource_aware::Headroom;
use super::smart_adaptive::Predictor;
use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::View;
use shared::id::TaskId;

/// The policy.
pub(super) type Dynamic = Push<Switch>;

const PROCESSORS_BUSY: f64 = 0.8;
const LATENCY_LONG_S: f64 = 0.2;
const BUDGET_USED: f64 = 0.8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Switch {
    resource_aware: Headroom,
    latency_based: Latencies,
    cost_aware: BestValue,
    smart_adaptive: Predictor,
    /// Seconds until what was given to a worker ran.
    latency: Means<()>,
    /// What tasks cost.
    spent: Means<()>,
}

impl Choose for Switch {
    const NAME: &'static str = "dynamic";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        if processors(desk, candidates) > PROCESSORS_BUSY {
            self.resource_aware.choose(desk, arrival, candidates)
        } else if self.latency.all().is_some_and(|seconds| seconds > LATENCY_LONG_S) {
            self.latency_based.choose(desk, arrival, candidates)
        } else if self.spent.all().is_some_and(|cost| cost / BUDGET > BUDGET_USED) {
            self.cost_aware.choose(desk, arrival, candidates)
        } else {
            self.smart_adaptive.choose(desk, arrival, candidates)
        }
    }

    fn saw_end(&mut self, view: &View<'_>, id: TaskId, task: &Task) {
        self.latency_based.saw_end(view, id, task);
        self.smart_adaptive.saw_end(view, id, task);
        let Some(ended) = Ended::of(task) else { return };
        if let Some(seconds) = ended.latency_s {
            self.latency.saw((), seconds);
        }
        if let (Some(an_hour), Some(seconds)) = (cost_of(view, ended.worker), ended.run_s) {
            self.spent.saw((), an_hour * seconds / 3600.0);
        }
    }
}

/// How busy processors are on average, 0 to 1.
fn processors(desk: &Desk<'_, '_>, candidates: &[WorkerIndex]) -> f64 {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let measured: Vec<f64> = candidates.iter().filter_map(|worker| desk.view.fleet().get(*worker).load.cpu).collect();
    if measured.is_empty() { mean(candidates.iter().map(|worker| desk.load(*worker).min(1.0)).collect()) } else { mean(measured) }
}
