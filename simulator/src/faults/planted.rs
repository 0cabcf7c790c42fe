//! The bugs that can be planted (`shared::planted`): each is one line somewhere in the cores or in the mirrored shells, and a
//! sweep that does not see it is not worth its time.

#[cfg(planted)]
use super::sweep;
#[cfg(planted)]
use std::fmt::Write;

/// Number and what is wrong.
pub const BUGS: &[(u8, &str)] = &[
    (1, "coordinator shell: effects do not wait for the disk"),
    (2, "coordinator shell: a gap in the frames of a worker is passed over"),
    (3, "coordinator: a result counts for the newest attempt of its task, whichever it names and whoever brings it"),
    (4, "coordinator shell: a commit that failed counts as done"),
    (5, "coordinator: an attempt counts as ended when a second result of it comes"),
    (6, "worker: the lease runs from when the heartbeat was answered, not from when it was sent"),
    (7, "coordinator: room kept for a task on its way is not given back when it does not come"),
    (8, "worker: results that were not acknowledged are missing from the inventory"),
    (9, "coordinator: the older session of a worker counts, too"),
    (10, "coordinator: who is told to move may be told again meanwhile"),
    (11, "coordinator: the number of an attempt is used again"),
    (12, "coordinator shell: the order to start does not wait for the disk"),
    (13, "coordinator: a worker that comes back is not told of a cancellation"),
    (14, "coordinator: results in an inventory are passed over"),
    (15, "coordinator: what a worker holds is given up when its connection ends"),
    (16, "coordinator: a retry is counted twice"),
    (17, "both: nobody compares epochs"),
    (18, "coordinator: its own standstill is not forgiven"),
    (19, "coordinator: the next attempt does not get the saved state"),
    (20, "coordinator: resources are given back twice"),
    (21, "coordinator: the slower of two attempts is not ended"),
    (22, "worker: a result is forgotten when it is sent"),
    (23, "worker: an attempt begins while an older one of its task is being ended"),
    (24, "worker: frames are taken as they come, doubled or with gaps"),
    (25, "worker and runner: the end of a lease ends nothing"),
    (26, "worker: a cancelled attempt counts as ended before its processes are gone"),
    (27, "coordinator: a task with a verdict can be cancelled"),
    (28, "coordinator: a cancelled task that is lost is run again"),
    (29, "coordinator: a change that no fact tells of"),
    (30, "coordinator: sessions are not numbered anew"),
    (31, "coordinator: a new life has the epoch of the last one"),
    (32, "coordinator: a task waits twice"),
    (33, "coordinator: the name of a submission is not looked up"),
    (34, "worker: the first byte of what is printed is not told"),
    (35, "coordinator: a task is quarantined one worker too early"),
    (36, "coordinator: no margin between the end of the worker's lease and its own"),
    (37, "worker: the inventory leaves out an attempt"),
    (38, "worker: the runner is told of a lease that is longer than the worker's"),
    (39, "coordinator: a task waits again although another attempt of it runs"),
    (40, "coordinator: a task has waited for too long after half of its time"),
    (41, "coordinator: a test that is told twice counts twice"),
    (42, "coordinator: an attempt that failed is told to have passed"),
];

/// Runs each bug until it is seen, for at most so many seeds, and tells of all in Markdown.
#[cfg(planted)]
pub fn table(seeds: u64, hours: f64, jobs: usize) -> (String, usize) {
    let mut text = format!(
        "# Planted bugs\n\nMade by `RUSTFLAGS=\"--cfg planted\" cargo run --release -p simulator --example chaos -- --planted --seeds {seeds} --hours {hours}`.\n\n\
         | bug | what is wrong | seen as | seeds | in words |\n|---:|---|---|---:|---|\n"
    );
    let mut unseen = 0;
    for (number, what) in BUGS {
        let sweep = sweep::sweep(1..1 + seeds, hours, jobs, 1, || shared::planted::plant(*number));
        let found = sweep.failures.first();
        unseen += usize::from(found.is_none());
        let (invariant, words) = found.map_or(("not seen", String::new()), |failure| match failure {
            sweep::Failure::Violated(story) => {
                let violation = story.violation.as_ref().expect("it went wrong");
                (violation.invariant, format!("seed {}: {}", story.seed, violation.what))
            }
            sweep::Failure::Differs(seed) => ("same seed, same run", format!("seed {seed}")),
        });
        let words: String = words.replace('|', "/").chars().take(160).collect();
        writeln!(text, "| {number} | {what} | {invariant} | {} | {words} |", sweep.seeds).expect("a string takes all");
        eprintln!("bug {number}: {invariant} after {} seeds", sweep.seeds);
    }
    (text, unseen)
}
