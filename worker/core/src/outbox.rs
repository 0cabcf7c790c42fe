//! Results that the coordinator has not acknowledged, and how far the output of each attempt has been told.
//!
//! An entry leaves only when its acknowledgement arrives. Its output may need a little longer: it trails behind.

use shared::id::Attempt;
use shared::outcome::{Outcome, TestResult};
use shared::planted;
use shared::protocol::{HeldResult, LOG_UNACKED_BYTES_MAX};
use shared::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a result waits for its output to be sent first, so that who sees the result can read all of the output.
pub const LOG_FIRST_MAX: Duration = Duration::from_secs(5);
/// How long output may trail behind its acknowledged result before it is dropped.
pub const TRAIL_MAX: Duration = Duration::from_secs(60);
/// Results told in one inventory, in estimated bytes; the others are told one by one before it.
const INVENTORY_BYTES_AIM: usize = 512 << 10;

/// How far the output of an attempt has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCursor {
    /// Bytes there are.
    pub total: u64,
    /// Bytes handed to the session.
    pub sent: u64,
    /// Bytes the coordinator has stored.
    pub acked: u64,
}

impl LogCursor {
    /// How much may be sent now.
    pub fn credit(&self) -> u64 {
        (LOG_UNACKED_BYTES_MAX.saturating_sub(self.sent - self.acked)).min(self.total - self.sent)
    }

    /// Whether there is nothing left to hand to the session.
    pub fn is_sent(&self) -> bool {
        self.sent >= self.total
    }

    /// Takes note of an acknowledgement; a coordinator cannot have stored what there is not.
    pub fn acknowledge(&mut self, offset: u64) {
        self.acked = self.acked.max(offset.min(self.total));
        self.sent = self.sent.max(self.acked);
    }
}

/// A result that was not acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The result.
    pub outcome: Outcome,
    /// The results of its tests, for a coordinator that may have missed some.
    pub tests: Vec<TestResult>,
    /// Its output.
    pub log: LogCursor,
    /// Whether the disk holds something of it.
    pub is_stored: bool,
    /// Until when it waits for its output to be sent first; absent once it was sent.
    pub held_until: Option<Time>,
}

/// All results that were not acknowledged, and output that trails behind.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: BTreeMap<Attempt, Entry>,
    /// The entries that have output left to tell or wait for it: few, however many no-ops are under way.
    talkative: BTreeMap<Attempt, ()>,
    trailing: BTreeMap<Attempt, (LogCursor, Time)>,
}

impl Outbox {
    /// Adds a result.
    pub fn add(&mut self, attempt: Attempt, entry: Entry) {
        if entry.held_until.is_some() || entry.log.acked < entry.log.total {
            self.talkative.insert(attempt, ());
        }
        self.entries.insert(attempt, entry);
    }

    /// The entry of `attempt`.
    pub fn get(&self, attempt: Attempt) -> Option<&Entry> {
        self.entries.get(&attempt)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (Attempt, &Entry)> {
        self.entries.iter().map(|(attempt, entry)| (*attempt, entry))
    }

    /// Whether every result was acknowledged and no output trails behind.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.trailing.is_empty()
    }

    /// The output of `attempt`, whether its result was acknowledged or not.
    pub fn log_mut(&mut self, attempt: Attempt) -> Option<&mut LogCursor> {
        match self.entries.get_mut(&attempt) {
            Some(entry) => Some(&mut entry.log),
            None => self.trailing.get_mut(&attempt).map(|(log, _)| log),
        }
    }

    /// The attempts that have output to tell.
    pub fn with_output(&self) -> Vec<Attempt> {
        self.talkative.keys().chain(self.trailing.keys()).copied().collect()
    }

    /// The results whose output has been sent or that have waited long enough for it; they count as sent from here on.
    pub fn release(&mut self, now: Time) -> Vec<HeldResult> {
        let mut ready = Vec::new();
        for attempt in self.talkative.keys() {
            let Some(entry) = self.entries.get_mut(attempt) else { continue };
            if entry.held_until.is_some_and(|until| entry.log.is_sent() || until <= now) {
                entry.held_until = None;
                ready.push(HeldResult { attempt: *attempt, outcome: entry.outcome.clone() });
            }
        }
        ready
    }

    /// When the next entry stops waiting for its output, or trailing output is dropped.
    pub fn next_wakeup(&self) -> Option<Time> {
        let held = self.talkative.keys().filter_map(|attempt| self.entries.get(attempt)?.held_until);
        held.chain(self.trailing.values().map(|(_, until)| *until)).min()
    }

    /// Without a session nothing waits for anything: the next inventory tells all results.
    pub fn unhold(&mut self) {
        for attempt in self.talkative.keys() {
            if let Some(entry) = self.entries.get_mut(attempt) {
                entry.held_until = None;
            }
        }
    }

