//! The last fraction of a percent of prices, for few groups: Newton steps of a primal-dual interior point method.
//!
//! With few groups many offers tie at the best prices, and ascent crawls along the ridges. The method follows the central path of
//! the same linear program: weights `w`, the worth `v_j` of a task of each group, slacks `s = cost - v`, and as their duals how
//! many tasks take each offer (`x`) and how much of a resource stays idle (`z`). Eliminating all but the weights leaves one
//! symmetric system of the size of the resources in each step (Wright 1997, chapter 11).

use super::RESOURCES;
use super::table::{Row, Table, fastest};

/// Newton steps; each divides the gap by three or so.
const STEPS: usize = 24;

/// The distance to the optimum, relative, at which it is near enough.
const GAP_MIN: f64 = 1e-4;

/// How far towards the nearest bound a step goes.
const SHORTEN: f64 = 0.9;

/// Weights (flat, zero where a class has nothing of a resource) near the best ones, from a point where a task costs `value` on
/// average over all groups; the same point where arithmetic gives out.
pub(super) fn polish(table: &Table, weights: &[f64], horizon: f64, value: f64) -> Vec<f64> {
    let mut point = Point::new(table, weights, horizon, value);
    for _ in 0..STEPS {
        if point.step().is_none() {
            break;
        }
    }
    let mut all = vec![0.0; weights.len()];
    for (at, weight) in point.columns.iter().zip(&point.w) {
        all[*at] = *weight;
    }
    all
}

/// A group with its offers' loads, in columns that have weights.
struct Block {
    count: f64,
    v: f64,
    offers: Vec<Line>,
}

struct Line {
    load: Vec<(usize, f64)>,
    x: f64,
    s: f64,
    /// The direction of `x` and of `s`.
    dx: f64,
    ds: f64,
}

struct Point {
    columns: Vec<usize>,
    w: Vec<f64>,
    z: Vec<f64>,
    blocks: Vec<Block>,
}

impl Point {
    fn new(table: &Table, weights: &[f64], horizon: f64, value: f64) -> Self {
        let columns: Vec<usize> = (0..weights.len()).filter(|at| weights[*at] > 0.0).collect();
        let mut place = vec![usize::MAX; weights.len()];
        columns.iter().enumerate().for_each(|(column, at)| place[*at] = column);
        // A point well inside: no weight is nearly zero.
        let floor = 0.02 / columns.len() as f64;
        let sum: f64 = columns.iter().map(|at| weights[*at].max(floor)).sum();
        let w: Vec<f64> = columns.iter().map(|at| weights[*at].max(floor) / sum).collect();
        let line = |row: &Row| {
            let load = (0..RESOURCES).filter(|r| row.load[*r] > 0.0);
            let load = load.map(|r| (place[row.class * RESOURCES + r], row.load[r] / value)).collect();
            Line { load, x: 0.0, s: 0.0, dx: 0.0, ds: 0.0 }
        };
        let mut blocks = Vec::with_capacity(table.groups.len());
        for (count, range) in &table.groups {
            let rows = &table.rows[range.clone()];
            let limit = horizon.max(fastest(rows));
            let mut offers: Vec<Line> = rows.iter().filter(|row| row.seconds <= limit).map(line).collect();
            if offers.iter().any(|offer| offer.load.is_empty()) {
                continue;
            }
            let least = offers.iter().map(|offer| dot(&offer.load, &w)).fold(f64::INFINITY, f64::min);
            let v = 0.9 * least;
            let each = count / offers.len() as f64;
            for offer in &mut offers {
                offer.s = dot(&offer.load, &w) - v;
                offer.x = each;
            }
            blocks.push(Block { count: *count, v, offers });
        }
        Self { z: vec![1.0; columns.len()], columns, w, blocks }
    }

