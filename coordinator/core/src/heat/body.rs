//! A body that warms up: one temperature, one path for heat to leave by, fitted to what its sensor and its meter tell.
//!
//! With power P the temperature T of a body at ambient temperature A follows dT/dt = (A + R·P − T) / τ (Newton's law of
//! cooling). For a given τ the temperature is linear in A, R and what is left of the start, against the power passed through a
//! filter of that τ. So a fit by least squares is kept for each of a row of τ, and the one that explains the readings best is
//! taken: fitting T itself, not its change, is what keeps the noise and the whole degrees of sensors from biasing it.

use shared::time::Time;

/// The shortest time constant, in seconds; each next one is longer by [`RATIO`].
const TAU_MIN_S: f64 = 8.0;
/// See [`TAU_MIN_S`].
const RATIO: f64 = 1.25;
/// How many; the longest is 8 · 1.25^25 s, about 35 minutes.
const TAUS: usize = 26;
/// Readings this old count half, in seconds: rooms change their temperature.
const HALF_LIFE_S: f64 = 3600.0;
/// The variance of a reading: half a degree of noise, and steps of a degree.
const NOISE: f64 = 0.25 + 1.0 / 12.0;
/// Readings before anything is claimed, and the time they span at least.
const READINGS_MIN: u32 = 3;
/// See [`READINGS_MIN`], in seconds.
const SPAN_MIN_S: f64 = 30.0;
/// A gap longer than this says nothing of what was drawn meanwhile: all begins anew, in seconds.
const GAP_MAX_S: f64 = 300.0;
/// What is believed before any reading, mean and deviation: the room, the rise at the most power seen, what is left of the
/// start, each in degrees, and the logarithm of τ in seconds.
const ROOM_C: (f64, f64) = (25.0, 8.0);
const RISE_C: (f64, f64) = (40.0, 40.0);
const START_C: (f64, f64) = (0.0, 25.0);
const LN_TAU: (f64, f64) = (4.6, 1.0);
/// How fast the newest readings pull the present temperature, in seconds.
const PRESENT_S: f64 = 15.0;
/// A limit counts as reached this many degrees below: to be late by one reading is worse than early by one.
const EARLY_C: f64 = 0.25;
/// Power that changes by less than this share is the same power, told with noise.
const SAME_POWER: f64 = 0.1;
/// How fast the newest reading pulls the mean of the same power.
const POWER_PULL: f64 = 0.2;

/// The law one body follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// The temperature around it, in degrees Celsius.
    pub ambient_c: f64,
    /// Degrees it gets warmer for each watt.
    pub c_per_w: f64,
    /// Seconds in which it goes 63 % of its way.
    pub tau_s: f64,
}

/// One body, and what is known of it.
#[derive(Debug, Clone, Default)]
pub struct Body {
    fits: Vec<Fit>,
    last: Option<(Time, f64)>,
    first: Option<Time>,
    readings: u32,
    most_w: f64,
    law: Option<Law>,
    /// The temperature now, noise aside.
    present_c: f64,
    /// The power now, noise aside.
    power_w: f64,
}

/// Least squares for one τ: T = ambient + R · filtered + start · decay.
#[derive(Debug, Clone)]
struct Fit {
    tau_s: f64,
    filtered_w: f64,
    decay: f64,
    normal: [[f64; 3]; 3],
    right: [f64; 3],
    square: f64,
}

impl Law {
    /// Where the temperature goes under constant power, in degrees Celsius.
    pub fn steady_c(&self, watts: f64) -> f64 {
        self.ambient_c + self.c_per_w * watts
    }
}

impl Body {
    /// Takes in a reading.
    pub fn observe(&mut self, at: Time, celsius: f64, watts: f64) {
        if self.last.is_some_and(|(last, _)| at.since(last).as_secs_f64() > GAP_MAX_S) {
            *self = Self::default();
        }
        if self.fits.is_empty() {
            self.fits = (0..TAUS).map(|at| Fit::new(TAU_MIN_S * libm::pow(RATIO, at as f64), watts)).collect();
            self.first = Some(at);
            self.present_c = celsius;
        }
        let (then, before_w) = self.last.unwrap_or((at, watts));
        let seconds = at.since(then).as_secs_f64();
        self.last = Some((at, watts));
        self.most_w = self.most_w.max(watts);
        let is_same = self.readings > 0 && (watts - self.power_w).abs() <= SAME_POWER * self.power_w.max(1.0);
        self.power_w = if is_same { self.power_w + POWER_PULL * (watts - self.power_w) } else { watts };
        self.readings += 1;
        let mean_w = (before_w + watts) / 2.0;
        self.fits.iter_mut().for_each(|fit| fit.observe(seconds, mean_w, celsius));
        // The present follows the law it is believed to follow, pulled toward what the sensor says.
        let expected = self.law.map_or(self.present_c, |law| after(law, self.present_c, mean_w, seconds));
        let pull = 1.0 - libm::exp(-seconds / PRESENT_S);
        let pull = if self.law.is_some() { pull } else { 1.0 };
        self.present_c = expected + pull * (celsius - expected);
        let span_s = self.first.map_or(0.0, |first| at.since(first).as_secs_f64());
        if self.readings >= READINGS_MIN && span_s >= SPAN_MIN_S {
            self.law = self.best();
        }
    }

