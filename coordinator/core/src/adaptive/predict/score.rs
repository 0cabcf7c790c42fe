//! How good forecasts were that have come due.

/// What a new error weighs in the recent error: some twenty forecasts count.
const RECENT_RATE: f64 = 0.05;

/// Figures over all forecasts that have come due.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    due: u64,
    held: u64,
    error_sum: f64,
    persistence_sum: f64,
    recent: f64,
}

impl Score {
    /// Takes in the absolute error of a forecast, that of no change, and whether the interval held the value.
    pub fn add(&mut self, error: f64, persistence: f64, held: bool) {
        self.due += 1;
        self.held += u64::from(held);
        self.error_sum += error;
        self.persistence_sum += persistence;
        self.recent += (error - self.recent) * RECENT_RATE.max(1.0 / self.due as f64);
    }

    /// Forecasts that have come due.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Mean absolute error, in the unit of the series; none before a forecast was due.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        (self.due > 0).then(|| self.error_sum / self.due as f64)
    }

    /// Mean absolute scaled error: the mean absolute error ÷ that of no change at the same horizon; below 1 is better than
    /// no change. None before a forecast was due, and where nothing ever changed.
    pub fn mase(&self) -> Option<f64> {
        (self.persistence_sum > 0.0).then(|| self.error_sum / self.persistence_sum)
    }

    /// The share of values that their interval held, 0 to 1; none before a forecast was due.
    pub fn coverage(&self) -> Option<f64> {
        (self.due > 0).then(|| self.held as f64 / self.due as f64)
    }

    /// Mean absolute error of some twenty last forecasts; none before a forecast was due.
    pub fn recent_error(&self) -> Option<f64> {
        (self.due > 0).then_some(self.recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_worked_by_hand() {
        let mut score = Score::default();
        assert_eq!((score.mase(), score.coverage(), score.recent_error()), (None, None, None));
        score.add(0.25, 0.5, true);
        score.add(0.5, 0.5, true);
        score.add(0.0, 0.5, false);
        assert_eq!((score.due(), score.mean_absolute_error(), score.mase()), (3, Some(0.25), Some(0.5)));
        assert!((score.coverage().expect("three are due") - 2.0 / 3.0).abs() < 1e-12);
        assert!((score.recent_error().expect("three are due") - 0.25).abs() < 1e-12);
    }
}
