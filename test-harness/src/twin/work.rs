//! A task of the test: so many units of real work, at the pace of the machine it is on.
//!
//! A unit is the digest of a block of memory; a task of one second is [`UNITS_PER_S`] units. A machine of speed 1 does as many in
//! a second, a slower one fewer: the process works off what is due and rests until more is, so that several machines fit on one
//! computer. What it has done it saves when it is told to, and goes on from there.

use sha2::{Digest, Sha256};
use signal_hook::consts::SIGTERM;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The first word that makes this program a task.
pub const WORK: &str = "work";
/// The variable that says how fast a machine is: `cuda=1 cpu=0.5`, and `slow=FROM:TO:FACTOR` in seconds since 1970.
pub(super) const PACE: &str = "EVENKEEL_TEST_PACE";

const UNITS_PER_S: f64 = 50.0;
const BLOCK_BYTES: usize = 64 << 10;
/// The exit status of a task that saved its state.
const SAVED: u8 = 75;

/// Does the work that `HARDWARE=SECONDS …` ask for on the hardware it was given.
pub fn work(words: &[String]) -> ExitCode {
    let hardware = std::env::var("EVENKEEL_HARDWARE").unwrap_or_default();
    let of_hardware = |word: &str| word.strip_prefix(&hardware)?.strip_prefix('=')?.parse::<f64>().ok();
    let Some(seconds) = words.iter().find_map(|word| of_hardware(word)) else {
        eprintln!("no duration on `{hardware}` among {words:?}");
        return ExitCode::from(2);
    };
    let state = std::env::var_os("EVENKEEL_CHECKPOINT_DIR").map(|folder| PathBuf::from(folder).join("units"));
    let stop = Arc::new(AtomicBool::new(false));
    if state.is_some() {
        signal_hook::flag::register(SIGTERM, stop.clone()).expect("a signal can be caught");
    }
    let mut done = state.as_deref().and_then(restored).unwrap_or(0);
    let units = (seconds * UNITS_PER_S).round() as u64;
    let pace = Pace::read(&hardware);
    let block = vec![0x5a; BLOCK_BYTES];
    let (mut due, mut last) = (done as f64, Instant::now());
    while done < units {
        let now = Instant::now();
        due += now.duration_since(last).as_secs_f64() * UNITS_PER_S * pace.now();
        last = now;
        while done < units.min(due as u64) {
            std::hint::black_box(Sha256::digest(&block));
            done += 1;
        }
        if let (true, Some(path)) = (stop.load(Ordering::Relaxed), &state) {
            return match std::fs::write(path, done.to_string()) {
                Ok(()) => ExitCode::from(SAVED),
                Err(error) => {
                    eprintln!("saving the state in {}: {error}", path.display());
                    ExitCode::from(1)
                }
            };
        }
        std::thread::sleep(Duration::from_secs_f64(0.5 / UNITS_PER_S));
    }
    println!("{units} units of {BLOCK_BYTES} bytes on {hardware}");
    ExitCode::SUCCESS
}

fn restored(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// How fast the machine is.
struct Pace {
    speed: f64,
    slow: Vec<(f64, f64, f64)>,
}

impl Pace {
    fn read(hardware: &str) -> Self {
        let text = std::env::var(PACE).unwrap_or_default();
        let mut pace = Self { speed: 1.0, slow: Vec::new() };
        for (key, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
            let numbers: Vec<f64> = value.split(':').filter_map(|number| number.parse().ok()).collect();
            match numbers[..] {
                [speed] if key == hardware => pace.speed = speed,
                [from, to, factor] if key == "slow" => pace.slow.push((from, to, factor)),
                _ => {}
            }
        }
        pace
    }

    fn now(&self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let slow = self.slow.iter().filter(|(from, to, _)| (*from..*to).contains(&now));
        self.speed * slow.map(|(.., factor)| factor).product::<f64>()
    }
}
