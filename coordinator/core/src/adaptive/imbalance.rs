//! How uneven the fleet is, for each dimension of load by itself, now and as forecast (F87, F100, F102, F201).

use super::threshold::Limits;
use super::trend::LoadRecord;

/// How far apart the busiest and the idlest may be now.
pub const SPREAD_NOW: f64 = 0.4;
/// How far apart they may be as forecast: a forecast has to say more than a measurement (F102).
pub const SPREAD_PREDICTED: f64 = 0.45;

/// What a worker can be short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Slots that are busy.
    Slots,
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// Devices other than processors.
    Gpu,
    /// Memory of devices.
    DeviceMemory,
    /// Disk.
    Disk,
    /// Network.
    Network,
}

impl Dimension {
    /// All of them, in the order in which ties are decided.
    pub const ALL: [Dimension; 7] = [
        Dimension::Slots,
        Dimension::Cpu,
        Dimension::Memory,
        Dimension::Gpu,
        Dimension::DeviceMemory,
        Dimension::Disk,
        Dimension::Network,
    ];

    /// What it is called in facts and tables.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Slots => "slots",
            Dimension::Cpu => "cpu",
            Dimension::Memory => "memory",
            Dimension::Gpu => "gpu",
            Dimension::DeviceMemory => "device_memory",
            Dimension::Disk => "disk",
            Dimension::Network => "network",
        }
    }
}

/// The load of one worker: a share from 0 to 1 for each dimension that is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Utilization {
    shares: [Option<f64>; Dimension::ALL.len()],
}

impl Utilization {
    /// The share of `dimension`; none where it is not known.
    pub fn get(&self, dimension: Dimension) -> Option<f64> {
        self.shares[dimension as usize]
    }

    /// Takes in the share of `dimension`. What is not a number is not known.
    pub fn set(&mut self, dimension: Dimension, share: Option<f64>) {
        self.shares[dimension as usize] = share.filter(|share| share.is_finite());
    }

    /// The same with one share more.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, share: impl Into<Option<f64>>) -> Self {
        self.set(dimension, share.into());
        self
    }

    /// The largest known share among the dimensions the worker's tasks need: the one figure that thresholds are held
    /// against. Of equal ones the first.
    pub fn dominant(&self, needed: impl Fn(Dimension) -> bool) -> Option<(Dimension, f64)> {
        let known = Dimension::ALL.into_iter().filter(|dimension| needed(*dimension));
        let known = known.filter_map(|dimension| Some((dimension, self.get(dimension)?)));
        known.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }
}

/// How uneven one dimension is over the workers of which it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Workers of which it is known.
    pub workers: usize,
    /// The busiest.
    pub max: f64,
    /// The idlest.
    pub min: f64,
    /// max − min: the published imbalance score.
    pub spread: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, as of a whole population.
    pub deviation: f64,
}

impl Spread {
    /// The spread of these shares; none when there are none.
    pub fn of(shares: &[f64]) -> Option<Self> {
        let LoadRecord { mean, min, max, deviation, imbalance: spread } = LoadRecord::of(shares)?;
        Some(Self { workers: shares.len(), max, min, spread, mean, deviation })
    }

    /// Whether somebody is overloaded, somebody underloaded, and the two are further apart than `spread_max` (F87).
    pub fn is_uneven(&self, limits: Limits, spread_max: f64) -> bool {
        self.max > limits.high && self.min < limits.low && self.spread > spread_max
    }
}

/// How uneven the fleet is.
#[derive(Debug, Clone, PartialEq)]
pub struct Imbalance {
    spreads: [Option<Spread>; Dimension::ALL.len()],
    uneven: Vec<Dimension>,
}

impl Imbalance {
    /// As measured: beyond `limits`, and more than 0.4 apart.
    pub fn now(workers: &[Utilization], limits: Limits) -> Self {
        Self::beyond(workers, limits, SPREAD_NOW)
    }

    /// As forecast: beyond `limits` by 0.05 more, and more than 0.45 apart.
    pub fn predicted(workers: &[Utilization], limits: Limits) -> Self {
        Self::beyond(workers, limits.tightened(), SPREAD_PREDICTED)
    }

    /// By limits of the caller's own.
    pub fn beyond(workers: &[Utilization], limits: Limits, spread_max: f64) -> Self {
        let spreads = Dimension::ALL.map(|dimension| {
            let known: Vec<f64> = workers.iter().filter_map(|worker| worker.get(dimension)).collect();
            Spread::of(&known)
        });
        let is_uneven = |dimension: &Dimension| {
            spreads[*dimension as usize].is_some_and(|spread: Spread| spread.is_uneven(limits, spread_max))
        };
        let uneven = Dimension::ALL.into_iter().filter(is_uneven).collect();
        Self { spreads, uneven }
    }

    /// The spread of one dimension; none where no worker told.
    pub fn of(&self, dimension: Dimension) -> Option<&Spread> {
        self.spreads[dimension as usize].as_ref()
    }

    /// The dimensions that are beyond the limits.
    pub fn uneven(&self) -> &[Dimension] {
        &self.uneven
    }

    /// Whether any dimension is.
    pub fn is_uneven(&self) -> bool {
        !self.uneven.is_empty()
    }

