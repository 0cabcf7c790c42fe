//! What the log survives: power cuts at any moment of a recorded run of appends, and damage of every kind, each read back
//! by the code that production reads with.

mod image;
mod mutant;
mod recording;

use anyhow::{Result, bail};
use clap::Args;
use coordinator::{LogError, SqliteLog};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use recording::{Files, Recording};
use serde::Serialize;
use shared::fact::Fact;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Recorded runs that images and mutants are made from.
const RECORDINGS: u64 = 16;
/// Violations that are told one by one.
const TOLD_MAX: usize = 20;

/// The flags of `log-faults`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: as many as a release needs, about a quarter of an hour on two cores
  test-harness log-faults --images 50000 --mutants 100000")]
pub struct Options {
    /// Crash images: what a power cut may leave
    #[arg(long, default_value_t = 2_000)]
    images: u64,
    /// Mutants: what a broken disk or a careless person may leave
    #[arg(long, default_value_t = 4_000)]
    mutants: u64,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of the first case: with `--images 1 --mutants 0` it alone is made again
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Figures {
    images: u64,
    mutants: u64,
    seed: u64,
    seconds: f64,
    /// How often the log was read in full, by what was done to it.
    whole: BTreeMap<&'static str, u64>,
    /// How often it was refused with the place of the damage.
    refused: BTreeMap<&'static str, u64>,
    salvaged: u64,
    violations: u64,
}

/// What happened to one log.
enum Verdict {
    /// Every fact was there.
    Whole,
    /// It was refused, with the place.
    Refused,
    /// It was refused, and what lay before the damage was kept.
    Salvaged,
}

/// Makes the cases on all processors and prints what came of them.
///
/// # Errors
/// One of the promises does not hold, or there is no room for the logs.
pub fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let folder = tempfile::tempdir_in(fast_folder())?;
    let recordings: Vec<Recording> =
        (0..RECORDINGS).map(|number| Recording::make(folder.path(), options.seed ^ number)).collect::<Result<_>>()?;
    let (next, figures) = (AtomicU64::new(0), Mutex::new(Figures::default()));
    let cases = options.images + options.mutants;
    std::thread::scope(|scope| {
        for thread in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (place, next, figures, recordings) = (folder.path().join(format!("t{thread}")), &next, &figures, &recordings);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cases {
                        return;
                    }
                    let case = Case::new(options, recordings, number, &place);
                    case.count(&mut figures.lock().unwrap_or_else(PoisonError::into_inner), case.outcome());
                }
            });
        }
    });
    let mut figures = figures.into_inner().unwrap_or_else(PoisonError::into_inner);
    (figures.images, figures.mutants, figures.seed) = (options.images, options.mutants, options.seed);
    figures.seconds = began.elapsed().as_secs_f64();
    print(&figures, options.json)?;
    if figures.violations > 0 {
        bail!("{} promises of the log do not hold; each line above says how to see one again", figures.violations);
    }
    Ok(())
}

fn print(figures: &Figures, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
        return Ok(());
    }
    println!(
        "{} crash images and {} mutants in {:.0} s, seed {}",
        figures.images, figures.mutants, figures.seconds, figures.seed
    );
    for (what, counts) in [("read in full", &figures.whole), ("refused with the place", &figures.refused)] {
        let each: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!("{what}: {}", each.join(", "));
    }
    println!("salvaged: {}; violations: {}", figures.salvaged, figures.violations);
    Ok(())
}

/// Memory that passes for a disk, where there is some: what is lost in these cuts was never written.
fn fast_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if tempfile::tempfile_in(&memory).is_ok() { memory } else { std::env::temp_dir() }
}

/// One log, made and judged.
struct Case<'a> {
    number: u64,
    is_image: bool,
    seed: u64,
    random: Mutex<Pcg64>,
    recording: &'a Recording,
    place: &'a Path,
    kind: Mutex<&'static str>,
}

