//! One simulated worker: when it is there, what it says on its socket, how fast it is. What it holds is in `holding`.

use crate::clockwork::{Alarm, Happening};
use crate::holding::Held;
use crate::journal::Happened;
use crate::network::{Direction, ceil_us};
use crate::physics::{self, Pace, TOLERANCE, at};
use crate::scenario::MachineSpec;
use crate::world::World;
use coordinator_core::{Command, ConnectionId};
use shared::fact::Admission;
use shared::hardware::{Device, HardwareKind, Inventory, Load, ProbeLevel};
use shared::id::{Attempt, BootNonce, Epoch, WorkerId};
use shared::outcome::Outcome;
use shared::protocol::{FromCoordinator, FromWorker, Heartbeat, HeldAttempt, HeldResult, Hello, WorkerInventory, digest_of};
use shared::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// A machine whose socket was closed by the coordinator comes back after this long.
const RECONNECT: Duration = Duration::from_secs(1);
/// A machine that is to go and holds nothing waits at least this long for what is still on its way to it.
const LINGER: Duration = Duration::from_secs(1);
/// The memory of a machine whose scenario gives none, in bytes.
const MEMORY_WITHOUT_END: u64 = 1 << 50;

/// See the module.
#[derive(Debug)]
pub struct Machine<'a> {
    pub(crate) index: usize,
    pub(crate) spec: &'a MachineSpec,
    pub(crate) held: BTreeMap<Attempt, Held>,
    pub(crate) pace: Pace,
    pub(crate) is_leaving: bool,
    /// Results that were not acknowledged: they are on disk and survive a crash.
    outbox: BTreeMap<Attempt, Outcome>,
    life: Life,
    boots: u64,
    heartbeats: u64,
    heartbeat: Duration,
    versions: u64,
    heat_version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has not come yet.
    Away,
    /// It is up, without a socket.
    Apart,
    /// It said hello.
    Greeting(ConnectionId),
    /// It was welcomed.
    Open(ConnectionId),
    /// Its process is dead until then.
    Down(Time),
    /// It is gone for good.
    Gone,
}

impl<'a> Machine<'a> {
    /// A machine that has not come yet. Sets the alarms of all that is going to happen to it.
    pub fn new(index: usize, spec: &'a MachineSpec, heartbeat: Duration, world: &mut World<'_>) -> Self {
        for phase in &spec.slow {
            world.alarm(physics::begin(phase), index, Alarm::Slow);
            world.alarm(physics::end(phase), index, Alarm::Slow);
        }
        world.alarm(at(spec.joins_s), index, Alarm::Join);
        spec.crashes_s.iter().for_each(|crash| world.alarm(at(*crash) - TOLERANCE, index, Alarm::Crash));
        spec.leaves_s.iter().for_each(|leave| world.alarm(at(*leave), index, Alarm::Leave));
        Self {
            index,
            spec,
            held: BTreeMap::new(),
            pace: Pace::new(spec),
            is_leaving: false,
            outbox: BTreeMap::new(),
            life: Life::Away,
            boots: 0,
            heartbeats: 0,
            heartbeat,
            versions: 0,
            heat_version: 0,
        }
    }

    /// Something is due.
    pub fn wake(&mut self, world: &mut World<'_>, alarm: Alarm) {
        match alarm {
            Alarm::Join => self.join(world),
            Alarm::Leave => self.leave(world),
            Alarm::Depart => self.depart(world),
            Alarm::Crash => self.crash(world),
            Alarm::Slow => {
                let (spec, now) = (self.spec, world.now);
                self.change_pace(world, |pace| pace.set_slow(spec, now));
            }
            Alarm::Heat(version) if version == self.heat_version => {
                let now = world.now;
                self.change_pace(world, |pace| pace.cross(now));
                self.load_changed(world);
            }
            Alarm::Heartbeat(connection) => self.beat(world, connection),
            Alarm::Begin(attempt) => self.begin_when_ready(world, attempt),
            Alarm::Done(attempt, version) => self.done(world, attempt, version),
            Alarm::GoOn(attempt, version) => self.go_on_unasked(world, attempt, version),
            Alarm::Heat(_) => {}
        }
    }

