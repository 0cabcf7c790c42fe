//! What a plan costs: the coordinator's own code over a large queue and a large fleet, without sockets or disks.

use anyhow::{Result, bail};
use clap::Args;
use coordinator_core::{ClientId, Command, Config, ConnectionId, Coordinator, Effect, Event, NewTask, policy};
use nix::time::ClockId;
use serde::Serialize;
use shared::fact::Known;
use shared::hardware::{Device, HardwareKind, Inventory, ProbeLevel};
use shared::id::{BootNonce, ClusterId, Epoch, WorkerId};
use shared::outcome::{Ended, Outcome};
use shared::protocol::{FromCoordinator, FromWorker, Hello, Start, WorkerInventory};
use shared::task::{TaskSpec, Work};
use shared::time::Time;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Slots of each worker.
const SLOTS: u32 = 8;
/// Tasks that end between two plans.
const ENDING: usize = 8;
/// How often a plan is made; virtual time goes on by as much.
const BETWEEN: Duration = Duration::from_millis(5);

/// The flags of `bench plan`.
#[derive(Debug, Args)]
pub struct Options {
    /// The most workers
    #[arg(long, default_value_t = 1_000)]
    workers: usize,
    /// The most tasks that wait
    #[arg(long, default_value_t = 100_000)]
    queued: usize,
    /// The most groups of equal tasks
    #[arg(long, default_value_t = 5_000)]
    profiles: usize,
    /// Classes of unlike workers
    #[arg(long, default_value_t = 20)]
    classes: usize,
    /// Plans that are timed at each size
    #[arg(long, default_value_t = 1_000)]
    plans: usize,
    /// The policy
    #[arg(long, default_value = "adaptive")]
    policy: String,
    /// Print JSON, one object a size
    #[arg(long)]
    json: bool,
}

/// What was measured at one size; processor time of a plan in microseconds.
#[derive(Debug, Serialize)]
struct Figures {
    workers: usize,
    queued: usize,
    profiles: usize,
    classes: usize,
    plans: usize,
    /// Eight slots have become free and little else has changed.
    p50_us: f64,
    p95_us: f64,
    p99_us: f64,
    /// Of all plans, those that look at everything anew included.
    mean_us: f64,
    /// The first plan, which fills every slot and knows nothing.
    first_us: f64,
}

/// Measures at growing sizes and prints.
pub fn run(options: &Options) -> Result<()> {
    if [options.workers, options.queued, options.profiles, options.classes, options.plans].contains(&0) {
        bail!("--workers, --queued, --profiles, --classes and --plans must be at least 1");
    }
    if policy::by_name(&options.policy).is_none() {
        bail!("no policy is called `{}`: there are {}", options.policy, policy::NAMES.join(", "));
    }
    for part in [16, 4, 1] {
        let smaller = |number: usize| (number / part).max(1);
        let figures = measure(options, smaller(options.workers), smaller(options.queued), smaller(options.profiles));
        if options.json {
            println!("{}", serde_json::to_string(&figures)?);
        } else {
            let Figures { workers, queued, profiles, p50_us, p95_us, p99_us, mean_us, first_us, .. } = figures;
            println!(
                "{workers:>6} workers, {queued:>8} tasks in {profiles:>6} groups: p50 {p50_us:>6.0} µs, p95 {p95_us:>6.0}, p99 \
                 {p99_us:>6.0}, mean {mean_us:>6.0}, first {first_us:>8.0}"
            );
        }
    }
    Ok(())
}

fn measure(options: &Options, workers: usize, queued: usize, profiles: usize) -> Figures {
    let mut bench = Bench::new(options);
    (0..workers).for_each(|at| bench.join(at));
    bench.submit(queued + workers * SLOTS as usize, profiles);
    let first_us = bench.plan();
    let mut times: Vec<f64> = (0..options.plans).map(|_| bench.end_some_and_plan(profiles)).collect();
    let mean_us = times.iter().sum::<f64>() / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Figures {
        workers,
        queued,
        profiles,
        classes: options.classes.min(workers),
        plans: options.plans,
        p50_us: quantile(0.5),
        p95_us: quantile(0.95),
        p99_us: quantile(0.99),
        mean_us,
        first_us,
    }
}

struct Bench {
    coordinator: Coordinator,
    now: Time,
    running: VecDeque<(ConnectionId, Start)>,
    submitted: usize,
    classes: usize,
}

impl Bench {
    fn new(options: &Options) -> Self {
        let chosen = policy::by_name(&options.policy).expect("it was looked for before");
        let mut coordinator = Coordinator::new(Config::default(), chosen);
        let now = Time::ZERO;
        coordinator.begin(now, ClusterId([1; 16]), 0, "bench", &mut Vec::new());
        Self { coordinator, now, running: VecDeque::new(), submitted: 0, classes: options.classes }
    }

    fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.coordinator.step(self.now, event, &mut effects);
        for effect in effects {
            if let Effect::Send { connection, message: FromCoordinator::Start(start) } = effect {
                self.running.push_back((connection, start));
            }
        }
    }

    /// A worker of one of the classes: a processor, and in two of three a CUDA device, each as fast as its class is.
    fn join(&mut self, at: usize) {
        let connection = ConnectionId(at as u64 + 1);
        let classes = self.classes;
        let class = at % classes;
        let device = |kind: HardwareKind, speed: f64| Device {
            speed: Some(speed),
            memory_bytes: kind.has_own_memory().then_some(24_000_000_000),
            ..Device::of_kind(kind, ProbeLevel::Declared)
        };
        let kinds: &[HardwareKind] =
            if class.is_multiple_of(3) { &[HardwareKind::Cpu] } else { &[HardwareKind::Cpu, HardwareKind::Cuda] };
        let devices = kinds.iter().map(|kind| device(*kind, speed(class, classes, *kind))).collect();
        let machine = Inventory { slots: SLOTS, cores: SLOTS, memory_bytes: 64_000_000_000, devices, ..Inventory::default() };
        let mut worker = [0; 16];
        worker[..8].copy_from_slice(&connection.0.to_le_bytes());
        let hello = Hello {
            protocol_min: 1,
            protocol_max: 1,
            cluster: None,
            worker: WorkerId(worker),
            name: format!("w{at}"),
            boot: BootNonce([0; 8]),
            epoch_seen: Epoch(0),
            version: String::new(),
        };
        self.step(Event::Joined { connection, hello });
        let inventory = WorkerInventory { machine, attempts: Vec::new(), results: Vec::new() };
        self.step(Event::Received { connection, heard: self.now, message: FromWorker::Inventory(inventory) });
    }

    /// Adds tasks, dealt to the groups in turn. A third of the kinds can run on a processor only.
    fn submit(&mut self, tasks: usize, profiles: usize) {
        if self.submitted == 0 {
            let known = (0..profiles).flat_map(|kind| {
                let of =
                    |hardware| Known { kind: format!("k{kind}").into(), hardware, seconds: seconds(kind, hardware), times: 3 };
                [of(HardwareKind::Cpu), of(HardwareKind::Cuda)]
            });
            let command = Command::Learn(known.collect());
            self.step(Event::Operator { client: ClientId(1), command });
        }
        let spec = |at: usize| {
            let kind = at % profiles;
            let hardware: &[HardwareKind] =
                if kind.is_multiple_of(3) { &[HardwareKind::Cpu] } else { &[HardwareKind::Cuda, HardwareKind::Cpu] };
            let spec = TaskSpec::new(format!("k{kind}"), Work::Noop);
            NewTask { spec: Arc::new(TaskSpec { hardware: hardware.to_vec(), ..spec }), key: None }
        };
        let new = (self.submitted..self.submitted + tasks).map(spec).collect();
        self.submitted += tasks;
        self.step(Event::Submitted { client: ClientId(1), tasks: new });
    }

    /// Ends some of the tasks that began first, submits as many, and makes a plan; how long the plan took, in microseconds.
    fn end_some_and_plan(&mut self, profiles: usize) -> f64 {
        self.now = self.now + BETWEEN;
        for _ in 0..ENDING {
            let Some((connection, start)) = self.running.pop_front() else { break };
            let class = (connection.0 as usize - 1) % self.classes;
            let kind = start.spec.kind[1..].parse().expect("k and a number");
            let run_s = seconds(kind, start.hardware) / speed(class, self.classes, start.hardware);
            let outcome = Outcome { run_s, ..Outcome::bare(Ended::Passed) };
            let message = FromWorker::Finished { attempt: start.attempt, outcome };
            self.step(Event::Received { connection, heard: self.now, message });
        }
        self.submit(ENDING, profiles);
        self.plan()
    }

    fn plan(&mut self) -> f64 {
        self.now = self.now + Duration::from_millis(20);
        let before = cpu_us();
        self.step(Event::Woke);
        cpu_us() - before
    }
}

/// Processor time of this thread, in microseconds: what other programs do meanwhile does not count.
fn cpu_us() -> f64 {
    let time = ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("every Linux has this clock");
    time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3
}

/// Seconds a task of this kind takes on that hardware at speed 1.
fn seconds(kind: usize, hardware: HardwareKind) -> f64 {
    let on_cpu = 5.0 + (kind * 7919 % 997) as f64 / 5.0;
    if hardware == HardwareKind::Cuda { on_cpu / (1.0 + (kind % 7) as f64) } else { on_cpu }
}

/// The speed of that hardware of a worker of this class.
fn speed(class: usize, classes: usize, hardware: HardwareKind) -> f64 {
    let share = class as f64 / classes as f64;
    if hardware == HardwareKind::Cuda { 0.5 + 2.0 * share } else { 1.0 + share }
}