    /// Removes an acknowledged result; what remains of its output trails behind, unless nobody wants it.
    pub fn acknowledge(&mut self, attempt: Attempt, now: Time, wants_log: bool) -> Option<Entry> {
        let entry = self.entries.remove(&attempt)?;
        self.talkative.remove(&attempt);
        if wants_log && entry.log.acked < entry.log.total {
            self.trailing.insert(attempt, (entry.log, now + TRAIL_MAX));
        }
        Some(entry)
    }

    /// Whether output of `attempt` trails behind its result.
    pub fn trails(&self, attempt: Attempt) -> bool {
        self.trailing.contains_key(&attempt)
    }

    /// The trailing outputs that are told or have had their time: they are dropped.
    pub fn take_told(&mut self, now: Time) -> Vec<Attempt> {
        let told = |(log, until): &(LogCursor, Time)| log.acked >= log.total || *until <= now;
        let done: Vec<Attempt> = self.trailing.iter().filter(|(_, one)| told(one)).map(|(attempt, _)| *attempt).collect();
        for attempt in &done {
            self.trailing.remove(attempt);
        }
        done
    }

    /// Nobody wants the rest of this output.
    pub fn drop_log(&mut self, attempt: Attempt) {
        if let Some(log) = self.log_mut(attempt) {
            (log.sent, log.acked) = (log.total, log.total);
        }
    }

    /// A new session knows nothing of what the last one was sent: what was not acknowledged is told again.
    pub fn retell(&mut self) -> (Vec<HeldResult>, Vec<HeldResult>) {
        for entry in self.entries.values_mut() {
            entry.log.sent = entry.log.acked;
        }
        for (log, _) in self.trailing.values_mut() {
            log.sent = log.acked;
        }
        self.told()
    }

    /// The results that fit into an inventory, and those to be told before it. They count as sent.
    pub fn told(&mut self) -> (Vec<HeldResult>, Vec<HeldResult>) {
        let (mut fits, mut before, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (attempt, entry) in &mut self.entries {
            entry.held_until = None;
            bytes += 250 + entry.outcome.message.as_ref().map_or(0, String::len);
            let all = if bytes <= INVENTORY_BYTES_AIM { &mut fits } else { &mut before };
            all.push(HeldResult { attempt: *attempt, outcome: entry.outcome.clone() });
        }
        if planted::bug(8) {
            fits.clear();
        }
        (fits, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{AttemptNumber, TaskId};
    use shared::outcome::Ended;

    const ONE: Attempt = Attempt { task: TaskId(1), number: AttemptNumber(1) };

    fn entry(total: u64) -> Entry {
        let log = LogCursor { total, ..LogCursor::default() };
        let held_until = Some(Time::ZERO + LOG_FIRST_MAX);
        Entry { outcome: Outcome::bare(Ended::Passed), tests: Vec::new(), log, is_stored: true, held_until }
    }

    #[test]
    fn credit_is_what_may_be_unacknowledged() {
        let mut log = LogCursor { total: 1 << 20, sent: 0, acked: 0 };
        assert_eq!(log.credit(), LOG_UNACKED_BYTES_MAX);
        log.sent = LOG_UNACKED_BYTES_MAX;
        assert_eq!(log.credit(), 0);
        log.acknowledge(100);
        assert_eq!(log.credit(), 100);
        log.acknowledge(u64::MAX);
        assert_eq!((log.acked, log.credit()), (1 << 20, 0));
    }

    #[test]
    fn a_result_waits_for_its_output_but_not_for_ever() {
        let mut outbox = Outbox::default();
        outbox.add(ONE, entry(10));
        assert_eq!(outbox.release(Time::ZERO), []);
        assert_eq!(outbox.next_wakeup(), Some(Time::ZERO + LOG_FIRST_MAX));
        assert_eq!(outbox.release(Time::ZERO + LOG_FIRST_MAX).len(), 1);
        assert_eq!(outbox.release(Time(u64::MAX)), [], "it is sent once");
        assert!(outbox.get(ONE).is_some(), "and stays until it is acknowledged");
    }

    #[test]
    fn more_results_than_an_inventory_holds_are_told_before_it() {
        let mut outbox = Outbox::default();
        for task in 0..5000 {
            outbox.add(Attempt { task: TaskId(task), ..ONE }, Entry { held_until: None, ..entry(0) });
        }
        let (fits, before) = outbox.retell();
        assert_eq!(fits.len() + before.len(), 5000);
        assert!(fits.len() * 250 <= INVENTORY_BYTES_AIM && !before.is_empty());
    }
}
