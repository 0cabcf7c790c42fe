//! A run: the loop that lets everything of a moment happen and then lets the coordinator decide, as the loop of a real
//! coordinator does with what has arrived.

use crate::SimError;
use crate::clockwork::Happening;
use crate::export;
use crate::fleet;
use crate::journal::{Happened, Journal, is_kept};
use crate::machine::Machine;
use crate::network::{Direction, Network};
use crate::options::{Options, Settings};
use crate::physics::at;
use crate::scenario::Scenario;
use crate::specs;
use crate::summary::{self, Labels, Summary};
use crate::world::World;
use coordinator_core::{ClientId, Command, ConnectionId, Coordinator, Effect, Event, NewTask, Reply, invariants, policy};
use shared::fact::{Fact, What};
use shared::id::{Attempt, ClusterId};
use shared::protocol::FromCoordinator;
use shared::task::TaskSpec;
use shared::time::Time;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The cluster of every simulated run.
pub(crate) const CLUSTER: ClusterId = ClusterId(*b"simulated run   ");
/// A run that does not come to an end is ended after this many times its horizon, and this many times what its tasks take at
/// the very least: they may all be submitted at the beginning.
const PATIENCE: (f64, f64) = (10.0, 50.0);
/// The invariants of the coordinator are checked once in this many moments: they look at every task.
const CHECKED_EVERY: u64 = 4096;
const CLIENT: ClientId = ClientId(1);

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// The figures.
    pub summary: Summary,
    /// What happened, in order.
    pub journal: Journal,
    /// Every fact of the coordinator, in order; empty unless the options ask for it.
    pub log: Vec<Arc<Fact>>,
    names: export::Names,
}

impl Run {
    /// The facts, one JSON object a line.
    pub fn facts(&self) -> String {
        export::lines(&self.journal, &self.names)
    }

    /// Writes `facts.jsonl` and `summary.json`.
    ///
    /// # Errors
    /// The folder cannot be made or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), SimError> {
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |source| SimError::Write { path, source }
        };
        std::fs::create_dir_all(folder).map_err(wrong(folder))?;
        let (facts, summary) = (folder.join("facts.jsonl"), folder.join("summary.json"));
        std::fs::write(&facts, self.facts()).map_err(wrong(&facts))?;
        std::fs::write(&summary, self.summary.to_json()).map_err(wrong(&summary))
    }
}

/// Runs a scenario.
///
/// # Errors
/// An option that does not exist, or a bug of the coordinator that its invariants show.
pub fn run(scenario: &Scenario, options: &Options) -> Result<Run, SimError> {
    let began = Instant::now();
    let settings = options.settings()?;
    let Some(chosen) = policy::by_name(&options.policy) else {
        let names = policy::NAMES.join(", ");
        return Err(SimError::Option(format!("no policy is called `{}`; there are {names}", options.policy)));
    };
    let seed = options.seed.unwrap_or(scenario.seed);
    let config = coordinator_core::Config { open_tasks_max: scenario.tasks.len() as u64, ..settings.config.clone() };
    let coordinator = Coordinator::new(config, chosen);
    let mut simulation = Simulation::new(scenario, coordinator, &settings, seed)?;
    simulation.go()?;
    let names = export::Names::new(scenario, &simulation.world.order, &options.policy, seed, settings.estimates.name());
    let (journal, log) = (simulation.world.journal, simulation.log.unwrap_or_default());
    let labels = Labels { policy: options.policy.clone(), seed, estimates: settings.estimates.name() };
    let mut summary = summary::of(scenario, &journal, &simulation.world.order, labels);
    summary.wall_s = began.elapsed().as_secs_f64();
    Ok(Run { summary, journal, log, names })
}

struct Simulation<'a> {
    coordinator: Coordinator,
    machines: Vec<Machine<'a>>,
    world: World<'a>,
    specs: Vec<Arc<TaskSpec>>,
    /// Tasks that some machine could run and that have no verdict yet.
    open: usize,
    can_finish: Vec<bool>,
    log: Option<Vec<Arc<Fact>>>,
    end: Time,
    /// Why the coordinator refused what it was given.
    refused: Option<String>,
}

