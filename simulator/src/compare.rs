//! Policies side by side: every policy meets the same seeds, so that they can be compared run by run. Runs are independent of
//! each other and go on several threads; what is told of them does not depend on which ended first.

mod columns;
mod statistics;
mod tell;

pub use tell::{json, markdown, text};

use crate::options::{Options, Setting};
use crate::progress::Progress;
use crate::source::Source;
use crate::{Scenario, SimError, Summary, run};
use coordinator_core::policy::NAMES;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is compared.
#[derive(Debug)]
pub struct Comparison {
    /// The scenarios.
    pub sources: Vec<Source>,
    /// The policies; all are compared with the first.
    pub policies: Vec<String>,
    /// Settings of every run.
    pub settings: Vec<Setting>,
    /// The first seed; absent means the one of each scenario.
    pub seed: Option<u64>,
    /// How many seeds follow each other, itself included.
    pub seeds: u32,
    /// Runs at a time.
    pub jobs: u32,
    /// Where each run is written, if it is: to the folder SCENARIO/POLICY/seed-N.
    pub out: Option<PathBuf>,
}

/// What was found for one scenario.
#[derive(Debug)]
pub struct Table {
    /// The scenario.
    pub scenario: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Each policy with its runs in the order of the seeds.
    pub policies: Vec<(String, Vec<Summary>)>,
}

/// The policies that are meant by names, each once; `all` means all of them.
///
/// # Errors
/// There is no policy of a name.
pub fn policies(names: &[String]) -> Result<Vec<String>, SimError> {
    let mut found: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        let meant = match name {
            "all" => &NAMES[..],
            _ => {
                let at = NAMES.iter().position(|known| *known == name);
                let there_are = NAMES.join(", ");
                let at =
                    at.ok_or_else(|| SimError::Option(format!("no policy is called `{name}`; there are {there_are}, all")))?;
                &NAMES[at..=at]
            }
        };
        found.extend(meant.iter().map(ToString::to_string));
    }
    let mut once: Vec<String> = Vec::new();
    found.into_iter().for_each(|name| {
        if !once.contains(&name) {
            once.push(name);
        }
    });
    Ok(once)
}

/// One run.
struct Job<'a> {
    scenario: &'a Scenario,
    seed: u64,
    policy: &'a str,
}

impl Comparison {
    /// Runs everything.
    ///
    /// # Errors
    /// The first run, in order, that could not be made.
    pub fn run(&self) -> Result<Vec<Table>, SimError> {
        let mut jobs = Vec::new();
        let instances = self.instances()?;
        for (source, instances) in self.sources.iter().zip(&instances) {
            for (at, seed) in self.seeds_of(source).enumerate() {
                // A scenario in files is one instance for all seeds.
                let scenario = instances.get(at).or(instances.first()).expect("there is at least one").as_ref();
                jobs.extend(self.policies.iter().map(|policy| Job { scenario, seed, policy }));
            }
        }
        let mut summaries = self.run_all(&jobs)?.into_iter();
        let tables = self.sources.iter().map(|source| {
            let seeds: Vec<u64> = self.seeds_of(source).collect();
            let mut policies: Vec<(String, Vec<Summary>)> = self.policies.iter().map(|name| (name.clone(), Vec::new())).collect();
            for _ in &seeds {
                for (_, runs) in &mut policies {
                    runs.push(summaries.next().expect("one for each job"));
                }
            }
            Table { scenario: source.name().to_owned(), seeds, policies }
        });
        Ok(tables.collect())
    }

    fn seeds_of(&self, source: &Source) -> impl Iterator<Item = u64> + use<> {
        let first = self.seed.unwrap_or(source.seed());
        (0..u64::from(self.seeds)).map(move |at| first.wrapping_add(at))
    }

    fn instances<'a>(&'a self) -> Result<Vec<Vec<Cow<'a, Scenario>>>, SimError> {
        let of = |source: &'a Source| match source {
            Source::File(scenario) => Ok(vec![Cow::Borrowed(&**scenario)]),
            Source::Builtin(builtin) => self.seeds_of(source).map(|seed| builtin.scenario(seed).map(Cow::Owned)).collect(),
        };
        self.sources.iter().map(of).collect()
    }

    /// The figures of all jobs, in their order.
    fn run_all(&self, jobs: &[Job<'_>]) -> Result<Vec<Summary>, SimError> {
        let (next, progress) = (AtomicUsize::new(0), Progress::new(jobs.len()));
        let done: Vec<OnceLock<Result<Summary, SimError>>> = jobs.iter().map(|_| OnceLock::new()).collect();
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(at) else { return };
                let ended = self.run_job(job);
                if ended.is_err() {
                    // What was not begun is left undone.
                    next.store(jobs.len(), Ordering::Relaxed);
                }
                done[at].set(ended).expect("each job is taken once");
                progress.done(&format!("{} with seed {}, {}", job.scenario.name, job.seed, job.policy));
            }
        };
        std::thread::scope(|scope| (0..self.jobs).for_each(|_| drop(scope.spawn(work))));
        progress.end();
        // Jobs are begun in order: before one that was left undone stands one that failed.
        done.into_iter().map_while(OnceLock::into_inner).collect()
    }

    fn run_job(&self, job: &Job<'_>) -> Result<Summary, SimError> {
        let options =
            Options { policy: job.policy.to_owned(), seed: Some(job.seed), settings: self.settings.clone(), log: false };
        let run = run(job.scenario, &options)?;
        if let Some(out) = &self.out {
            run.write(&out.join(&job.scenario.name).join(job.policy).join(format!("seed-{}", job.seed)))?;
        }
        Ok(run.summary)
    }
}
