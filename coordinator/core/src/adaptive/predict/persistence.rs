//! No change: the forecast every other has to beat.

use super::Member;

/// Says that the last value stays.
#[derive(Debug, Clone, Default)]
pub struct Persistence {
    last: f64,
}

impl Member for Persistence {
    fn name(&self) -> &'static str {
        "persistence"
    }

    fn observe(&mut self, value: f64) {
        self.last = value;
    }

    fn forecast(&self, _steps: usize) -> f64 {
        self.last
    }
}
