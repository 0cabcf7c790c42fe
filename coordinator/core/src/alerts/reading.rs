//! What is measured for alerts, each with its sentence.

use shared::api::{AlertKind, Bottleneck, PulseView, WorkerRow, WorkerState};
use shared::fact::{Admission, BreakerState};
use shared::hardware::Throttle;

/// Workers that did not come back are no longer spoken of after this long.
const FORGOTTEN_S: u64 = 3_600;
/// Attempts that have to begin in a minute before their mean says anything.
const STARTS_MIN: u64 = 3;
/// How far below its limit a temperature counts as hot still.
const COOL_C: f64 = 5.0;

/// All that is seen of the farm at a moment.
#[derive(Debug)]
pub struct Signs<'a> {
    /// The workers.
    pub workers: &'a [WorkerRow],
    /// What waits and for what.
    pub bottlenecks: &'a [Bottleneck],
    /// How things went lately.
    pub pulse: PulseView,
    /// Waiting tasks that no registered worker could ever run.
    pub impossible: u64,
    /// Why facts cannot be written, where they cannot.
    pub log_problem: Option<&'a str>,
    /// Why the metrics database is not available, where it is not.
    pub database_problem: Option<&'a str>,
    /// The disk under the coordinator's data folder; absent where the system does not tell.
    pub disk: Option<Disk>,
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disk {
    /// The share in use, 0 to 1.
    pub used: f64,
    /// Bytes that are free.
    pub free_bytes: u64,
}

/// One thing that was measured.
#[derive(Debug)]
pub(super) struct Reading {
    pub kind: AlertKind,
    pub subject: String,
    pub value: f64,
    pub message: String,
}

/// Measures everything that can be measured. `is_raised` tells whether an alert stands already.
pub(super) fn read(signs: &Signs<'_>, is_raised: impl Fn(AlertKind, &str) -> bool) -> Vec<Reading> {
    let coordinator = of_coordinator(signs);
    let fleet =
        [deviation(signs.workers), start_latency(signs.pulse), queue_age(signs.bottlenecks), impossible(signs.impossible)];
    let workers = signs.workers.iter().flat_map(|worker| {
        let was_silent = is_raised(AlertKind::WorkerSilent, &worker.name);
        [silence(worker, was_silent), distrust(worker), throttling(worker), disk_of_worker(worker)]
    });
    coordinator.into_iter().chain(fleet.into_iter().flatten()).chain(workers.flatten()).collect()
}

fn of_coordinator(signs: &Signs<'_>) -> Vec<Reading> {
    let own = |kind, value, message| Reading { kind, subject: "coordinator".into(), value, message };
    let log = signs.log_problem.map(|problem| {
        own(AlertKind::LogUnwritable, 1.0, format!("{problem}; no new work is accepted until the log can be written"))
    });
    let database = signs.database_problem.map(|problem| {
        own(AlertKind::DatabaseUnavailable, 1.0, format!("{problem}; tasks are not affected, reports are not up to date"))
    });
    let disk = signs.disk.map(|disk| {
        let free_mb = disk.free_bytes / 1_000_000;
        let message = format!("the disk under the data folder has {free_mb} MB free: make room, or no new work can be accepted");
        own(AlertKind::DiskFull, disk.used, message)
    });
    log.into_iter().chain(database).chain(disk).collect()
}

fn silence(worker: &WorkerRow, was_raised: bool) -> Option<Reading> {
    let silent_s = worker.silent_s.unwrap_or(0);
    let name = &worker.name;
    let message = match worker.state {
        // Who said goodbye was never silent.
        WorkerState::Gone if !was_raised || silent_s > FORGOTTEN_S => return None,
        WorkerState::Gone => {
            format!("{name} did not come back within its lease: what it ran was given to others; look at the machine")
        }
        WorkerState::Ready | WorkerState::Suspect | WorkerState::Disconnected => {
            format!("{name} was not heard for {silent_s} s: it gets no new work; look at the machine and its network")
        }
    };
    Some(Reading { kind: AlertKind::WorkerSilent, subject: name.clone(), value: silent_s as f64, message })
}

fn distrust(worker: &WorkerRow) -> Option<Reading> {
    let (subject, kind) = (worker.name.clone(), AlertKind::WorkerDistrusted);
    let message = format!(
        "attempts in a row failed on {subject} for reasons that were not theirs: it is tried again one attempt at a time; look at the machine, then `evenkeel uncordon {subject}` trusts it at once"
    );
    (worker.breaker != BreakerState::Closed).then_some(Reading { kind, subject, value: 1.0, message })
}

