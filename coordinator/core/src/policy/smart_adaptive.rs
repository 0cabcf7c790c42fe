//! F59 and F60: the worker on which a learned predictor expects the task to be over first.
//!
//! The predictor is a linear regression of the logarithm of how long the worker takes to answer, from the order to start to the
//! end, on what was known when the worker was chosen: what such tasks took on that hardware, tasks per slot that wait, processor
//! and memory in use as the worker measures them, and the size of the request (the tests of its chunk). What a worker does
//! not tell is left out; the published hour of the day and complexity do not exist here (the core knows no clock on the
//! wall). It learns from every task that ends well, one at a time (recursive least squares, which is ridge regression computed
//! as the data come: Ljung, *System Identification*, chapter 11), and begins at "as long as its kind took". To what it says
//! the wait for the work that is before the task there is added. The target is the published `minimize_latency`.

use super::push::{Arrival, Choose, Desk, Ended, Push, Sight};
use crate::fleet::WorkerIndex;
use crate::ledger::Task;
use crate::plan::View;
use shared::id::TaskId;
use std::collections::BTreeMap;

/// The policy.
pub(super) type SmartAdaptive = Push<Predictor>;

const FEATURES: usize = 6;
type Features = [f64; FEATURES];

/// What is believed before anything was seen: one, what such tasks took, tasks that wait, processor, memory, size.
const AT_FIRST: Features = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
/// How sure of that: the variance of each weight beside that of one observation.
const VARIANCE: f64 = 1.0;

/// See the module.
#[derive(Debug)]
pub(super) struct Predictor {
    weights: Features,
    covariance: [Features; FEATURES],
    /// What was known when each task that is not over was given its worker, and which.
    chosen: BTreeMap<TaskId, (Features, WorkerIndex)>,
}

impl Default for Predictor {
    fn default() -> Self {
        let mut covariance = [[0.0; FEATURES]; FEATURES];
        (0..FEATURES).for_each(|at| covariance[at][at] = VARIANCE);
        Self { weights: AT_FIRST, covariance, chosen: BTreeMap::new() }
    }
}

impl Choose for Predictor {
    const NAME: &'static str = "smart_adaptive";
    const SIGHT: Sight = Sight::Informed;

    fn choose(&mut self, desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, candidates: &[WorkerIndex]) -> WorkerIndex {
        let mut best: Option<(WorkerIndex, Features, f64)> = None;
        for worker in candidates {
            let features = features(desk, arrival, *worker);
            let predicted = desk.wait_s(*worker) + dot(&self.weights, &features).exp();
            if best.as_ref().is_none_or(|(_, _, least)| predicted < *least) {
                best = Some((*worker, features, predicted));
            }
        }
        let (worker, features, _) = best.expect("there is a candidate");
        self.chosen.insert(arrival.id, (features, worker));
        worker
    }

    fn saw_end(&mut self, _view: &View<'_>, id: TaskId, task: &Task) {
        let Some((features, worker)) = self.chosen.remove(&id) else { return };
        let Some(ended) = Ended::of(task).filter(|ended| ended.is_good && ended.worker == worker) else { return };
        self.learn(&features, ended.response_s.max(1e-3).ln());
    }
}

impl Predictor {
    fn learn(&mut self, features: &Features, actual: f64) {
        let spread: Features = std::array::from_fn(|row| dot(&self.covariance[row], features));
        let scale = 1.0 + dot(&spread, features);
        let error = actual - dot(&self.weights, features);
        for (weight, spread) in self.weights.iter_mut().zip(spread) {
            *weight += spread / scale * error;
        }
        for row in 0..FEATURES {
            for column in 0..FEATURES {
                self.covariance[row][column] -= spread[row] * spread[column] / scale;
            }
        }
    }
}

fn features(desk: &mut Desk<'_, '_>, arrival: &Arrival<'_>, worker: WorkerIndex) -> Features {
    let own_s = desk.own_s(arrival, worker).max(1e-3);
    let before = desk.queue_length(worker) / desk.slots(worker);
    let measured = &desk.view.fleet().get(worker).load;
    let size = arrival.task.tests() as f64;
    [1.0, own_s.ln(), before.ln_1p(), measured.cpu.unwrap_or(0.0), measured.memory.unwrap_or(0.0), size.ln_1p()]
}

fn dot(a: &Features, b: &Features) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_predictor_learns_that_a_busy_processor_makes_tasks_longer() {
        let mut predictor = Predictor::default();
        for at in 0..400 {
            let cpu = f64::from(at % 10) / 10.0;
            let own = 1.0 + f64::from(at % 7);
            predictor.learn(&[1.0, own, 0.0, cpu, 0.0, 0.0], own + 2.0 * cpu);
        }
        let at = |cpu| dot(&predictor.weights, &[1.0, 3.0, 0.0, cpu, 0.0, 0.0]);
        assert!((at(0.9) - at(0.1) - 1.6).abs() < 0.1, "{:?}", predictor.weights);
        assert_eq!(predictor.weights[2], AT_FIRST[2], "what was never seen stays as it was believed");
    }
}
