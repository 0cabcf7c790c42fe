//! `evenkeel report` on the facts of a run.

#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use common::Place;

#[test]
fn a_simulated_run_has_the_report_of_a_real_one_and_says_what_it_is() {
    let place = Place::with("");
    place.evenkeel(&["simulate", "builtin:livelock", "--out", "run", "--log"]).expect_code(0);
    place.evenkeel(&["report", "--facts", "run", "--output", "run.html", "--db-path", "run.duckdb"]).expect_code(0);
    let page = place.read("run.html");
    assert!(page.contains("Simulated: every machine here is a model") && page.contains("Who ran what, when"));
    assert!(place.path("run.duckdb").is_file());
    // The database that was kept is one like any other.
    place.evenkeel(&["report", "--db-path", "run.duckdb", "--output", "again.html", "--png", "figures"]).expect_code(0);
    assert!(place.path("figures/timeline.png").is_file());
    place.evenkeel(&["report", "--facts", "run", "--db-path", "run.duckdb"]).expect_code(2).expect_words("exists already");
}

#[test]
fn facts_that_are_not_there_are_named() {
    let place = Place::with("");
    place.evenkeel(&["simulate", "builtin:livelock", "--out", "run"]).expect_code(0);
    place.evenkeel(&["report", "--facts", "run"]).expect_code(2).expect_words("--log");
    place.evenkeel(&["report", "--facts", "nowhere"]).expect_code(2).expect_words("nowhere holds neither the log.jsonl");
}