fn throttling(worker: &WorkerRow) -> Option<Reading> {
    if worker.state != WorkerState::Ready {
        return None;
    }
    let limit = super::Limit::of(AlertKind::WorkerThrottled);
    let slow = worker.load.speed.map(|speed| 1.0 - speed);
    // As hot as it may be is a warning by itself; a little less is not yet over.
    let hot = worker.load.temperature_c.zip(worker.throttle_c).map(|(now_c, limit_c)| match now_c {
        now_c if now_c >= limit_c => limit.warning,
        now_c if now_c > limit_c - COOL_C => limit.warning - limit.slack,
        _ => 0.0,
    });
    // What slows hardware down it may say itself.
    let reasons = worker.load.devices.iter().map(|device| device.throttle).chain([worker.load.throttle]);
    let said = reasons.flatten().max().map(|reason| if reason == Throttle::Heat { limit.warning } else { 0.0 });
    let value = slow.into_iter().chain(hot).chain(said).reduce(f64::max)?;
    let heat = worker.load.temperature_c.map_or_else(String::new, |c| format!(" at {c:.0} °C"));
    let speed = worker.load.speed.map_or_else(String::new, |speed| format!(", at {:.0} % of its normal speed", speed * 100.0));
    let message = format!("{} is throttled{heat}{speed}: look at its cooling, or drain it", worker.name);
    Some(Reading { kind: AlertKind::WorkerThrottled, subject: worker.name.clone(), value, message })
}

fn disk_of_worker(worker: &WorkerRow) -> Option<Reading> {
    let used = worker.load.disk.filter(|_| worker.state == WorkerState::Ready)?;
    let message =
        format!("{} % of the disk of {} is in use: make room there, or tasks will fail", (used * 100.0).round(), worker.name);
    Some(Reading { kind: AlertKind::DiskFull, subject: worker.name.clone(), value: used, message })
}

/// How uneven the workers' shares of slots in use are. With fewer busy slots than workers some must idle, which says nothing.
fn deviation(workers: &[WorkerRow]) -> Option<Reading> {
    let open: Vec<&WorkerRow> = workers
        .iter()
        .filter(|worker| worker.state == WorkerState::Ready && worker.admission == Admission::Open && worker.slots > 0)
        .collect();
    let busy: u64 = open.iter().map(|worker| u64::from(worker.busy_slots)).sum();
    if open.len() < 2 || busy < open.len() as u64 {
        return None;
    }
    let shares: Vec<f64> = open.iter().map(|worker| f64::from(worker.busy_slots) / f64::from(worker.slots)).collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (shares.len() - 1) as f64;
    let value = variance.sqrt();
    let message = format!(
        "work is uneven: the shares of slots in use have a standard deviation of {value:.2} around {mean:.2}; see what tasks require, or POST /api/loadbalancer/rebalance"
    );
    Some(Reading { kind: AlertKind::LoadDeviation, subject: "fleet".into(), value, message })
}

fn start_latency(pulse: PulseView) -> Option<Reading> {
    let value = pulse.start_s.filter(|_| pulse.starts >= STARTS_MIN)? * 1e3;
    let message = format!(
        "tasks take {value:.0} ms from being given to a worker to running there: look at the network, the workers' disks, and files shipped with tasks"
    );
    Some(Reading { kind: AlertKind::StartLatency, subject: "fleet".into(), value, message })
}

fn queue_age(bottlenecks: &[Bottleneck]) -> Option<Reading> {
    let oldest = bottlenecks.iter().filter(|found| found.able > 0).max_by(|a, b| a.oldest_s.total_cmp(&b.oldest_s))?;
    let message = format!("a task has waited for {:.0} min: {}", oldest.oldest_s / 60.0, oldest.words);
    Some(Reading { kind: AlertKind::QueueAge, subject: "fleet".into(), value: oldest.oldest_s, message })
}

fn impossible(tasks: u64) -> Option<Reading> {
    let who = if tasks == 1 { "1 waiting task requires".into() } else { format!("{tasks} waiting tasks require") };
    let message =
        format!("{who} what no registered worker has: `evenkeel status` names them, `evenkeel why ID` says what they lack");
    (tasks > 0).then(|| Reading { kind: AlertKind::TasksImpossible, subject: "fleet".into(), value: tasks as f64, message })
}
