//! Durations by kind and hardware, each level drawn toward the coarser one.
//!
//! What a kind takes on a hardware is believed by three voices, each with its variance: what the kind is like on other hardware;
//! what was told of this very pair before the run, shifted by how the kind's tasks differ in this run from what was told; and
//! what was seen of it. Where sizes within a kind spread widely, few sightings say little, and how much faster one hardware is
//! than another is still known from what was told of both.

use super::{Estimate, KindId};
use shared::hardware::HardwareKind;

const KINDS: usize = HardwareKind::ALL.len();
/// Variance of the logarithm of a duration within a kind, before anything was seen, and how many observations that is worth.
const WITHIN: f64 = 0.1;
const WITHIN_WEIGHT: f64 = 4.0;
/// Variance of what is peculiar to a kind on one hardware.
const PECULIAR: f64 = 0.35;
/// Variance of how a kind changed since it was told of, all hardware alike, and one by one.
const SHIFT: f64 = 0.25;
const DRIFT: f64 = 0.05;
/// How many kinds' evidence the published profile of a hardware is worth.
const PROFILE_WEIGHT: f64 = 3.0;
/// Variance between kinds, before anything was seen.
const BETWEEN: f64 = 2.0;
/// Older observations fade, so that a kind that changed is noticed: the newest hundred count.
const COUNT_MAX: f64 = 100.0;

/// Where an observation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Told before the run.
    Told,
    /// Seen in it.
    Seen,
}

const SOURCES: [Source; 2] = [Source::Told, Source::Seen];

/// All that is known.
#[derive(Debug)]
pub(super) struct Cells {
    kinds: Vec<Kind>,
    /// What each hardware adds to the logarithm beside a processor.
    effects: [f64; KINDS],
    /// Variance within cells, by source: sum of squares, and of how many observations.
    within: [(f64, f64); 2],
    mean: f64,
    between: f64,
    observations: u64,
    refresh_at: u64,
}

#[derive(Debug, Default, Clone)]
struct Kind {
    cells: [[Cell; KINDS]; 2],
    within: [(f64, f64); 2],
    /// What follows from all of it, worked out when something was observed.
    estimates: [Estimate; KINDS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    count: f64,
    mean: f64,
}

impl Default for Cells {
    fn default() -> Self {
        let effects = HardwareKind::ALL.map(|kind| -kind.profile().performance_weight.ln());
        Self { kinds: Vec::new(), effects, within: [(0.0, 0.0); 2], mean: 0.0, between: BETWEEN, observations: 0, refresh_at: 1 }
    }
}

impl Kind {
    fn is_known(&self) -> bool {
        self.cells.as_flattened().iter().any(|cell| cell.count > 0.0)
    }
}

/// How the tasks of a kind differ in this run from what was told of it, the same on all hardware.
fn shift(told_cells: &[Cell; KINDS], told: f64, seen_cells: &[Cell; KINDS], seen: f64) -> f64 {
    let mut belief = Belief::new(0.0, SHIFT);
    for (before, now) in told_cells.iter().zip(seen_cells).filter(|(before, now)| before.count > 0.0 && now.count > 0.0) {
        belief.hear(now.mean - before.mean, told / before.count + seen / now.count);
    }
    belief.mean()
}

/// A normally distributed belief.
#[derive(Debug, Clone, Copy)]
struct Belief {
    precision: f64,
    weighted: f64,
}

impl Belief {
    fn new(mean: f64, variance: f64) -> Self {
        Self { precision: 1.0 / variance, weighted: mean / variance }
    }

    /// Takes in a voice.
    fn hear(&mut self, says: f64, variance: f64) {
        self.precision += 1.0 / variance;
        self.weighted += says / variance;
    }

    fn mean(&self) -> f64 {
        self.weighted / self.precision
    }
}

impl Cells {
    pub(super) fn knows(&self, kind: KindId) -> bool {
        self.kinds.get(kind.0 as usize).is_some_and(Kind::is_known)
    }

    /// Takes in a logarithm of seconds at speed 1 that was met so many `times`.
    pub(super) fn observe(&mut self, source: Source, kind: KindId, hardware: HardwareKind, log: f64, times: f64) {
        let at = kind.0 as usize;
        if self.kinds.len() <= at {
            self.kinds.resize(at + 1, Kind::default());
        }
        let kind = &mut self.kinds[at];
        let cell = &mut kind.cells[source as usize][hardware as usize];
        let off = log - cell.mean;
        let before = cell.count;
        cell.count = (before + times).min(COUNT_MAX);
        let square = off * off * before * times / (before + times);
        let degrees = if before > 0.0 { times } else { times - 1.0 };
        for (squares, of) in [&mut kind.within[source as usize], &mut self.within[source as usize]] {
            *squares += square;
            *of += degrees;
        }
        cell.mean += off * (times / cell.count).min(1.0);
        self.kinds[at].estimates = self.work_out(&self.kinds[at]);
        self.observations += 1;
        if self.observations >= self.refresh_at {
            self.refresh();
            self.refresh_at = self.observations + self.observations / 16 + 1;
        }
    }

