//! Joules: what the processor's packages draw, and the share of it that an attempt is answerable for.
//!
//! Format: kernel documentation, power/powercap/powercap.rst: `intel-rapl:N` is a package, `energy_uj` counts up and begins anew
//! at `max_energy_range_uj`; processors of AMD are listed in the same place. Processor time is `/proc/stat`'s, in hundredths.

use crate::hardware::tree::{Tree, field_of};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

/// Where the packages are listed.
const DOMAINS: &str = "sys/class/powercap";
/// Ticks of `/proc/stat` in a second, on every system that Linux runs on for programs.
const TICKS_PER_S: f64 = 100.0;
/// The counter is refreshed about once a millisecond.
const REFRESH_S: f64 = 1e-3;
/// Power over less time than this is not taken as the least the machine draws.
const IDLE_WINDOW_S: f64 = 1.0;

/// What was counted since the daemon began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    at: Instant,
    /// Joules of all packages.
    joules: f64,
    /// Seconds of processor time that any process used.
    busy_s: f64,
    /// Watts of the packages in the quietest second so far.
    least_w: f64,
}

/// An amount of energy and by how much it may be wrong, in joules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The amount.
    pub joules: f64,
    /// It is within this of the truth.
    pub error_j: f64,
}

/// Counts joules. Read at least every minute, it misses no new beginning of a counter.
#[derive(Debug)]
pub struct Meter {
    tree: Tree,
    domains: Vec<String>,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    raw: BTreeMap<String, u64>,
    joules: f64,
    quiet: Option<(Instant, f64)>,
    least_w: Option<f64>,
}

impl Meter {
    /// A meter of the packages in `tree`; none where none can be read, which often takes a right the daemon lacks.
    pub fn new(tree: Tree) -> Option<Self> {
        let is_package = |name: &String| {
            let named = tree.text(&format!("{DOMAINS}/{name}/name"));
            named.is_some_and(|named| named.starts_with("package-"))
        };
        let packages = tree.names(DOMAINS).into_iter().filter(is_package).map(|name| format!("{DOMAINS}/{name}"));
        let domains: Vec<String> =
            packages.filter(|domain| tree.number::<u64>(&format!("{domain}/energy_uj")).is_some()).collect();
        (!domains.is_empty()).then(|| Self { tree, domains, counted: Mutex::default() })
    }

    /// What was counted until `now`; absent where the counters cannot be read any more.
    pub fn read(&self, now: Instant) -> Option<Reading> {
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for domain in &self.domains {
            let raw: u64 = self.tree.number(&format!("{domain}/energy_uj"))?;
            let before = counted.raw.insert(domain.clone(), raw).unwrap_or(raw);
            let range = if raw < before { self.tree.number::<u64>(&format!("{domain}/max_energy_range_uj"))? } else { 0 };
            counted.joules += (range + raw).saturating_sub(before) as f64 / 1e6;
        }
        let joules = counted.joules;
        match counted.quiet {
            Some((since, from)) if now.duration_since(since).as_secs_f64() >= IDLE_WINDOW_S => {
                let watts = (joules - from) / now.duration_since(since).as_secs_f64();
                counted.least_w = Some(counted.least_w.map_or(watts, |least| least.min(watts)));
                counted.quiet = Some((now, joules));
            }
            Some(_) => {}
            None => counted.quiet = Some((now, joules)),
        }
        Some(Reading { at: now, joules, busy_s: busy_s(&self.tree)?, least_w: counted.least_w.unwrap_or(0.0) })
    }
}

impl Reading {
    /// Mean power since `before`, in watts.
    pub fn watts_since(&self, before: &Reading) -> Option<f64> {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        (seconds > 0.0).then(|| (self.joules - before.joules) / seconds)
    }

