//! A simulated farm: the loop that lets everything of a moment happen, from the seed alone.

use super::around::{Around, Happening};
use super::center::{Center, Death, Input, LogDisk};
use super::chance::Chance;
use super::clients::Clients;
use super::setting::Setting;
use super::sights::Sights;
use super::station::Station;
use super::trace::Trace;
use super::trouble::{self, Mend, Trouble};
use super::witness::{Moves, Violation};
use crate::network::Direction;
use coordinator_core::Command;
use shared::fact::{Admission, What};
use shared::time::Time;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// When troubles have ended, and as long as tasks are open, a verdict follows within this time on the one before.
const PROGRESS_MAX: Duration = Duration::from_secs(4 * 3600);
/// How long after the last verdict nothing may be left.
const QUIET_MAX: Duration = Duration::from_secs(300);
/// More happenings than this at one time are a farm that runs on the spot.
const SAME_TIME_MAX: u32 = 100_000;

/// See the module.
#[derive(Debug)]
pub struct Farm {
    pub around: Around,
    pub center: Center,
    pub stations: Vec<Station>,
    clients: Clients,
    weather: Chance,
    /// The newest data, while an old backup is served.
    shelf: Option<LogDisk>,
    at_this_time: u32,
}

/// What came of a run.
#[derive(Debug)]
pub struct Story {
    /// Where all randomness began.
    pub seed: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// Equal for equal runs.
    pub hash: u64,
    /// What was seen.
    pub sights: Sights,
    /// How many things happened.
    pub events: u64,
    /// Tasks that were accepted.
    pub tasks: usize,
    /// Attempts of them.
    pub attempts: usize,
    /// What became of the moves that were ordered.
    pub moves: Moves,
    /// How long the run was, in virtual time.
    pub length: Time,
    /// The newest lines of the trace, where they were asked for.
    pub lines: Vec<String>,
}

/// Runs a seed for so many virtual hours of trouble, and then until all is quiet.
pub fn run(setting: Setting, trace: Trace) -> Story {
    let seed = setting.seed;
    let mut farm = Farm::new(setting, trace);
    let whole = AssertUnwindSafe(|| {
        farm.start();
        farm.trouble();
        let until = Time::ZERO + farm.around.setting.length();
        farm.run_until(until);
        if farm.around.witness.violation.is_none() {
            farm.heal();
            farm.settle();
        }
    });
    if let Err(panic) = catch_unwind(whole) {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        farm.around.witness.accuse(farm.around.now, "assertion", said.unwrap_or_default());
    }
    let Farm { around, .. } = farm;
    Story {
        seed,
        hash: around.trace.hash(),
        events: around.trace.events(),
        tasks: around.witness.history.tasks(),
        attempts: around.witness.history.attempts(),
        moves: around.witness.history.moves(),
        length: around.now,
        lines: around.trace.last(usize::MAX).to_vec(),
        violation: around.witness.violation,
        sights: around.sights,
    }
}

impl Farm {
    /// A farm of which nothing has been started.
    pub fn new(setting: Setting, trace: Trace) -> Self {
        let slots = setting.slots.iter().enumerate();
        let stations = slots.map(|(at, slots)| Station::new(at, *slots, setting.ppm[at + 1])).collect();
        Self {
            center: Center::new(setting.ppm[0]),
            stations,
            clients: Clients::new(setting.seed),
            weather: Chance::new(setting.seed, "weather"),
            shelf: None,
            at_this_time: 0,
            around: Around::new(setting, trace),
        }
    }

    /// Starts all programs.
    pub fn start(&mut self) {
        self.center.start(&mut self.around);
        for station in &mut self.stations {
            station.start(&mut self.around);
        }
    }

    /// Lets work arrive and troubles strike from now on.
    fn trouble(&mut self) {
        let around = &mut self.around;
        around.clockwork.set(around.now, Happening::Submit);
        around.clockwork.set(around.now, Happening::Order);
        if !around.setting.troubles.is_empty() {
            trouble::set_next(around, &mut self.weather);
        }
    }

    /// Lets everything happen until `until`, or until something does not hold.
    pub fn run_until(&mut self, until: Time) {
        while self.around.witness.violation.is_none() {
            let Some(next) = self.next().filter(|next| *next <= until) else {
                self.around.now = self.around.now.max(until);
                return;
            };
            self.moment(next);
        }
    }

