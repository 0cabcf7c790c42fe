//! The attempts a simulated worker holds: how they begin, progress, stand still and end.

use crate::clockwork::Alarm;
use crate::journal::{AttemptOf, Happened, Place, Reason};
use crate::machine::Machine;
use crate::network::ceil_us;
use crate::world::World;
use shared::hardware::HardwareKind;
use shared::id::{Attempt, Digest};
use shared::outcome::{Ended, Failure, Outcome};
use shared::protocol::{CheckpointRef, FromWorker, HeldState, Start};
use shared::time::Time;
use std::time::Duration;

/// An attempt a machine holds.
#[derive(Debug)]
pub struct Held {
    /// The row of its task.
    pub row: usize,
    hardware: HardwareKind,
    ordered: Time,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// It has not begun: its state travels, or its task is done already and it waits to be called off.
    Waiting { progress: f64 },
    /// It runs.
    Runs(Work),
    /// It stands still. Were it to go on, it would be as if it had never stopped: its state was saved beside its work.
    Still { work: Work, stopped: Place, ready_before: Time },
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy)]
struct Work {
    progress: f64,
    since: Time,
    began: Time,
    version: u64,
}

impl Held {
    /// Whether it occupies its slots.
    pub fn runs(&self) -> bool {
        matches!(self.stage, Stage::Runs(_))
    }

    /// What its worker calls its state.
    pub fn state(&self) -> HeldState {
        match self.stage {
            Stage::Waiting { .. } => HeldState::SettingUp,
            Stage::Runs(_) => HeldState::Running,
            Stage::Still { .. } => HeldState::Quiesced,
        }
    }
}

fn named(held: &Held, attempt: Attempt) -> AttemptOf {
    AttemptOf { row: held.row, ordinal: attempt.number.ordinal() }
}

