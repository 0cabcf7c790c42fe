//! The queues of all workers, and how tasks come into them and leave them.

use super::desk::{Memory, best_of};
use super::line::{Entry, Place, place, waits};
use super::{Arrival, Choose, Desk, Line, Sight, lease};
use crate::fleet::{Presence, Room, WorkerIndex};
use crate::ledger::State;
use crate::plan::{Move, View};
use crate::queue::ClassId;
use shared::hardware::HardwareKind;
use shared::id::{Session, TaskId};
use shared::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// When the first task of a queue does not fit, this many behind it are looked at.
const LOOK_PAST: usize = 16;
/// This many tasks may go before one that does not fit; then its room is left to gather.
const PASSES_MAX: u32 = 16;
/// Workers come together when a coordinator or a site starts. What is pushed to the first of them stays there, so tasks are
/// kept back until none has come for this long,
const QUIET: Duration = Duration::from_millis(250);
/// and no longer than this.
const KEPT_BACK_MAX: Duration = Duration::from_secs(5);
/// A task waits for better hardware of its worker where what has room would take more than this many times as long.
const SLOWER_MAX: f64 = 2.0;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Queues {
    lines: Vec<Line>,
    /// Waiting tasks that have no worker: kept back, or looked at again when the fleet changes.
    homeless: BTreeSet<Place>,
    /// Whether the fleet changed since those were last looked at.
    is_changed: bool,
    /// While workers come: since when, and when the last one came.
    gathering: Option<(Time, Time)>,
    /// Tasks that were under way at the end of the last plan.
    out: Vec<TaskId>,
    /// Tasks up to this number were seen.
    seen: u64,
    fleet: Vec<Footing>,
}

/// What a worker's queue rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Footing {
    admits: bool,
    session: Session,
    whole: Room,
    devices: usize,
}

/// What happened since the last plan.
#[derive(Debug, Default)]
struct Arrivals {
    /// Tasks that are to be given a worker, in the order in which they are served.
    tasks: BTreeSet<Place>,
    /// Tasks whose newest attempt is over.
    ended: Vec<TaskId>,
}

impl Queues {
    /// Gives each task that newly waits a worker.
    pub(in super::super) fn take_in<C: Choose>(&mut self, view: &mut View<'_>, choice: &mut C) {
        let arrivals = self.arrivals(view);
        for id in arrivals.ended {
            let task = view.ledger().get(id).expect("it was under way");
            choice.saw_end(view, id, task);
        }
        if self.gathered().is_some_and(|at| view.now() < at) {
            return self.homeless.extend(arrivals.tasks);
        }
        self.gathering = None;
        let mut tasks = arrivals.tasks;
        if std::mem::take(&mut self.is_changed) {
            tasks.extend(std::mem::take(&mut self.homeless).into_iter().filter(|at| waits(view, *at)));
        }
        let mut memory = Memory::default();
        let mut suited = BTreeMap::new();
        for at in tasks {
            let task = view.ledger().get(at.1).expect("it waits");
            let class = task.class;
            let candidates = suited.entry(class).or_insert_with(|| workers_for(view, class));
            let liked = liked(view, class, task.avoid(), candidates);
            let candidates = liked.as_deref().unwrap_or(candidates);
            if candidates.is_empty() {
                self.homeless.insert(at);
                continue;
            }
            let mut desk = Desk::new(view, &self.lines, &mut memory);
            let arrival = Arrival { id: at.1, task, class };
            let worker = choice.choose(&mut desk, &arrival, candidates);
            let best = (C::SIGHT == Sight::Informed).then(|| desk.best(&arrival, worker));
            self.enqueue(view, at, class, worker, best);
        }
    }

    /// When tasks are no longer kept back, while they are.
    pub(in super::super) fn gathered(&self) -> Option<Time> {
        self.gathering.map(|(since, last)| (last + QUIET).min(since + KEPT_BACK_MAX))
    }