    /// A message reached it on this socket.
    pub fn told(&mut self, world: &mut World<'_>, connection: ConnectionId, message: FromCoordinator) {
        if !matches!(self.life, Life::Greeting(own) | Life::Open(own) if own == connection) {
            return;
        }
        match message {
            FromCoordinator::Welcome(_) => {
                self.life = Life::Open(connection);
                self.tell_inventory(world);
                world.alarm(world.now + self.heartbeat, self.index, Alarm::Heartbeat(connection));
                self.depart_when_free(world);
            }
            FromCoordinator::SendInventory => self.tell_inventory(world),
            FromCoordinator::Reconcile { kill, .. } => kill.into_iter().for_each(|attempt| self.forget(world, attempt)),
            FromCoordinator::Fenced { attempt, .. } => self.forget(world, attempt),
            FromCoordinator::Start(start) => self.take(world, start),
            FromCoordinator::Cancel { attempt, .. } => self.cancel(world, attempt),
            FromCoordinator::Checkpoint { attempt, deadline_ms } => self.save(world, attempt, deadline_ms),
            FromCoordinator::Resume { attempt } => self.go_on(world, attempt),
            FromCoordinator::ResultAck { attempt, .. } => {
                self.outbox.remove(&attempt);
                self.depart_when_free(world);
            }
            FromCoordinator::Challenge { .. }
            | FromCoordinator::Refused { .. }
            | FromCoordinator::LogAck { .. }
            | FromCoordinator::HeartbeatAck { .. } => {}
        }
    }

    /// The coordinator closed this socket.
    pub fn closed(&mut self, world: &mut World<'_>, connection: ConnectionId) {
        if matches!(self.life, Life::Greeting(own) | Life::Open(own) if own == connection) {
            self.life = Life::Apart;
            world.alarm(world.now + RECONNECT, self.index, Alarm::Join);
        }
    }

    /// Says something, where it is connected; what must not be lost is in the inventory of its return.
    pub(crate) fn say(&self, world: &mut World<'_>, message: FromWorker) {
        if let Life::Open(connection) = self.life {
            world.send(connection, message);
        }
    }

    /// Keeps a result until it is acknowledged, and tells it.
    pub(crate) fn report(&mut self, world: &mut World<'_>, attempt: Attempt, outcome: Outcome) {
        self.outbox.insert(attempt, outcome.clone());
        self.say(world, FromWorker::Finished { attempt, outcome });
    }

    /// Share of its slots in use.
    pub(crate) fn busy_share(&self, world: &World<'_>) -> f64 {
        let cores: f64 = self.held.values().filter(|held| held.runs()).map(|held| world.tasks[held.row].cores).sum();
        cores / f64::from(self.spec.slots)
    }

    /// What it runs has changed, and with it what it draws and how warm it will be.
    pub(crate) fn load_changed(&mut self, world: &mut World<'_>) {
        let watts = self.spec.watts(self.busy_share(world));
        self.heat_version = self.next_version();
        if let Some(at) = self.pace.draw(world.now, watts) {
            world.alarm(at, self.index, Alarm::Heat(self.heat_version));
        }
    }

    pub(crate) fn speed(&self, hardware: HardwareKind) -> f64 {
        self.pace.speed(self.spec, hardware)
    }

    pub(crate) fn next_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    /// Changes how fast it is: what was done so far was done at the old speed.
    fn change_pace(&mut self, world: &mut World<'_>, change: impl FnOnce(&mut Pace)) {
        self.settle_progress(world);
        let before: Vec<f64> = self.spec.hardware.iter().map(|hardware| self.speed(*hardware)).collect();
        change(&mut self.pace);
        for (hardware, before) in self.spec.hardware.iter().zip(before) {
            let speed = self.speed(*hardware);
            if speed != before {
                world.note(Happened::SpeedChanged { machine: self.index, hardware: *hardware, speed });
            }
        }
        self.reschedule(world);
    }

    fn join(&mut self, world: &mut World<'_>) {
        match self.life {
            Life::Down(until) if world.now < until => return world.alarm(until, self.index, Alarm::Join),
            Life::Away | Life::Down(_) => {
                if self.life == Life::Away {
                    self.pace.rest(world.now);
                }
                self.boots += 1;
                world.note(Happened::MachineUp(self.index));
                self.load_changed(world);
            }
            Life::Apart => {}
            Life::Greeting(_) | Life::Open(_) | Life::Gone => return,
        }
        let connection = world.network.open(self.index);
        self.life = Life::Greeting(connection);
        let hello = Hello {
            protocol_min: shared::protocol::PROTOCOL_MIN,
            protocol_max: shared::protocol::PROTOCOL_MAX,
            cluster: Some(crate::run::CLUSTER),
            worker: WorkerId((self.index as u128 + 1).to_be_bytes()),
            name: self.spec.name.to_string(),
            boot: BootNonce(self.boots.to_be_bytes()),
            epoch_seen: Epoch(0),
            version: "simulated".into(),
        };
        let at = world.network.arrival(world.now, connection, Direction::Up);
        world.clockwork.set(at, Happening::Joined(connection, hello));
    }

