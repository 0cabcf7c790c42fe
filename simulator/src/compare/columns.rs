//! The figures that policies are compared by.

use crate::Summary;

/// Which of two figures is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The smaller.
    Less,
    /// The greater.
    More,
    /// Neither: it is something to know.
    Neither,
}

/// One figure.
pub struct Column {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its name for people, with its unit.
    pub head: &'static str,
    /// The figure of a run, in the unit of the name.
    pub of: fn(&Summary) -> f64,
    /// See [`Better`].
    pub better: Better,
    /// Whether the ratio to the first policy is told.
    pub is_paired: bool,
}

/// All of them, in their order.
pub const COLUMNS: [Column; 13] = [
    column("finished", "finished", |s| s.finished as f64, Better::More, false),
    column("makespan_s", "makespan s", |s| ended(s, s.makespan_s), Better::Less, true),
    column("gap", "gap", |s| ended(s, s.gap), Better::Less, false),
    column("mean_flow_s", "mean flow s", |s| ended(s, s.mean_flow_s), Better::Less, true),
    column("p95_flow_s", "p95 flow s", |s| ended(s, s.p95_flow_s), Better::Less, true),
    column("utilization", "utilization %", |s| s.utilization * 100.0, Better::More, false),
    column("load_stddev", "load stddev", |s| s.load_stddev, Better::Less, false),
    column("energy_kj", "energy kJ", |s| ended(s, s.energy_j / 1e3), Better::Less, true),
    column("migrations", "migrations", |s| s.migrations as f64, Better::Neither, false),
    column("wasted_s", "wasted s", |s| s.wasted_s, Better::Less, false),
    column("settle_s", "settle s", |s| s.settle_s, Better::Less, false),
    column(
        "energy_above_bound",
        "energy over bound %",
        |s| ended(s, over(s.energy_j, s.energy_lower_bound_j)),
        Better::Less,
        false,
    ),
    column("above_bound", "time over bound %", |s| ended(s, over(s.makespan_s, s.lower_bound_s)), Better::Less, false),
];

const fn column(key: &'static str, head: &'static str, of: fn(&Summary) -> f64, better: Better, is_paired: bool) -> Column {
    Column { key, head, of, better, is_paired }
}

/// A run that lost tasks never ended: otherwise who loses the long ones would be the fastest.
fn ended(summary: &Summary, figure: f64) -> f64 {
    if summary.lost > 0 { f64::INFINITY } else { figure }
}

/// Percent above a bound; nothing where there is no bound, as where machines draw no power.
fn over(figure: f64, bound: f64) -> f64 {
    if bound > 0.0 { (figure / bound - 1.0) * 100.0 } else { 0.0 }
}
