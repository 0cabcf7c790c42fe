//! What keeps waiting tasks waiting, in words (F178).

use crate::Coordinator;
use crate::fleet::{Presence, Worker};
use crate::ledger::State as TaskState;
use crate::queue::{Class, ClassId};
use shared::api::Bottleneck;
use shared::fact::Admission;
use shared::hardware::HardwareKind;
use shared::time::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Coordinator {
    /// Waiting tasks by what they ask for, most tasks first; at most `most` entries.
    pub fn bottlenecks(&self, now: Time, most: usize) -> Vec<Bottleneck> {
        let mut waiting: BTreeMap<ClassId, (u64, Time)> = BTreeMap::new();
        for (profile, tasks) in self.state.queue.groups() {
            let since = tasks.iter().find_map(|task| match self.state.ledger.get(*task)?.state {
                TaskState::Queued { since, .. } => Some(since),
                TaskState::Leased(_) | TaskState::Running(_) | TaskState::Done(..) => None,
            });
            if let Some(since) = since {
                let (count, oldest) = waiting.entry(profile.class).or_insert((0, since));
                *count += tasks.len() as u64;
                *oldest = since.min(*oldest);
            }
        }
        let mut by_count: Vec<_> = waiting.into_iter().collect();
        by_count.sort_by_key(|(class, (count, _))| (Reverse(*count), *class));
        by_count.truncate(most);
        let told =
            |(class, (tasks, since)): (ClassId, (u64, Time))| self.bottleneck(class, tasks, now.since(since).as_secs_f64());
        by_count.into_iter().map(told).collect()
    }

    fn bottleneck(&self, id: ClassId, tasks: u64, oldest_s: f64) -> Bottleneck {
        let class = self.state.queue.class(id);
        let mut found = Bottleneck { needs: needs(class), tasks, oldest_s, ..Bottleneck::default() };
        let there = self.state.fleet.iter().map(|(_, worker)| worker).filter(|worker| worker.presence != Presence::Gone);
        let mut workers = 0;
        for worker in there {
            workers += 1;
            if !worker.is_able(id, class) {
                continue;
            }
            found.able += 1;
            match obstacle(worker, class) {
                Some(Obstacle::Absent) => found.absent += 1,
                Some(Obstacle::Closed) => found.closed += 1,
                Some(Obstacle::Distrusted) => found.distrusted += 1,
                Some(Obstacle::HeldBack) => found.held_back += 1,
                Some(Obstacle::Full) => found.full += 1,
                None => {}
            }
        }
        found.words = words(&found, workers);
        found
    }
}

enum Obstacle {
    Absent,
    Closed,
    Distrusted,
    HeldBack,
    Full,
}

/// What keeps a worker that could run tasks of this class from taking one now.
fn obstacle(worker: &Worker, class: &Class) -> Option<Obstacle> {
    if !matches!(worker.presence, Presence::Ready(_)) {
        return Some(Obstacle::Absent);
    }
    if worker.admission != Admission::Open {
        return Some(Obstacle::Closed);
    }
    if !worker.health.admits() {
        return Some(Obstacle::Distrusted);
    }
    if !worker.admits() {
        return Some(Obstacle::HeldBack);
    }
    let has_room = |hardware: &HardwareKind| worker.free().holds(worker.takes(class.demand, *hardware));
    (!worker.options(class).iter().any(has_room)).then_some(Obstacle::Full)
}

fn needs(class: &Class) -> String {
    let kinds: Vec<&str> = class.hardware.iter().map(|kind| kind.name()).collect();
    match (class.requirement.text(), kinds.join(" or ")) {
        ("", kinds) if kinds == "cpu" => "a free slot".into(),
        ("", kinds) => kinds,
        (text, kinds) if kinds == "cpu" || text == kinds => text.into(),
        (text, kinds) => format!("{text} on {kinds}"),
    }
}

/// `3 tasks wait for cuda: 2 workers have it, both full`.
fn words(found: &Bottleneck, workers: u64) -> String {
    let tasks = if found.tasks == 1 { "1 task waits".into() } else { format!("{} tasks wait", found.tasks) };
    let head = format!("{tasks} for {}", found.needs);
    if workers == 0 {
        return format!("{head}: no worker has joined");
    }
    if found.able == 0 {
        return format!("{head}: none of {workers} workers could ever run {}", if found.tasks == 1 { "it" } else { "them" });
    }
    let have = if found.able == 1 { "1 worker has it".into() } else { format!("{} workers have it", found.able) };
    let room = found.able - found.full - found.closed - found.distrusted - found.held_back - found.absent;
    let parts = [
        (found.full, "full"),
        (found.closed, "cordoned or draining"),
        (found.distrusted, "not trusted after failures"),
        (found.held_back, "used by others"),
        (found.absent, "not heard"),
        (room, "with room"),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).collect();
    let what = match parts.as_slice() {
        [(1, what)] => (*what).to_owned(),
        [(2, what)] => format!("both {what}"),
        [(_, what)] => format!("all {what}"),
        several => several.iter().map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", "),
    };
    format!("{head}: {have}, {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bottleneck_is_told_in_words() {
        let base = Bottleneck { needs: "cuda".into(), tasks: 3, able: 2, ..Bottleneck::default() };
        let full = Bottleneck { full: 2, ..base.clone() };
        assert_eq!(words(&full, 9), "3 tasks wait for cuda: 2 workers have it, both full");
        let mixed = Bottleneck { tasks: 1, able: 5, full: 3, closed: 1, absent: 1, ..base.clone() };
        assert_eq!(words(&mixed, 9), "1 task waits for cuda: 5 workers have it, 3 full, 1 cordoned or draining, 1 not heard");
        assert_eq!(
            words(&Bottleneck { able: 0, ..base.clone() }, 4),
            "3 tasks wait for cuda: none of 4 workers could ever run them"
        );
        assert_eq!(words(&base, 0), "3 tasks wait for cuda: no worker has joined");
    }
}
