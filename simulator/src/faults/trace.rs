//! What happened, as one number that two runs of a seed must agree on, and in words for who wants to read it.

use shared::time::Time;

/// See the module.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    events: u64,
    /// The newest lines; absent where nobody reads them.
    lines: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    kept: Vec<String>,
    most: usize,
}

impl Trace {
    /// A trace that keeps at least the newest `most` lines in words.
    pub fn in_words(most: usize) -> Self {
        Self { lines: Some(Lines { kept: Vec::new(), most }), ..Self::default() }
    }

    /// Takes note of an event: what tells it from others in numbers, and in words.
    pub fn note(&mut self, now: Time, numbers: &[u64], words: impl FnOnce() -> String) {
        self.events += 1;
        for number in [now.0].iter().chain(numbers) {
            self.hash = (self.hash.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        if let Some(lines) = &mut self.lines {
            lines.kept.push(format!("{:>14.6} {}", now.seconds(), words()));
            if lines.kept.len() >= lines.most.saturating_mul(2) {
                let surplus = lines.kept.len() - lines.most;
                lines.kept.drain(..surplus);
            }
        }
    }

    /// Equal for equal runs.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The newest lines in words.
    pub fn last(&self, most: usize) -> &[String] {
        let kept = self.lines.as_ref().map_or(&[][..], |lines| &lines.kept);
        &kept[kept.len().saturating_sub(most)..]
    }
}