    /// What newly waits, with those whose worker left or takes no more work, and what is over.
    fn arrivals(&mut self, view: &View<'_>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let ledger = view.ledger();
        let mut out = std::mem::take(&mut self.out);
        out.retain(|id| {
            let task = ledger.get(*id).expect("tasks are never forgotten");
            match task.state {
                State::Leased(_) | State::Running(_) => return true,
                State::Queued { .. } => arrivals.tasks.insert(place(*id, task)),
                State::Done(..) => false,
            };
            arrivals.ended.push(*id);
            false
        });
        self.out = out;
        let fresh = self.seen + 1..=ledger.len() as u64;
        self.seen = ledger.len() as u64;
        for id in fresh.map(TaskId) {
            let task = ledger.get(id).expect("tasks are numbered without gaps");
            match task.state {
                State::Queued { .. } => drop(arrivals.tasks.insert(place(id, task))),
                State::Leased(_) | State::Running(_) => self.out.push(id),
                State::Done(..) => {}
            }
        }
        self.follow_fleet(view, &mut arrivals.tasks);
        self.forget_cancelled(view, arrivals.tasks.len());
        arrivals
    }

    /// Takes back what stands in queues whose worker is not what it was.
    fn follow_fleet(&mut self, view: &View<'_>, arrivals: &mut BTreeSet<Place>) {
        for (at, worker) in view.fleet().iter() {
            let index = at.0 as usize;
            let devices = worker.inventory.devices.len();
            let footing = Footing { admits: worker.admits(), session: worker.session, whole: worker.whole(), devices };
            if self.fleet.get(index) == Some(&footing) {
                continue;
            }
            self.is_changed = true;
            if footing.admits {
                let since = self.gathering.map_or(view.now(), |(since, _)| since);
                self.gathering = Some((since, view.now()));
            }
            if index == self.lines.len() {
                self.lines.push(Line::default());
                self.fleet.push(footing);
            }
            self.fleet[index] = footing;
            let line = std::mem::take(&mut self.lines[index]);
            arrivals.extend(line.iter().map(|(at, _)| at).filter(|at| waits(view, *at)));
        }
    }

    /// Tasks that were cancelled where they stand are passed over at the head of a queue. Where they are many they are
    /// taken out, so that they do not count as load; that they are many is known without looking for them.
    fn forget_cancelled(&mut self, view: &View<'_>, arrived: usize) {
        let known = self.lines.iter().map(Line::len).sum::<usize>() + self.homeless.len() + arrived;
        let surplus = known.saturating_sub(view.ledger().counts().queued as usize);
        if surplus * 8 <= known {
            return;
        }
        for line in &mut self.lines {
            let gone: Vec<Place> = line.iter().map(|(at, _)| at).filter(|at| !waits(view, *at)).collect();
            for at in gone {
                line.remove(at);
            }
        }
        self.homeless.retain(|at| waits(view, *at));
    }

    fn enqueue(
        &mut self,
        view: &mut View<'_>,
        at: Place,
        class: ClassId,
        worker: WorkerIndex,
        best: Option<(f64, HardwareKind)>,
    ) {
        let hardware = best.map_or_else(|| view.options(class, worker)[0], |(_, hardware)| hardware);
        let takes = view.takes(class, worker, hardware);
        let seconds = best.map_or(0.0, |(seconds, _)| seconds * f64::from(takes.slots));
        self.lines[worker.0 as usize].push(at, Entry { class, takes, seconds });
    }

    /// Leases from the head of each worker's queue while it has room.
    pub(in super::super) fn start(&mut self, view: &mut View<'_>, sight: Sight, why: &Arc<str>, moves: &mut Vec<Move>) {
        for at in 0..self.lines.len() {
            let worker = WorkerIndex(at as u32);
            while view.free(worker).slots > 0 && !self.lines[at].is_empty() {
                let Some((task, class, hardware)) = self.next_of(view, worker, sight) else { break };
                moves.push(lease(view, task, class, worker, hardware, why));
                self.out.push(task);
            }
        }
    }

