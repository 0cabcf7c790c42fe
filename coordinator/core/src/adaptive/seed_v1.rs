//! The published balancer's formulas, exactly, for policy `seed_v1` (F6, F87, F97 to F99, F105 to F107). Each is a pure
//! function; the weaknesses are part of it, because it is what the default policy is measured against.
//!
//! Where the publication gives a term only its range, the scale is ours and is said so.

use super::imbalance::{SPREAD_NOW, SPREAD_PREDICTED, Spread};
use super::line::Line;
use super::threshold::Limits;
use shared::hardware::{HardwareKind, HardwareProfile};

/// A prediction below this confidence is not acted on (F99).
pub const CONFIDENCE_MIN: f64 = 0.7;
/// The state that costs the whole point of the term for its size, in bytes: 1 GiB. The scale is ours.
const STATE_BYTES_FULL: f64 = 1_073_741_824.0;

/// A task that could be moved from one worker to another. What is not known adds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Candidate {
    /// For how long it has run, in seconds.
    pub running_s: f64,
    /// 1 to 10, higher is more urgent.
    pub priority: u8,
    /// What moving tasks like it cost on average, 0 to 10.
    pub historical_cost: Option<f64>,
    /// What has to be carried over, in bytes.
    pub state_bytes: Option<u64>,
    /// Utilization of where it runs, 0 to 1.
    pub utilization_source: f64,
    /// Utilization of where it could run, 0 to 1.
    pub utilization_target: f64,
    /// How many kinds of hardware that it can use the target has more than the source.
    pub matching_hardware: u32,
    /// The share of the target's memory that would still be free, 0 to 1.
    pub memory_margin: Option<f64>,
    /// Energy efficiency of the target less that of the source, −1 to 1.
    pub energy_gain: Option<f64>,
    /// The share of moves of tasks like it that went well, 0 to 1.
    pub success: Option<f64>,
}

/// What a move costs and brings, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// 0 to 10.
    pub cost: f64,
    /// At least 0.
    pub benefit: f64,
}

/// A predicted utilization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// 0 to 1.
    pub value: f64,
    /// R² × min(1, n ÷ 10), 0 to 1.
    pub confidence: f64,
}

impl Candidate {
    /// 2 + min(3, running ÷ 40 s) + min(2, priority ÷ 2) + min(2, historical cost) + the size of its state up to 1; 0 to 10.
    pub fn cost(&self) -> f64 {
        let history = self.historical_cost.map_or(0.0, |cost| cost.clamp(0.0, 2.0));
        let state = self.state_bytes.map_or(0.0, |bytes| (bytes as f64 / STATE_BYTES_FULL).min(1.0));
        let running = (self.running_s.max(0.0) / 40.0).min(3.0);
        2.0 + running + (f64::from(self.priority) / 2.0).min(2.0) + history + state
    }

    /// 10 · what the target is less busy + 2 per kind of hardware + twice the memory margin (the scale is ours) + 3 · the
    /// gain in energy efficiency + the share of success; at least 0.
    pub fn benefit(&self) -> f64 {
        let relief = 10.0 * (self.utilization_source - self.utilization_target).max(0.0);
        let hardware = 2.0 * f64::from(self.matching_hardware);
        let memory = self.memory_margin.map_or(0.0, |margin| 2.0 * margin.clamp(0.0, 1.0));
        let energy = self.energy_gain.map_or(0.0, |gain| 3.0 * gain.max(0.0));
        relief + hardware + memory + energy + self.success.map_or(0.0, |share| share.clamp(0.0, 1.0))
    }

    /// Both.
    pub fn weigh(&self) -> Verdict {
        Verdict { cost: self.cost(), benefit: self.benefit() }
    }
}

impl Verdict {
    /// Benefit − cost.
    pub fn net(&self) -> f64 {
        self.benefit - self.cost
    }
}

