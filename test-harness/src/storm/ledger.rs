//! What the tasks themselves wrote down: one line when a run begins, one when it ends, one when it meets another run of the
//! same task.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The lines, by task.
#[derive(Debug, Default)]
pub struct Ledger {
    tasks: BTreeMap<u64, Vec<(Line, u64)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    End,
    Overlap,
}

impl Ledger {
    /// Reads it; no ledger is an empty one.
    ///
    /// # Errors
    /// It cannot be read, or holds a line that no task writes.
    pub fn read(path: &Path) -> io::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let mut ledger = Self::default();
        for line in std::fs::read_to_string(path)?.lines() {
            ledger.add(line).ok_or_else(|| io::Error::other(format!("the ledger holds a line that no task writes: {line}")))?;
        }
        Ok(ledger)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let kind = match words.next()? {
            "s" => Line::Start,
            "e" => Line::End,
            "o" => Line::Overlap,
            _ => return None,
        };
        let (task, attempt) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        self.tasks.entry(task).or_default().push((kind, attempt));
        Some(())
    }

    /// Runs that began.
    pub fn starts(&self) -> u64 {
        self.count(Line::Start)
    }

    /// Runs of tasks that had been run before.
    pub fn repeats(&self) -> u64 {
        let starts = |lines: &Vec<(Line, u64)>| lines.iter().filter(|(kind, _)| *kind == Line::Start).count() as u64;
        self.tasks.values().map(|lines| starts(lines).saturating_sub(1)).sum()
    }

    /// Whether some run of this task came to its end.
    pub fn has_ended(&self, task: u64) -> bool {
        self.tasks.get(&task).is_some_and(|lines| lines.iter().any(|(kind, _)| *kind == Line::End))
    }

    /// Runs that met another run of their task, or that ended after a later one began.
    pub fn overlaps(&self) -> u64 {
        let late_ends = self.tasks.values().map(|lines| {
            let newest_before = |at: usize| lines[..at].iter().filter(|(kind, _)| *kind == Line::Start).map(|(_, n)| *n).max();
            let is_late = |(at, (kind, attempt)): (usize, &(Line, u64))| *kind == Line::End && newest_before(at) > Some(*attempt);
            lines.iter().enumerate().filter(|line| is_late(*line)).count() as u64
        });
        self.count(Line::Overlap).max(late_ends.sum())
    }

    fn count(&self, wanted: Line) -> u64 {
        self.tasks.values().flatten().filter(|(kind, _)| *kind == wanted).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Ledger {
        let mut ledger = Ledger::default();
        lines.split(", ").for_each(|line| ledger.add(line).expect("a line of a task"));
        ledger
    }

    #[test]
    fn runs_one_after_the_other_do_not_overlap_and_others_do() {
        let twice = of("s 1 1, s 1 2, e 1 2, s 2 1, e 2 1");
        assert_eq!((twice.starts(), twice.repeats(), twice.overlaps()), (3, 1, 0));
        assert_eq!(of("s 1 1, s 1 2, e 1 1, e 1 2").overlaps(), 1);
        assert_eq!(of("s 1 1, o 1 2, s 1 2").overlaps(), 1);
        assert!(twice.has_ended(2) && !of("s 1 1").has_ended(1));
    }

    #[test]
    fn a_line_that_no_task_writes_is_refused() {
        assert_eq!(Ledger::default().add("s 1"), None);
        assert_eq!(Ledger::default().add("x 1 1"), None);
    }
}
