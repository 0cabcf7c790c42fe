//! Suites of CTest. They need CMake 3.21: `cargo test -p worker --test with_ctest -- --ignored`.

mod fleet;

use fleet::{list, run_suite, write};
use shared::outcome::TestOutcome;
use std::process::Command;

const PROJECT: &str = r#"
cmake_minimum_required(VERSION 3.21)
project(demo NONE)
enable_testing()
add_test(NAME fine COMMAND sh -c "echo fine")
add_test(NAME "odd name (1.5)|+[x]" COMMAND sh -c "echo odd")
add_test(NAME bad COMMAND sh -c "echo 'it <fails> & so'; exit 3")
add_test(NAME off COMMAND true)
set_tests_properties(off PROPERTIES DISABLED ON)
add_test(NAME skips COMMAND sh -c "exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME missing COMMAND /no/such/program)
add_test(NAME slow COMMAND sleep 60)
set_tests_properties(slow PROPERTIES TIMEOUT 0.3)
add_test(NAME db_up COMMAND sh -c "echo up >> fixture.log")
add_test(NAME db_down COMMAND sh -c "echo down >> fixture.log")
add_test(NAME db_use COMMAND sh -c "grep up fixture.log")
set_tests_properties(db_up PROPERTIES FIXTURES_SETUP db)
set_tests_properties(db_down PROPERTIES FIXTURES_CLEANUP db)
set_tests_properties(db_use PROPERTIES FIXTURES_REQUIRED db)
foreach(number RANGE 1 30)
  add_test(NAME "many ${number}" COMMAND true)
endforeach()
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CMake 3.21: cargo test -p worker --test with_ctest -- --ignored"]
async fn results_are_those_of_ctest_and_fixtures_run_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("CMakeLists.txt", PROJECT)]);
    let configured =
        Command::new("cmake").args(["-S", ".", "-B", "build"]).current_dir(dir.path()).output().expect("cmake starts");
    assert!(configured.status.success(), "{configured:?}");
    let suite = list(&["ctest", "--test-dir", "build", "-j", "4"], dir.path());
    assert_eq!(suite.tests.len(), 40);
    let fleet = run_suite(&suite, dir.path(), 3).await;
    let outcome = |name: &str| fleet.one(name).outcome;
    for name in ["fine", "odd name (1.5)|+[x]", "db_up", "db_use", "db_down", "many 30"] {
        assert_eq!(outcome(name), TestOutcome::Passed, "{name}: {}", fleet.output);
    }
    assert_eq!(
        (outcome("bad"), outcome("slow"), outcome("missing")),
        (TestOutcome::Failed, TestOutcome::Failed, TestOutcome::Error)
    );
    assert_eq!((outcome("off"), outcome("skips")), (TestOutcome::Skipped, TestOutcome::Skipped));
    assert!(fleet.one("bad").message.as_deref().is_some_and(|text| text.contains("it <fails> & so")));
    assert_eq!(fleet.results.len(), 40);
    let log = std::fs::read_to_string(dir.path().join("build/fixture.log")).expect("the fixtures wrote it");
    assert_eq!(log, "up\ndown\n");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CMake 3.21: cargo test -p worker --test with_ctest -- --ignored"]
async fn filters_are_obeyed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("CMakeLists.txt", PROJECT)]);
    let configured = Command::new("cmake").args(["-S", ".", "-B", "."]).current_dir(dir.path()).output().expect("cmake starts");
    assert!(configured.status.success(), "{configured:?}");
    let suite = list(&["ctest", "-R", "many", "-E", "many 1"], dir.path());
    assert_eq!(suite.tests.len(), 19);
    let fleet = run_suite(&suite, dir.path(), 2).await;
    assert!(fleet::all_passed(&fleet) && fleet.count(TestOutcome::Passed) == 19, "{}", fleet.output);
}