/// The moves worth more than they cost, as indices into `candidates`, best net first, of equal ones the first; no more than
/// `room`.
pub fn choose(candidates: &[Candidate], room: usize) -> Vec<(usize, Verdict)> {
    let weighed = candidates.iter().map(Candidate::weigh).enumerate();
    let mut worth: Vec<(usize, Verdict)> = weighed.filter(|(_, verdict)| verdict.net() > 0.0).collect();
    worth.sort_by(|a, b| b.1.net().total_cmp(&a.1.net()));
    worth.truncate(room);
    worth
}

/// A worker's utilization: the mean over processor, memory and devices, as far as they are known. This form exists only here.
pub fn utilization(cpu: Option<f64>, memory: Option<f64>, gpu: Option<f64>) -> Option<f64> {
    let known: Vec<f64> = [cpu, memory, gpu].into_iter().flatten().collect();
    if known.is_empty() { None } else { Some(known.iter().sum::<f64>() / known.len() as f64) }
}

/// The utilization at `at_s`, by the line through points of (seconds, utilization); none from fewer than three.
pub fn predict(points: &[(f64, f64)], at_s: f64) -> Option<Prediction> {
    if points.len() < 3 {
        return None;
    }
    let line = Line::through(points)?;
    let confidence = line.r_squared * (points.len() as f64 / 10.0).min(1.0);
    Some(Prediction { value: line.at(at_s).clamp(0.0, 1.0), confidence })
}

/// Whether a prediction is acted on.
pub fn is_trusted(prediction: &Prediction) -> bool {
    prediction.confidence >= CONFIDENCE_MIN
}

/// Whether the workers' utilizations are imbalanced now.
pub fn is_imbalanced(utilizations: &[f64], limits: Limits) -> bool {
    Spread::of(utilizations).is_some_and(|spread| spread.is_uneven(limits, SPREAD_NOW))
}

/// Whether the workers' predicted utilizations are, by the stricter limits (F102).
pub fn will_be_imbalanced(predictions: &[f64], limits: Limits) -> bool {
    Spread::of(predictions).is_some_and(|spread| spread.is_uneven(limits.tightened(), SPREAD_PREDICTED))
}

