//! What became of a task as a trace: one span for all of it, and below it spans that lie end to end, so that they add up to it:
//! `queue`, `assign`, `set-up`, `run`, `upload`, again for each further attempt.

use shared::fact::{Fact, What};
use shared::id::{AttemptNumber, TaskId};
use shared::outcome::Verdict;
use shared::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tasks whose facts are kept until their verdict; of more of them no trace is made.
const OPEN_TASKS_MAX: usize = 100_000;
/// Attempts of one task that are kept apart; what follows is one span with the last.
const ATTEMPTS_MAX: usize = 32;

/// A stretch of a task's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// `queue`, `assign`, `set-up`, `run` or `upload`.
    pub name: &'static str,
    /// When it began.
    pub from: Time,
    /// When it ended.
    pub to: Time,
    /// Where; absent while it waited.
    pub worker: Option<String>,
    /// Which attempt, from 1; absent while it waited.
    pub attempt: Option<u32>,
}

/// A task from submission to verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// When it was accepted.
    pub from: Time,
    /// When it got its verdict.
    pub to: Time,
    /// The verdict.
    pub verdict: Verdict,
    /// Its parts, end to end from `from` to `to`.
    pub spans: Vec<Span>,
}

/// The tasks that have no verdict yet.
#[derive(Debug, Default)]
pub struct OpenTasks {
    tasks: BTreeMap<TaskId, Open>,
}

#[derive(Debug)]
struct Open {
    name: String,
    from: Time,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    number: AttemptNumber,
    worker: String,
    leased: Time,
    started: Option<Time>,
    stopped: Option<Stopped>,
}

#[derive(Debug)]
struct Stopped {
    at: Time,
    setup: Duration,
    run: Duration,
}

impl OpenTasks {
    /// Takes in a fact; the trace of a task, when it is the verdict on one.
    pub fn take_in(&mut self, fact: &Fact) -> Option<Trace> {
        match &fact.what {
            What::TaskQueued { task, spec, .. } if self.tasks.len() < OPEN_TASKS_MAX => {
                let open = Open { name: spec.name.clone(), from: fact.at, attempts: Vec::new() };
                self.tasks.insert(*task, open);
            }
            What::AttemptLeased { task, attempt, worker, .. } => {
                let open = self.tasks.get_mut(task).filter(|open| open.attempts.len() < ATTEMPTS_MAX)?;
                let (number, worker) = (*attempt, worker.to_string());
                open.attempts.push(Attempt { number, worker, leased: fact.at, started: None, stopped: None });
            }
            What::AttemptStarted { task, attempt, .. } => self.attempt(*task, *attempt)?.started = Some(fact.at),
            What::AttemptStopped { task, attempt, setup_s, run_s, .. } => {
                let length = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
                let stopped = Stopped { at: fact.at, setup: length(*setup_s), run: length(*run_s) };
                self.attempt(*task, *attempt)?.stopped = Some(stopped);
            }
            What::TaskFinished { task, verdict, .. } => {
                let open = self.tasks.remove(task)?;
                let spans = spans(&open, fact.at);
                let Open { name, from, .. } = open;
                return Some(Trace { task: *task, name, from, to: fact.at, verdict: *verdict, spans });
            }
            _ => {}
        }
        None
    }

    fn attempt(&mut self, task: TaskId, number: AttemptNumber) -> Option<&mut Attempt> {
        self.tasks.get_mut(&task)?.attempts.iter_mut().find(|attempt| attempt.number == number)
    }
}