impl<'a> Simulation<'a> {
    fn new(scenario: &'a Scenario, coordinator: Coordinator, settings: &Settings, seed: u64) -> Result<Self, SimError> {
        let mut world = World::new(&scenario.tasks, Network::new(scenario.network, seed));
        let specs: Result<_, SimError> =
            world.order.iter().map(|row| specs::spec(&scenario.tasks[*row], settings.estimates)).collect();
        let machines = scenario.machines.iter().enumerate();
        let machines = machines.map(|(index, spec)| Machine::new(index, spec, settings.config.heartbeat, &mut world)).collect();
        set_submissions(&mut world);
        let rows = scenario.possible();
        let mut can_finish = vec![false; scenario.tasks.len()];
        rows.iter().for_each(|row| can_finish[*row] = true);
        let least_s = fleet::simple_bound_s(scenario, &rows);
        let mut simulation = Self {
            coordinator,
            machines,
            world,
            specs: specs?,
            open: rows.len(),
            can_finish,
            log: settings.log.then(Vec::new),
            end: at(PATIENCE.0 * scenario.horizon_s + PATIENCE.1 * least_s),
            refused: None,
        };
        let mut effects = Vec::new();
        simulation.coordinator.begin(Time::ZERO, CLUSTER, 0, "simulated", &mut effects);
        simulation.carry_out(effects);
        let known = specs::known(scenario, settings.estimates);
        if !known.is_empty() {
            simulation.step(Event::Operator { client: CLIENT, command: Command::Learn(known) });
        }
        Ok(simulation)
    }

    /// Lets everything happen until all that can be finished is.
    fn go(&mut self) -> Result<(), SimError> {
        let mut moments = 0;
        while self.open > 0 || self.world.running > 0 {
            let woken = self.coordinator.next_wakeup().map(|at| at.max(self.world.now));
            let Some(next) = self.world.clockwork.next().into_iter().chain(woken).min() else { break };
            if next > self.end {
                break;
            }
            self.world.now = next;
            while let Some(happening) = self.world.clockwork.pop(next) {
                self.happen(happening);
            }
            while self.coordinator.next_wakeup().is_some_and(|at| at <= next) {
                self.step(Event::Woke);
            }
            if let Some(problem) = self.refused.take() {
                return Err(SimError::NotAccepted(problem));
            }
            moments += 1;
            if moments % CHECKED_EVERY == 0 {
                self.check()?;
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), SimError> {
        let at_s = self.world.now.seconds();
        invariants::check(&self.coordinator).map_err(|problem| SimError::Invariant { at_s, problem })
    }

    fn happen(&mut self, happening: Happening) {
        let heard = self.world.now;
        match happening {
            Happening::Submit(range) => {
                let tasks = self.specs[range].iter().map(|spec| NewTask { spec: spec.clone(), key: None }).collect();
                self.step(Event::Submitted { client: CLIENT, tasks });
            }
            Happening::Order(command) => self.step(Event::Operator { client: CLIENT, command }),
            Happening::Joined(connection, hello) => self.step(Event::Joined { connection, hello }),
            Happening::Heard(connection, message) => self.step(Event::Received { connection, heard, message }),
            Happening::Lost(connection, why) => self.step(Event::Disconnected { connection, why: why.into() }),
            Happening::Told(connection, message) => {
                let machine = self.world.network.machine(connection);
                self.machines[machine].told(&mut self.world, connection, message);
            }
            Happening::Closed(connection) => {
                let machine = self.world.network.machine(connection);
                self.machines[machine].closed(&mut self.world, connection);
            }
            Happening::Alarm(machine, alarm) => self.machines[machine].wake(&mut self.world, alarm),
        }
    }

    fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.coordinator.step(self.world.now, event, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(fact) => self.record(fact),
                Effect::Send { connection, message } => self.send(connection, message),
                Effect::Close { connection } => {
                    let at = self.world.network.arrival(self.world.now, connection, Direction::Down);
                    self.world.clockwork.set(at, Happening::Closed(connection));
                }
                Effect::Reply { reply: Reply::Full(problem), .. } => self.refused = Some(problem),
                Effect::Reply { .. } => {}
            }
        }
    }

    fn send(&mut self, connection: ConnectionId, message: FromCoordinator) {
        let at = self.world.network.arrival(self.world.now, connection, Direction::Down);
        self.world.clockwork.set(at, Happening::Told(connection, message));
    }

    fn record(&mut self, fact: Arc<Fact>) {
        match &fact.what {
            What::Migration { task, attempt, .. } => {
                self.world.migrating.insert(Attempt { task: *task, number: *attempt });
            }
            What::StandstillEnded { task, attempt, .. } => {
                self.world.migrating.remove(&Attempt { task: *task, number: *attempt });
            }
            What::TaskFinished { task, .. } if self.can_finish[self.world.row(*task)] => self.open -= 1,
            _ => {}
        }
        if let Some(log) = &mut self.log {
            log.push(fact.clone());
        }
        if is_kept(&fact.what) {
            self.world.note(Happened::Decided(fact));
        }
    }
}

/// Tasks that are submitted at the same time are one submission.
fn set_submissions(world: &mut World<'_>) {
    let times: Vec<Time> = world.order.iter().map(|row| at(world.tasks[*row].submit_s)).collect();
    let mut first = 0;
    for same in times.chunk_by(|a, b| a == b) {
        world.clockwork.set(same[0], Happening::Submit(first..first + same.len()));
        first += same.len();
    }
}

#[cfg(test)]
mod tests;
