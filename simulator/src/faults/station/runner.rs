//! The process that holds a machine's attempts: when each begins, prints, saves, ends. It outlives the daemon, and ends what its
//! lease no longer covers. Mirrors `worker/src/runner/`; files that are fetched and states that are sent are the daemon's.

use crate::faults::around::{Around, Happening};
use crate::faults::center::Death;
use crate::faults::dial::Dial;
use crate::faults::sights::Sight;
use crate::faults::tasks::{Fate, Save, Step, content};
use crate::faults::trouble::Mend;
use shared::bytes::Bytes;
use shared::id::{Attempt, Digest, TaskId};
use shared::outcome::{Ended, Failure, Outcome, TestOutcome, TestResult};
use shared::planted;
use shared::protocol::{CheckpointRef, Start};
use shared::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use worker_core::{Event, Found, Held, Reason, can_save};

/// See the module.
#[derive(Debug)]
pub struct Runner {
    index: usize,
    dial: Dial,
    held: BTreeMap<Attempt, Kept>,
    printed: BTreeMap<Attempt, u64>,
    /// Until when attempts may run, by the machine's clock.
    lease: Option<Time>,
    versions: u64,
}

#[derive(Debug)]
struct Kept {
    start: Start,
    fate: Fate,
    left: VecDeque<(Duration, Step)>,
    phase: Phase,
    since: Time,
    heard: Time,
    /// Until when the order to save holds.
    save_until: Option<Time>,
    /// When it stops because of it, in true time.
    stops: Option<Time>,
    ending: Option<Reason>,
    /// When its processes are gone because of an order, in true time.
    ends: Option<Time>,
    tests: Vec<TestResult>,
    version: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// The daemon fetches its files.
    Fetching,
    Running,
    /// It was told to save, and stopped.
    Stopped {
        is_saved: bool,
    },
    Ended {
        outcome: Outcome,
        is_stored: bool,
        is_forgotten: bool,
    },
}

impl Runner {
    /// A runner that holds nothing.
    pub fn new(index: usize, dial: Dial) -> Self {
        Self { index, dial, held: BTreeMap::new(), printed: BTreeMap::new(), lease: None, versions: 0 }
    }