    fn leave(&mut self, world: &mut World<'_>) {
        world.note(Happened::MachineLeaving(self.index));
        self.is_leaving = true;
        let drain = Command::Admit(self.spec.name.to_string(), Admission::Draining);
        world.clockwork.set(world.now, Happening::Order(drain));
        self.refuse_waiting(world);
        self.depart_when_free(world);
    }

    /// Prepares to go where it is to go and nothing holds it.
    pub(crate) fn depart_when_free(&mut self, world: &mut World<'_>) {
        if self.is_leaving && self.is_free() {
            let wait = LINGER.max(world.network.latency_max() * 4);
            world.alarm(world.now + wait, self.index, Alarm::Depart);
        }
    }

    fn is_free(&self) -> bool {
        self.held.is_empty() && self.outbox.is_empty()
    }

    fn depart(&mut self, world: &mut World<'_>) {
        let Life::Open(connection) = self.life else { return };
        if self.is_free() {
            world.send(connection, FromWorker::Leaving);
            world.hang_up(connection, "it left");
            world.note(Happened::MachineGone(self.index));
            self.life = Life::Gone;
        }
    }

    fn crash(&mut self, world: &mut World<'_>) {
        let until = world.now + TOLERANCE + ceil_us(self.spec.restart_s);
        match self.life {
            Life::Gone | Life::Away => return,
            Life::Down(before) => {
                self.life = Life::Down(until.max(before));
                return;
            }
            Life::Greeting(connection) | Life::Open(connection) => world.hang_up(connection, "its process died"),
            Life::Apart => {}
        }
        self.lose_all(world);
        world.note(Happened::MachineCrashed(self.index));
        self.life = Life::Down(until);
        world.alarm(until, self.index, Alarm::Join);
    }

    fn beat(&mut self, world: &mut World<'_>, connection: ConnectionId) {
        if self.life != Life::Open(connection) {
            return;
        }
        self.heartbeats += 1;
        let share = self.busy_share(world);
        let memory: f64 = self.held.values().map(|held| world.tasks[held.row].memory_gb).sum();
        let load = Load {
            cpu: Some(share.min(1.0)),
            memory: self.spec.memory_gb.filter(|all| *all > 0.0).map(|all| memory / all),
            temperature_c: self.pace.celsius(world.now),
            power_w: self.spec.power.map(|_| self.spec.watts(share)),
            speed: Some(self.pace.factor()),
            ..Load::default()
        };
        let holds = digest_of(self.held.keys().copied());
        world.send(connection, FromWorker::Heartbeat(Heartbeat { number: self.heartbeats, load: load.into(), holds }));
        world.alarm(world.now + self.heartbeat, self.index, Alarm::Heartbeat(connection));
    }

    fn tell_inventory(&self, world: &mut World<'_>) {
        let held = |(attempt, held): (&Attempt, &Held)| HeldAttempt { attempt: *attempt, state: held.state(), log_bytes: 0 };
        let result = |(attempt, outcome): (&Attempt, &Outcome)| HeldResult { attempt: *attempt, outcome: outcome.clone() };
        let attempts = self.held.iter().map(held).collect();
        let results = self.outbox.iter().map(result).collect();
        self.say(world, FromWorker::Inventory(WorkerInventory { machine: self.inventory(), attempts, results }));
    }

    fn inventory(&self) -> Inventory {
        let bytes = |gigabytes: f64| (gigabytes * 1e9).round() as u64;
        let device = |kind: &HardwareKind| Device {
            speed: Some(self.spec.declared_speed(*kind)),
            throttle_c: self.spec.thermal.map(|thermal| thermal.throttle_c),
            memory_bytes: kind.has_own_memory().then(|| bytes(self.spec.gpu_memory_gb.unwrap_or(0.0))),
            ..Device::of_kind(*kind, ProbeLevel::Declared)
        };
        Inventory {
            slots: self.spec.slots,
            cores: self.spec.slots,
            memory_bytes: self.spec.memory_gb.map_or(MEMORY_WITHOUT_END, bytes),
            devices: self.spec.hardware.iter().map(device).collect(),
            labels: [("simulated".to_owned(), "yes".to_owned())].into(),
            power: self.spec.power,
            cost_per_hour: self.spec.cost_per_hour,
            ..Inventory::default()
        }
    }
}