    /// Lets everything happen until `is_so`; false where it is not so by `until`, or something does not hold before.
    pub fn run_until_so(&mut self, until: Time, mut is_so: impl FnMut(&Farm) -> bool) -> bool {
        while self.around.witness.violation.is_none() {
            if is_so(self) {
                return true;
            }
            let Some(next) = self.next().filter(|next| *next <= until) else { return false };
            self.moment(next);
        }
        false
    }

    fn next(&self) -> Option<Time> {
        let wakeups = self.stations.iter().filter_map(Station::next_wakeup);
        let next = self.around.clockwork.next().into_iter().chain(self.center.next_wakeup()).chain(wakeups).min()?;
        Some(next.max(self.around.now))
    }

    fn moment(&mut self, now: Time) {
        self.at_this_time = if now == self.around.now { self.at_this_time + 1 } else { 0 };
        if self.at_this_time > SAME_TIME_MAX {
            self.around.witness.accuse(now, "I15", "the farm runs on the spot: a wakeup is due again and again".into());
        }
        self.around.now = now;
        if let Some(happening) = self.around.clockwork.pop(now) {
            self.happen(happening);
            return;
        }
        if self.center.next_wakeup().is_some_and(|at| at <= now) {
            self.center.go_on(&mut self.around);
        }
        for station in &mut self.stations {
            if station.next_wakeup().is_some_and(|at| at <= now) {
                station.happened(&mut self.around, worker_core::Event::Woke);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let around = &mut self.around;
        match happening {
            Happening::Arrives(wire, direction, packet) => {
                if !around.network.delivers(wire, direction, &packet) {
                    return;
                }
                let numbers = [7, wire.0, direction as u64];
                around.trace.note(around.now, &numbers, || format!("{direction:?} wire {}: {packet:?}", wire.0));
                match direction {
                    Direction::Up => self.center.arrives(around, wire, packet),
                    Direction::Down => {
                        let station = around.network.station(wire);
                        self.stations[station].arrives(around, wire, packet);
                    }
                }
            }
            Happening::Center(life, alarm) => self.center.alarm(around, life, alarm),
            Happening::Station(at, life, alarm) => self.stations[at].alarm(around, life, alarm),
            Happening::Process(at, attempt, version) => self.stations[at].process(around, attempt, version),
            Happening::Lease(at) => self.stations[at].lease(around),
            Happening::Uploaded(at, life, attempt) => {
                let is_up = self.center.is_alive() && !self.center.is_stalled() && !around.is_store_down;
                let is_there = is_up && around.chance.hits(around.setting.uploads);
                self.stations[at].uploaded(around, life, attempt, is_there);
            }
            Happening::Mend(mend) => trouble::mend(self, mend),
            Happening::Trouble => self.strike(),
            Happening::Submit => self.submit(),
            Happening::Order => self.order(),
            Happening::Repeat(request) => {
                if !around.witness.is_answered(request) {
                    self.ask(Input::Submit(request, request.tasks(self.around.setting.seed)));
                    self.clients.expect_answer(&mut self.around, request);
                }
            }
        }
    }

    fn strike(&mut self) {
        let mut weather = self.weather.clone();
        if let Some(trouble) = Trouble::drawn(&mut weather, &self.around.setting.troubles) {
            trouble::strike(self, &mut weather, trouble);
        }
        trouble::set_next(&mut self.around, &mut weather);
        self.weather = weather;
    }

    fn submit(&mut self) {
        let request = self.clients.submit();
        self.ask(Input::Submit(request, request.tasks(self.around.setting.seed)));
        self.clients.expect_answer(&mut self.around, request);
        let next = self.around.now + self.weather.until_next(self.around.setting.work_every_s);
        self.around.clockwork.set(next, Happening::Submit);
    }

    fn order(&mut self) {
        let open = self.around.witness.open_tasks();
        let command = self.clients.order(&open, self.around.witness.history.tasks(), self.stations.len());
        self.ask(Input::Operate(command));
        self.ask(Input::Look);
        let next = self.around.now + self.weather.until_next(self.around.setting.order_every_s);
        self.around.clockwork.set(next, Happening::Order);
    }

    /// Asks the coordinator for something. Nobody asks one that is served from an old backup: what it accepts is gone with it.
    pub fn ask(&mut self, input: Input) {
        if !self.around.witness.is_impostor {
            self.center.asked(&mut self.around, input);
        }
    }

    /// A worker dies, if it lives.
    pub fn kill_station(&mut self, at: usize, death: Death) {
        self.around.witness.freezes(self.around.now, at, false);
        self.stations[at].die(&mut self.around, death);
    }

    /// A worker that stood still goes on.
    pub fn wake_station(&mut self, at: usize) {
        self.around.witness.freezes(self.around.now, at, false);
        self.stations[at].go_on_after_stall(&mut self.around);
    }

    /// Someone starts a coordinator from a backup that is older than what every worker has obeyed.
    pub fn serve_old_backup(&mut self, chance: &mut Chance) {
        let seen = self.stations.iter().map(Station::epoch_seen).min().map_or(0, |epoch| epoch.0);
        let mut starts = self.center.disk.facts.iter().enumerate().filter_map(|(at, fact)| match &fact.what {
            What::CoordinatorStarted { epoch, .. } if epoch.0 + 1 < seen => Some(at),
            _ => None,
        });
        let (Some(until), None, true) = (starts.next_back(), &self.shelf, self.center.is_alive()) else { return };
        self.center.die(&mut self.around, Death::Killed);
        let facts = self.center.disk.facts[..until].to_vec();
        let backup = LogDisk { facts, ..LogDisk::default() };
        self.shelf = Some(std::mem::replace(&mut self.center.disk, backup));
        self.around.witness.is_impostor = true;
        self.center.start(&mut self.around);
        let end = self.around.now + chance.span(5.0, 120.0);
        self.around.clockwork.set(end, Happening::Mend(Mend::NewestData));
    }

    /// The newest data is served again.
    pub fn serve_newest_data(&mut self) {
        if let Some(newest) = self.shelf.take() {
            self.center.die(&mut self.around, Death::Killed);
            self.center.disk = newest;
            self.around.witness.is_impostor = false;
            self.center.start(&mut self.around);
        }
    }

    /// All troubles end, and no new ones begin: what is down is started, what stands still goes on, every worker takes work.
    pub fn heal(&mut self) {
        self.around.trace.note(self.around.now, &[8], || "all troubles end".into());
        self.around.setting.troubles.clear();
        self.around.network.heal();
        self.around.is_store_down = false;
        self.serve_newest_data();
        (self.center.disk.fails_until, self.center.disk.slow_until) = (Time::ZERO, Time::ZERO);
        self.center.dies = None;
        if self.center.is_stalled() {
            self.center.go_on_after_stall(&mut self.around);
        }
        self.center.start(&mut self.around);
        for at in 0..self.stations.len() {
            if self.stations[at].is_stalled() {
                self.wake_station(at);
            }
            self.stations[at].start(&mut self.around);
        }
    }

    /// I17, I9: once troubles have ended every task gets its verdict, and then nothing is left of any.
    pub fn settle(&mut self) {
        // The life that was begun listens when it is on disk.
        self.run_until(self.around.now + Duration::from_secs(5));
        self.around.clockwork.retain(|what| !matches!(what, Happening::Trouble | Happening::Submit | Happening::Order));
        for at in 0..self.stations.len() {
            self.ask(Input::Operate(Command::Admit(self.stations[at].name().into(), Admission::Open)));
        }
        while self.around.witness.history.verdicts() < self.around.witness.history.tasks() {
            let before = self.around.witness.history.verdicts();
            let until = self.around.now + PROGRESS_MAX;
            if !self.run_until_so(until, |farm| farm.around.witness.history.verdicts() > before) {
                let open = self.around.witness.open_tasks();
                let (left, first, now) = (open.len(), open.first(), self.around.now);
                let what = format!("{left} tasks have had no verdict for 4 h without trouble, task {first:?} among them");
                return self.around.witness.accuse(now, "I17", what);
            }
        }
        let until = self.around.now + QUIET_MAX;
        if !self.run_until_so(until, Farm::is_quiet) && self.around.witness.violation.is_none() {
            let what = self.what_is_left();
            self.around.witness.accuse(self.around.now, "I9", what);
        }
    }

    fn is_quiet(&self) -> bool {
        let holds_nothing = |core: &coordinator_core::Coordinator| {
            core.state().fleet.iter().all(|(_, worker)| worker.held.is_empty() && worker.reserved.is_empty())
        };
        self.center.core().is_some_and(holds_nothing)
            && self.stations.iter().all(Station::is_quiet)
            && self.around.witness.is_quiet()
    }

    fn what_is_left(&self) -> String {
        let left = self
            .center
            .core()
            .into_iter()
            .flat_map(|core| core.state().fleet.iter())
            .map(|(_, worker)| format!("{} holds {:?} and keeps room for {:?}", worker.name, worker.held, worker.reserved));
        let own = self.stations.iter().filter(|station| !station.is_quiet()).map(Station::what_is_left);
        format!("all tasks have their verdict, and 5 min later: {}", left.chain(own).collect::<Vec<_>>().join("; "))
    }
}