    /// Whether nothing is held, and no output is kept.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.printed.is_empty()
    }

    /// Whether attempts run.
    pub fn is_busy(&self) -> bool {
        self.held.values().any(|kept| kept.phase == Phase::Running)
    }

    /// What a daemon that begins finds, and what it is to hear of it at once. Output of all else is removed.
    pub fn find(&mut self) -> (Vec<Held>, Vec<Event>) {
        let Self { held, printed, .. } = self;
        printed.retain(|attempt, _| held.contains_key(attempt));
        let log_bytes = |attempt: &Attempt| printed.get(attempt).copied().unwrap_or(0);
        let found = held.iter().map(|(attempt, kept)| Held {
            attempt: *attempt,
            limits: kept.start.spec.timeouts,
            can_save: can_save(&kept.start.spec),
            found: match kept.ending {
                Some(reason) => Found::Ending(reason),
                None => Found::Running { since: kept.since, heard: kept.heard, save_until: kept.save_until },
            },
            tests: kept.tests.clone(),
            log_bytes: log_bytes(attempt),
        });
        let events = held.iter().filter_map(|(attempt, kept)| match &kept.phase {
            Phase::Stopped { is_saved } => Some(Event::Stopped { attempt: *attempt, is_saved: *is_saved }),
            Phase::Ended { outcome, is_stored: true, .. } => Some(ended(*attempt, outcome, log_bytes(attempt), kept.ending)),
            Phase::Ended { is_stored: false, .. } | Phase::Fetching | Phase::Running => None,
        });
        (found.collect(), events.collect())
    }

    /// Attempts may run until then.
    pub fn lease(&mut self, around: &mut Around, until: Time) {
        if self.lease.replace(until).is_none() {
            around.clockwork.set(self.dial.when(until), Happening::Lease(self.index));
        }
    }

    /// The lease may have ended: then it takes its attempts with it.
    pub fn watch_lease(&mut self, around: &mut Around) {
        let Some(until) = self.lease else { return };
        if until > self.dial.shows(around.now) {
            around.clockwork.set(self.dial.when(until), Happening::Lease(self.index));
            return;
        }
        self.lease = None;
        let held: Vec<Attempt> = self.held.keys().copied().collect();
        for attempt in held.into_iter().filter(|_| !planted::bug(25)) {
            around.sights.see(Sight::LeaseEndsAtRunner);
            self.end(around, attempt, Duration::ZERO, Reason::LeaseEnded);
        }
    }

    /// Fetches the files of an attempt and starts it.
    pub fn run(&mut self, around: &mut Around, start: Start) {
        let attempt = start.attempt;
        let done = start.restore.as_ref().and_then(|state| around.states.get(&state.manifest).copied());
        if done.is_some() {
            around.sights.see(Sight::GoesOnFromState);
        }
        let fate = Fate::of(around.setting.seed, attempt, &start.spec, done.unwrap_or(0.0));
        let is_wanted = |step: &Step| !matches!(step, Step::Test(result) if start.skip.contains(&result.index));
        let left = fate.steps.iter().filter(|(_, step)| is_wanted(step)).cloned().collect();
        let now = self.dial.shows(around.now);
        let kept = Kept {
            start,
            fate,
            left,
            phase: Phase::Fetching,
            since: now,
            heard: now,
            save_until: None,
            stops: None,
            ending: None,
            ends: None,
            tests: Vec::new(),
            version: 0,
        };
        self.held.insert(attempt, kept);
        self.printed.insert(attempt, 0);
        self.set_next(around, attempt);
    }

    /// Ends an attempt: SIGTERM, and after `grace` SIGKILL. A shorter grace may follow a longer one.
    pub fn end(&mut self, around: &mut Around, attempt: Attempt, grace: Duration, reason: Reason) {
        let Some(kept) = self.held.get_mut(&attempt) else { return };
        let takes = match kept.phase {
            Phase::Ended { .. } => return,
            Phase::Fetching | Phase::Stopped { .. } => Duration::ZERO,
            Phase::Running => match kept.fate.term {
                Some(term) if term <= grace => term,
                _ => grace + kept.fate.kill,
            },
        };
        kept.ending = Some(reason);
        let ends = around.now + takes;
        if kept.ends.is_none_or(|before| ends < before) {
            kept.ends = Some(ends);
            self.set_next(around, attempt);
        }
    }

    /// Tells an attempt to save its state and stop.
    pub fn save(&mut self, around: &mut Around, attempt: Attempt, until: Time) {
        let Some(kept) = self.held.get_mut(&attempt) else { return };
        kept.save_until = Some(until);
        if kept.phase == Phase::Running && kept.stops.is_none() && kept.fate.save != Save::Ignores {
            kept.stops = Some(around.now + kept.fate.saves);
            self.set_next(around, attempt);
        }
    }

    /// An attempt that has stopped begins again from its state; one that has not goes on.
    pub fn resume(&mut self, around: &mut Around, attempt: Attempt) {
        let now = self.dial.shows(around.now);
        let Some(kept) = self.held.get_mut(&attempt) else { return };
        kept.save_until = None;
        if let Phase::Stopped { .. } = kept.phase {
            (kept.phase, kept.heard) = (Phase::Running, now);
            around.sights.see(Sight::StandsAndGoesOn);
            around.witness.runs_again(around.now, self.index, attempt);
        }
        self.set_next(around, attempt);
    }

    /// The end of an attempt is known where it counts. The disk takes a moment to forget it.
    pub fn forget(&mut self, around: &mut Around, attempt: Attempt) {
        if let Some(Kept { phase: Phase::Ended { is_forgotten, .. }, .. }) = self.held.get_mut(&attempt) {
            *is_forgotten = true;
            self.set_next(around, attempt);
        }
    }

    /// The state of an attempt that stands still, by content, as it is sent to the coordinator.
    pub fn state(&mut self, around: &mut Around, attempt: Attempt) -> Option<CheckpointRef> {
        let kept = self.held.get(&attempt).filter(|kept| kept.phase == Phase::Stopped { is_saved: true })?;
        let left: Duration = kept.left.iter().map(|(after, _)| *after).sum();
        let whole = kept.fate.whole.as_secs_f64().max(1e-9);
        let done = (1.0 - left.as_secs_f64() / whole).clamp(0.0, 1.0);
        let mut manifest = [0; 32];
        manifest[..8].copy_from_slice(&attempt.task.0.to_le_bytes());
        manifest[8..16].copy_from_slice(&attempt.number.0.to_le_bytes());
        manifest[16..24].copy_from_slice(&done.to_bits().to_le_bytes());
        around.states.insert(Digest(manifest), done);
        Some(CheckpointRef { manifest: Digest(manifest), bytes: 1_000 })
    }

    /// The machine stood still for so long: what was ordered comes later.
    pub fn put_off(&mut self, attempt: Attempt, by: Duration) {
        let Some(kept) = self.held.get_mut(&attempt) else { return };
        (kept.ends, kept.stops) = (kept.ends.map(|at| at + by), kept.stops.map(|at| at + by));
    }

    /// The next step of an attempt is due; what the daemon is to hear of it.
    pub fn step(&mut self, around: &mut Around, attempt: Attempt, version: u64) -> Option<Event> {
        let now = self.dial.shows(around.now);
        let kept = self.held.get_mut(&attempt).filter(|kept| kept.version == version)?;
        if let Phase::Ended { outcome, is_stored, is_forgotten } = &mut kept.phase {
            if *is_forgotten {
                self.held.remove(&attempt);
                return None;
            }
            *is_stored = true;
            return Some(ended(attempt, outcome, self.printed.get(&attempt).copied().unwrap_or(0), kept.ending));
        }
        if kept.ends.is_some_and(|ends| ends <= around.now) {
            let outcome = Outcome { run_s: 1.0, ..Outcome::bare(Ended::Cancelled) };
            return self.gone(around, attempt, outcome);
        }
        if kept.stops.is_some_and(|stops| stops <= around.now) {
            return self.stop(around, attempt);
        }
        let (_, step) = kept.left.pop_front()?;
        let event = match step {
            Step::Begin if (kept.fate.cannot_restore || around.is_store_down) && kept.start.restore.is_some() => {
                around.sights.see(Sight::RestoreFails);
                return self.gone(around, attempt, Outcome::failed(Failure::Infra, "its state cannot be fetched"));
            }
            Step::Begin => {
                (kept.phase, kept.since, kept.heard) = (Phase::Running, now, now);
                around.witness.runs(around.now, self.index, attempt);
                Event::Started { attempt }
            }
            Step::Print(bytes) => {
                kept.heard = now;
                let total = self.printed.entry(attempt).or_default();
                *total += bytes;
                Event::OutputGrew { attempt, total: *total }
            }
            Step::Test(result) => {
                kept.tests.push(result.clone());
                around.witness.tests(attempt, &result);
                Event::Tests { attempt, results: vec![result] }
            }
            Step::Poison => {
                around.sights.see(Sight::TookDown);
                around.clockwork.set(around.now, Happening::Mend(Mend::Kill(self.index, Death::PowerLost)));
                return None;
            }
            Step::Exit(outcome) => {
                let is_red = kept.tests.iter().any(|test| test.outcome == TestOutcome::Failed);
                let outcome = if is_red { Outcome::bare(Ended::Failed(Failure::Test)) } else { outcome };
                return self.gone(around, attempt, outcome);
            }
        };
        self.set_next(around, attempt);
        Some(event)
    }

    /// An attempt that was told to save stops: with its state, or without and to begin again.
    fn stop(&mut self, around: &mut Around, attempt: Attempt) -> Option<Event> {
        let kept = self.held.get_mut(&attempt)?;
        if kept.ending.is_some() {
            return self.gone(around, attempt, Outcome { run_s: 1.0, ..Outcome::bare(Ended::Cancelled) });
        }
        let is_saved = kept.fate.save == Save::Saves;
        kept.stops = None;
        if !is_saved {
            kept.left = kept.fate.steps.iter().skip(1).cloned().collect();
            around.sights.see(Sight::NotSaved);
        }
        around.witness.pauses(attempt);
        if kept.save_until.is_some() {
            kept.phase = Phase::Stopped { is_saved };
            return Some(Event::Stopped { attempt, is_saved });
        }
        // The order was withdrawn meanwhile: it begins again at once.
        around.witness.runs_again(around.now, self.index, attempt);
        self.set_next(around, attempt);
        None
    }

    fn gone(&mut self, around: &mut Around, attempt: Attempt, outcome: Outcome) -> Option<Event> {
        let kept = self.held.get_mut(&attempt)?;
        around.witness.exits(attempt, &outcome);
        kept.phase = Phase::Ended { outcome, is_stored: false, is_forgotten: false };
        self.set_next(around, attempt);
        None
    }

    /// The work of a task is done, now, where an attempt of it runs.
    pub fn finish_task(&mut self, around: &mut Around, task: TaskId) {
        let running = self.held.iter_mut().find(|(attempt, kept)| attempt.task == task && kept.phase == Phase::Running);
        let Some((attempt, kept)) = running else { return };
        let attempt = *attempt;
        kept.left = kept.left.pop_back().map(|(_, exit)| (Duration::ZERO, exit)).into_iter().collect();
        self.set_next(around, attempt);
    }

    /// Whether an attempt stands still with its state saved.
    pub fn stands(&self, attempt: Attempt) -> bool {
        self.held.get(&attempt).is_some_and(|kept| matches!(kept.phase, Phase::Stopped { .. }))
    }

    /// The daemon is gone, and with it what it was fetching.
    pub fn daemon_died(&mut self) {
        self.held.retain(|_, kept| kept.phase != Phase::Fetching);
    }

    /// It dies with all it holds but what is on the disk; the attempts that are lost with it.
    pub fn die(&mut self, around: &mut Around) -> Vec<Attempt> {
        let is_kept = |kept: &Kept| matches!(kept.phase, Phase::Ended { is_stored: true, .. } | Phase::Fetching);
        let lost: Vec<Attempt> = self.held.iter().filter(|(_, kept)| !is_kept(kept)).map(|(attempt, _)| *attempt).collect();
        for attempt in &lost {
            let kept = self.held.remove(attempt).expect("it was just found");
            if matches!(kept.phase, Phase::Ended { .. }) {
                around.sights.see(Sight::EndLost);
            }
            around.witness.pauses(*attempt);
        }
        lost
    }

    /// It is told to leave by a daemon that ends: all that runs is killed, and how it ended is kept.
    pub fn leave(&mut self, around: &mut Around) {
        self.daemon_died();
        let running: Vec<Attempt> = self.held.keys().copied().collect();
        for attempt in running {
            let kept = self.held.get_mut(&attempt).expect("it was just found");
            if let Phase::Ended { is_stored, .. } = &mut kept.phase {
                *is_stored = true;
            } else {
                let outcome = Outcome::bare(Ended::Cancelled);
                around.witness.exits(attempt, &outcome);
                kept.phase = Phase::Ended { outcome, is_stored: true, is_forgotten: false };
            }
        }
    }

    /// Output of an attempt from `from` on, at most `most` bytes; nothing where none is kept.
    pub fn read(&self, attempt: Attempt, from: u64, most: u64) -> Option<Bytes> {
        let until = self.printed.get(&attempt)?.min(&(from + most)).to_owned();
        (from < until).then(|| Bytes((from..until).map(|at| content(attempt, at)).collect()))
    }

    /// The folder of an attempt is removed.
    pub fn discard(&mut self, attempt: Attempt) {
        self.printed.remove(&attempt);
    }

    /// All is gone with the disk.
    pub fn forget_all(&mut self) {
        self.held.clear();
        self.printed.clear();
    }

    fn set_next(&mut self, around: &mut Around, attempt: Attempt) {
        let Some(kept) = self.held.get_mut(&attempt) else { return };
        self.versions += 1;
        kept.version = self.versions;
        let own = match kept.phase {
            Phase::Ended { .. } => Some(around.now + around.chance.span(0.000_5, 0.02)),
            Phase::Stopped { .. } => None,
            Phase::Fetching | Phase::Running => kept.left.front().map(|(after, _)| around.now + *after),
        };
        let orders = [kept.ends, kept.stops].into_iter().flatten().filter(|_| !matches!(kept.phase, Phase::Ended { .. }));
        if let Some(at) = orders.chain(own).min() {
            around.clockwork.set(at, Happening::Process(self.index, attempt, kept.version));
        }
    }
}

fn ended(attempt: Attempt, outcome: &Outcome, log_bytes: u64, by: Option<Reason>) -> Event {
    Event::Ended { attempt, outcome: outcome.clone(), log_bytes, is_clean: true, by }
}