    /// One step along the central path; nothing when it can go no further.
    fn step(&mut self) -> Option<()> {
        let pairs = self.blocks.iter().flat_map(|block| &block.offers).map(|offer| offer.x * offer.s);
        let size = self.w.len() + self.blocks.iter().map(|block| block.offers.len()).sum::<usize>();
        let gap = pairs.sum::<f64>() + self.w.iter().zip(&self.z).map(|(w, z)| w * z).sum::<f64>();
        if gap < GAP_MIN {
            return None;
        }
        let mu = 0.1 * gap / size as f64;
        let (mut matrix, mut right) = self.system(mu);
        let mut ones = vec![1.0; self.w.len()];
        solve(&mut matrix, &mut [&mut right, &mut ones])?;
        let tau = right.iter().sum::<f64>() / ones.iter().sum::<f64>();
        let dw: Vec<f64> = right.iter().zip(&ones).map(|(p, q)| p - tau * q).collect();
        let dz: Vec<f64> = (0..dw.len()).map(|i| (mu - self.z[i] * dw[i]) / self.w[i] - self.z[i]).collect();
        let mut primal = longest(&self.w, &dw);
        let mut dual = longest(&self.z, &dz);
        let mut dv = Vec::with_capacity(self.blocks.len());
        for block in &mut self.blocks {
            let (mut theta, mut pushed) = (0.0, block.count);
            for offer in &block.offers {
                theta += offer.x / offer.s;
                pushed += offer.x / offer.s * dot(&offer.load, &dw) - mu / offer.s;
            }
            let worth = pushed / theta;
            dv.push(worth);
            for offer in &mut block.offers {
                offer.ds = dot(&offer.load, &dw) - worth;
                offer.dx = (mu - offer.x * offer.ds) / offer.s - offer.x;
                primal = if offer.ds < 0.0 { primal.min(-offer.s / offer.ds) } else { primal };
                dual = if offer.dx < 0.0 { dual.min(-offer.x / offer.dx) } else { dual };
            }
        }
        let (primal, dual) = ((SHORTEN * primal).min(1.0), (SHORTEN * dual).min(1.0));
        if !(primal.is_finite() && dual.is_finite() && tau.is_finite()) {
            return None;
        }
        self.w.iter_mut().zip(&dw).for_each(|(w, d)| *w += primal * d);
        self.z.iter_mut().zip(&dz).for_each(|(z, d)| *z += dual * d);
        for (block, dv) in self.blocks.iter_mut().zip(dv) {
            block.v += primal * dv;
            for offer in &mut block.offers {
                offer.s += primal * offer.ds;
                offer.x += dual * offer.dx;
            }
        }
        Some(())
    }

    /// The matrix and the right side for the direction of the weights, but for the multiple of ones that keeps their sum.
    fn system(&self, mu: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
        let size = self.w.len();
        let mut matrix = vec![vec![0.0; size]; size];
        let mut right: Vec<f64> = self.w.iter().map(|w| mu / w).collect();
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] = self.z[i] / self.w[i];
        }
        let mut sums = vec![0.0; size];
        let mut touched = Vec::new();
        for block in &self.blocks {
            let (mut theta, mut missing) = (0.0, block.count);
            for offer in &block.offers {
                let weight = offer.x / offer.s;
                theta += weight;
                missing -= mu / offer.s;
                for (i, a) in &offer.load {
                    right[*i] += a * mu / offer.s;
                    if sums[*i] == 0.0 {
                        touched.push(*i);
                    }
                    sums[*i] += weight * a;
                    for (k, b) in &offer.load {
                        matrix[*i][*k] += weight * a * b;
                    }
                }
            }
            for i in &touched {
                right[*i] += sums[*i] * missing / theta;
                for k in &touched {
                    matrix[*i][*k] -= sums[*i] * sums[*k] / theta;
                }
            }
            touched.drain(..).for_each(|i| sums[i] = 0.0);
        }
        (matrix, right)
    }
}

fn dot(load: &[(usize, f64)], w: &[f64]) -> f64 {
    load.iter().map(|(i, a)| a * w[*i]).sum()
}

/// The longest step that keeps all positive.
fn longest(values: &[f64], direction: &[f64]) -> f64 {
    values.iter().zip(direction).filter(|(_, d)| **d < 0.0).map(|(value, d)| -value / d).fold(f64::INFINITY, f64::min)
}

/// Solves the positive definite system for each right side, in place; nothing when it is not positive definite in this precision.
fn solve(matrix: &mut [Vec<f64>], rights: &mut [&mut Vec<f64>]) -> Option<()> {
    let size = matrix.len();
    for i in 0..size {
        let (above, below) = matrix.split_at_mut(i + 1);
        let pivot = &above[i];
        if !(pivot[i] > 0.0 && pivot[i].is_finite()) {
            return None;
        }
        for (k, row) in (i + 1..).zip(below) {
            let factor = row[i] / pivot[i];
            for (cell, top) in row[i + 1..].iter_mut().zip(&pivot[i + 1..]) {
                *cell -= factor * top;
            }
            rights.iter_mut().for_each(|right| right[k] -= factor * right[i]);
        }
    }
    for right in rights {
        for i in (0..size).rev() {
            let known: f64 = (i + 1..size).map(|k| matrix[i][k] * right[k]).sum();
            right[i] = (right[i] - known) / matrix[i][i];
        }
    }
    Some(())
}