    /// Takes the next task that fits out of a worker's queue, and those before it that no longer wait.
    fn next_of(&mut self, view: &mut View<'_>, worker: WorkerIndex, sight: Sight) -> Option<(TaskId, ClassId, HardwareKind)> {
        let line = &mut self.lines[worker.0 as usize];
        let (mut gone, mut head, mut found) = (Vec::new(), None, None);
        let mut looked = 0;
        for (at, entry) in line.iter() {
            if !waits(view, at) {
                gone.push(at);
                continue;
            }
            let first = *head.get_or_insert(at.1);
            if looked > LOOK_PAST || first != at.1 && line.passed == (Some(first), PASSES_MAX) {
                break;
            }
            looked += 1;
            if let Some(hardware) = fits(view, at, entry.class, worker, sight) {
                found = Some((at, entry.class, hardware));
                break;
            }
        }
        for at in gone {
            line.remove(at);
        }
        let (at, class, hardware) = found?;
        if head != Some(at.1) {
            line.passed = if line.passed.0 == head { (head, line.passed.1 + 1) } else { (head, 1) };
        }
        line.remove(at);
        Some((at.1, class, hardware))
    }

    /// The queues, by worker.
    pub(in super::super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Tasks that are under way.
    pub(in super::super) fn under_way(&self) -> &[TaskId] {
        &self.out
    }

    /// Moves a waiting task from one queue to its place in another.
    pub(in super::super) fn transfer(
        &mut self,
        view: &mut View<'_>,
        at: Place,
        from: WorkerIndex,
        to: WorkerIndex,
        sight: Sight,
    ) {
        let Some(entry) = self.lines[from.0 as usize].remove(at) else { return };
        let task = view.ledger().get(at.1).expect("it stood in a queue");
        let best = (sight == Sight::Informed).then(|| best_of(view, entry.class, task, to));
        self.enqueue(view, at, entry.class, to, best);
    }
}

/// The workers that take work and can run tasks of this class, whether or not they have room.
fn workers_for(view: &mut View<'_>, class: ClassId) -> Vec<WorkerIndex> {
    let admit: Vec<WorkerIndex> = view.fleet().iter().filter(|(_, worker)| worker.admits()).map(|(at, _)| at).collect();
    admit.into_iter().filter(|at| !view.options(class, *at).is_empty()).collect()
}

/// The candidates without those a task should avoid; nothing where it need not be told apart. While a worker it need not
/// avoid is only away, nobody is left.
fn liked(view: &mut View<'_>, class: ClassId, avoid: &[WorkerIndex], candidates: &[WorkerIndex]) -> Option<Vec<WorkerIndex>> {
    if avoid.is_empty() {
        return None;
    }
    let there: Vec<WorkerIndex> =
        view.fleet().iter().filter(|(_, worker)| worker.presence != Presence::Gone).map(|(at, _)| at).collect();
    let has_other = there.into_iter().any(|at| !avoid.contains(&at) && !view.options(class, at).is_empty());
    has_other.then(|| candidates.iter().copied().filter(|at| !avoid.contains(at)).collect())
}

/// The hardware of a worker on which a task of its queue is to begin now; nothing where it does not fit or should wait.
fn fits(view: &mut View<'_>, at: Place, class: ClassId, worker: WorkerIndex, sight: Sight) -> Option<HardwareKind> {
    match sight {
        Sight::Blind => view.fits_now(class, worker),
        Sight::Informed => {
            let task = view.ledger().get(at.1)?;
            let options = view.options(class, worker).to_vec();
            let (mut best, mut now) = (f64::INFINITY, None);
            for hardware in options {
                let seconds = view.remaining_s(task, worker, hardware, 0.0);
                best = best.min(seconds);
                if view.room_for(class, worker, hardware) > 0 && now.is_none_or(|(least, _)| seconds < least) {
                    now = Some((seconds, hardware));
                }
            }
            now.filter(|(seconds, _)| *seconds <= SLOWER_MAX * best).map(|(_, hardware)| hardware)
        }
    }
}