/// The parts of a task's life. Of two attempts that run at a time, the later begins where the earlier has ended.
fn spans(open: &Open, end: Time) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = open.from;
    for attempt in &open.attempts {
        let of = |name, to: Time| (name, to, Some((attempt.worker.clone(), attempt.number.ordinal())));
        let stopped_at = attempt.stopped.as_ref().map_or(end, |stopped| stopped.at);
        let run_began = attempt.started.unwrap_or(stopped_at);
        let setup = attempt.stopped.as_ref().map_or(Duration::ZERO, |stopped| stopped.setup);
        let run_ended = attempt.stopped.as_ref().map_or(stopped_at, |stopped| run_began + stopped.run);
        let parts = [
            ("queue", attempt.leased, None),
            of("assign", run_began - setup),
            of("set-up", run_began),
            of("run", run_ended.min(stopped_at)),
            of("upload", stopped_at),
        ];
        for (name, to, whose) in parts {
            // Clocks of two machines and attempts beside each other may disagree: no part begins before the last one ended.
            let to = to.clamp(at, end);
            if to > at {
                let (worker, attempt) = whose.unzip();
                spans.push(Span { name, from: at, to, worker, attempt });
                at = to;
            }
        }
    }
    if end > at {
        spans.push(Span { name: "queue", from: at, to: end, worker: None, attempt: None });
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fact::StopReason;
    use shared::id::Epoch;
    use shared::outcome::Usage;
    use shared::task::{TaskSpec, Work};

    const TASK: TaskId = TaskId(1);

    fn fact(ms: u64, what: What) -> Fact {
        Fact { at: Time(ms * 1_000), what }
    }

    fn queued(ms: u64) -> Fact {
        let spec = TaskSpec::new("build", Work::Command(vec!["true".into()]));
        fact(ms, What::TaskQueued { task: TASK, spec: spec.into(), key: None })
    }

    fn leased(ms: u64, ordinal: u32) -> Fact {
        fact(
            ms,
            What::AttemptLeased {
                task: TASK,
                attempt: AttemptNumber::new(Epoch(1), ordinal),
                worker: "w".into(),
                hardware: Default::default(),
                hedge: false,
                why: "test".into(),
                decision: None,
                decided_with: None,
            },
        )
    }

    fn started(ms: u64, ordinal: u32) -> Fact {
        let attempt = AttemptNumber::new(Epoch(1), ordinal);
        fact(ms, What::AttemptStarted { task: TASK, attempt, worker: "w".into(), hardware: Default::default(), progress: 0.0 })
    }

    fn stopped(ms: u64, ordinal: u32, setup_s: f64, run_s: f64) -> Fact {
        fact(
            ms,
            What::AttemptStopped {
                task: TASK,
                attempt: AttemptNumber::new(Epoch(1), ordinal),
                worker: "w".into(),
                reason: StopReason::Finished,
                progress: 1.0,
                failure: None,
                exit_code: None,
                signal: None,
                message: None,
                setup_s,
                run_s,
                usage: Usage::default(),
                log_bytes: 0,
            },
        )
    }

    fn verdict(ms: u64) -> Fact {
        fact(ms, What::TaskFinished { task: TASK, attempt: None, verdict: Verdict::Passed, failure: None })
    }

    fn trace(facts: &[Fact]) -> Trace {
        let mut open = OpenTasks::default();
        facts.iter().find_map(|fact| open.take_in(fact)).expect("it has a verdict")
    }

    fn lengths(trace: &Trace) -> Vec<(&str, u64)> {
        trace.spans.iter().map(|span| (span.name, span.to.since(span.from).as_millis() as u64)).collect()
    }

    #[test]
    fn a_task_that_ran_once_has_five_parts() {
        let trace = trace(&[queued(0), leased(100, 1), started(150, 1), stopped(1_200, 1, 0.03, 1.0), verdict(1_200)]);
        assert_eq!(lengths(&trace), [("queue", 100), ("assign", 20), ("set-up", 30), ("run", 1_000), ("upload", 50)]);
    }

    #[test]
    fn parts_lie_end_to_end_whatever_the_facts_say() {
        let lives: [&[Fact]; 4] = [
            &[queued(7), verdict(90)],
            &[
                queued(0),
                leased(10, 1),
                stopped(20, 1, 5.0, 90.0),
                leased(40, 2),
                started(41, 2),
                stopped(80, 2, 0.0, 0.03),
                verdict(81),
            ],
            &[
                queued(0),
                leased(10, 1),
                leased(12, 2),
                started(15, 1),
                started(14, 2),
                stopped(50, 2, 0.0, 0.02),
                stopped(55, 1, 0.0, 0.1),
                verdict(55),
            ],
            &[queued(0), leased(10, 1), started(11, 1), verdict(60)],
        ];
        for facts in lives {
            let trace = trace(facts);
            let mut at = trace.from;
            for span in &trace.spans {
                assert_eq!(span.from, at, "{trace:?}");
                at = span.to;
            }
            assert_eq!(at, trace.to, "{trace:?}");
        }
    }
}
