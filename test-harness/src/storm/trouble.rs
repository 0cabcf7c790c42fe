//! What goes wrong in a storm, and when, all of it from one seed.

use super::Options;
use crate::farm::{COORDINATOR, Farm};
use anyhow::Result;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::sleep;

/// One kill of the coordinator in so many seconds on average, and so on.
const COORDINATOR_KILL_S: f64 = 12.0;
const WORKER_KILL_S: f64 = 2.8;
const RUNNER_KILL_S: f64 = 20.0;
const STOP_S: f64 = 14.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    KillCoordinator,
    KillWorker,
    KillRunner,
    Stop,
    Begin(usize),
    Continue(usize),
}

/// Something that happened to a worker.
#[derive(Debug, Clone)]
pub struct WorkerTrouble {
    /// Which.
    pub worker: String,
    /// When, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// What is still to come, and a count of what was.
#[derive(Debug, Serialize)]
pub struct Troubles {
    coordinator_kills: u32,
    worker_kills: u32,
    runner_kills: u32,
    stops: u32,
    #[serde(skip)]
    random: Pcg64,
    #[serde(skip)]
    stop_s_max: u64,
    #[serde(skip)]
    due: Vec<(Instant, Act)>,
    #[serde(skip)]
    to_workers: Vec<WorkerTrouble>,
}

impl Troubles {
    /// The first of each kind is due soon.
    pub fn new(options: &Options) -> Self {
        let mut troubles = Self {
            coordinator_kills: 0,
            worker_kills: 0,
            runner_kills: 0,
            stops: 0,
            random: Pcg64::seed_from_u64(options.seed),
            stop_s_max: options.stop_s_max,
            due: Vec::new(),
            to_workers: Vec::new(),
        };
        for (act, mean_s) in [
            (Act::KillCoordinator, COORDINATOR_KILL_S),
            (Act::KillWorker, WORKER_KILL_S),
            (Act::KillRunner, RUNNER_KILL_S),
            (Act::Stop, STOP_S),
        ] {
            troubles.again(act, mean_s);
        }
        troubles
    }

    /// Waits for the next trouble, no longer than until `until`, and makes it happen.
    pub async fn next(&mut self, farm: &mut Farm, until: Instant) -> Result<()> {
        self.due.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let Some((at, act)) = self.due.pop() else { return Ok(()) };
        if at > until {
            self.due.push((at, act));
            sleep(until.saturating_duration_since(Instant::now())).await;
            return Ok(());
        }
        sleep(at.saturating_duration_since(Instant::now())).await;
        match act {
            Act::KillCoordinator => {
                if farm.is_up(COORDINATOR) {
                    farm.kill(COORDINATOR)?;
                    self.coordinator_kills += 1;
                    self.after(1.0, Act::Begin(COORDINATOR));
                    self.again(act, COORDINATOR_KILL_S);
                } else {
                    self.after(0.5, act);
                }
            }
            Act::KillWorker => {
                if let Some(worker) = self.any_worker(farm) {
                    farm.kill(worker)?;
                    self.worker_kills += 1;
                    self.note(farm, worker);
                    self.after(2.0, Act::Begin(worker));
                }
                self.again(act, WORKER_KILL_S);
            }
            Act::KillRunner => {
                if let Some(worker) = self.any_worker(farm)
                    && farm.kill_runner(worker)
                {
                    self.runner_kills += 1;
                    self.note(farm, worker);
                }
                self.again(act, RUNNER_KILL_S);
            }
            Act::Stop => {
                // Now and then it is the coordinator that stands still.
                let is_coordinator = self.uniform() < 0.2 && farm.is_up(COORDINATOR);
                if let Some(daemon) = if is_coordinator { Some(COORDINATOR) } else { self.any_worker(farm) } {
                    farm.stop(daemon, true)?;
                    self.stops += 1;
                    self.note(farm, daemon);
                    let seconds = 5.0 + self.uniform() * (self.stop_s_max as f64 - 5.0);
                    let seconds = if is_coordinator { seconds.min(12.0) } else { seconds };
                    self.due.push((Instant::now() + Duration::from_secs_f64(seconds), Act::Continue(daemon)));
                }
                self.again(act, STOP_S);
            }
            Act::Begin(daemon) => farm.begin(daemon)?,
            Act::Continue(daemon) => {
                self.note(farm, daemon);
                farm.stop(daemon, false)?;
            }
        }
        Ok(())
    }

    /// Mends everything: what is down is started, what stands still goes on.
    pub fn calm(&mut self, farm: &mut Farm) -> Result<()> {
        self.due.clear();
        for daemon in 0..farm.len() {
            farm.begin(daemon)?;
            farm.stop(daemon, false)?;
        }
        Ok(())
    }

    /// When which worker was killed, stopped or let go on.
    pub fn worker_troubles(&self) -> &[WorkerTrouble] {
        &self.to_workers
    }

    fn any_worker(&mut self, farm: &Farm) -> Option<usize> {
        let up: Vec<usize> = (COORDINATOR + 1..farm.len()).filter(|worker| farm.is_up(*worker)).collect();
        up.get((self.random.next_u64() % up.len().max(1) as u64) as usize).copied()
    }

    fn note(&mut self, farm: &Farm, daemon: usize) {
        let wall_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.to_workers.push(WorkerTrouble { worker: farm.name(daemon).into(), wall_ms });
    }

    /// Some time between nothing and `seconds_max` from now.
    fn after(&mut self, seconds_max: f64, act: Act) {
        let wait = Duration::from_secs_f64(self.uniform() * seconds_max);
        self.due.push((Instant::now() + wait, act));
    }

    /// Once more, after between half and one and a half of the mean.
    fn again(&mut self, act: Act, mean_s: f64) {
        let wait = Duration::from_secs_f64(mean_s * (0.5 + self.uniform()));
        self.due.push((Instant::now() + wait, act));
    }

    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl std::fmt::Display for Troubles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { coordinator_kills, worker_kills, runner_kills, stops, .. } = self;
        write!(f, "killed: coordinator {coordinator_kills} times, workers {worker_kills}, runners {runner_kills}; ")?;
        write!(f, "stopped for a while: {stops}")
    }
}