    /// The law it follows, as far as is known.
    pub fn law(&self) -> Option<Law> {
        self.law
    }

    /// Its temperature `seconds` from the last reading if it goes on to draw what it draws, in degrees Celsius.
    pub fn ahead_c(&self, seconds: f64) -> Option<f64> {
        Some(after(self.law?, self.present_c, self.power_w, seconds))
    }

    /// Seconds from the last reading until it is as hot as `limit_c` if it goes on to draw what it draws; infinite where it
    /// never gets there, absent where too little is known.
    pub fn time_to(&self, limit_c: f64) -> Option<f64> {
        let law = self.law?;
        let (steady_c, limit_c) = (law.steady_c(self.power_w), limit_c - EARLY_C);
        if self.present_c >= limit_c {
            return Some(0.0);
        }
        if steady_c <= limit_c {
            return Some(f64::INFINITY);
        }
        Some(law.tau_s * libm::log((steady_c - self.present_c) / (steady_c - limit_c)))
    }

    fn best(&self) -> Option<Law> {
        let solved = self.fits.iter().filter_map(|fit| {
            let (values, cost) = fit.solve(self.most_w)?;
            let surprise = (libm::log(fit.tau_s) - LN_TAU.0) / LN_TAU.1;
            let law = Law { ambient_c: values[0], c_per_w: values[1], tau_s: fit.tau_s };
            (law.c_per_w > 0.0).then_some((cost + surprise * surprise, law))
        });
        solved.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, law)| law)
    }
}

/// The temperature after `seconds` under constant power, from `now_c`.
fn after(law: Law, now_c: f64, watts: f64, seconds: f64) -> f64 {
    let steady_c = law.steady_c(watts);
    steady_c + (now_c - steady_c) * libm::exp(-seconds / law.tau_s)
}

impl Fit {
    fn new(tau_s: f64, watts: f64) -> Self {
        Self { tau_s, filtered_w: watts, decay: 1.0, normal: [[0.0; 3]; 3], right: [0.0; 3], square: 0.0 }
    }

    fn observe(&mut self, seconds: f64, watts: f64, celsius: f64) {
        let keep = libm::exp(-seconds / self.tau_s);
        self.filtered_w = watts + (self.filtered_w - watts) * keep;
        self.decay *= keep;
        let forget = libm::exp2(-seconds / HALF_LIFE_S);
        let row = [1.0, self.filtered_w, self.decay];
        for (one, sums) in row.iter().zip(&mut self.normal) {
            for (other, sum) in row.iter().zip(sums) {
                *sum = *sum * forget + one * other / NOISE;
            }
        }
        for (one, sum) in row.iter().zip(&mut self.right) {
            *sum = *sum * forget + one * celsius / NOISE;
        }
        self.square = self.square * forget + celsius * celsius / NOISE;
    }

    /// Ambient, degrees per watt and what is left of the start, and how badly they explain the readings.
    fn solve(&self, most_w: f64) -> Option<([f64; 3], f64)> {
        let watts = most_w.max(1.0);
        let beliefs = [ROOM_C, (RISE_C.0 / watts, RISE_C.1 / watts), START_C];
        let (mut normal, mut right, mut square) = (self.normal, self.right, self.square);
        for (at, (mean, deviation)) in beliefs.into_iter().enumerate() {
            let weight = 1.0 / (deviation * deviation);
            normal[at][at] += weight;
            right[at] += weight * mean;
            square += weight * mean * mean;
        }
        let values = cholesky(normal, right)?;
        let cost = square - values.iter().zip(right).map(|(value, right)| value * right).sum::<f64>();
        Some((values, cost))
    }
}

/// Solves a symmetric, positive definite system of three.
fn cholesky(a: [[f64; 3]; 3], b: [f64; 3]) -> Option<[f64; 3]> {
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = a[i][j] - dot;
            l[i][j] = if i == j { if rest > 0.0 { rest.sqrt() } else { return None } } else { rest / l[j][j] };
        }
    }
    let mut y = [0.0; 3];
    for i in 0..3 {
        let dot: f64 = (0..i).map(|k| l[i][k] * y[k]).sum();
        y[i] = (b[i] - dot) / l[i][i];
    }
    let mut x = [0.0; 3];
    for i in (0..3).rev() {
        let dot: f64 = (i + 1..3).map(|k| l[k][i] * x[k]).sum();
        x[i] = (y[i] - dot) / l[i][i];
    }
    Some(x)
}
