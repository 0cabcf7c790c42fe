//! Seeds of everything going wrong: what must hold holds, and a seed is a run.

use simulator::faults::sweep::{Failure, sweep};
use simulator::faults::{Setting, Sight, Story, Trace, Trouble, run};

fn told(story: &Story) -> String {
    let violation = story.violation.as_ref().expect("it went wrong");
    let (invariant, what) = (violation.invariant, &violation.what);
    format!("seed {}: {invariant}: {what}; see all of it with `chaos --seed {0} --hours 0.25 --trace`", story.seed)
}

#[test]
fn two_hundred_seeds_of_trouble_break_nothing() {
    let jobs = std::thread::available_parallelism().map_or(1, Into::into);
    let sweep = sweep(1..201, 0.25, jobs, 1, || {});
    let first = sweep.failures.first().map(|failure| match failure {
        Failure::Violated(story) => told(story),
        Failure::Differs(seed) => format!("two runs of seed {seed} differ"),
    });
    assert_eq!(first, None);
    assert!(sweep.rerun >= 2 && sweep.attempts > sweep.tasks, "seeds were run twice, and troubles cost attempts");
}

#[test]
fn a_seed_is_a_run_and_another_seed_is_another() {
    let hash = |seed| run(Setting::drawn(seed, 0.1), Trace::default()).hash;
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5), hash(6));
}

#[test]
fn a_run_in_words_is_the_run() {
    let silent = run(Setting::drawn(3, 0.1), Trace::default());
    let told = run(Setting::drawn(3, 0.1), Trace::in_words(1000));
    assert_eq!(silent.hash, told.hash);
    assert!(silent.lines.is_empty() && told.lines.len() >= 1000);
}

#[test]
fn without_trouble_no_attempt_is_lost_but_to_tasks_that_take_their_workers_down() {
    for seed in 1..20 {
        let setting = Setting { troubles: Vec::new(), ..Setting::drawn(seed, 0.2) };
        let story = run(setting, Trace::default());
        assert_eq!(story.violation, None, "{seed}");
        let times = |sight| story.sights.times(sight);
        assert!(times(Sight::TookDown) > 0 || times(Sight::LostOnReturn) == 0, "{seed}");
    }
}

#[test]
fn a_coordinator_that_dies_in_its_commits_keeps_all_it_promised() {
    for seed in 1..20 {
        let troubles = vec![(Trouble::KillInCommit, 1.0)];
        let setting = Setting { troubles, trouble_every_s: 20.0, ..Setting::drawn(seed, 0.2) };
        let story = run(setting, Trace::default());
        assert_eq!(story.violation, None, "{seed}");
        assert!(story.sights.times(Sight::Replayed) > 3, "{seed}: it died and came back");
    }
}
