//! What a seed decides before anything happens: how many workers, which policy, how often what goes wrong.

use super::chance::Chance;
use super::trouble::Trouble;
use coordinator_core::Config;
use coordinator_core::plan::Policy;
use coordinator_core::policy;
use std::time::Duration;

use super::wild::Wild;

/// See the module.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where all randomness begins.
    pub seed: u64,
    /// For how long things go wrong.
    pub hours: f64,
    /// The slots of each worker.
    pub slots: Vec<u32>,
    /// Microseconds each second by which clocks are wrong, the coordinator's first.
    pub ppm: Vec<i64>,
    /// The coordinator's terms.
    pub config: Config,
    /// The name of its policy; none stands for one that proposes anything at all.
    pub policy: Option<&'static str>,
    /// What goes wrong, with how often it does beside the others.
    pub troubles: Vec<(Trouble, f64)>,
    /// Seconds between two troubles, on average.
    pub trouble_every_s: f64,
    /// Seconds between two submissions, on average.
    pub work_every_s: f64,
    /// Seconds between two orders of an operator, on average.
    pub order_every_s: f64,
    /// Seconds a message takes at least, and at most.
    pub latency_s: (f64, f64),
    /// The most messages a coordinator's session puts into one frame.
    pub frame_messages: usize,
    /// Seconds a coordinator that died in a commit is away at least, and at most.
    pub away_s: (f64, f64),
    /// Share of the states that reach the coordinator when nothing else is wrong.
    pub uploads: f64,
    /// Whether wall clocks jump.
    pub wall_jumps: bool,
}

impl Setting {
    /// What `seed` decides, for so many hours.
    pub fn drawn(seed: u64, hours: f64) -> Self {
        let mut chance = Chance::new(seed, "setting");
        let workers = 3 + chance.below(3);
        let slots = (0..workers).map(|_| 1 + chance.below(4) as u32).collect();
        let is_skewed = chance.hits(0.5);
        let ppm = (0..=workers).map(|_| if is_skewed { chance.below(2001) as i64 - 1000 } else { 0 }).collect();
        let policy = match chance.below(10) {
            0..4 => Some(policy::NAMES[0]),
            4..8 => None,
            _ => Some(*chance.pick(&["fifo", "work_stealing", "seed_v1", "random"])),
        };
        // Each seed leaves some troubles out: what hides behind a frequent one shows where that one is missing.
        let mut troubles: Vec<(Trouble, f64)> = Trouble::ALL.into_iter().map(|one| (one, 0.2 + chance.share())).collect();
        troubles.retain(|_| chance.hits(0.6));
        let config = Config { open_tasks_max: if chance.hits(0.2) { 30 } else { 10_000 }, ..Config::default() };
        Self {
            seed,
            hours,
            slots,
            ppm,
            config,
            policy,
            troubles,
            trouble_every_s: chance.span(15.0, 240.0).as_secs_f64(),
            work_every_s: chance.span(15.0, 90.0).as_secs_f64(),
            order_every_s: chance.span(30.0, 600.0).as_secs_f64(),
            latency_s: if chance.hits(0.2) { (0.05, 0.6) } else { (0.000_2, 0.02) },
            frame_messages: *chance.pick(&[1, 3, 256]),
            away_s: (0.05, 20.0),
            uploads: 0.95,
            wall_jumps: true,
        }
    }

    /// A farm of `workers` with two slots each in which nothing goes wrong by itself.
    pub fn calm(seed: u64, workers: usize) -> Self {
        Self {
            slots: vec![2; workers],
            ppm: vec![0; workers + 1],
            policy: Some("fifo"),
            troubles: Vec::new(),
            latency_s: (0.001, 0.002),
            frame_messages: 256,
            away_s: (0.5, 1.0),
            uploads: 1.0,
            config: Config::default(),
            ..Self::drawn(seed, 0.0)
        }
    }

    /// The policy, knowing nothing yet.
    pub fn policy(&self, life: u64) -> Box<dyn Policy> {
        match self.policy {
            Some(name) => policy::by_name(name).expect("it is one of the names"),
            None => Box::new(Wild::new(Chance::of(self.seed, "policy", [life, 0]))),
        }
    }

    /// For how long things go wrong.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.hours * 3600.0)
    }
}
