//! How hot, fast and slowed down the processor is.
//!
//! Formats: kernel documentation, hwmon/coretemp.rst and k10temp.rst, admin-guide/pm/cpufreq.rst (`scaling_cur_freq`, in kHz);
//! `thermal_throttle/*_count` as the kernel's x86 driver for machine checks writes it.

use crate::hardware::sensors;
use crate::hardware::tree::Tree;
use shared::hardware::Throttle;

/// Chips that sit in a processor.
const CHIPS: [&str; 5] = ["coretemp", "k10temp", "zenpower", "cpu_thermal", "x86_pkg_temp"];
/// Where chips are listed.
const SENSORS: &str = "sys/class/hwmon";
/// Where processors are.
const PROCESSORS: &str = "sys/devices/system/cpu";
/// Clocks read at a time: each takes the kernel a question to another processor.
const CLOCKS_MAX: usize = 8;

/// What to read, found once.
#[derive(Debug, Default)]
pub struct Sensors {
    chips: Vec<String>,
    fans: Vec<String>,
    clocks: Vec<String>,
    throttles: Vec<String>,
    slowdowns: Option<u64>,
}

impl Sensors {
    /// What the machine in `tree` has.
    pub fn new(tree: &Tree) -> Self {
        let all = tree.names(SENSORS).into_iter().map(|name| format!("{SENSORS}/{name}"));
        let (mut chips, mut fans) = (Vec::new(), Vec::new());
        for chip in all {
            let name = tree.text(&format!("{chip}/name")).unwrap_or_default();
            if CHIPS.contains(&name.as_str()) {
                chips.push(chip.clone());
            }
            // Fans of graphics cards are told with the cards.
            if sensors::fan_rpm(tree, &chip).is_some() && !matches!(name.as_str(), "amdgpu" | "i915" | "xe" | "nouveau") {
                fans.push(chip);
            }
        }
        let names = tree.names(PROCESSORS);
        let is_one = |name: &&String| name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok());
        let having = |file: &str| {
            let files = names.iter().filter(is_one).map(|name| format!("{PROCESSORS}/{name}/{file}"));
            files.filter(|file| tree.has(file)).collect::<Vec<_>>()
        };
        let clocks = having("cpufreq/scaling_cur_freq");
        let step = clocks.len().div_ceil(CLOCKS_MAX).max(1);
        // One processor of each end stands for its package.
        let mut throttles = having("thermal_throttle/package_throttle_count");
        if throttles.len() > 2 {
            throttles = vec![throttles[0].clone(), throttles[throttles.len() - 1].clone()];
        }
        Self { chips, fans, clocks: clocks.into_iter().step_by(step).collect(), throttles, slowdowns: None }
    }

    /// The hottest package, in degrees Celsius.
    pub fn temperature_c(&self, tree: &Tree) -> Option<f64> {
        self.chips.iter().filter_map(|chip| sensors::temperature_c(tree, chip)).max_by(f64::total_cmp)
    }

    /// The mean of some clocks, in MHz.
    pub fn clock_mhz(&self, tree: &Tree) -> Option<u32> {
        let clocks: Vec<u64> = self.clocks.iter().filter_map(|file| tree.number(file)).collect();
        let kilohertz = clocks.iter().sum::<u64>().checked_div(clocks.len() as u64)?;
        u32::try_from(kilohertz / 1000).ok()
    }

    /// The fastest fan of the machine, in turns per minute.
    pub fn fan_rpm(&self, tree: &Tree) -> Option<u32> {
        self.fans.iter().filter_map(|chip| sensors::fan_rpm(tree, chip)).max()
    }

    /// Whether heat slowed a package down since the last call; absent in the first, and where nothing counts.
    pub fn throttle(&mut self, tree: &Tree) -> Option<Throttle> {
        let counts: Vec<u64> = self.throttles.iter().filter_map(|file| tree.number(file)).collect();
        if counts.is_empty() {
            return None;
        }
        let now = counts.iter().sum();
        let before = self.slowdowns.replace(now)?;
        Some(if now > before { Throttle::Heat } else { Throttle::Nothing })
    }
}
