//! Bytes per second over disks and network interfaces, from counters that only grow.
//!
//! Formats: kernel documentation, admin-guide/iostats.rst (`/proc/diskstats`, sectors of 512 bytes) and `/proc/net/dev`.

use crate::hardware::tree::Tree;
use std::time::Instant;

/// A sector of `/proc/diskstats`, whatever the disk's own.
const SECTOR_BYTES: u64 = 512;

/// Bytes since the counters began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Read from disks, written to disks.
    pub disk: Option<[u64; 2]>,
    /// Received, sent.
    pub net: Option<[u64; 2]>,
}

/// Turns counters into rates.
#[derive(Debug, Default)]
pub struct Rates {
    before: Option<(Instant, Counters)>,
}

impl Rates {
    /// Bytes per second since the last call, for disks and for the network; absent in the first call and where a counter is
    /// missing or began anew.
    pub fn since_last(&mut self, now: Instant, counters: Counters) -> [Option<[u64; 2]>; 2] {
        let Some((then, before)) = self.before.replace((now, counters)) else { return [None, None] };
        let seconds = now.duration_since(then).as_secs_f64();
        let rate = |now: Option<[u64; 2]>, before: Option<[u64; 2]>| {
            let (now, before) = (now?, before?);
            let grown = [now[0].checked_sub(before[0])?, now[1].checked_sub(before[1])?];
            (seconds > 0.0).then(|| grown.map(|bytes| (bytes as f64 / seconds) as u64))
        };
        [rate(counters.disk, before.disk), rate(counters.net, before.net)]
    }
}

impl Counters {
    /// The counters of now, over disks as a whole (partitions are parts of them, and stacked devices count twice) and over
    /// interfaces that are hardware.
    pub fn read(tree: &Tree) -> Self {
        Self { disk: disks(tree), net: interfaces(tree) }
    }
}

fn disks(tree: &Tree) -> Option<[u64; 2]> {
    let text = tree.text("proc/diskstats")?;
    let mut sum = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, name, _, _, read, _, _, _, written, ..] = words[..] else { continue };
        // A device on the bus has a folder `device`; loops, memory disks, mapped and joined disks have none.
        if tree.has(&format!("sys/block/{name}/device")) {
            add(&mut sum, read, written, SECTOR_BYTES);
        }
    }
    sum
}

fn interfaces(tree: &Tree) -> Option<[u64; 2]> {
    let text = tree.text("proc/net/dev")?;
    let mut sum = None;
    for line in text.lines() {
        let Some((name, counts)) = line.split_once(':') else { continue };
        let words: Vec<&str> = counts.split_whitespace().collect();
        if let [received, _, _, _, _, _, _, _, sent, ..] = words[..]
            && tree.has(&format!("sys/class/net/{}/device", name.trim()))
        {
            add(&mut sum, received, sent, 1);
        }
    }
    sum
}

fn add(sum: &mut Option<[u64; 2]>, one: &str, other: &str, unit: u64) {
    if let (Ok(one), Ok(other)) = (one.parse::<u64>(), other.parse::<u64>()) {
        let before = sum.unwrap_or_default();
        *sum = Some([before[0].wrapping_add(one.wrapping_mul(unit)), before[1].wrapping_add(other.wrapping_mul(unit))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rate_needs_two_readings_and_a_counter_that_began_anew_has_none() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let counters = |bytes| Counters { disk: Some([bytes, 2 * bytes]), net: None };
        assert_eq!(rates.since_last(now, counters(1000)), [None, None]);
        assert_eq!(rates.since_last(now + Duration::from_secs(2), counters(5000)), [Some([2000, 4000]), None]);
        assert_eq!(rates.since_last(now + Duration::from_secs(4), counters(10)), [None, None]);
    }
}
