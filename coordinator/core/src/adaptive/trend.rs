//! What the load of the fleet has been, and which way it goes (F78, F79, F84, F85).

use super::line::Line;
use std::collections::VecDeque;

/// Records that are kept.
pub const RECORDS_MAX: usize = 100;
/// Records a trend is read from.
pub const TREND_RECORDS: usize = 5;
/// A slope beyond this, in share per record, is a trend.
pub const SLOPE_MIN: f64 = 0.01;

/// The utilization of the fleet at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadRecord {
    /// Mean over the workers, 0 to 1.
    pub mean: f64,
    /// The least busy worker.
    pub min: f64,
    /// The busiest worker.
    pub max: f64,
    /// Standard deviation over the workers, as of a whole population.
    pub deviation: f64,
    /// max − min.
    pub imbalance: f64,
}

/// Which way the load goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// By more than 0.01 per record.
    Increasing,
    /// Neither.
    #[default]
    Stable,
    /// By more than 0.01 per record.
    Decreasing,
}

/// The trend of the fleet's mean load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WorkloadTrend {
    /// Which way.
    pub direction: Direction,
    /// How steep: share per record, never negative.
    pub magnitude: f64,
    /// R² of the line, 0 to 1.
    pub confidence: f64,
}

/// The last records.
#[derive(Debug, Clone, Default)]
pub struct WorkloadHistory {
    records: VecDeque<LoadRecord>,
}

impl LoadRecord {
    /// The record of the utilizations of the workers that told theirs; none when nobody did.
    pub fn of(utilizations: &[f64]) -> Option<Self> {
        if utilizations.is_empty() {
            return None;
        }
        let n = utilizations.len() as f64;
        let mean = utilizations.iter().sum::<f64>() / n;
        let min = utilizations.iter().copied().fold(f64::INFINITY, f64::min);
        let max = utilizations.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let deviation = (utilizations.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n).sqrt();
        Some(Self { mean, min, max, deviation, imbalance: max - min })
    }
}

impl Direction {
    /// What it is called in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Increasing => "increasing",
            Direction::Stable => "stable",
            Direction::Decreasing => "decreasing",
        }
    }
}

impl WorkloadTrend {
    /// The trend of mean loads, oldest first. Fewer than three are no trend: a line through two explains them fully.
    pub fn of(means: &[f64]) -> Self {
        if means.len() < 3 {
            return Self::default();
        }
        let Some(line) = Line::through_steps(means.iter().copied()) else { return Self::default() };
        let direction = if line.slope > SLOPE_MIN {
            Direction::Increasing
        } else if line.slope < -SLOPE_MIN {
            Direction::Decreasing
        } else {
            Direction::Stable
        };
        Self { direction, magnitude: line.slope.abs(), confidence: line.r_squared }
    }

    /// How much faster thresholds follow: a rising load is met sooner than a falling one (F79).
    pub fn factor(&self) -> f64 {
        match self.direction {
            Direction::Increasing => 1.5,
            Direction::Stable => 1.0,
            Direction::Decreasing => 0.5,
        }
    }

    /// Share per record with its sign.
    pub fn slope(&self) -> f64 {
        match self.direction {
            Direction::Increasing => self.magnitude,
            Direction::Stable => 0.0,
            Direction::Decreasing => -self.magnitude,
        }
    }
}

impl WorkloadHistory {
    /// Keeps one more record, and forgets the one before the last hundred.
    pub fn push(&mut self, record: LoadRecord) {
        if self.records.len() == RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &LoadRecord> {
        self.records.iter()
    }

    /// Mean and standard deviation of the mean loads of the last `records` records; none when there are none.
    pub fn over(&self, records: usize) -> Option<(f64, f64)> {
        let from = self.records.len().saturating_sub(records.max(1));
        let means: Vec<f64> = self.records.iter().skip(from).map(|record| record.mean).collect();
        LoadRecord::of(&means).map(|all| (all.mean, all.deviation))
    }

    /// The trend over the last five records.
    pub fn trend(&self) -> WorkloadTrend {
        let from = self.records.len().saturating_sub(TREND_RECORDS);
        let means: Vec<f64> = self.records.iter().skip(from).map(|record| record.mean).collect();
        WorkloadTrend::of(&means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(means: &[f64]) -> WorkloadHistory {
        let mut history = WorkloadHistory::default();
        means.iter().for_each(|mean| history.push(LoadRecord::of(&[*mean]).expect("one worker")));
        history
    }

    #[test]
    fn a_record_holds_the_published_figures() {
        // Deviations from 0.5: −0.3, 0.1, 0.2; squares sum to 0.14.
        let record = LoadRecord::of(&[0.2, 0.6, 0.7]).expect("three workers");
        assert!((record.mean - 0.5).abs() < 1e-12 && (record.imbalance - 0.5).abs() < 1e-12, "{record:?}");
        assert!((record.deviation - (0.14f64 / 3.0).sqrt()).abs() < 1e-12, "{record:?}");
        assert_eq!((record.min, record.max), (0.2, 0.7));
        assert_eq!(LoadRecord::of(&[]), None);
    }

    #[test]
    fn a_trend_is_read_from_the_last_five_records_only() {
        let trend = history(&[0.9, 0.9, 0.9, 0.1, 0.15, 0.2, 0.25, 0.3]).trend();
        assert_eq!((trend.direction, trend.factor()), (Direction::Increasing, 1.5));
        assert!((trend.magnitude - 0.05).abs() < 1e-12 && trend.confidence > 0.999, "{trend:?}");
    }

    #[test]
    fn a_slope_of_a_hundredth_is_still_stable_and_beyond_it_a_trend() {
        for (slope, direction) in [
            (0.009, Direction::Stable),
            (0.011, Direction::Increasing),
            (-0.009, Direction::Stable),
            (-0.011, Direction::Decreasing),
        ] {
            let means: Vec<f64> = (0..5).map(|x| 0.5 + slope * f64::from(x)).collect();
            assert_eq!(WorkloadTrend::of(&means).direction, direction, "{slope}");
        }
        assert_eq!(WorkloadTrend::of(&[0.9, 0.6, 0.3]).factor(), 0.5);
    }

    #[test]
    fn two_records_are_no_trend() {
        assert_eq!(history(&[0.1, 0.9]).trend(), WorkloadTrend::default());
    }

    #[test]
    fn a_hundred_records_are_kept() {
        let means: Vec<f64> = (0..130).map(f64::from).collect();
        let history = history(&means);
        assert_eq!(history.records().len(), RECORDS_MAX);
        assert_eq!(history.records().next().map(|record| record.mean), Some(30.0));
    }
}
