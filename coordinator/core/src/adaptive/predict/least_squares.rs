//! The published forecast (F97): a straight line through the last values, carried on.
//!
//! Alone it is worse than no change on every real series of load we have; it takes part where it is asked for, and its
//! weight falls by itself.

use super::Member;
use crate::adaptive::line::Line;
use std::collections::VecDeque;

/// Values the line goes through.
const WINDOW: usize = 10;

/// A line through the last ten values.
#[derive(Debug, Clone, Default)]
pub struct LeastSquares {
    values: VecDeque<f64>,
    line: Option<Line>,
}

impl Member for LeastSquares {
    fn name(&self) -> &'static str {
        "least_squares"
    }

    fn observe(&mut self, value: f64) {
        if self.values.len() == WINDOW {
            self.values.pop_front();
        }
        self.values.push_back(value);
        // The published rule asks for three points; before that there is no line, and no change is forecast.
        self.line = if self.values.len() < 3 { None } else { Line::through_steps(self.values.iter().copied()) };
    }

    fn forecast(&self, steps: usize) -> f64 {
        match &self.line {
            Some(line) => line.at((self.values.len() - 1 + steps) as f64),
            None => self.values.back().copied().unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_carried_on() {
        let mut line = LeastSquares::default();
        for value in [5.0, 1.0, 1.5] {
            line.observe(value);
        }
        // Slope −1.75, mean 2.5 at x = 1: at x = 4 it is −2.75.
        assert!((line.forecast(2) + 2.75).abs() < 1e-9, "{}", line.forecast(2));
        (0..10).for_each(|x| line.observe(f64::from(x)));
        assert!((line.forecast(6) - 15.0).abs() < 1e-9, "the last ten count: {}", line.forecast(6));
    }
}
