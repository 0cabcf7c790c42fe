//! What a series of loads will be some steps from now (F97 to F103): an ensemble of simple forecasts, each weighted by how
//! wrong it was at that very distance, with an interval whose coverage is measured.
//!
//! Every forecast waits in a queue until its step has come. Only then is it scored, by which the weights, the interval and
//! the accuracy are learned; a forecast is never replaced by a later one before it was due.

pub mod autoregressive;
pub mod conformal;
pub mod ewma;
pub mod holt;
pub mod least_squares;
pub mod persistence;
pub mod score;
pub mod weights;

use conformal::Conformal;
use score::Score;
use std::collections::VecDeque;
use std::fmt;
use weights::Weights;

/// One way to forecast a series.
pub trait Member: fmt::Debug + Send {
    /// What it is called in weights that are shown.
    fn name(&self) -> &'static str;
    /// Takes in the value of the next step, which is a number.
    fn observe(&mut self, value: f64);
    /// The value `steps` after the last one; 0 where there was none.
    fn forecast(&self, steps: usize) -> f64;
}

/// What an ensemble is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup {
    /// Steps from a value to the one that is forecast; at least 1. Three minutes of 30 s steps are 6.
    pub horizon: usize,
    /// Whether the values are shares: forecasts and intervals then stay within 0 to 1.
    pub share: bool,
    /// The share of the values that the intervals are to hold, 0 to 1.
    pub coverage: f64,
    /// Whether the published least squares take part.
    pub least_squares: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { horizon: 6, share: true, coverage: 0.8, least_squares: false }
    }
}

/// What will be, `horizon` steps after the last value.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The middle of what is expected.
    pub value: f64,
    /// Lower end of the interval; −∞ where nothing bounds it yet.
    pub low: f64,
    /// Upper end of the interval; ∞ where nothing bounds it yet.
    pub high: f64,
    /// 1 − width of the interval ÷ the span of the series, within 0 to 1: how much of what could be is ruled out. The span
    /// of shares is 1, that of other series twice their mean absolute value.
    pub confidence: f64,
    /// The weight of each member, in the order of the members; their sum is 1.
    pub weights: Vec<(&'static str, f64)>,
}

/// The forecasts of one series.
#[derive(Debug)]
pub struct Ensemble {
    setup: Setup,
    members: Vec<Box<dyn Member>>,
    weights: Weights,
    conformal: Conformal,
    score: Score,
    /// One entry for each of the last `horizon` steps, oldest first; none for a step nothing was forecast at.
    waiting: VecDeque<Option<Waiting>>,
    latest: Option<Forecast>,
    seen: f64,
    absolute_mean: f64,
}

/// A forecast whose step has not come yet.
#[derive(Debug)]
struct Waiting {
    members: Vec<f64>,
    last: f64,
    value: f64,
    low: f64,
    high: f64,
}

impl Ensemble {
    /// The default members: no change, a moving average, damped Holt, autoregression, and least squares if asked for.
    pub fn new(setup: Setup) -> Self {
        let mut members: Vec<Box<dyn Member>> = vec![
            Box::<persistence::Persistence>::default(),
            Box::new(ewma::Ewma::new("ewma", 0.1)),
            Box::<holt::Holt>::default(),
            Box::<autoregressive::Autoregressive>::default(),
        ];
        if setup.least_squares {
            members.push(Box::<least_squares::LeastSquares>::default());
        }
        Self::of(setup, members)
    }

    /// An ensemble of these members, at least one.
    pub fn of(setup: Setup, members: Vec<Box<dyn Member>>) -> Self {
        assert!(!members.is_empty(), "an ensemble needs a member");
        let setup = Setup { horizon: setup.horizon.max(1), ..setup };
        Self {
            setup,
            weights: Weights::equal(members.len()),
            members,
            conformal: Conformal::new(1.0 - setup.coverage),
            score: Score::default(),
            waiting: VecDeque::new(),
            latest: None,
            seen: 0.0,
            absolute_mean: 0.0,
        }
    }

    /// Takes in the value of the next step. What is not a number counts as a step that was not measured.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return self.miss();
        }
        let value = self.bounded(value);
        if let Some(due) = self.due() {
            self.settle(&due, value);
        }
        self.seen += 1.0;
        self.absolute_mean += (value.abs() - self.absolute_mean) / self.seen;
        self.members.iter_mut().for_each(|member| member.observe(value));
        let waiting = self.predict(value);
        self.waiting.push_back(Some(waiting));
    }

    /// Lets a step pass that was not measured: what was forecast for it is never scored.
    pub fn miss(&mut self) {
        self.due();
        self.waiting.push_back(None);
    }

    /// The forecast made at the last value; none before there was one.
    pub fn forecast(&self) -> Option<&Forecast> {
        self.latest.as_ref()
    }

    /// How good the forecasts were that have come due.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// For `load_balancer_metrics.prediction_accuracy`: 1 − recent mean absolute error ÷ span, within 0 to 1. The span of
    /// shares is 1, so 0.93 means that forecasts were off by 7 points lately; for other series it is their mean absolute
    /// value. None until a forecast has come due.
    pub fn accuracy(&self) -> Option<f64> {
        let span = if self.setup.share { 1.0 } else { self.absolute_mean };
        let error = self.score.recent_error()?;
        Some(if error == 0.0 { 1.0 } else { (1.0 - error / span).clamp(0.0, 1.0) })
    }

    /// Forecasts that wait for their step.
    pub fn waiting(&self) -> usize {
        self.waiting.iter().flatten().count()
    }

    /// The forecast for the step that comes now.
    fn due(&mut self) -> Option<Waiting> {
        if self.waiting.len() < self.setup.horizon { None } else { self.waiting.pop_front()? }
    }

    fn bounded(&self, value: f64) -> f64 {
        if self.setup.share { value.clamp(0.0, 1.0) } else { value }
    }

    fn settle(&mut self, due: &Waiting, value: f64) {
        let errors: Vec<f64> = due.members.iter().map(|forecast| (forecast - value).abs()).collect();
        self.weights.learn(&errors);
        let held = (due.low..=due.high).contains(&value);
        self.conformal.learn((due.value - value).abs(), held);
        self.score.add((due.value - value).abs(), (due.last - value).abs(), held);
    }

    fn predict(&mut self, last: f64) -> Waiting {
        let bound = |value: f64| self.bounded(value);
        let members: Vec<f64> = self.members.iter().map(|member| bound(member.forecast(self.setup.horizon))).collect();
        let value = self.weights.middle(&members);
        let distance = self.conformal.distance();
        let (low, high) = (bound(value - distance), bound(value + distance));
        let span = if self.setup.share { 1.0 } else { 2.0 * self.absolute_mean };
        let width = high - low;
        let confidence = if width == 0.0 { 1.0 } else { (1.0 - width / span).clamp(0.0, 1.0) };
        let names = self.members.iter().map(|member| member.name());
        let weights = names.zip(self.weights.shares().iter().copied()).collect();
        self.latest = Some(Forecast { value, low, high, confidence, weights });
        Waiting { members, last, value, low, high }
    }
}

#[cfg(test)]
mod tests;