    pub(super) fn expect(&self, kind: KindId, hardware: HardwareKind) -> Estimate {
        match self.kinds.get(kind.0 as usize).filter(|kind| kind.is_known()) {
            Some(kind) => kind.estimates[hardware as usize],
            None => Estimate {
                log: self.mean + self.effects[hardware as usize],
                variance: self.between + PECULIAR + self.within(None),
            },
        }
    }

    fn work_out(&self, kind: &Kind) -> [Estimate; KINDS] {
        let (told, seen) = (self.within_of(kind, Source::Told), self.within_of(kind, Source::Seen));
        let degrees = kind.within[Source::Seen as usize].1 + self.within[Source::Seen as usize].1.min(8.0);
        // Sizes may spread more in the run than in what was told of it: the wider of the two counts once it is known.
        let within = if degrees >= 3.0 { seen.max(told.min(seen * 4.0)) } else { told };
        let [told_cells, seen_cells] = &kind.cells;
        let shift = shift(told_cells, told, seen_cells, seen);
        let level = self.level(kind, [told, seen], shift);
        HardwareKind::ALL.map(|hardware| {
            let at = hardware as usize;
            let mut belief = Belief::new(level.mean() + self.effects[at], 1.0 / level.precision + PECULIAR);
            if told_cells[at].count > 0.0 {
                belief.hear(told_cells[at].mean + shift, told / told_cells[at].count + DRIFT);
            }
            if seen_cells[at].count > 0.0 {
                belief.hear(seen_cells[at].mean, seen / seen_cells[at].count);
            }
            Estimate { log: belief.mean(), variance: within + 1.0 / belief.precision }
        })
    }

    /// How long tasks of the kind are on a processor, by all that is known of it on any hardware, drawn toward all kinds.
    fn level(&self, kind: &Kind, within: [f64; 2], shift: f64) -> Belief {
        let mut belief = Belief::new(self.mean, self.between);
        for source in SOURCES {
            let moved = if source == Source::Told { shift } else { 0.0 };
            for (cell, effect) in kind.cells[source as usize].iter().zip(self.effects).filter(|(cell, _)| cell.count > 0.0) {
                belief.hear(cell.mean + moved - effect, within[source as usize] / cell.count + PECULIAR);
            }
        }
        belief
    }

    /// What one source says of the kind on a processor by its cells.
    fn source_level(&self, kind: &Kind, source: Source) -> Option<f64> {
        let within = self.within_of(kind, source);
        let mut belief = Belief { precision: 0.0, weighted: 0.0 };
        for (cell, effect) in kind.cells[source as usize].iter().zip(self.effects).filter(|(cell, _)| cell.count > 0.0) {
            belief.hear(cell.mean - effect, within / cell.count + PECULIAR);
        }
        (belief.precision > 0.0).then(|| belief.mean())
    }

    fn within(&self, source: Option<Source>) -> f64 {
        let (mut squares, mut degrees) = (WITHIN_WEIGHT * WITHIN, WITHIN_WEIGHT);
        for each in SOURCES.into_iter().filter(|each| source.is_none_or(|source| source == *each)) {
            squares += self.within[each as usize].0;
            degrees += self.within[each as usize].1;
        }
        squares / degrees
    }

    fn within_of(&self, kind: &Kind, source: Source) -> f64 {
        let (squares, degrees) = kind.within[source as usize];
        (squares + WITHIN_WEIGHT * self.within(Some(source))) / (degrees + WITHIN_WEIGHT)
    }

    /// Learns anew what each hardware adds and how kinds differ.
    fn refresh(&mut self) {
        let mut sums = [(0.0, 0.0); KINDS];
        let (mut count, mut total, mut squares) = (0.0, 0.0, 0.0);
        for kind in &self.kinds {
            for source in SOURCES {
                let cells = &kind.cells[source as usize];
                let Some(level) = self.source_level(kind, source) else { continue };
                let within = self.within_of(kind, source);
                count += 1.0;
                total += level;
                squares += level * level;
                let several = cells.iter().filter(|cell| cell.count > 0.0).count() > 1;
                for (sum, cell) in sums.iter_mut().zip(cells).filter(|(_, cell)| several && cell.count > 0.0) {
                    let weight = 1.0 / (within / cell.count + PECULIAR);
                    sum.0 += weight * (cell.mean - level);
                    sum.1 += weight;
                }
            }
        }
        if count == 0.0 {
            return;
        }
        self.mean = total / count;
        self.between = ((squares - total * total / count).max(0.0) + BETWEEN * 2.0) / (count + 2.0);
        let prior_weight = PROFILE_WEIGHT / (WITHIN + PECULIAR);
        for (kind, (effect, (sum, weight))) in HardwareKind::ALL.into_iter().zip(self.effects.iter_mut().zip(sums)) {
            let prior = -kind.profile().performance_weight.ln();
            *effect = (sum + prior_weight * prior) / (weight + prior_weight);
        }
        for at in 0..self.kinds.len() {
            self.kinds[at].estimates = self.work_out(&self.kinds[at]);
        }
    }
}