impl<'a> Case<'a> {
    fn new(options: &Options, recordings: &'a [Recording], number: u64, place: &'a Path) -> Self {
        let is_image = number < options.images;
        let number = options.first + if is_image { number } else { number - options.images };
        let stream = options.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number << 1) ^ u64::from(is_image);
        let recording = &recordings[(number % RECORDINGS) as usize];
        let random = Mutex::new(Pcg64::seed_from_u64(stream));
        Self { number, is_image, seed: options.seed, random, recording, place, kind: Mutex::new("unmade") }
    }

    /// Makes it and looks; a panic is a violation like any other.
    fn outcome(&self) -> Result<Verdict, String> {
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_image { self.image(&mut random) } else { self.mutant(&mut random) }
        }));
        looked.unwrap_or_else(|_| Err("it panicked".into()))
    }

    fn count(&self, figures: &mut Figures, outcome: Result<Verdict, String>) {
        let kind = *self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(Verdict::Whole) => *figures.whole.entry(kind).or_default() += 1,
            Ok(Verdict::Refused) => *figures.refused.entry(kind).or_default() += 1,
            Ok(Verdict::Salvaged) => {
                *figures.refused.entry(kind).or_default() += 1;
                figures.salvaged += 1;
            }
            Err(what) => {
                figures.violations += 1;
                if figures.violations as usize <= TOLD_MAX {
                    let (images, mutants) = if self.is_image { (1, 0) } else { (0, 1) };
                    let again = format!("--images {images} --mutants {mutants} --seed {} --first {}", self.seed, self.number);
                    eprintln!("{kind}: {what}\n  again: test-harness log-faults {again}");
                }
            }
        }
    }

    fn name(&self, kind: &'static str) {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    fn image(&self, random: &mut Pcg64) -> Result<Verdict, String> {
        let step = &self.recording.steps[below(random, self.recording.steps.len())];
        let (kind, files) = image::cut(random, step);
        self.name(kind);
        let log = files.write(self.place).map_err(|error| error.to_string())?;
        let (found, opened) = read(&log);
        let mut open = opened.map_err(|error| format!("a power cut is taken for damage: {error}"))?;
        self.compare(&found)?;
        if ![step.facts_before, step.facts_after].contains(&found.len()) {
            let (before, after) = (step.facts_before, step.facts_after);
            return Err(format!("{} facts are there; {before} were acknowledged and {after} were being written", found.len()));
        }
        if random.next_u64().is_multiple_of(16) {
            let more = &self.recording.facts[found.len() % self.recording.facts.len()];
            open.append([more].into_iter()).map_err(|error| format!("it cannot be appended to: {error}"))?;
            drop(open);
            let (again, opened) = read(&log);
            opened.map_err(|error| format!("after one more fact: {error}"))?;
            if again.len() != found.len() + 1 || again.last() != Some(more) {
                return Err("one more fact was appended and is not there".into());
            }
        }
        Ok(Verdict::Whole)
    }

    fn mutant(&self, random: &mut Pcg64) -> Result<Verdict, String> {
        let step = &self.recording.steps[below(random, self.recording.steps.len())];
        let (all, mut files) = (step.facts_after, step.after.clone());
        let (kind, row) = mutant::change(random, &mut files, self.place);
        self.name(kind);
        let log = files.write(self.place).map_err(|error| error.to_string())?;
        let (found, opened) = read(&log);
        self.compare(&found)?;
        let error = match opened {
            Ok(_) if found.len() == all && row.is_none() => return Ok(Verdict::Whole),
            Ok(_) if row.is_some() => return Err("a record was changed, and nothing was found".into()),
            Ok(_) => return Err(format!("{} of {all} facts are there, and nothing was found missing", found.len())),
            Err(error) => error,
        };
        let seq = match &error {
            LogError::Damaged { seq, .. } => *seq as usize,
            // A changed number of the format is told as what it looks like, and so is a mark that forbids writing.
            LogError::Newer { .. } => return Ok(Verdict::Refused),
            LogError::Storage { .. } if found.len() == all => return Ok(Verdict::Refused),
            other => return Err(format!("it is refused without a place: {other}")),
        };
        if seq != found.len() + 1 || row.is_some_and(|row| row != seq) {
            return Err(format!("the damage is told at record {seq}; {} are sound, changed was {row:?}", found.len()));
        }
        let kept = Files::read(self.place).map_err(|error| error.to_string())?;
        if kept.db != files.db || kept.wal != files.wal {
            return Err("a log that was refused was changed".into());
        }
        if !random.next_u64().is_multiple_of(16) {
            return Ok(Verdict::Refused);
        }
        let salvaged = coordinator::salvage(self.place).map_err(|error| format!("it cannot be salvaged: {error:#}"))?;
        let (found, opened) = read(&log);
        opened.map_err(|error| format!("what was salvaged is not sound: {error}"))?;
        self.compare(&found[..salvaged.kept as usize])?;
        if salvaged.kept as usize != seq - 1 || found.len() > seq {
            return Err(format!("{} facts were salvaged of {}", salvaged.kept, seq - 1));
        }
        Ok(Verdict::Salvaged)
    }

    /// Facts that were read are those that were written.
    fn compare(&self, found: &[Fact]) -> Result<(), String> {
        let wrong = found.iter().zip(&self.recording.facts).position(|(found, written)| found != written);
        wrong.map_or(Ok(()), |at| Err(format!("record {} is not what was written", at + 1)))
    }
}

/// Every fact that production hands out, and what it says in the end.
fn read(log: &Path) -> (Vec<Fact>, Result<SqliteLog, LogError>) {
    let mut found = Vec::new();
    let opened = SqliteLog::open_and_replay(log, |fact| found.push(fact));
    (found, opened)
}

/// A number below `limit`, which is at least 1.
fn below(random: &mut Pcg64, limit: usize) -> usize {
    (random.next_u64() % limit as u64) as usize
}