/// The profile of a CUDA device by its compute capability: faster and hungrier from 8.0 on; otherwise, and where it is not
/// known, the published one of CUDA (F6).
pub fn cuda_profile(compute_capability: Option<f64>) -> HardwareProfile {
    match compute_capability {
        Some(version) if version >= 8.0 => {
            HardwareProfile { performance_weight: 4.0, energy_efficiency: 0.4, thermal_efficiency: 0.3 }
        }
        Some(version) if version >= 6.0 => {
            HardwareProfile { performance_weight: 3.0, energy_efficiency: 0.5, thermal_efficiency: 0.4 }
        }
        Some(_) | None => HardwareKind::Cuda.profile(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { high: 0.85, low: 0.2 };

    fn candidate() -> Candidate {
        Candidate {
            running_s: 60.0,
            priority: 3,
            historical_cost: Some(1.25),
            state_bytes: Some(268_435_456),
            utilization_source: 0.95,
            utilization_target: 0.15,
            matching_hardware: 1,
            memory_margin: Some(0.5),
            energy_gain: Some(0.2),
            success: Some(0.75),
        }
    }

    #[test]
    fn the_cost_is_the_one_worked_by_hand() {
        // 2 + 1.5 + 1.5 + 1.25 + 0.25
        assert!((candidate().cost() - 6.5).abs() < 1e-12);
        let dear =
            Candidate { running_s: 1e6, priority: 10, historical_cost: Some(9.0), state_bytes: Some(1 << 40), ..candidate() };
        assert_eq!(dear.cost(), 10.0);
        assert_eq!(Candidate::default().cost(), 2.0);
    }

    #[test]
    fn the_benefit_is_the_one_worked_by_hand() {
        // 8 + 2 + 1 + 0.6 + 0.75
        assert!((candidate().benefit() - 12.35).abs() < 1e-12);
        assert!((candidate().weigh().net() - 5.85).abs() < 1e-12);
        let bad = Candidate { utilization_source: 0.1, utilization_target: 0.9, energy_gain: Some(-1.0), ..Candidate::default() };
        assert_eq!(bad.benefit(), 0.0);
    }

    #[test]
    fn the_published_score_moves_a_task_that_is_nearly_done() {
        // A known weakness, kept: nothing in the cost knows what remains. Ten hours in, and 10 still beats 5.5.
        let task = Candidate { running_s: 36_000.0, priority: 1, utilization_source: 1.0, ..Candidate::default() };
        assert_eq!((task.cost(), task.benefit()), (5.5, 10.0));
    }

    #[test]
    fn the_best_net_goes_first_and_what_costs_more_than_it_brings_never() {
        let of = |source: f64| Candidate { utilization_source: source, ..Candidate::default() };
        let chosen: Vec<usize> = choose(&[of(0.5), of(0.2), of(0.9), of(0.5), of(0.1)], 3).into_iter().map(|(i, _)| i).collect();
        assert_eq!(chosen, [2, 0, 3]);
        assert_eq!(choose(&[of(0.2), of(0.1)], 3), [], "a net of 0 is not above 0");
        assert_eq!(choose(&[of(0.9)], 0), []);
    }

    #[test]
    fn a_prediction_is_the_line_carried_on_and_as_sure_as_it_fits() {
        let points: Vec<(f64, f64)> = (0..5).map(|i| (f64::from(i) * 30.0, 0.3 + 0.05 * f64::from(i))).collect();
        let prediction = predict(&points, 120.0 + 180.0).expect("five points");
        // 0.5 now, 0.05 per 30 s: 0.8 after three minutes; R² is 1, half of ten points.
        assert!((prediction.value - 0.8).abs() < 1e-9 && (prediction.confidence - 0.5).abs() < 1e-9, "{prediction:?}");
        assert!(!is_trusted(&prediction));
        let points: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i) * 30.0, 0.1 * f64::from(i))).collect();
        let prediction = predict(&points, 450.0).expect("ten points");
        assert!(prediction.value == 1.0 && is_trusted(&prediction), "{prediction:?}");
        assert_eq!(predict(&points[..2], 450.0), None);
    }

    #[test]
    fn a_flat_load_is_never_trusted_which_is_why_the_default_policy_does_not_use_this() {
        let points: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), 0.95)).collect();
        assert_eq!(predict(&points, 16.0), Some(Prediction { value: 0.95, confidence: 0.0 }));
    }

    #[test]
    fn imbalance_needs_both_ends_and_the_distance_and_a_prediction_more() {
        assert!(is_imbalanced(&[0.9, 0.5, 0.1], LIMITS) && !is_imbalanced(&[0.9, 0.5, 0.2], LIMITS));
        assert!(!is_imbalanced(&[], LIMITS) && !is_imbalanced(&[0.9], LIMITS));
        assert!(will_be_imbalanced(&[0.92, 0.1], LIMITS) && !will_be_imbalanced(&[0.9, 0.1], LIMITS));
    }

    #[test]
    fn utilization_is_the_mean_of_what_is_known() {
        assert_eq!(utilization(Some(0.5), None, Some(1.0)), Some(0.75));
        assert_eq!(utilization(None, None, None), None);
    }

    #[test]
    fn newer_cuda_devices_are_faster_and_hotter() {
        let weight = |version| cuda_profile(version).performance_weight;
        assert_eq!((weight(Some(8.0)), weight(Some(7.5)), weight(Some(3.5)), weight(None)), (4.0, 3.0, 3.0, 3.0));
        assert_eq!(cuda_profile(Some(9.0)).thermal_efficiency, 0.3);
    }
}