    /// What an attempt that used `cpu_s` seconds of processor time since `before` is answerable for.
    ///
    /// At most its share of all busy time of all energy; at least its share of what was drawn above the machine at its
    /// quietest. The figure lies in the middle, and half the distance, with the counter's own steps, is the error.
    pub fn share_since(&self, before: &Reading, cpu_s: f64) -> Option<Share> {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let (joules, busy_s) = (self.joules - before.joules, self.busy_s - before.busy_s);
        // Ticks are coarse: a short attempt may have used more than was counted.
        let share = (cpu_s / busy_s.max(cpu_s)).min(1.0);
        if !share.is_finite() || seconds <= 0.0 {
            return None;
        }
        let most = joules * share;
        let least = (joules - self.least_w * seconds).max(0.0) * share;
        let steps = 2.0 * REFRESH_S * joules / seconds;
        Some(Share { joules: (most + least) / 2.0, error_j: (most - least) / 2.0 + steps })
    }
}

/// Seconds in which a processor did not idle, over all of them.
fn busy_s(tree: &Tree) -> Option<f64> {
    let text = tree.text("proc/stat")?;
    let ticks: Vec<f64> = field_of(&text, "cpu")?.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are counted in user.
    let [user, nice, system, _, _, irq, softirq, ..] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let machine = Self { dir: tempfile::tempdir().expect("a temporary folder") };
            for (name, label) in [("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1"), ("intel-rapl:0:0", "core")] {
                machine.write(&format!("{DOMAINS}/{name}/name"), label);
                machine.write(&format!("{DOMAINS}/{name}/max_energy_range_uj"), "1000000000");
            }
            machine.set(0, 0, 0);
            machine
        }

        fn write(&self, file: &str, text: &str) {
            let path = self.dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("it is ours");
            std::fs::write(path, text).expect("it is ours");
        }

        fn set(&self, first_uj: u64, second_uj: u64, busy_ticks: u64) {
            self.write(&format!("{DOMAINS}/intel-rapl:0/energy_uj"), &first_uj.to_string());
            self.write(&format!("{DOMAINS}/intel-rapl:1/energy_uj"), &second_uj.to_string());
            self.write(&format!("{DOMAINS}/intel-rapl:0:0/energy_uj"), "777");
            self.write("proc/stat", &format!("cpu  {busy_ticks} 0 0 500 20 0 0 0 0 0\ncpu0 1 0 0 0\n"));
        }
    }

    #[test]
    fn packages_are_summed_parts_of_them_are_not_and_a_counter_may_begin_anew() {
        let machine = Machine::new();
        machine.set(900_000_000, 0, 0);
        let meter = Meter::new(Tree::at(machine.dir.path())).expect("there are packages");
        let now = Instant::now();
        let first = meter.read(now).expect("it can be read");
        machine.set(100_000_000, 50_000_000, 100);
        let second = meter.read(now + Duration::from_secs(10)).expect("it can be read");
        assert_eq!(second.watts_since(&first), Some(25.0), "200 J by way of the new beginning, and 50 J");
        assert!(Meter::new(Tree::at(machine.dir.path().join("sys"))).is_none(), "no packages, no meter");
    }

    #[test]
    fn an_attempt_answers_for_its_share_of_busy_time_and_the_error_spans_what_idling_costs() {
        let machine = Machine::new();
        let meter = Meter::new(Tree::at(machine.dir.path())).expect("there are packages");
        let now = Instant::now();
        meter.read(now).expect("it can be read");
        // Ten quiet seconds at 20 W, then ten at 100 W of which 80 W are work.
        machine.set(200_000_000, 0, 0);
        let before = meter.read(now + Duration::from_secs(10)).expect("it can be read");
        machine.set(200_000_000, 1_000_000_000 - 1, 4000);
        let after = meter.read(now + Duration::from_secs(20)).expect("it can be read");
        // It used 10 of 40 busy seconds: between a quarter of 800 J and of 1000 J.
        let share = after.share_since(&before, 10.0).expect("it used some");
        assert!((share.joules - 225.0).abs() < 0.1 && (share.error_j - 25.2).abs() < 0.1, "{share:?}");
        let all = after.share_since(&before, 400.0).expect("it used all");
        assert!(all.joules + all.error_j <= 1001.0, "never more than there was: {all:?}");
        assert_eq!(after.share_since(&after, 1.0), None, "no time, no energy");
    }
}
