//! What `evenkeel run` answers: the exit status, the JUnit file, and what it says when something is wrong.

#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use common::{Place, Running, junit};

const GREEN: &str = "[[task]]\nname = \"one\"\ncommand = [\"true\"]\n[[task]]\nname = \"copy\"\ncommand = [\"sh\", \"-c\", \"pwd > $EVENKEEL_E2E_OUT\"]\nrepeat = 2\n";

#[test]
fn a_green_suite_exits_0_with_each_test_once_and_runs_in_its_folder_with_this_environment() {
    let place = Place::with(GREEN);
    let words = ["run", "SUITE.toml", "--junit", "out/junit.xml", "--report", "report.html", "--png", "png"];
    let mut command = place.command(&words);
    command.env("EVENKEEL_E2E_OUT", place.path("where"));
    let ended = Running::of(command).end().expect_code(0);
    assert!(ended.stdout.contains("3 tests in") && ended.stdout.contains("3 passed"), "{}", ended.stdout);
    assert_eq!(
        junit(&place.path("out/junit.xml")),
        [("one".to_owned(), true), ("copy-1".to_owned(), true), ("copy-2".to_owned(), true)]
    );
    let folder = place.path(".").canonicalize().expect("it is there");
    assert_eq!(place.read("where").trim(), folder.display().to_string());
    assert!(place.read("report.html").contains("<html"), "{}", place.read("report.html"));
    assert!(place.path(".evenkeel/evenkeel.duckdb").is_file());
    assert!(std::fs::read_dir(place.path("png")).expect("it was made").count() > 0);
}

#[test]
fn a_red_suite_exits_1_and_shows_what_the_failed_command_wrote() {
    let place = Place::with(
        "[[task]]\nname = \"bad\"\ncommand = [\"sh\", \"-c\", \"echo the-reason; exit 3\"]\n[[task]]\nname = \"good\"\ncommand = [\"true\"]\n",
    );
    let ended = place.evenkeel(&["run", "SUITE.toml", "--junit", "junit.xml"]).expect_code(1);
    assert!(ended.stdout.contains("the-reason") && ended.stdout.contains("1 failed"), "{}", ended.stdout);
    assert_eq!(junit(&place.path("junit.xml")), [("bad".to_owned(), false), ("good".to_owned(), true)]);
    assert!(place.read("junit.xml").contains("the-reason"));
}

#[test]
fn a_test_that_passes_when_tried_again_is_flaky_and_green() {
    let place =
        Place::with("[[task]]\nname = \"second\"\ncommand = [\"sh\", \"-c\", \"test -e seen || { touch seen; exit 1; }\"]\n");
    let ended = place.evenkeel(&["run", "SUITE.toml", "--retries", "2", "--json", "--junit", "junit.xml"]).expect_code(0);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON alone");
    assert_eq!((document["counts"]["passed"].as_u64(), document["counts"]["flaky"].as_u64()), (Some(1), Some(1)));
    assert!(place.read("junit.xml").contains("<flakyFailure"), "{}", place.read("junit.xml"));
}

#[test]
fn a_suite_without_tasks_exits_2() {
    Place::with("").evenkeel(&["run", "SUITE.toml"]).expect_code(2).expect_words("no tasks");
}

#[test]
fn nothing_to_run_and_unknown_flags_exit_2() {
    let place = Place::with("");
    place.evenkeel(&["run"]).expect_code(2).expect_words("nothing to run");
    place.evenkeel(&["run", "--no-such-flag", "SUITE.toml"]).expect_code(2).expect_words("--no-such-flag");
    place.evenkeel(&["run", "--", "make", "check"]).expect_code(2).expect_words("--junit-from");
}

#[test]
fn a_broken_suite_file_exits_2_and_names_the_line() {
    let place = Place::with("[[task]]\nname = \"a\"\ncommand = [\"true\"]\ntimeout = 3\n");
    place.evenkeel(&["run", "SUITE.toml"]).expect_code(2).expect_words("SUITE.toml:4");
}

#[test]
fn a_requirement_that_nobody_understands_exits_2_before_anything_runs() {
    let place = Place::with("[[task]]\nname = \"a\"\ncommand = [\"true\"]\nrequires = \"flux>=3\"\n");
    place.evenkeel(&["run", "SUITE.toml"]).expect_code(2).expect_words("flux");
    assert!(!place.path(".evenkeel").exists());
}

#[test]
fn a_requirement_that_this_machine_cannot_meet_exits_2_with_the_reason() {
    let place = Place::with(
        "[[task]]\nname = \"big\"\ncommand = [\"true\"]\nrequires = \"cores>=100000\"\n[[task]]\nname = \"small\"\ncommand = [\"true\"]\n",
    );
    let began = std::time::Instant::now();
    let ended = place.evenkeel(&["run", "SUITE.toml", "--junit", "junit.xml"]).expect_code(2).expect_words("cores>=100000");
    assert!(ended.stderr.contains("big"), "{}", ended.stderr);
    assert!(began.elapsed().as_secs() < 30, "it took {:?}", began.elapsed());
    assert_eq!(junit(&place.path("junit.xml")).len(), 2);
}

#[test]
fn a_coordinator_that_is_not_there_exits_2_and_says_what_to_do() {
    let place = Place::with(GREEN);
    // Port 9 is for discarding; nobody has it here.
    let ended = place.evenkeel(&["run", "--coordinator", "http://127.0.0.1:9", "SUITE.toml"]).expect_code(2);
    ended.expect_words("evenkeel coordinator");
    place.evenkeel(&["status", "--coordinator", "https://farm:1"]).expect_code(2).expect_words("http only");
}