    /// The dimension that is most uneven: among those beyond the limits if there are any, otherwise among all; the widest
    /// spread, of equal ones the first. None where nothing is known.
    pub fn dominant(&self) -> Option<(Dimension, Spread)> {
        let among: &[Dimension] = if self.uneven.is_empty() { &Dimension::ALL } else { &self.uneven };
        let known = among.iter().filter_map(|dimension| Some((*dimension, *self.of(*dimension)?)));
        known.reduce(|best, next| if next.1.spread > best.1.spread { next } else { best })
    }

    /// The widest spread, for `load_balancer_metrics.imbalance_score`; none where nothing is known.
    pub fn score(&self) -> Option<f64> {
        self.dominant().map(|(_, spread)| spread.spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { high: 0.85, low: 0.2 };

    fn fleet(dimension: Dimension, shares: &[f64]) -> Vec<Utilization> {
        shares.iter().map(|share| Utilization::default().with(dimension, *share)).collect()
    }

    #[test]
    fn the_figures_are_those_worked_by_hand() {
        let imbalance = Imbalance::now(&fleet(Dimension::Cpu, &[0.9, 0.1, 0.5]), LIMITS);
        let spread = imbalance.of(Dimension::Cpu).expect("three workers told");
        assert_eq!((spread.workers, spread.max, spread.min, spread.spread), (3, 0.9, 0.1, 0.8));
        // Deviations 0.4, −0.4 and 0: variance 0.32 / 3.
        assert!((spread.mean - 0.5).abs() < 1e-12 && (spread.deviation - (0.32f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!((imbalance.uneven(), imbalance.score()), ([Dimension::Cpu].as_slice(), Some(0.8)));
    }

    #[test]
    fn an_imbalance_needs_an_overloaded_an_underloaded_and_the_distance() {
        for (shares, uneven) in [([0.9, 0.1], true), ([0.9, 0.25], false), ([0.8, 0.1], false), ([0.85, 0.1], false)] {
            assert_eq!(Imbalance::now(&fleet(Dimension::Slots, &shares), LIMITS).is_uneven(), uneven, "{shares:?}");
        }
        let close = Limits { high: 0.6, low: 0.3 };
        assert!(!Imbalance::now(&fleet(Dimension::Slots, &[0.65, 0.28]), close).is_uneven());
        assert!(Imbalance::now(&fleet(Dimension::Slots, &[0.7, 0.28]), close).is_uneven());
    }

    #[test]
    fn a_forecast_has_to_say_more_than_a_measurement() {
        for (shares, now, predicted) in [([0.88, 0.1], true, false), ([0.95, 0.18], true, false), ([0.92, 0.12], true, true)] {
            let fleet = fleet(Dimension::Memory, &shares);
            assert_eq!(Imbalance::now(&fleet, LIMITS).is_uneven(), now, "{shares:?}");
            assert_eq!(Imbalance::predicted(&fleet, LIMITS).is_uneven(), predicted, "{shares:?}");
        }
        let close = Limits { high: 0.55, low: 0.35 };
        let fleet = fleet(Dimension::Memory, &[0.7, 0.27]);
        assert!(Imbalance::now(&fleet, close).is_uneven() && !Imbalance::predicted(&fleet, close).is_uneven());
    }

    #[test]
    fn what_is_not_known_is_not_idle() {
        let busy = Utilization::default().with(Dimension::Cpu, 0.9);
        let silent = Utilization::default().with(Dimension::Memory, 0.9);
        let imbalance = Imbalance::now(&[busy, silent, busy.with(Dimension::Cpu, f64::NAN)], LIMITS);
        assert!(!imbalance.is_uneven());
        assert_eq!(imbalance.of(Dimension::Cpu).map(|spread| (spread.workers, spread.min)), Some((1, 0.9)));
        assert_eq!(imbalance.of(Dimension::Gpu), None);
        assert_eq!(Imbalance::now(&[Utilization::default()], LIMITS).score(), None);
    }

    #[test]
    fn dimensions_are_judged_each_by_itself() {
        // Everybody's mean is 0.5; the processors and the memory are as uneven as can be.
        let one = Utilization::default().with(Dimension::Cpu, 1.0).with(Dimension::Memory, 0.05);
        let other = Utilization::default().with(Dimension::Cpu, 0.0).with(Dimension::Memory, 0.95);
        let imbalance = Imbalance::now(&[one, other], LIMITS);
        assert_eq!(imbalance.uneven(), [Dimension::Cpu, Dimension::Memory]);
        assert_eq!(imbalance.dominant().map(|(dimension, _)| dimension), Some(Dimension::Cpu));
    }

    #[test]
    fn the_dominant_dimension_beyond_the_limits_goes_before_a_wider_one_within() {
        let one = Utilization::default().with(Dimension::Cpu, 0.84).with(Dimension::Disk, 0.9);
        let other = Utilization::default().with(Dimension::Cpu, 0.0).with(Dimension::Disk, 0.1);
        assert_eq!(Imbalance::now(&[one, other], LIMITS).dominant().map(|(dimension, _)| dimension), Some(Dimension::Disk));
    }

    #[test]
    fn a_worker_is_as_busy_as_the_busiest_of_what_its_tasks_need() {
        let worker = Utilization::default().with(Dimension::Cpu, 0.3).with(Dimension::Gpu, 0.9).with(Dimension::Disk, 0.95);
        let needed = |dimension| matches!(dimension, Dimension::Cpu | Dimension::Gpu | Dimension::Network);
        assert_eq!(worker.dominant(needed), Some((Dimension::Gpu, 0.9)));
        assert_eq!(worker.dominant(|dimension| dimension == Dimension::Network), None);
    }
}
