//! Each phase of a move beside each trouble, and a death of the coordinator around each commit.

use shared::outcome::Verdict;
use simulator::faults::directed::{Blow, Phase, die_around_each_commit, strike};

#[test]
fn whatever_happens_in_whichever_phase_of_a_move_the_task_ends_once_and_well() {
    let mut cells = 0;
    for blow in Blow::ALL {
        for phase in Phase::ALL {
            if blow.impossible_in(phase).is_some() {
                continue;
            }
            let ended = strike(phase, blow, 1).unwrap_or_else(|why| panic!("{blow:?} in {phase:?}: {why}"));
            let expected = if blow == Blow::Cancelled { Verdict::Cancelled } else { Verdict::Passed };
            assert_eq!((ended.violation, ended.verdict), (None, Some(expected)), "{blow:?} in {phase:?}");
            cells += 1;
        }
    }
    assert_eq!(cells, 48, "of 54 cells six cannot exist");
}

#[test]
fn a_coordinator_that_dies_around_any_commit_loses_nothing_and_begins_nothing_twice() {
    let (deaths, wrong) = die_around_each_commit(1);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(deaths > 100, "{deaths}: the run has commits to die around");
}