impl Machine<'_> {
    /// It is given an attempt.
    pub(crate) fn take(&mut self, world: &mut World<'_>, start: Start) {
        let attempt = start.attempt;
        let row = world.row(attempt.task);
        if let Some(problem) = self.problem(world, row, start.hardware) {
            return self.report(world, attempt, Outcome::failed(Failure::Refused, problem));
        }
        let saved = start.restore.and_then(|state| world.saved.get(&state.manifest).copied());
        let stage = Stage::Waiting { progress: saved.unwrap_or(0.0) };
        self.held.insert(attempt, Held { row, hardware: start.hardware, ordered: world.now, stage });
        self.begin_when_ready(world, attempt);
    }

    /// Why it cannot run this task on this hardware now; nothing where it can.
    fn problem(&self, world: &World<'_>, row: usize, hardware: HardwareKind) -> Option<&'static str> {
        let task = &world.tasks[row];
        if self.is_leaving {
            return Some("the machine is leaving");
        }
        if self.spec.service_s(task, hardware).is_none() {
            return Some("the machine cannot run it on this hardware");
        }
        let others = || self.held.values().filter(|held| !matches!(held.stage, Stage::Still { .. }));
        let cores: f64 = others().map(|held| world.tasks[held.row].cores).sum();
        let memory: f64 = others().map(|held| world.tasks[held.row].memory_gb).sum();
        let on_devices = others().filter(|held| held.hardware.has_own_memory());
        let gpu_memory: f64 = on_devices.map(|held| world.tasks[held.row].gpu_memory_gb).sum();
        let (all_memory, all_gpu_memory) = (self.spec.memory_gb.unwrap_or(f64::MAX), self.spec.gpu_memory_gb.unwrap_or(0.0));
        let slack = 1e-6;
        if cores + task.cores > f64::from(self.spec.slots) + slack {
            return Some("no slot is free");
        }
        if memory + task.memory_gb > all_memory + slack {
            return Some("there is not enough memory");
        }
        let is_short = hardware.has_own_memory() && gpu_memory + task.gpu_memory_gb > all_gpu_memory + slack;
        is_short.then_some("there is not enough memory on the device")
    }

    /// Begins an attempt, or waits for its state. One whose task is done already never begins: to find that out here costs
    /// nothing, and the order to stop is on its way.
    pub(crate) fn begin_when_ready(&mut self, world: &mut World<'_>, attempt: Attempt) {
        let Some(held) = self.held.get(&attempt) else { return };
        let (Stage::Waiting { progress }, truth) = (&held.stage, world.truth[held.row]) else { return };
        if truth.is_finished {
            return;
        }
        if world.now < truth.ready {
            return world.alarm(truth.ready, self.index, Alarm::Begin(attempt));
        }
        let (of, machine, hardware, progress) = (named(held, attempt), self.index, held.hardware, *progress);
        world.note(Happened::Started { of, machine, hardware, progress });
        world.running += 1;
        let work = Work { progress, since: world.now, began: world.now, version: 0 };
        self.set_stage(attempt, Stage::Runs(work));
        self.schedule(world, attempt);
        self.say(world, FromWorker::Started { attempt });
        self.load_changed(world);
    }

    /// The work of an attempt is done.
    pub(crate) fn done(&mut self, world: &mut World<'_>, attempt: Attempt, version: u64) {
        let Some(Stage::Runs(work)) = self.held.get(&attempt).map(|held| &held.stage) else { return };
        if work.version != version {
            return;
        }
        let (began, row) = (work.began, self.held[&attempt].row);
        let reason = if world.truth[row].is_finished { Reason::Hedged } else { Reason::Finished };
        let ordered = self.held[&attempt].ordered;
        self.stop(world, attempt, reason);
        world.truth[row].is_finished = true;
        let mut outcome = Outcome { exit_code: Some(0), ..Outcome::bare(Ended::Passed) };
        outcome.setup_s = began.since(ordered).as_secs_f64();
        outcome.run_s = world.now.since(began).as_secs_f64();
        self.report(world, attempt, outcome);
    }

    /// It is told to end an attempt.
    pub(crate) fn cancel(&mut self, world: &mut World<'_>, attempt: Attempt) {
        let Some(held) = self.held.get(&attempt) else { return };
        let ended = if matches!(held.stage, Stage::Still { .. }) { Ended::Saved } else { Ended::Cancelled };
        let reason = if world.truth[held.row].is_finished { Reason::Hedged } else { Reason::Cancelled };
        let mut outcome = Outcome::bare(ended);
        if let Stage::Runs(work) | Stage::Still { work, .. } = held.stage {
            outcome.run_s = world.now.since(work.began).as_secs_f64();
        }
        self.stop(world, attempt, reason);
        self.report(world, attempt, outcome);
    }

    /// It is told to save the state of an attempt.
    pub(crate) fn save(&mut self, world: &mut World<'_>, attempt: Attempt, deadline_ms: u64) {
        let Some(held) = self.held.get(&attempt) else { return };
        let task = &world.tasks[held.row];
        let Stage::Runs(work) = held.stage else { return self.say(world, FromWorker::Resumed { attempt }) };
        if !task.checkpointable {
            return self.say(world, FromWorker::Resumed { attempt });
        }
        let (of, row, progress) = (named(held, attempt), held.row, self.progress(world, held, &work));
        let reason = if world.migrating.contains(&attempt) { Reason::Migrated } else { Reason::Preempted };
        let stopped = world.note(Happened::Stopped { of, machine: self.index, reason, progress });
        let checkpoint = CheckpointRef { manifest: manifest(attempt), bytes: (task.state_mb * 1e6) as u64 };
        world.running -= 1;
        world.saved.insert(checkpoint.manifest, progress);
        let ready = world.now + world.network.transfer(task.state_mb);
        let ready_before = std::mem::replace(&mut world.truth[row].ready, ready);
        let work = Work { version: self.next_version(), ..work };
        self.set_stage(attempt, Stage::Still { work, stopped, ready_before });
        self.say(world, FromWorker::Quiesced { attempt, checkpoint });
        let deadline = world.now + Duration::from_millis(deadline_ms);
        world.alarm(deadline, self.index, Alarm::GoOn(attempt, work.version));
        self.load_changed(world);
    }

    /// An attempt that stands still goes on.
    pub(crate) fn go_on(&mut self, world: &mut World<'_>, attempt: Attempt) {
        let Some(held) = self.held.get(&attempt) else { return };
        let Stage::Still { work, stopped, ready_before } = held.stage else { return };
        world.journal.withdraw(stopped);
        world.truth[held.row].ready = ready_before;
        world.running += 1;
        self.set_stage(attempt, Stage::Runs(work));
        self.schedule(world, attempt);
        self.say(world, FromWorker::Resumed { attempt });
        self.load_changed(world);
    }

    /// An attempt that stands still has waited long enough for an order.
    pub(crate) fn go_on_unasked(&mut self, world: &mut World<'_>, attempt: Attempt, version: u64) {
        let stage = self.held.get(&attempt).map(|held| &held.stage);
        if matches!(stage, Some(Stage::Still { work, .. }) if work.version == version) {
            self.go_on(world, attempt);
        }
    }

    /// It is told that an attempt is no longer its own.
    pub(crate) fn forget(&mut self, world: &mut World<'_>, attempt: Attempt) {
        let Some(held) = self.held.get(&attempt) else { return };
        let reason = if world.truth[held.row].is_finished { Reason::Hedged } else { Reason::Lost };
        self.stop(world, attempt, reason);
        self.depart_when_free(world);
    }

    /// Its process died: nothing it held is left.
    pub(crate) fn lose_all(&mut self, world: &mut World<'_>) {
        let all: Vec<Attempt> = self.held.keys().copied().collect();
        all.into_iter().for_each(|attempt| self.stop(world, attempt, Reason::Lost));
    }

    /// It is going: what has not begun will not.
    pub(crate) fn refuse_waiting(&mut self, world: &mut World<'_>) {
        let waiting = self.held.iter().filter(|(_, held)| matches!(held.stage, Stage::Waiting { .. }));
        let waiting: Vec<Attempt> = waiting.map(|(attempt, _)| *attempt).collect();
        for attempt in waiting {
            self.held.remove(&attempt);
            self.report(world, attempt, Outcome::failed(Failure::Refused, "the machine is leaving"));
        }
    }

    /// Counts what was done at the speed so far; to be called before the speed changes.
    pub(crate) fn settle_progress(&mut self, world: &World<'_>) {
        let mut held = std::mem::take(&mut self.held);
        for attempt in held.values_mut() {
            if let Stage::Runs(work) | Stage::Still { work, .. } = attempt.stage {
                let settled = Work { progress: self.progress(world, attempt, &work), since: world.now, ..work };
                match &mut attempt.stage {
                    Stage::Runs(work) | Stage::Still { work, .. } => *work = settled,
                    Stage::Waiting { .. } => {}
                }
            }
        }
        self.held = held;
    }

    /// Sets anew when each running attempt will be done; to be called after the speed changed.
    pub(crate) fn reschedule(&mut self, world: &mut World<'_>) {
        let running: Vec<Attempt> = self.held.iter().filter(|(_, held)| held.runs()).map(|(attempt, _)| *attempt).collect();
        running.into_iter().for_each(|attempt| self.schedule(world, attempt));
    }

    fn schedule(&mut self, world: &mut World<'_>, attempt: Attempt) {
        let version = self.next_version();
        let held = self.held.get_mut(&attempt).expect("it runs here");
        let Stage::Runs(work) = &mut held.stage else { return };
        work.version = version;
        let (service_s, hardware) = (service_s(world, held.row, held.hardware), held.hardware);
        let (progress, since) = (work.progress, work.since);
        let speed = self.speed(hardware);
        if speed > 0.0 {
            let done = since + ceil_us((1.0 - progress).max(0.0) * service_s / speed);
            world.alarm(done.max(world.now), self.index, Alarm::Done(attempt, version));
        }
    }

    fn progress(&self, world: &World<'_>, held: &Held, work: &Work) -> f64 {
        let elapsed = world.now.since(work.since).as_secs_f64();
        work.progress + elapsed * self.speed(held.hardware) / service_s(world, held.row, held.hardware)
    }

    fn set_stage(&mut self, attempt: Attempt, stage: Stage) {
        self.held.get_mut(&attempt).expect("it is held here").stage = stage;
    }

    /// Takes an attempt off the machine. What was written when it stood still stays as it is.
    fn stop(&mut self, world: &mut World<'_>, attempt: Attempt, reason: Reason) {
        let held = self.held.remove(&attempt).expect("it is held here");
        if let Stage::Runs(work) = held.stage {
            let progress = self.progress(world, &held, &work);
            // The end of the work lies up to a microsecond before the moment at which it is noticed.
            let tick = 2e-6 * self.speed(held.hardware) / service_s(world, held.row, held.hardware);
            let progress = if (progress - 1.0).abs() <= tick { 1.0 } else { progress };
            world.note(Happened::Stopped { of: named(&held, attempt), machine: self.index, reason, progress });
            world.running -= 1;
            self.load_changed(world);
        }
    }
}

fn service_s(world: &World<'_>, row: usize, hardware: HardwareKind) -> f64 {
    world.tasks[row].service_s(hardware).expect("an attempt begins only on hardware its task runs on")
}

/// The name of the state an attempt saved.
fn manifest(attempt: Attempt) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&attempt.task.0.to_be_bytes());
    bytes[8..16].copy_from_slice(&attempt.number.0.to_be_bytes());
    Digest(bytes)
}
