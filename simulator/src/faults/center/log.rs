//! The log on its disk, and the writer: facts of several batches become durable in one commit, and only then do their effects
//! happen. Mirrors `coordinator/src/log.rs`.

use super::driver::Release;
use crate::faults::around::Around;
use crate::faults::sights::Sight;
use shared::fact::Fact;
use shared::planted;
use shared::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before a commit that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// What survives the program.
#[derive(Debug, Default)]
pub struct LogDisk {
    /// The log.
    pub facts: Vec<Arc<Fact>>,
    /// Until when every commit fails: the disk is full, or broken.
    pub fails_until: Time,
    /// Until when a commit takes long.
    pub slow_until: Time,
}

/// Some facts, and what may be done once they are on disk.
#[derive(Debug, Default)]
pub struct Batch {
    pub facts: Vec<Arc<Fact>>,
    pub effects: Vec<Release>,
}

/// The writer.
#[derive(Debug, Default)]
pub struct Writer {
    under_way: Vec<Batch>,
}

impl Writer {
    /// Whether it writes.
    pub fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Begins a commit of these batches; says when it ends. Where there is no fact to write the effects may happen at once.
    pub fn begin(&mut self, around: &mut Around, disk: &LogDisk, batches: Vec<Batch>) -> Result<Time, Vec<Release>> {
        if batches.iter().all(|batch| batch.facts.is_empty()) {
            return Err(batches.into_iter().flat_map(|batch| batch.effects).collect());
        }
        self.under_way = batches;
        let takes = if around.now < disk.slow_until { around.chance.span(0.05, 3.0) } else { around.chance.span(0.001, 0.006) };
        Ok(around.now + takes)
    }

    /// What waits while a commit fails is written with it.
    pub fn join(&mut self, batch: Batch) {
        self.under_way.push(batch);
    }

    /// A commit ends. Where it failed it is tried again at the time that is returned.
    pub fn end(&mut self, around: &mut Around, disk: &mut LogDisk) -> Result<Vec<Release>, Time> {
        if around.now < disk.fails_until && !planted::bug(4) {
            around.sights.see(Sight::CommitFailed);
            return Err(around.now + RETRY);
        }
        let batches = std::mem::take(&mut self.under_way);
        let mut effects = Vec::new();
        for mut batch in batches {
            if !(planted::bug(4) && around.now < disk.fails_until) {
                keep(around, disk, &mut batch.facts);
            }
            effects.append(&mut batch.effects);
        }
        Ok(effects)
    }

    /// The program dies. A commit under way may have reached the disk. True when facts are lost.
    pub fn crash(self, around: &mut Around, disk: &mut LogDisk) -> bool {
        let mut has_lost = false;
        let survives = around.now >= disk.fails_until && around.chance.hits(0.5);
        for mut batch in self.under_way {
            if survives {
                around.sights.see(Sight::CommitSurvived);
                keep(around, disk, &mut batch.facts);
            } else {
                has_lost |= !batch.facts.is_empty();
            }
        }
        has_lost
    }
}

fn keep(around: &mut Around, disk: &mut LogDisk, facts: &mut Vec<Arc<Fact>>) {
    for fact in facts.drain(..) {
        around.witness.durable(around.now, &fact);
        disk.facts.push(fact);
    }
}
