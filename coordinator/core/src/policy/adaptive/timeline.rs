//! What a worker will have free, and when: the ground on which a plan of the next tasks is laid.

use crate::fleet::Room;

/// Free room over time: from each step's time on, until the next. Times are seconds from now.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    steps: Vec<(f64, Room)>,
}

impl Timeline {
    /// A worker that has `free` now and gets back what each running task holds when it ends.
    pub(super) fn new(free: Room, mut ends: Vec<(f64, Room)>) -> Self {
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut steps = vec![(0.0, free)];
        for (at, room) in ends {
            let before = steps.last().expect("there is a first").1;
            steps.push((at, before.plus(room)));
        }
        Self { steps }
    }

    /// The earliest time from which `takes` is free for `seconds`.
    pub(super) fn earliest(&self, takes: Room, seconds: f64) -> Option<f64> {
        let mut from = None;
        for (index, (at, free)) in self.steps.iter().enumerate() {
            if !free.holds(takes) {
                from = None;
                continue;
            }
            let start = *from.get_or_insert(*at);
            if self.steps.get(index + 1).is_none_or(|(next, _)| *next >= start + seconds) {
                return from;
            }
        }
        from
    }

    /// Takes `takes` from `start` for `seconds`, which [`Timeline::earliest`] found free.
    pub(super) fn book(&mut self, start: f64, seconds: f64, takes: Room) {
        let end = start + seconds;
        let (first, last) = (self.cut(start), self.cut(end));
        self.steps[first..last].iter_mut().for_each(|(_, free)| *free = free.less(takes));
    }

    /// The index of the step that begins at `at`, made where there is none.
    fn cut(&mut self, at: f64) -> usize {
        let index = self.steps.partition_point(|(step, _)| *step < at);
        if self.steps.get(index).is_none_or(|(step, _)| *step > at) {
            let before = if index == 0 { Room::default() } else { self.steps[index - 1].1 };
            self.steps.insert(index, (at, before));
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(slots: u32) -> Room {
        Room { slots, ..Room::default() }
    }

    #[test]
    fn a_small_task_fits_into_the_gap_before_a_large_one() {
        let mut line = Timeline::new(slots(1), vec![(10.0, slots(3))]);
        let large = line.earliest(slots(4), 5.0).expect("at ten");
        line.book(large, 5.0, slots(4));
        assert_eq!(large, 10.0);
        assert_eq!(line.earliest(slots(1), 10.0), Some(0.0));
        assert_eq!(line.earliest(slots(1), 11.0), Some(15.0));
        assert_eq!(line.earliest(slots(5), 1.0), None);
    }
}
