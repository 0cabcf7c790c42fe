//! A straight line through points by ordinary least squares, as the published balancer fits it.

use linregress::fit_low_level_regression_model_without_statistics as fit;

/// y = intercept + slope · x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// What y gains per unit of x.
    pub slope: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// The share of the variance of y that the line explains, 0 to 1; 0 where y does not vary at all.
    pub r_squared: f64,
}

impl Line {
    /// The line through `(x, y)`. None when there are fewer than two different x, or a coordinate is not a number.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let (x_first, y_first) = *points.first()?;
        let finite = points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        if !finite || points.iter().all(|(x, _)| *x == x_first) {
            return None;
        }
        // A level line is exact; a solver would leave rounding that could look like a slope.
        if points.iter().all(|(_, y)| *y == y_first) {
            return Some(Self { slope: 0.0, intercept: y_first, r_squared: 0.0 });
        }
        // Centred, so that seconds since long ago lose no digits against shares of 0 to 1.
        let n = points.len() as f64;
        let (x_mean, y_mean) = points.iter().fold((0.0, 0.0), |(x, y), at| (x + at.0 / n, y + at.1 / n));
        let rows: Vec<f64> = points.iter().flat_map(|(x, y)| [*y, 1.0, *x - x_mean]).collect();
        let parameters = fit(&rows, points.len(), 3).ok()?;
        let &[at_mean, slope] = parameters.as_slice() else { return None };
        let unexplained: f64 = points.iter().map(|(x, y)| (y - at_mean - slope * (x - x_mean)).powi(2)).sum();
        let total: f64 = points.iter().map(|(_, y)| (y - y_mean).powi(2)).sum();
        let r_squared = (1.0 - unexplained / total).clamp(0.0, 1.0);
        Some(Self { slope, intercept: at_mean - slope * x_mean, r_squared })
    }

    /// The line through values one step apart, the first at x = 0.
    pub fn through_steps(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let points: Vec<(f64, f64)> = values.into_iter().enumerate().map(|(x, y)| (x as f64, y)).collect();
        Self::through(&points)
    }

    /// y at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_worked_by_hand_is_found() {
        // Means 1 and 7/3, Sxy = Sxx = 2: slope 1, intercept 4/3, residuals 2/3, −4/3, 2/3.
        let line = Line::through(&[(0.0, 2.0), (1.0, 1.0), (2.0, 4.0)]).expect("three points");
        assert!((line.slope - 1.0).abs() < 1e-12 && (line.intercept - 4.0 / 3.0).abs() < 1e-12, "{line:?}");
        // Σ residual² = 24/9, Σ(y − mean)² = 42/9.
        assert!((line.r_squared - (1.0 - 24.0 / 42.0)).abs() < 1e-12, "{line:?}");
        assert!((line.at(5.0) - 19.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn level_values_are_a_level_line_of_no_explained_variance() {
        let line = Line::through_steps([0.3, 0.3, 0.3]).expect("three points");
        assert_eq!((line.slope, line.intercept, line.r_squared), (0.0, 0.3, 0.0));
    }

    #[test]
    fn late_times_lose_no_digits() {
        let line = Line::through(&[(1e9, 0.2), (1e9 + 30.0, 0.3), (1e9 + 60.0, 0.4)]).expect("three points");
        assert!((line.slope - 0.1 / 30.0).abs() < 1e-10 && line.r_squared > 0.999_999, "{line:?}");
    }

    #[test]
    fn no_line_is_invented_from_too_little() {
        assert_eq!(Line::through(&[]), None);
        assert_eq!(Line::through(&[(1.0, 2.0)]), None);
        assert_eq!(Line::through(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(Line::through(&[(1.0, 2.0), (2.0, f64::NAN)]), None);
    }
}
