//! Many seeds, over all processors, and what they came to together.

use super::farm::{self, Story};
use super::setting::Setting;
use super::sights::Sights;
use super::trace::Trace;
use super::witness::{Moves, Violation};
use nix::time::{ClockId, clock_gettime};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of so many seeds one is run twice.
const RERUN_EVERY: u64 = 100;
/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Seeds that were run to their end.
    pub seeds: u64,
    /// Seeds that were run twice, and were the same both times.
    pub rerun: u64,
    /// Virtual time, in hours.
    pub virtual_hours: f64,
    /// Processor time of the runs, in seconds, without those that were only run to be the same.
    pub cpu_s: f64,
    /// How many things happened.
    pub events: u64,
    /// Tasks that were accepted.
    pub tasks: u64,
    /// Attempts of them.
    pub attempts: u64,
    /// What became of the moves that were ordered.
    pub moves: Moves,
    /// What was seen.
    pub sights: Sights,
    /// The runs in which something did not hold, and those that were not the same twice.
    pub failures: Vec<Failure>,
}

/// A run that went wrong.
#[derive(Debug)]
pub enum Failure {
    /// Something did not hold.
    Violated(Box<Story>),
    /// Two runs of the seed differ.
    Differs(u64),
}

impl Failure {
    /// Of which seed.
    pub fn seed(&self) -> u64 {
        match self {
            Failure::Violated(story) => story.seed,
            Failure::Differs(seed) => *seed,
        }
    }
}

/// Runs these seeds, `jobs` at a time, until `failures_max` of them went wrong.
pub fn sweep(seeds: Range<u64>, hours: f64, jobs: usize, failures_max: usize, prepare: impl Fn() + Sync) -> Sweep {
    let total = Mutex::new((Sweep::default(), Instant::now()));
    let next = AtomicU64::new(seeds.start);
    let of = seeds.end - seeds.start;
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                prepare();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let began = processor_time();
                    let story = farm::run(Setting::drawn(seed, hours), Trace::default());
                    let cpu_s = (processor_time() - began).as_secs_f64();
                    let differs = seed.is_multiple_of(RERUN_EVERY)
                        && farm::run(Setting::drawn(seed, hours), Trace::default()).hash != story.hash;
                    if let Some(Violation { invariant, what, .. }) = &story.violation {
                        eprintln!("seed {seed}: {invariant} does not hold: {what}");
                    }
                    let (sweep, told) = &mut *total.lock().expect("no holder panics");
                    sweep.add(story, cpu_s, differs);
                    if told.elapsed() > TOLD_EVERY {
                        *told = Instant::now();
                        eprintln!(
                            "{} of {of} seeds, {} went wrong, {:.0} virtual hours",
                            sweep.seeds,
                            sweep.failures.len(),
                            sweep.virtual_hours
                        );
                    }
                    if sweep.failures.len() >= failures_max {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (mut sweep, _) = total.into_inner().expect("no holder panics");
    sweep.failures.sort_by_key(Failure::seed);
    sweep
}

/// What this thread has used of processors.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map(Duration::from).expect("every system we build for has this clock")
}

impl Sweep {
    fn add(&mut self, story: Story, cpu_s: f64, differs: bool) {
        self.seeds += 1;
        self.rerun += u64::from(story.seed.is_multiple_of(RERUN_EVERY) && !differs);
        self.virtual_hours += story.length.seconds() / 3600.0;
        self.cpu_s += cpu_s;
        self.events += story.events;
        self.tasks += story.tasks as u64;
        self.attempts += story.attempts as u64;
        self.moves = self.moves.and(story.moves);
        self.sights.add(&story.sights);
        if differs {
            self.failures.push(Failure::Differs(story.seed));
        }
        if story.violation.is_some() {
            self.failures.push(Failure::Violated(Box::new(story)));
        }
    }

    /// Virtual hours for each second of a processor.
    pub fn virtual_hours_per_cpu_s(&self) -> f64 {
        self.virtual_hours / self.cpu_s.max(1e-9)
    }
}
