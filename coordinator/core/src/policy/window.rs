//! The next tasks, one by one: what the policies that search see. They bind late: of what they plan only what begins now is
//! started, and the rest is planned again.

use crate::fleet::{Room, WorkerIndex};
use crate::ledger::Task;
use crate::plan::View;
use crate::queue::ClassId;
use shared::hardware::HardwareKind;
use shared::id::TaskId;
use std::collections::{BTreeMap, BTreeSet};

/// A waiting task and where it could run.
#[derive(Debug)]
pub(super) struct Next {
    /// Its number.
    pub id: TaskId,
    /// Its class.
    pub class: ClassId,
    /// The ways to run it: those with room now, the quickest first, then others, the quickest first.
    pub ways: Vec<Way>,
}

/// A way to run a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// Where.
    pub worker: WorkerIndex,
    /// On which hardware.
    pub hardware: HardwareKind,
    /// How long it is expected to take, in seconds.
    pub seconds: f64,
    /// What it takes.
    pub takes: Room,
}

/// What a window shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Tasks.
    pub tasks: usize,
    /// Ways of each for which there is room now, the quickest.
    pub ways_now: usize,
    /// Ways of each beside those, the quickest, whether or not there is room.
    pub ways_later: usize,
}

/// The first waiting tasks that were not given away, in the order in which groups are served, of those that somebody has room
/// for now.
pub(super) fn next(view: &mut View<'_>, frame: Frame, given: &BTreeSet<TaskId>) -> Vec<Next> {
    let open: Vec<WorkerIndex> = view.fleet().iter().filter(|(_, worker)| worker.admits()).map(|(at, _)| at).collect();
    let mut has_room: BTreeMap<ClassId, bool> = BTreeMap::new();
    let mut window = Vec::new();
    for (profile, tasks) in view.groups() {
        if window.len() == frame.tasks {
            break;
        }
        let class = profile.class;
        let somebody = || open.iter().any(|worker| view.fits_now(class, *worker).is_some());
        if !*has_room.entry(class).or_insert_with(somebody) {
            continue;
        }
        let mut workers = view.candidates(profile);
        workers.retain(|worker| view.fleet().get(*worker).admits());
        if !workers.iter().any(|worker| view.fits_now(class, *worker).is_some()) {
            continue;
        }
        let mut shared: Option<(Option<f64>, Vec<Way>)> = None;
        for id in tasks.filter(|id| !given.contains(id)).take(frame.tasks - window.len()) {
            let Some(task) = view.ledger().get(id) else { continue };
            // Tasks of one group take equally long, or as long as their submitters said times the same factors.
            let told = task.spec.estimate_s.filter(|seconds| *seconds > 0.0);
            let factor = match (&shared, told) {
                (Some((Some(before), _)), Some(told)) => Some(told / before),
                (Some((None, _)), None) => Some(1.0),
                _ => None,
            };
            let mut ways = match (&shared, factor) {
                (Some((_, ways)), Some(_)) => ways.clone(),
                _ => ways_of(view, class, task, &workers, frame),
            };
            ways.iter_mut().for_each(|way| way.seconds *= factor.unwrap_or(1.0));
            shared = Some((told, ways.clone()));
            window.push(Next { id, class, ways });
        }
    }
    window
}

fn ways_of(view: &mut View<'_>, class: ClassId, task: &Task, workers: &[WorkerIndex], frame: Frame) -> Vec<Way> {
    let (mut now, mut later) = (Vec::new(), Vec::new());
    for worker in workers.iter().copied() {
        for hardware in view.options(class, worker).to_vec() {
            let has_room = view.room_for(class, worker, hardware) > 0;
            if !has_room && frame.ways_later == 0 {
                continue;
            }
            let takes = view.takes(class, worker, hardware);
            let way = Way { worker, hardware, seconds: view.remaining_s(task, worker, hardware, 0.0), takes };
            if has_room { now.push(way) } else { later.push(way) }
        }
    }
    let quicker = |a: &Way, b: &Way| a.seconds.total_cmp(&b.seconds).then(a.worker.cmp(&b.worker));
    now.sort_by(quicker);
    later.sort_by(quicker);
    now.truncate(frame.ways_now);
    later.truncate(frame.ways_later);
    now.append(&mut later);
    now
}
